//! A drawing as a file: the letters as text, or with their colours as SVG.

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// A cell in SVG units: the proportions of the usual monospaced fonts at 14 units.
const CELL: (f64, f64) = (8.4, 17.0);
/// Around the letters.
const MARGIN: f64 = 12.0;
const GROUND: &str = "#14181d";
const PLAIN: &str = "#d7dce2";

/// The letters, without blanks at the ends of lines.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(buffer) {
        let line: String = row.iter().map(Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn rows(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    // An empty buffer has no rows, whatever its width.
    buffer.content.chunks(usize::from(buffer.area.width).max(1))
}

/// The letters and their colours.
///
/// Blocks and lines are drawn as shapes, since fonts disagree on them; texts are fitted to their cells.
pub(crate) fn svg(buffer: &Buffer) -> String {
    let width = f64::from(buffer.area.width) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(buffer.area.height) * CELL.1 + 2.0 * MARGIN;
    let mut texts = String::new();
    // Shapes of one colour and opacity are one path.
    let mut shapes: BTreeMap<(&'static str, &'static str), String> = BTreeMap::new();
    for (y, row) in rows(buffer).enumerate() {
        let mut x = 0;
        while let Some(cell) = row.get(x) {
            let alike = |other: &&Cell| look(other) == look(cell);
            let run: Vec<&Cell> = if shape(cell.symbol()).is_some() {
                row[x..]
                    .iter()
                    .take_while(|other| other.symbol() == cell.symbol())
                    .take_while(alike)
                    .collect()
            } else {
                row[x..]
                    .iter()
                    .take_while(|other| shape(other.symbol()).is_none())
                    .take_while(alike)
                    .collect()
            };
            match shape(cell.symbol()) {
                Some(shape) => {
                    let (fill, opacity) = (look(cell).0, shape.opacity.unwrap_or(look(cell).1));
                    let path = shapes.entry((fill, opacity)).or_default();
                    shape.draw(path, x, y, run.len());
                }
                None => write_text(&mut texts, &run, x, y),
            }
            x += run.len();
        }
    }
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14"><rect width="100%" height="100%" rx="8" fill="{GROUND}"/><g xml:space="preserve" fill="{PLAIN}">{}"#,
        '\n'
    );
    svg.push_str(&texts);
    svg.push_str("</g>\n");
    for ((fill, opacity), path) in shapes {
        let _ = writeln!(svg, r#"<path fill="{fill}" opacity="{opacity}" d="{path}"/>"#);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Colour, opacity and weight.
fn look(cell: &Cell) -> (&'static str, &'static str, bool) {
    let fill = match cell.fg {
        Color::Green => "#35c28f",
        Color::Yellow => "#f0b73a",
        Color::Red => "#ff7a4d",
        Color::Cyan => "#6fc3f0",
        _ => PLAIN,
    };
    let opacity = if cell.modifier.contains(Modifier::DIM) { ".6" } else { "1" };
    (fill, opacity, cell.modifier.contains(Modifier::BOLD))
}

/// Writes a run of like cells, in pieces at the gaps, so that no viewer has to keep blanks.
fn write_text(texts: &mut String, run: &[&Cell], x: usize, y: usize) {
    let mut from = 0;
    while from < run.len() {
        if run[from].symbol() == " " {
            from += 1;
            continue;
        }
        let gap = (from..run.len()).find(|&at| {
            run[at].symbol() == " " && run.get(at + 1).is_none_or(|next| next.symbol() == " ")
        });
        let to = gap.unwrap_or(run.len());
        let letters: String = run[from..to].iter().map(|cell| escaped(cell.symbol())).collect();
        let (fill, opacity, bold) = look(run[from]);
        let _ = write!(
            texts,
            r#"<text x="{:.1}" y="{:.1}" textLength="{:.1}" lengthAdjust="spacingAndGlyphs""#,
            MARGIN + (x + from) as f64 * CELL.0,
            MARGIN + y as f64 * CELL.1 + 12.5,
            (to - from) as f64 * CELL.0,
        );
        if fill != PLAIN {
            let _ = write!(texts, r#" fill="{fill}""#);
        }
        if opacity != "1" {
            let _ = write!(texts, r#" opacity="{opacity}""#);
        }
        if bold {
            texts.push_str(r#" font-weight="bold""#);
        }
        let _ = writeln!(texts, ">{letters}</text>");
        from = to;
    }
}

fn escaped(symbol: &str) -> String {
    symbol.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A sign that is drawn: what it covers of its cell, from its upper left corner, in shares of the cell.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    opacity: Option<&'static str>,
}

fn shape(symbol: &str) -> Option<Shape> {
    let letter = symbol.chars().next()?;
    let code = u32::from(letter);
    let full = Shape { x: 0.0, y: 0.0, width: 1.0, height: 1.0, opacity: None };
    Some(match letter {
        // Lower eighths, the full block last.
        '▁'..='█' => {
            let height = f64::from(code - 0x2580) / 8.0;
            Shape { y: 1.0 - height, height, ..full }
        }
        // Left eighths, from seven down to one.
        '▉'..='▏' => Shape { width: f64::from(0x2590 - code) / 8.0, ..full },
        '▓' => Shape { opacity: Some(".7"), ..full },
        '░' => Shape { opacity: Some(".3"), ..full },
        '─' | '╌' => Shape { y: 0.47, height: 0.06, ..full },
        '━' => Shape { y: 0.42, height: 0.16, ..full },
        '┃' => Shape { x: 0.35, width: 0.3, ..full },
        '·' => Shape { x: 0.4, y: 0.46, width: 0.2, height: 0.08, ..full },
        _ => return None,
    })
}

impl Shape {
    /// Adds the sign in `count` cells from a place on: one rectangle where neighbours touch.
    fn draw(&self, path: &mut String, x: usize, y: usize, count: usize) {
        let (times, across) = match self.x == 0.0 && self.width == 1.0 {
            true => (1, count),
            false => (count, 1),
        };
        for time in 0..times {
            let left = MARGIN + ((x + time) as f64 + self.x) * CELL.0;
            let top = MARGIN + (y as f64 + self.y) * CELL.1;
            let width = ((across - 1) as f64 + self.width) * CELL.0;
            let height = self.height * CELL.1;
            let _ = write!(path, "M{left:.1} {top:.1}h{width:.1}v{height:.1}h-{width:.1}z");
        }
    }
}
