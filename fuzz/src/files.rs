//! Any text as a configuration, in each of the formats.

use failfast::config::{Config, InvalidConfig};
use serde_json::Value;

use crate::inputs::settings_at_fault;
use crate::meaning;
use crate::written::{self, Write};

pub(crate) type Read = fn(&str) -> Result<Config, InvalidConfig>;

const FORMATS: [(&str, Read); 3] =
    [("TOML", Config::from_toml), ("JSON", Config::from_json), ("YAML", Config::from_yaml)];

/// What is allowed, as an error begins to say it that has no key: the trouble is with the text, not with a setting.
const WITHOUT_KEY: [&str; 8] = [
    "at most 262144 bytes",
    "well-formed ",
    "a table of templates, breakers, bulkheads and rate_limits",
    "at most 16 levels",
    "one document",
    "a word as key",
    "a value without one",
    "a value",
];

/// Reads the text in every format: what one accepts is allowed and outlasts being written, what it refuses it explains.
pub(crate) fn read(text: &str) {
    for (format, read) in FORMATS {
        match read(text) {
            Ok(config) => check_accepted(&config, text, format),
            Err(error) => check_refused(&error, text, format),
        }
    }
}

/// Found again among the lines, wherever a value has been put.
const MARK: &str = "the value in question";

fn check_accepted(config: &Config, text: &str, format: &str) {
    assert_eq!(config.validate(), Ok(()), "{format}: accepted, and not allowed");
    let tree = match format {
        "TOML" => toml::from_str::<Value>(text).expect("TOML"),
        "JSON" => serde_json::from_str(text).expect("JSON"),
        _ => serde_json::to_value(config).expect("plain data"),
    };
    check_meaning(config, &tree, format);
    let toml = toml::to_string(config).expect("plain data");
    assert_eq!(Config::from_toml(&toml).as_ref(), Ok(config), "{format}, as TOML:\n{toml}");
    let json = serde_json::to_string(config).expect("plain data");
    // JSON is YAML, flow style.
    assert_eq!(Config::from_yaml(&json).as_ref(), Ok(config), "{format}, as YAML:\n{json}");
    let tree = serde_json::to_value(config).expect("plain data");
    let paths = written::paths(&tree);
    // Another one for nearly every text.
    let which =
        text.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    for (format, read, write) in written::FORMATS {
        let written = write(&tree).join("\n");
        assert_eq!(read(&written).as_ref(), Ok(config), "as {format}:\n{written}");
        let path = &paths[which % paths.len()];
        if let Some(key) = path.last() {
            for mistake in mistakes(key) {
                check_mistake(tree.clone(), path, &mistake, read, write);
            }
        }
    }
}

/// What was read is what the text says, entry by entry; and what each comes to is allowed.
fn check_meaning(config: &Config, tree: &Value, format: &str) {
    assert_eq!(config, &meaning::config(tree), "{format}");
    for name in config.breakers.keys().map(String::as_str).chain(["a name without an entry"]) {
        let resolved = meaning::resolved(tree, name);
        assert_eq!(config.breaker(name), Ok(meaning::breaker(&resolved)), "{format}: {name:?}");
        let at_fault = settings_at_fault(&meaning::input(&resolved));
        assert!(at_fault.is_empty(), "{format}: {name:?} accepted, with {at_fault:?} at fault");
    }
}

/// What no key has for a value, but a factor may be large.
fn mistakes(key: &str) -> Vec<Value> {
    let mut mistakes = vec![Value::from("no value of any key")];
    if key != "factor" {
        mistakes.push(Value::from(u64::from(u32::MAX) + 2));
    }
    mistakes
}

/// A value that is not allowed, in the place of another: the error names key, value and line.
fn check_mistake(mut tree: Value, path: &[String], mistake: &Value, read: Read, write: Write) {
    *path.iter().fold(&mut tree, |tree, key| &mut tree[key]) = Value::from(MARK);
    let line = write(&tree).iter().position(|line| line.contains(MARK)).map(|before| before + 1);
    *path.iter().fold(&mut tree, |tree, key| &mut tree[key]) = mistake.clone();
    let text = write(&tree).join("\n");
    let error = read(&text).expect_err("no key has this value");
    assert_eq!((error.key(), error.line()), (&*written::dotted(path), line), "{error}:\n{text}");
    assert_eq!(error.given(), mistake.to_string(), "{error}:\n{text}");
}

fn check_refused(error: &InvalidConfig, text: &str, format: &str) {
    let message = error.to_string();
    assert!(!message.contains(char::is_control), "{format}: not one line of text: {message:?}");
    assert!(!error.given().is_empty() && !error.allowed().is_empty(), "{format}: {message}");
    if error.key().is_empty() {
        let explained = WITHOUT_KEY.iter().any(|words| error.allowed().starts_with(words));
        assert!(explained, "{format}: neither a key nor a reason for having none: {message}");
    }
    let line = error.line().expect("it was read from a text");
    let column = error.column().expect("it has a line");
    // YAML ends lines at a carriage return too.
    let lines = text.split(['\n', '\r']).count();
    assert!((1..=lines).contains(&line) && column > 0, "{format}: {line}:{column} is nowhere");
}
