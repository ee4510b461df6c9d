//! Any text as a configuration, in each of the formats.

use failfast::config::{Config, InvalidConfig};

type Read = fn(&str) -> Result<Config, InvalidConfig>;

const FORMATS: [(&str, Read); 3] =
    [("TOML", Config::from_toml), ("JSON", Config::from_json), ("YAML", Config::from_yaml)];

/// What is allowed, as an error begins to say it that has no key: the trouble is with the text, not with a setting.
const WITHOUT_KEY: [&str; 8] = [
    "well-formed ",
    "a table of templates, breakers, bulkheads and rate_limits",
    "at most 16 levels",
    "one document",
    "a word as key",
    "a value without one",
    "the value itself",
    "a value",
];

/// Reads the text in every format: what one accepts is allowed and outlasts being written, what it refuses it explains.
pub(crate) fn read(text: &str) {
    for (format, read) in FORMATS {
        match read(text) {
            Ok(config) => check_accepted(&config, format),
            Err(error) => check_refused(&error, text, format),
        }
    }
}

fn check_accepted(config: &Config, format: &str) {
    assert_eq!(config.validate(), Ok(()), "{format}: accepted, and not allowed");
    let toml = toml::to_string(config).expect("plain data");
    let json = serde_json::to_string(config).expect("plain data");
    assert_eq!(Config::from_toml(&toml).as_ref(), Ok(config), "{format}, as TOML:\n{toml}");
    assert_eq!(Config::from_json(&json).as_ref(), Ok(config), "{format}, as JSON:\n{json}");
    // JSON is YAML, flow style.
    assert_eq!(Config::from_yaml(&json).as_ref(), Ok(config), "{format}, as YAML:\n{json}");
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
