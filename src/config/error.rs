//! What is wrong with a configuration: where, what was given, and what is allowed.

use core::fmt;
use std::error::Error;
use std::path::{Path, PathBuf};

/// A configuration that is not accepted.
///
/// It names the file and the line where there are such, the key, the value given and the values allowed:
///
/// ```
/// use failfast::config::{BreakerConfig, Config};
///
/// let config = Config::default().with_breaker("payment", BreakerConfig::default().failure_rate(1.5));
/// let error = config.validate().unwrap_err();
/// assert_eq!((error.key(), error.given()), ("breakers.payment.failure_rate", "1.5"));
/// assert_eq!(
///     error.to_string(),
///     "breakers.payment.failure_rate: given 1.5, allowed is a rate above 0 to 1, at least one part in a million"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    file: Option<PathBuf>,
    place: Option<Place>,
    key: String,
    given: String,
    allowed: String,
}

/// Where in a text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl InvalidConfig {
    /// The file, where the settings came from one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The line in the file or text, from 1; `None` for settings that were not read from a text, and for a file or text
    /// that is not read at all.
    pub fn line(&self) -> Option<usize> {
        self.place.map(|place| place.line)
    }

    /// The character of the line, from 1.
    pub fn column(&self) -> Option<usize> {
        self.place.map(|place| place.column)
    }

    /// The key, its parts joined by dots: `breakers.payment.failure_rate`; names that hold anything but letters, digits,
    /// `-` and `_` are quoted. Empty where the trouble is with the file or its syntax.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value given, in words.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The values allowed, in words.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }

    /// A refusal of what is at this key.
    #[cfg(feature = "rate-limit")]
    pub(crate) fn at(path: &[&str], given: impl Into<String>, allowed: impl Into<String>) -> Self {
        Refusal::new(path, given, allowed).into()
    }

    pub(super) fn in_file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.place) {
            (Some(file), Some(place)) => write!(f, "{}:{}: ", file.display(), place.line)?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, Some(place)) => write!(f, "line {}: ", place.line)?,
            (None, None) => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "given {}, allowed is {}", self.given, self.allowed)
    }
}

impl Error for InvalidConfig {}

/// A refusal on its way out: the key still in parts, the place and the value as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Refusal {
    pub(super) path: Vec<String>,
    pub(super) place: Option<Place>,
    pub(super) given: Option<String>,
    pub(super) allowed: String,
}

impl Refusal {
    pub(super) fn new(path: &[&str], given: impl Into<String>, allowed: impl Into<String>) -> Self {
        Refusal {
            path: path.iter().map(|&part| part.to_owned()).collect(),
            place: None,
            given: Some(given.into()),
            allowed: allowed.into(),
        }
    }
}

impl From<Refusal> for InvalidConfig {
    fn from(refusal: Refusal) -> Self {
        let parts: Vec<_> = refusal.path.iter().map(|part| key_part(part)).collect();
        InvalidConfig {
            file: None,
            place: refusal.place,
            key: parts.join("."),
            given: shortened(&refusal.given.unwrap_or_default()),
            allowed: refusal.allowed,
        }
    }
}

/// A name as a part of a dotted key: what would not be a bare key in TOML is quoted, and shows its control characters.
fn key_part(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// At most 80 characters of a text, for messages.
pub(super) fn shortened(text: &str) -> String {
    const LENGTH: usize = 80;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
