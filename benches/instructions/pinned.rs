//! The figures that must not grow: one section a compiler, in `pinned.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Growth that passes.
pub(crate) const PLAY: f64 = 0.02;

/// The figures of one compiler, by subject.
pub(crate) type Figures = BTreeMap<String, f64>;

/// All sections, by the compiler's own words and the processor.
pub(crate) struct Pinned {
    file: PathBuf,
    sections: BTreeMap<String, Figures>,
}

impl Pinned {
    pub(crate) fn read() -> Result<Pinned, String> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/pinned.txt");
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let mut sections = BTreeMap::<String, Figures>::new();
        let mut current = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                current = section.to_owned();
            } else if let Some((figure, subject)) = line.split_once("  ") {
                let figure = figure.parse().map_err(|_| format!("pinned.txt: {line}"))?;
                let section = sections.entry(current.clone()).or_default();
                section.insert(subject.trim().to_owned(), figure);
            }
        }
        Ok(Pinned { file, sections })
    }

    pub(crate) fn of(&self, compiler: &str) -> Option<&Figures> {
        self.sections.get(compiler)
    }

    pub(crate) fn replace(mut self, compiler: &str, figures: Figures) -> Result<(), String> {
        self.sections.insert(compiler.to_owned(), figures);
        let mut text = String::new();
        for (section, figures) in &self.sections {
            let _ = writeln!(text, "[{section}]");
            for (subject, figure) in figures {
                let _ = writeln!(text, "{figure:.2}  {subject}");
            }
        }
        std::fs::write(&self.file, text).map_err(|error| error.to_string())
    }
}

/// The compiler that made this program, as it says itself, and the processor it was made for.
pub(crate) fn compiler(program: &Path) -> Result<String, String> {
    let output = Command::new("readelf")
        .args(["--string-dump=.comment"])
        .arg(program)
        .output()
        .map_err(|error| format!("readelf: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .lines()
        .find_map(|line| line.split_once("rustc version "))
        .map_or("an unknown compiler", |(_, version)| version.trim());
    Ok(format!("rustc {version}, {}", std::env::consts::ARCH))
}
