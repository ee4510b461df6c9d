//! The command line, and what the surroundings say of the terminal.

use std::path::PathBuf;
use std::time::Duration;

use crate::draw::{Colours, Letters, Paper};

pub(crate) const USAGE: &str = "\
usage: cargo run --release --example visualizer --all-features [-- OPTIONS]

  --demo          break and heal the dependencies by a script, check what the breakers did, and end
  --for TIME      end after that time, such as 20s, 500ms or 2m
  --plain         print lines, as is done where the output is no terminal
  --no-color      no colours, as with NO_COLOR in the environment
  --ascii         no letters but ASCII, as in a locale without UTF-8
  --port N        listen on 127.0.0.1:N and the three ports after it (by default the system picks free ones)
  --rate N        calls a second to each dependency, 1 to 200 (20)
  --picture FILE  watch a script for a minute and write what is then seen, to FILE.svg or FILE.txt; may be repeated
  --help          this text
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) demo: bool,
    pub(crate) length: Option<Duration>,
    pub(crate) plain: bool,
    pub(crate) no_color: bool,
    pub(crate) ascii: bool,
    pub(crate) port: Option<u16>,
    pub(crate) rate: u32,
    pub(crate) pictures: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            demo: false,
            length: None,
            plain: false,
            no_color: false,
            ascii: false,
            port: None,
            rate: 20,
            pictures: Vec::new(),
        }
    }
}

impl Options {
    /// `None` when help is asked for.
    ///
    /// # Errors
    ///
    /// In words.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Options>, String> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next() {
            let (name, mut inline) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                let value = inline.take().or_else(|| arguments.next());
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--for" => options.length = Some(time(&value()?)?),
                "--port" => options.port = Some(number(name, &value()?, 1..=65_532)? as u16),
                "--rate" => options.rate = number(name, &value()?, 1..=200)?,
                "--picture" => {
                    let path = PathBuf::from(value()?);
                    if !path.extension().is_some_and(|end| end == "svg" || end == "txt") {
                        return Err(
                            "--picture: allowed is a file whose name ends in .svg or .txt".into()
                        );
                    }
                    options.pictures.push(path);
                }
                "--demo" => options.demo = true,
                "--plain" => options.plain = true,
                "--no-color" => options.no_color = true,
                "--ascii" => options.ascii = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown option {argument:?}")),
            }
            if let Some(value) = inline {
                return Err(format!("{name} takes no value; given {value:?}"));
            }
        }
        if options.demo && !options.pictures.is_empty() {
            return Err("--demo and --picture are two scripts; give one of them".into());
        }
        Ok(Some(options))
    }
}

fn number(name: &str, text: &str, allowed: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    text.parse().ok().filter(|number| allowed.contains(number)).ok_or_else(|| {
        let (least, most) = (allowed.start(), allowed.end());
        format!("{name}: given {text:?}, allowed is a number from {least} to {most}")
    })
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => Some(1),
        "s" | "" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok().filter(|number| (1..=86_400_000).contains(number));
    match (number, millis) {
        (Some(number), Some(millis)) => Ok(Duration::from_millis(number * millis)),
        _ => Err(format!("--for: given {text:?}, allowed is a time such as 20s, 500ms or 2m")),
    }
}

/// What decides how to draw: the environment, as a function so that it can be made up.
pub(crate) fn paper(options: &Options, environment: impl Fn(&str) -> Option<String>) -> Paper {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    // As libc does: the first of the three that says anything decides.
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    let dumb = is_dumb(&environment);
    let plain = options.no_color || set("NO_COLOR").is_some() || dumb;
    let ascii = options.ascii || dumb || !(utf8 || cfg!(windows));
    Paper {
        colours: if plain { Colours::None } else { Colours::Ansi },
        letters: if ascii { Letters::Ascii } else { Letters::Unicode },
    }
}

/// Whether the terminal cannot even place its cursor.
pub(crate) fn is_dumb(environment: impl Fn(&str) -> Option<String>) -> bool {
    environment("TERM").is_some_and(|term| term == "dumb")
}
