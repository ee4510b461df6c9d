//! A copy of the sources that the models include, with a manifest of its own, built over and over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A model that is still searching by then has not noticed anything that its searching less would not show.
const LIMIT: Duration = Duration::from_secs(900);

/// Built in haste: the models take little longer, the build a third. The dependencies are those of the workspace, with
/// its settings, so that they are not built again.
const MANIFEST: &str = r#"
[workspace]
members = ["loom-tests"]
resolver = "2"
[profile.release]
debug = 1
[profile.release.package.failfast-loom-tests]
opt-level = 1
debug = false
"#;

/// What the models made of a mutant.
pub(crate) enum Found {
    /// The name of the first model that did not hold.
    Noticed(String),
    Nothing,
}

pub(crate) struct Copy {
    source: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let program = std::env::current_exe().expect("the path of this program");
        // <target>/release/deps/<program>
        let target = program.ancestors().nth(3).expect("the target directory").to_path_buf();
        let copy = Copy { source: source.to_path_buf(), copy: target.join("mutants"), target };
        let _ = fs::remove_dir_all(&copy.copy);
        for part in ["src", "loom-tests/src", "loom-tests/tests/models.rs", "loom-tests/Cargo.toml"]
        {
            copy_all(&copy.source.join(part), &copy.copy.join(part));
        }
        copy_all(&copy.source.join("Cargo.lock"), &copy.copy.join("Cargo.lock"));
        let manifest = copy.copy.join("loom-tests/Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("the manifest");
        // Without this program.
        let (text, _) = text.split_once("[[test]]\nname = \"mutants\"").expect("this program");
        fs::write(&manifest, text).expect("the manifest of the copy");
        fs::write(copy.copy.join("Cargo.toml"), MANIFEST).expect("the manifest of the workspace");
        copy
    }

    /// The text of a source file as it is in the repository.
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.source.join("src").join(file)).expect("a source file")
    }

    pub(crate) fn write(&self, texts: &[(&'static str, String)]) {
        for (file, text) in texts {
            fs::write(self.copy.join("src").join(file), text).expect("a file of the copy");
        }
    }

    pub(crate) fn restore(&self, texts: &[(&'static str, String)]) {
        for (file, _) in texts {
            self.write(&[(*file, self.read(file))]);
        }
    }

    /// Builds the copy and runs models, by parts of their names; all of them if there is none.
    pub(crate) fn hold(&self, models: &[&str]) -> Found {
        let log = self.copy.join("models.log");
        let out = fs::File::create(&log).expect("a log");
        let mut running = Command::new(self.build())
            .args(["--first", "--no-floors"])
            .args(models)
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("the models");
        let begun = Instant::now();
        let status = loop {
            match running.try_wait().expect("the models") {
                Some(status) => break status,
                None if begun.elapsed() > LIMIT => {
                    let _ = running.kill();
                    break running.wait().expect("the models");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        if status.success() {
            return Found::Nothing;
        }
        let log = fs::read_to_string(log).expect("the log");
        let failed = log.lines().find_map(|line| line.strip_prefix("FAILED ")?.split_once(": "));
        match failed {
            Some((model, _)) => Found::Noticed(model.to_string()),
            None if status.code().is_none() => Found::Noticed("(too long, or killed)".to_string()),
            None => panic!("no model of {models:?} ran:\n{log}"),
        }
    }

    /// Builds the models; returns the path of the program.
    fn build(&self) -> PathBuf {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        let built = Command::new(cargo)
            .args(["test", "--release", "--offline", "--test", "models", "--no-run"])
            .args(["-p", "failfast-loom-tests"])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1")
            .env_remove("RUSTFLAGS")
            .current_dir(&self.copy)
            .output()
            .expect("cargo");
        let said = String::from_utf8_lossy(&built.stderr);
        let program = said.lines().find_map(|line| {
            line.trim_start().strip_prefix("Executable")?.rsplit_once('(')?.1.strip_suffix(')')
        });
        match program {
            Some(program) if built.status.success() => self.copy.join(program),
            _ => panic!("a mutant does not compile:\n{said}"),
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory of the copy");
        // Not `fs::copy`, which may keep the time: Cargo must not take an earlier mutant for up to date.
        fs::write(to, fs::read(from).expect("a file")).expect("a file of the copy");
    }
}
