//! YAML 1.2 as a tree, with the scalars of its core schema.
//!
//! One document of plain values. Anchors and aliases are refused, for a few of them make a small file a huge tree, and
//! templates do what they are for; so are tags, and keys that are no scalars.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::tree::{malformed, too_deep, Entry, Node, Value, MAX_DEPTH};
use crate::config::error::{Place, Refusal};

pub(super) fn tree(text: &str) -> Result<Node<'_>, Refusal> {
    let lines = text.matches(['\n', '\r']).count() + 1;
    let mut reader = Reader { text, lines, parser: Parser::new_from_str(text) };
    let mut root = Node { value: Value::Nothing, place: Place { line: 1, column: 1 } };
    let mut documents = 0;
    loop {
        let (event, place) = reader.next()?;
        match event {
            Event::DocumentStart(_) if documents > 0 => {
                return Err(refuse(place, "a second document", "one document"));
            }
            Event::DocumentStart(_) => documents += 1,
            Event::StreamEnd => return Ok(root),
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            event => root = reader.node(event, place, 1)?,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    /// What ends with the text ends for the parser in a line more.
    lines: usize,
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Place), Refusal> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.place(&span.start))),
            Some(Err(error)) => {
                let place = self.place(error.marker());
                Err(malformed(self.text, place, "well-formed YAML", error.info()))
            }
            // The end of the stream is an event before.
            None => Ok((Event::StreamEnd, Place { line: 1, column: 1 })),
        }
    }

    fn place(&self, marker: &Marker) -> Place {
        Place { line: marker.line().clamp(1, self.lines), column: marker.col() + 1 }
    }

    /// The value that begins with this event.
    fn node(&mut self, event: Event<'t>, place: Place, depth: usize) -> Result<Node<'t>, Refusal> {
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain(place, anchor, tag.as_deref())?;
                scalar(text, style)
            }
            Event::SequenceStart(anchor, tag) => {
                plain(place, anchor, tag.as_deref())?;
                let mut nodes = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd | Event::StreamEnd, _) => break Value::List(nodes),
                        (event, place) => nodes.push(self.node(event, place, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                plain(place, anchor, tag.as_deref())?;
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd | Event::StreamEnd, _) => break Value::Table(entries),
                        (Event::Scalar(key, _, anchor, tag), place) => {
                            plain(place, anchor, tag.as_deref())?;
                            let (event, at) = self.next()?;
                            let node = self.node(event, at, depth + 1)?;
                            entries.push(Entry { key, place, node });
                        }
                        (_, place) => {
                            return Err(refuse(place, "a list or table", "a word as key"))
                        }
                    }
                }
            }
            // No alias: one of an anchor that is not there is malformed, and the anchor itself is refused above.
            _ => return Err(refuse(place, "nothing", "a value")),
        };
        Ok(Node { value, place })
    }
}

fn refuse(place: Place, given: &str, allowed: &str) -> Refusal {
    Refusal { place: Some(place), ..Refusal::new(&[], given, allowed) }
}

/// Only values without anchor and tag.
fn plain(place: Place, anchor: usize, tag: Option<&Tag>) -> Result<(), Refusal> {
    if tag.is_some() {
        return Err(refuse(place, "a tag", "a value without one"));
    }
    if anchor != 0 {
        let allowed = "a value without one: templates are what settings share";
        return Err(refuse(place, "an anchor", allowed));
    }
    Ok(())
}

/// A scalar by the core schema: what is quoted is text; `off` and `no` are text in YAML 1.2.
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value<'_> {
    if style != ScalarStyle::Plain {
        return Value::Text(text);
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Nothing,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Value::Number(Cow::Borrowed("NaN")),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            Value::Number(Cow::Borrowed("inf"))
        }
        "-.inf" | "-.Inf" | "-.INF" => Value::Number(Cow::Borrowed("-inf")),
        plain => match number(plain) {
            Some(number) => Value::Number(Cow::Owned(number)),
            None => Value::Text(text),
        },
    }
}

/// The number that the text is, in a form that Rust reads.
fn number(text: &str) -> Option<String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits = digits.starts_with(|c: char| c.is_digit(radix)).then_some(digits)?;
            return Some(u128::from_str_radix(digits, radix).ok()?.to_string());
        }
    }
    // Rust reads more than the schema has: words for infinity.
    let of_digits = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    (of_digits && text.parse::<f64>().is_ok()).then(|| text.to_owned())
}
