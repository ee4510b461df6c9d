//! JSON as a tree.

use core::fmt;
use std::borrow::Cow;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::tree::{malformed, too_deep, Entry, Lines, Node, Value, MAX_DEPTH};
use crate::config::error::{Place, Refusal};

/// Reads level by level: at each, the values are stretches of the text, which know where they lie.
pub(super) fn tree(text: &str) -> Result<Node<'_>, Refusal> {
    let reader = Reader { text, lines: Lines::new(text) };
    let root = serde_json::from_str(text).map_err(|error| reader.malformed(0, &error))?;
    reader.node(root, 1)
}

struct Reader<'t> {
    text: &'t str,
    lines: Lines<'t>,
}

impl<'t> Reader<'t> {
    fn node(&self, raw: &'t RawValue, depth: usize) -> Result<Node<'t>, Refusal> {
        let offset = raw.get().as_ptr() as usize - self.text.as_ptr() as usize;
        let place = self.lines.place(offset);
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let value = match raw.get().as_bytes()[0] {
            b'{' => {
                let Pairs(pairs) = self.read(raw, offset)?;
                let entry = |(Key(key), raw)| {
                    let node = self.node(raw, depth + 1)?;
                    Ok(Entry { key, place: node.place, node })
                };
                Value::Table(pairs.into_iter().map(entry).collect::<Result<_, _>>()?)
            }
            b'[' => {
                let values: Vec<&RawValue> = self.read(raw, offset)?;
                let node = |raw| self.node(raw, depth + 1);
                Value::List(values.into_iter().map(node).collect::<Result<_, _>>()?)
            }
            b'"' => Value::Text(self.read::<Key<'_>>(raw, offset)?.0),
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'n' => Value::Other(Cow::Borrowed("null")),
            _ => Value::Number(Cow::Borrowed(raw.get())),
        };
        Ok(Node { value, place })
    }

    fn read<T: Deserialize<'t>>(&self, raw: &'t RawValue, offset: usize) -> Result<T, Refusal> {
        serde_json::from_str(raw.get()).map_err(|error| self.malformed(offset, &error))
    }

    /// An error in the stretch of the text that begins at this offset.
    fn malformed(&self, offset: usize, error: &serde_json::Error) -> Refusal {
        let start = self.lines.place(offset);
        let place = match error.line() {
            0 | 1 => Place { line: start.line, column: start.column + error.column().max(1) - 1 },
            line => Place { line: start.line + line - 1, column: error.column().max(1) },
        };
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        malformed(self.text, place, "well-formed JSON", words)
    }
}

/// The keys and values of an object, repeated ones too.
struct Pairs<'t>(Vec<(Key<'t>, &'t RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// A string, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);
