//! Configurations from files and texts: each format becomes the same tree, and that one the settings.
//!
//! The tree knows the place of every value, which the errors of the formats' own deserializers lose or put into words.
//! So an error names its line also where the value was well-formed and is not allowed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::error::{InvalidConfig, Refusal};
use super::Config;

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "toml")]
mod toml;
#[cfg(any(feature = "toml", feature = "json", feature = "yaml"))]
mod tree;
#[cfg(feature = "yaml")]
mod yaml;

/// Largest text that is read, 256 KiB: eight hundred breakers with every setting of their own, and several thousand that
/// share theirs.
///
/// The formats' parsers hold far more than the text. Measured at this size (2026-11-21), in any configuration up to 26 MiB;
/// in what a text can be made of to take most, 13 MiB in JSON, 87 in YAML (a list of pairs) and 142 in TOML (dotted keys,
/// each a table for two bytes). `tests/allocations` holds them to that.
const MAX_BYTES: usize = 256 << 10;

impl Config {
    /// Reads a file and checks everything in it; the extension tells the format: `.toml`, `.json`, `.yaml` or `.yml`.
    ///
    /// ```no_run
    /// use failfast::config::Config;
    ///
    /// match Config::load("/etc/shop/circuits.toml") {
    ///     Ok(config) => println!("{} breakers", config.breakers.len()),
    ///     // /etc/shop/circuits.toml:7: breakers.payment.failure_rate: given 1.5, allowed is a rate above 0 to 1, ...
    ///     Err(error) => eprintln!("{error}"),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// An [`InvalidConfig`] that names the file: it can't be read, is no regular file, is larger than 256 KiB, is not text
    /// in UTF-8, is not well-formed, has an extension that is none of those or whose feature is off, or holds a setting that
    /// is unknown or not allowed.
    pub fn load(path: impl AsRef<Path>) -> Result<Config, InvalidConfig> {
        let path = path.as_ref();
        load(path).map_err(|error| error.in_file(path))
    }

    /// Reads settings in TOML and checks them all.
    ///
    /// ```
    /// use failfast::config::Config;
    ///
    /// let error = Config::from_toml("[breakers.payment]\nopen_wait = 30").unwrap_err();
    /// assert_eq!((error.line(), error.key(), error.given()), (Some(2), "breakers.payment.open_wait", "30"));
    /// ```
    ///
    /// # Errors
    ///
    /// An [`InvalidConfig`] without a file: the text is larger than 256 KiB, is not well-formed, or holds a setting that is
    /// unknown or not allowed.
    #[cfg(feature = "toml")]
    #[cfg_attr(docsrs, doc(cfg(feature = "toml")))]
    pub fn from_toml(text: &str) -> Result<Config, InvalidConfig> {
        Ok(tree::config(&toml::tree(readable(text)?)?)?)
    }

    /// Reads settings in JSON and checks them all.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Config::from_toml).
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn from_json(text: &str) -> Result<Config, InvalidConfig> {
        Ok(tree::config(&json::tree(readable(text)?)?)?)
    }

    /// Reads settings in YAML 1.2 and checks them all.
    ///
    /// One document, without anchors and tags: what settings share stands in a template.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Config::from_toml).
    #[cfg(feature = "yaml")]
    #[cfg_attr(docsrs, doc(cfg(feature = "yaml")))]
    pub fn from_yaml(text: &str) -> Result<Config, InvalidConfig> {
        Ok(tree::config(&yaml::tree(readable(text)?)?)?)
    }
}

/// A text that is not too large, after the byte-order mark that some editors put before it.
#[cfg(any(feature = "toml", feature = "json", feature = "yaml"))]
fn readable(text: &str) -> Result<&str, Refusal> {
    match text.len() {
        0..=MAX_BYTES => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        bytes => Err(too_large(bytes as u64)),
    }
}

/// Says both in bytes, so that they can be compared.
fn too_large(bytes: u64) -> Refusal {
    Refusal::new(&[], format!("{bytes} bytes"), format!("at most {MAX_BYTES} bytes (256 KiB)"))
}

fn load(path: &Path) -> Result<Config, InvalidConfig> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        #[cfg(feature = "toml")]
        "toml" => Config::from_toml(&read(path)?),
        #[cfg(feature = "json")]
        "json" => Config::from_json(&read(path)?),
        #[cfg(feature = "yaml")]
        "yaml" | "yml" => Config::from_yaml(&read(path)?),
        other => Err(unknown(other).into()),
    }
}

/// An extension whose format this build can't read.
fn unknown(extension: &str) -> Refusal {
    let known = "one of .toml, .json, .yaml and .yml";
    let feature = match extension {
        "toml" | "json" | "yaml" => extension,
        "yml" => "yaml",
        "" => return Refusal::new(&[], "a file without an extension", known),
        _ => return Refusal::new(&[], format!("the extension {extension:?}"), known),
    };
    let allowed = format!("a format of this build: it needs the crate's feature {feature}");
    Refusal::new(&[], format!("a .{extension} file"), allowed)
}

#[cfg_attr(not(any(feature = "toml", feature = "json", feature = "yaml")), allow(dead_code))]
fn read(path: &Path) -> Result<String, Refusal> {
    let refuse = |given: String| Refusal::new(&[], given, "a file of text in UTF-8");
    let unreadable = |error: io::Error| refuse(error.to_string());
    // Before it is opened: who opens a pipe waits for its writer, who may never come.
    let about = fs::metadata(path).map_err(unreadable)?;
    match about.file_type() {
        kind if kind.is_file() => {}
        kind if kind.is_dir() => return Err(refuse("a directory".to_owned())),
        _ => return Err(refuse("a pipe, a socket or a device".to_owned())),
    }
    let mut bytes = Vec::new();
    if about.len() <= MAX_BYTES as u64 {
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    // It may have grown, and some files of the system's say that they are empty.
    let size = about.len().max(bytes.len() as u64);
    if size > MAX_BYTES as u64 {
        return Err(too_large(size));
    }
    String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        refuse(format!("bytes that are not UTF-8, from byte {byte} on"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_this_build_lacks_names_its_feature() {
        for (extension, feature) in
            [("toml", "toml"), ("json", "json"), ("yaml", "yaml"), ("yml", "yaml")]
        {
            let error = InvalidConfig::from(unknown(extension));
            assert_eq!(error.given(), format!("a .{extension} file"));
            let allowed = format!("a format of this build: it needs the crate's feature {feature}");
            assert_eq!(error.allowed(), allowed);
        }
    }
}
