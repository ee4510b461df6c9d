//! TOML as a tree.

use std::borrow::Cow;

use ::toml::de::{DeTable, DeValue};
use ::toml::Spanned;

use super::tree::{malformed, too_deep, Entry, Lines, Node, Value, MAX_DEPTH};
use crate::config::error::Refusal;

pub(super) fn tree(text: &str) -> Result<Node<'_>, Refusal> {
    let lines = Lines::new(text);
    let root = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        malformed(text, lines.place(offset), "well-formed TOML", error.message())
    })?;
    let value = table(root.into_inner(), &lines, 2)?;
    Ok(Node { value, place: lines.place(0) })
}

fn table<'t>(table: DeTable<'t>, lines: &Lines<'_>, depth: usize) -> Result<Value<'t>, Refusal> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let place = lines.place(key.span().start);
        entries.push(Entry { key: key.into_inner(), place, node: node(value, lines, depth)? });
    }
    Ok(Value::Table(entries))
}

fn node<'t>(
    value: Spanned<DeValue<'t>>,
    lines: &Lines<'_>,
    depth: usize,
) -> Result<Node<'t>, Refusal> {
    let place = lines.place(value.span().start);
    if depth > MAX_DEPTH {
        return Err(too_deep(place));
    }
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Float(float) => Value::Number(Cow::Owned(float.as_str().to_owned())),
        DeValue::Integer(integer) => {
            // Other bases come to the tree in the usual one, where they fit.
            let value = i128::from_str_radix(integer.as_str(), integer.radix());
            Value::Number(Cow::Owned(match value {
                Ok(value) => value.to_string(),
                Err(_) => integer.as_str().to_owned(),
            }))
        }
        DeValue::Datetime(datetime) => Value::Other(Cow::Owned(datetime.to_string())),
        DeValue::Array(values) => Value::List(
            values
                .into_iter()
                .map(|value| node(value, lines, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(values) => table(values, lines, depth + 1)?,
    };
    Ok(Node { value, place })
}
