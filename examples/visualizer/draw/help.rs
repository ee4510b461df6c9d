//! The help: what the keys do and what the signs say.

use failfast::State;

use super::bars;
use super::paper::{Ink, Pen};
use super::state;

const KEYS: [(&str, &str); 8] = [
    ("1-9, arrows", "select a breaker and its dependency"),
    ("f", "fail: every answer is a 500"),
    ("s", "slow: answers take 250 ms longer"),
    ("h", "hang: no answer at all"),
    ("r", "recover; R: all of them"),
    ("p", "pause the picture; the calls go on"),
    ("q, Ctrl-C", "quit"),
    ("any key", "closes this"),
];

const WORDS: [&str; 3] = [
    "wait    what is left of the open time; it ends in half-open",
    "rates   the window's, against the limits that open; - too few calls",
    "run     failures in a row, and how many of them open",
];

/// Draws it over the middle of the area.
pub(crate) fn draw(pen: &mut Pen<'_>) {
    let (width, height) = (72.min(pen.width()), 20.min(pen.height()));
    let (x, y) = ((pen.width() - width) / 2, (pen.height() - height) / 2);
    let mut pen = pen.part(x, y, width, height);
    pen.clear();
    pen.frame("help");
    let mut y = 1;
    for (keys, what) in KEYS {
        pen.put(2, y, keys, Ink::Strong);
        pen.put(15, y, what, Ink::Plain);
        y += 1;
    }
    y += 1;
    pen.put(2, y, "states", Ink::Faint);
    for (row, states) in State::ALL.chunks(3).enumerate() {
        for (column, &shown) in states.iter().enumerate() {
            state(shown, 10 + 18 * column as u16, y + row as u16, &mut pen);
        }
    }
    y += 2;
    pen.put(2, y, "calls", Ink::Faint);
    let mut x = 10;
    for ((sign, ink), name) in
        bars::signs(&pen).into_iter().zip(["ok", "slow", "failed", "none yet"])
    {
        pen.row(x, y, &[(sign, ink), (" ", Ink::Plain), (name, Ink::Plain)]);
        x += 12;
    }
    y += 2;
    for line in WORDS {
        let (word, meaning) = line.split_at(8);
        pen.row(2, y, &[(word, Ink::Faint), (meaning, Ink::Plain)]);
        y += 1;
    }
    y += 1;
    pen.put(2, y, "curl -X POST turns a dial too: /fail?rate=0.3 /slow?ms=200 /hang", Ink::Plain);
}
