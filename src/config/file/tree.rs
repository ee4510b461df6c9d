//! A text as a tree of values with their places, and serde's reading of it.
//!
//! The errors come from here with their parts apart: the key and the place from the tree, the value as it was written,
//! and what was expected there.

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, Unexpected, Visitor};
use serde::{forward_to_deserialize_any, Deserialize};

use crate::config::error::{shortened, Place, Refusal};
use crate::config::{form, Config};

/// Deepest nesting that a format is followed into: settings need four levels, and recursion an end.
pub(super) const MAX_DEPTH: usize = 16;

/// A value where it stands.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) value: Value<'t>,
    pub(super) place: Place,
}

// Each format has some of these.
#[cfg_attr(not(all(feature = "toml", feature = "yaml")), allow(dead_code))]
#[derive(Debug)]
pub(super) enum Value<'t> {
    /// A key in YAML with nothing behind it: an empty table as well.
    Nothing,
    Bool(bool),
    /// As it was written, readable by `parse`.
    Number(Cow<'t, str>),
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Table(Vec<Entry<'t>>),
    /// What no setting is, in words.
    Other(Cow<'t, str>),
}

#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Cow<'t, str>,
    pub(super) place: Place,
    pub(super) node: Node<'t>,
}

/// The settings of a tree, all of them checked.
pub(super) fn config(root: &Node<'_>) -> Result<Config, Refusal> {
    let config = Config::deserialize(root).map_err(|wrong| {
        let Wrong(mut refusal) = root.refused(wrong);
        refusal.place.get_or_insert(root.place);
        refusal
    })?;
    config.check().map_err(|mut refusal| {
        refusal.place = Some(place_of(root, &refusal.path));
        refusal
    })?;
    Ok(config)
}

/// The place of a key, or of as much of it as is written.
fn place_of(root: &Node<'_>, path: &[String]) -> Place {
    let (mut node, mut place) = (root, root.place);
    for part in path {
        let Value::Table(entries) = &node.value else { break };
        let Some(entry) = entries.iter().find(|entry| entry.key == *part) else { break };
        (node, place) = (&entry.node, entry.place());
    }
    place
}

impl Entry<'_> {
    /// A value's place is its own, but for one of several lines, which is to be found at its key.
    fn place(&self) -> Place {
        match self.node.value {
            Value::Table(_) | Value::List(_) | Value::Nothing => self.place,
            _ => self.node.place,
        }
    }
}

impl Node<'_> {
    /// The value as it was written, or nearly so.
    fn given(&self) -> String {
        fn write(node: &Node<'_>, text: &mut String) {
            match &node.value {
                Value::Nothing => text.push_str("nothing"),
                Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
                Value::Number(value) => text.push_str(value),
                Value::Text(value) => text.push_str(&format!("{value:?}")),
                Value::Other(words) => text.push_str(words),
                Value::List(nodes) => {
                    text.push('[');
                    for (number, node) in nodes.iter().enumerate() {
                        text.push_str(if number > 0 { ", " } else { "" });
                        write(node, text);
                    }
                    text.push(']');
                }
                Value::Table(entries) if entries.is_empty() => text.push_str("{}"),
                Value::Table(entries) => {
                    text.push_str("{ ");
                    for (number, entry) in entries.iter().enumerate() {
                        text.push_str(if number > 0 { ", " } else { "" });
                        text.push_str(&entry.key.escape_debug().to_string());
                        text.push_str(" = ");
                        write(&entry.node, text);
                    }
                    text.push_str(" }");
                }
            }
        }
        let mut text = String::new();
        write(self, &mut text);
        shortened(&text)
    }

    /// Adds what the refused value knows of itself to the refusal.
    fn refused(&self, Wrong(mut refusal): Wrong) -> Wrong {
        refusal.given.get_or_insert_with(|| self.given());
        Wrong(refusal)
    }
}

// ===== serde's side =====

/// A refusal as an error of serde's.
#[derive(Debug)]
pub(super) struct Wrong(Refusal);

impl Wrong {
    fn allowed(expected: &dyn Expected) -> Self {
        Wrong(Refusal { allowed: expected.to_string(), ..Refusal::default() })
    }

    /// The same one key further out.
    fn below(mut self, key: &str, place: Place) -> Self {
        self.0.path.insert(0, key.to_owned());
        self.0.place.get_or_insert(place);
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.allowed)
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Wrong::allowed(&words.to_string().as_str())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Wrong::allowed(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Wrong::allowed(expected)
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        // The key joins the path on the way out.
        Wrong(Refusal::new(&[], "an unknown key", format!("one of {}", expected.join(", "))))
    }

    fn missing_field(field: &'static str) -> Self {
        Wrong(Refusal::new(&[field], "nothing", form::allowed(field)))
    }
}

