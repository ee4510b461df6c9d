//! Files: by their extension, and those that can't be read.

use std::fs;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;

use failfast::config::Config;

use super::{JSON, TOML, YAML};

/// A folder of one test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("failfast-config-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_extension_tells_the_format() {
    let folder = Folder::new("formats");
    let expected = Config::from_toml(TOML).unwrap();
    for (name, text) in [
        ("circuits.toml", TOML),
        ("circuits.json", JSON),
        ("circuits.yaml", YAML),
        ("circuits.yml", YAML),
        ("CIRCUITS.TOML", TOML),
        ("circuits.of.the.shop.json", JSON),
    ] {
        assert_eq!(Config::load(folder.file(name, text)).as_ref(), Ok(&expected), "{name}");
    }
}

#[track_caller]
fn refuses(path: &Path, given: &str, allowed: &str) {
    let error = Config::load(path).unwrap_err();
    assert_eq!(error.file(), Some(path));
    assert_eq!((error.key(), error.line()), ("", None));
    assert!(error.given().contains(given), "{error}");
    assert!(error.allowed().contains(allowed), "{error}");
    assert!(error.to_string().starts_with(&format!("{}: given ", path.display())), "{error}");
}

#[test]
fn other_extensions_are_refused_before_the_file_is_opened() {
    let allowed = "one of .toml, .json, .yaml and .yml";
    refuses(Path::new("nowhere/circuits.xml"), "the extension \"xml\"", allowed);
    refuses(Path::new("nowhere/circuits"), "a file without an extension", allowed);
    refuses(Path::new("nowhere/.toml"), "a file without an extension", allowed);
    refuses(Path::new(""), "a file without an extension", allowed);
}

#[test]
fn files_that_can_not_be_read_are_refused_by_name() {
    let folder = Folder::new("unreadable");
    let allowed = "a file of text in UTF-8";
    refuses(&folder.0.join("nowhere.toml"), "No such file", allowed);
    refuses(&folder.file("latin.toml", b"# caf\xe9"), "not UTF-8, from byte 5 on", allowed);
    let inside = folder.0.join("folder.yaml");
    fs::create_dir(&inside).unwrap();
    refuses(&inside, "directory", allowed);
    // Neither of them ends, and the pipe not even begins: nobody writes to it.
    #[cfg(unix)]
    {
        let given = "a pipe, a socket or a device";
        let endless = folder.0.join("endless.toml");
        std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
        refuses(&endless, given, allowed);
        let pipe = folder.0.join("pipe.toml");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        refuses(&pipe, given, allowed);
    }
}

#[test]
fn files_and_texts_that_are_too_large_are_refused_with_their_size() {
    const LARGEST: usize = 256 << 10;
    let folder = Folder::new("large");
    // In JSON and YAML an empty table behind blanks; in TOML they are nothing.
    for (extension, end) in [("toml", ""), ("json", "{}"), ("yaml", "{}")] {
        let blanks = " ".repeat(LARGEST - end.len());
        let path = folder.file(&format!("large.{extension}"), blanks.clone() + end);
        assert_eq!(Config::load(&path), Ok(Config::default()), "{extension}");
        let path = folder.file(&format!("larger.{extension}"), blanks + " " + end);
        refuses(&path, "262145 bytes", "at most 262144 bytes (256 KiB)");
    }
    let text = " ".repeat(1_000_000);
    for (format, read) in super::FORMATS {
        let error = read(&text).unwrap_err();
        let words = "given 1000000 bytes, allowed is at most 262144 bytes (256 KiB)";
        assert_eq!((error.to_string().as_str(), error.line()), (words, None), "{format}");
    }
    // Nothing of it is read: it would not fit into memory.
    let vast = fs::File::create(folder.0.join("vast.toml")).unwrap();
    vast.set_len(1 << 40).unwrap();
    refuses(&folder.0.join("vast.toml"), "1099511627776 bytes", "256 KiB");
}

#[test]
fn an_error_names_the_file_and_the_line() {
    let folder = Folder::new("line");
    let path = folder.file("circuits.yaml", YAML.replace("0.2", "2"));
    let error = Config::load(&path).unwrap_err();
    assert_eq!((error.file(), error.line(), error.column()), (Some(&*path), Some(8), Some(19)));
    let expected = format!(
        "{}:8: templates.critical.failure_rate: given 2, allowed is a rate above 0 to 1, at least \
         one part in a million",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.clone(), error);
}
