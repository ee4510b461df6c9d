//! A configuration written with one value a line, in each of the formats: so it is known where each stands.

use failfast::config::Config;
use serde_json::Value;

use crate::files::Read;

/// Writes a tree of tables, each value in a line of its own.
pub(crate) type Write = fn(&Value) -> Vec<String>;

pub(crate) const FORMATS: [(&str, Read, Write); 3] = [
    ("TOML", Config::from_toml, |tree| toml(tree, &mut Vec::new())),
    ("JSON", Config::from_json, json),
    ("YAML", Config::from_yaml, |tree| yaml(tree, 0)),
];

/// The keys that lead to the values; an entry that says nothing is a value.
pub(crate) fn paths(tree: &Value) -> Vec<Vec<String>> {
    let Some(table) = tree.as_object().filter(|table| !table.is_empty()) else {
        return vec![Vec::new()];
    };
    let below = |(key, value): (&String, &Value)| {
        let key = key.clone();
        paths(value).into_iter().map(move |path| [vec![key.clone()], path].concat())
    };
    table.iter().flat_map(below).collect()
}

/// A path as errors have it.
pub(crate) fn dotted(path: &[String]) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let part = |name: &String| match !name.is_empty() && name.chars().all(bare) {
        true => name.clone(),
        false => format!("{name:?}"),
    };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

/// A JSON string is a basic string of TOML and a quoted one of YAML, if it has none but the characters that these know.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

fn json(tree: &Value) -> Vec<String> {
    let text = serde_json::to_string_pretty(tree).expect("plain data");
    text.lines().map(str::to_owned).collect()
}

/// Dotted keys, all of them in the root.
fn toml(tree: &Value, path: &mut Vec<String>) -> Vec<String> {
    let mut lines = Vec::new();
    match tree {
        Value::Object(table) if path.is_empty() || !table.is_empty() => {
            for (key, value) in table {
                path.push(quoted(key));
                lines.extend(toml(value, path));
                path.pop();
            }
        }
        Value::String(text) => lines.push(format!("{} = {}", path.join("."), quoted(text))),
        value => lines.push(format!("{} = {value}", path.join("."))),
    }
    lines
}

/// Block style; times and rules that are off are plain, as people write them, and some counts to the bases 8 and 16.
fn yaml(tree: &Value, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in tree.as_object().into_iter().flatten() {
        let start = format!("{}{}:", "  ".repeat(depth), quoted(key));
        match value {
            Value::Object(table) if !table.is_empty() => {
                lines.push(start);
                lines.extend(yaml(value, depth + 1));
            }
            Value::String(text) if key == "template" => {
                lines.push(format!("{start} {}", quoted(text)));
            }
            Value::String(text) => lines.push(format!("{start} {text}")),
            value => lines.push(match value.as_u64() {
                Some(count) if count % 3 == 0 => format!("{start} 0o{count:o}"),
                Some(count) if count % 3 == 1 => format!("{start} 0x{count:x}"),
                _ => format!("{start} {value}"),
            }),
        }
    }
    lines
}
