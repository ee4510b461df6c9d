//! Latency over time, drawn with the letters of a terminal: a panel a side, and the breaker's states below.
//!
//! A cell shows the worst answer among the requests that arrived then and took that long. The axis of latencies is
//! logarithmic, since a refusal and a time-out lie four decades apart.

use std::fmt::Write;
use std::time::Duration;

use failfast::State;

use crate::guard;
use crate::load::{Answer, Record};
use crate::measure::Run;
use crate::scenario;
use crate::terminal::{wrap, Page};

/// Columns for the labels of the latency axis, the axis itself included.
const GUTTER: usize = 9;
/// The lowest latency on the axis and the number of decades above it: 10 us to 10 s.
pub(crate) const FLOOR: Duration = Duration::from_micros(10);
/// See [`FLOOR`].
pub(crate) const DECADES: u32 = 6;
/// Rows for each decade.
const ROWS: usize = 2;

/// Where a latency lies on the logarithmic axis: 0 at its foot, 1 at its top.
pub(crate) fn height(latency: Duration) -> f64 {
    let decades = (latency.as_secs_f64().max(1e-12) / FLOOR.as_secs_f64()).log10();
    (decades / f64::from(DECADES)).clamp(0.0, 1.0)
}

/// The label of each decade from the foot up.
pub(crate) fn decade_labels() -> impl Iterator<Item = (f64, &'static str)> {
    const LABELS: [&str; DECADES as usize + 1] =
        ["10 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s", "10 s"];
    LABELS
        .into_iter()
        .enumerate()
        .map(|(decade, label)| (decade as f64 / f64::from(DECADES), label))
}

/// Draws both panels.
pub(crate) fn draw(run: &Run, page: Page) -> String {
    let columns = page.width.saturating_sub(GUTTER + 1).max(8);
    let mut text = String::new();
    let legend = format!(
        "Latency over time: {} served, {} served and failed, {} refused, {} given up in the queue, {} too late, {} failed, {} timed out",
        page.sign(Answer::Served),
        page.mixed_sign(),
        page.sign(Answer::Refused),
        page.sign(Answer::GivenUp),
        page.sign(Answer::Late),
        page.sign(Answer::Failed),
        page.sign(Answer::TimedOut),
    );
    let _ = writeln!(text, "{}", wrap(&legend, page.width, 2));
    let titles = ["no breaker", "guarded by failfast"];
    for (title, figures) in titles.into_iter().zip(&run.sides) {
        let _ = writeln!(text, "\n{title}\n{:>8} |{}", "", phase_names(columns));
        panel(&mut text, &figures.records, columns, page);
    }
    let _ = writeln!(text, "{:>8} |{}", "breaker", states(run, columns));
    let _ = writeln!(text, "{}", time_axis(columns));
    let _ = writeln!(text, "{}", wrap("breaker: _ closed, # open, ? half-open", page.width, 2));
    text
}

fn panel(text: &mut String, records: &[Record], columns: usize, page: Page) {
    let rows = DECADES as usize * ROWS + 1;
    let mut cells = vec![Cell::default(); rows * columns];
    for record in records {
        let row = (height(record.latency) * (rows - 1) as f64).round() as usize;
        cells[row.min(rows - 1) * columns + column(record.arrival, columns)].add(record.answer);
    }
    for row in (0..rows).rev() {
        let label = decade_labels()
            .nth(row / ROWS)
            .filter(|_| row % ROWS == 0)
            .map_or("", |(_, label)| label);
        let _ = write!(text, "{label:>8} |");
        let line = &cells[row * columns..][..columns];
        for cell in line {
            text.push_str(&match cell {
                Cell { worst: None, .. } => " ".into(),
                Cell { worst: Some(Answer::Failed), served: true } => page.mixed_sign(),
                Cell { worst: Some(answer), .. } => page.sign(*answer),
            });
        }
        text.push('\n');
    }
}

/// A place of a panel: what happened then and took that long.
#[derive(Clone, Copy, Default)]
struct Cell {
    worst: Option<Answer>,
    served: bool,
}

impl Cell {
    fn add(&mut self, answer: Answer) {
        self.worst = self.worst.max(Some(answer));
        self.served |= answer == Answer::Served;
    }
}

/// The column of an instant.
fn column(at: Duration, columns: usize) -> usize {
    let share = at.as_secs_f64() / scenario::length().as_secs_f64();
    ((share * columns as f64) as usize).min(columns - 1)
}

/// The phases' names, each at its beginning and cut to its room.
fn phase_names(columns: usize) -> String {
    scenario::schedule()
        .map(|(begin, phase)| {
            let end = begin + phase.length;
            let room = if end >= scenario::length() {
                columns - column(begin, columns)
            } else {
                column(end, columns) - column(begin, columns)
            };
            // The axis stands before the first name; the others begin with a bar of their own.
            let bar = if begin.is_zero() { "" } else { "|" };
            let name: String = bar.chars().chain(phase.name.chars()).take(room).collect();
            format!("{name:<room$}")
        })
        .collect()
}

/// The breaker's states; a column with a change shows the state that is rarer to see.
fn states(run: &Run, columns: usize) -> String {
    let mut strip = vec!['_'; columns];
    for (begin, end, state) in guard::spans(&run.diary, scenario::length()) {
        let sign = match state {
            State::Closed => '_',
            State::HalfOpen => '?',
            _ => '#',
        };
        let cells = &mut strip[column(begin, columns)..=column(end, columns)];
        for cell in cells {
            if *cell != '?' && sign != '_' {
                *cell = sign;
            }
        }
    }
    strip.into_iter().collect()
}

fn time_axis(columns: usize) -> String {
    let seconds = scenario::length().as_secs();
    // Labels of up to four columns, a blank between them.
    let step = [1, 2, 5, 10, 20]
        .into_iter()
        .find(|step| columns as u64 * step / seconds.max(1) >= 5)
        .unwrap_or(20);
    let mut axis = " ".repeat(GUTTER + 1);
    for second in (0..=seconds).step_by(step as usize) {
        let at = GUTTER + 1 + column(Duration::from_secs(second), columns);
        let label = if second == 0 { "0 s".to_string() } else { second.to_string() };
        if at + label.len() <= GUTTER + 1 + columns {
            let pad = at.saturating_sub(axis.chars().count());
            axis.push_str(&" ".repeat(pad));
            axis.push_str(&label);
        }
    }
    axis
}