impl<'de> Deserializer<'de> for &Node<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let result = match &self.value {
            Value::Nothing => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::Number(value) => {
                if let Ok(value) = value.parse::<u64>() {
                    visitor.visit_u64(value)
                } else if let Ok(value) = value.parse::<i64>() {
                    visitor.visit_i64(value)
                } else if let Ok(value) = value.parse::<f64>() {
                    visitor.visit_f64(value)
                } else {
                    Err(Wrong::allowed(&visitor))
                }
            }
            Value::Table(entries) => Entries::new(entries).and_then(|map| visitor.visit_map(map)),
            // No setting is a list.
            Value::List(_) | Value::Other(_) => Err(Wrong::allowed(&visitor)),
        };
        result.map_err(|wrong| self.refused(wrong))
    }

    /// A table, by its keys: serde's derives would take a list as well.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Nothing => visitor.visit_map(Entries::new(&[])?),
            Value::Table(_) => self.deserialize_any(visitor),
            _ => Err(Wrong::allowed(&visitor)),
        }
        .map_err(|wrong| self.refused(wrong))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct enum identifier ignored_any
    }
}

struct Entries<'n, 't> {
    rest: core::slice::Iter<'n, Entry<'t>>,
    current: Option<&'n Entry<'t>>,
}

impl<'n, 't> Entries<'n, 't> {
    fn new(entries: &'n [Entry<'t>]) -> Result<Self, Wrong> {
        let mut keys = BTreeSet::new();
        for entry in entries {
            if !keys.insert(&entry.key) {
                let wrong = Wrong(Refusal::new(&[], "a second time", "a key once"));
                return Err(wrong.below(&entry.key, entry.place));
            }
        }
        Ok(Entries { rest: entries.iter(), current: None })
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key = serde::de::value::CowStrDeserializer::new(Cow::Borrowed(&*entry.key));
        seed.deserialize(key).map(Some).map_err(|wrong: Wrong| wrong.below(&entry.key, entry.place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let entry = self.current.expect("a key was asked for first");
        // The refusal may come from after the value was read: of two keys that exclude each other.
        let result = seed.deserialize(&entry.node).map_err(|wrong| entry.node.refused(wrong));
        result.map_err(|wrong| wrong.below(&entry.key, entry.place()))
    }
}

// ===== what the formats share =====

/// A text that is not well-formed: the line that is wrong, and what the format's parser says of it.
pub(super) fn malformed(text: &str, place: Place, format: &str, words: &str) -> Refusal {
    // What is missing at the end is shown at the last line.
    let (line, place) = match text.lines().nth(place.line - 1) {
        Some(line) => (line, place),
        None => {
            let line = text.lines().next_back().unwrap_or_default();
            let column = line.chars().count() + 1;
            (line, Place { line: text.lines().count().max(1), column })
        }
    };
    let given = match line.trim() {
        "" => "nothing".to_owned(),
        line => format!("{line:?}"),
    };
    let words: Vec<_> = words.split_whitespace().collect();
    let allowed = format!("{format} ({})", words.join(" "));
    Refusal { place: Some(place), ..Refusal::new(&[], given, allowed) }
}

/// A value that lies deeper than any setting.
pub(super) fn too_deep(place: Place) -> Refusal {
    let allowed = format!("at most {MAX_DEPTH} levels");
    Refusal { place: Some(place), ..Refusal::new(&[], "a value in more levels", allowed) }
}

/// Turns offsets in a text into places.
#[cfg(any(feature = "toml", feature = "json"))]
pub(super) struct Lines<'t> {
    text: &'t str,
    /// Where lines begin.
    starts: Vec<usize>,
    /// The characters before each stretch of the text: files of one long line are not counted through for each value.
    counted: Vec<usize>,
}

/// The length of a stretch in bytes; arbitrary.
#[cfg(any(feature = "toml", feature = "json"))]
const STRETCH: usize = 1_024;

#[cfg(any(feature = "toml", feature = "json"))]
impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = [0].into_iter().chain(ends.map(|(end, _)| end + 1)).collect();
        let mut characters = 0;
        let mut counted = vec![0];
        for stretch in text.as_bytes().chunks(STRETCH) {
            characters += count(stretch);
            counted.push(characters);
        }
        Lines { text, starts, counted }
    }

    /// The place of the byte at this offset; of the text's end for one beyond.
    pub(super) fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        Place { line, column: self.before(offset) - self.before(start) + 1 }
    }

    /// The characters before this offset.
    fn before(&self, offset: usize) -> usize {
        let stretch = offset / STRETCH;
        self.counted[stretch] + count(&self.text.as_bytes()[stretch * STRETCH..offset])
    }
}

/// The characters that begin in these bytes.
#[cfg(any(feature = "toml", feature = "json"))]
fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}
