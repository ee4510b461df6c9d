//! The terminal: its width, whether it takes colours, and the progress line.
//!
//! Progress goes to the error stream and results to the output stream, so that either may be piped without the other.
//! Where the error stream is no terminal, or a dumb one, a plain line now and then takes the place of the bar.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::load::Answer;

/// The width when nothing tells: what a terminal had when terminals were furniture.
const DEFAULT_WIDTH: usize = 80;
/// A plot or a table gets no more readable beyond this.
const LARGEST_WIDTH: usize = 120;
/// Below this nothing fits; the output then wraps, and is still right.
const SMALLEST_WIDTH: usize = 24;
/// How often a plain line is printed instead of the bar.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// How the results are set out on the output stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Columns.
    pub(crate) width: usize,
    coloured: bool,
}

impl Page {
    /// The page that the output stream is.
    pub(crate) fn of_output() -> Page {
        let terminal = io::stdout().is_terminal() && !is_dumb();
        let columns = terminal_size::terminal_size_of(io::stdout())
            .map(|(width, _)| usize::from(width.0))
            .or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
        Page {
            width: clamp_width(columns),
            coloured: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// The sign of an answer, in its colour where there are colours.
    pub(crate) fn sign(&self, answer: Answer) -> String {
        let (sign, colour) = match answer {
            Answer::Served => ('o', 32),
            Answer::Refused => ('.', 34),
            Answer::GivenUp => (':', 36),
            Answer::Late => ('~', 33),
            Answer::Failed => ('x', 31),
            Answer::TimedOut => ('T', 35),
        };
        self.paint(sign, colour)
    }

    /// The sign of answers of which some were served and some were not.
    pub(crate) fn mixed_sign(&self) -> String {
        self.paint('%', 33)
    }

    fn paint(&self, sign: char, colour: u8) -> String {
        if self.coloured {
            format!("\x1b[{colour}m{sign}\x1b[0m")
        } else {
            sign.into()
        }
    }
}

/// Columns of the error stream.
pub(crate) fn error_width() -> usize {
    clamp_width(
        terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0)),
    )
}

fn clamp_width(columns: Option<usize>) -> usize {
    columns
        .filter(|&columns| columns > 0)
        .unwrap_or(DEFAULT_WIDTH)
        .clamp(SMALLEST_WIDTH, LARGEST_WIDTH)
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The progress of the run.
pub(crate) struct Progress {
    bar: bool,
    /// When the last plain line was printed, and for which phase.
    last_plain: Option<(Duration, &'static str)>,
}

/// What the progress line says.
pub(crate) struct Reading {
    /// Since the start.
    pub(crate) at: Duration,
    /// The whole run.
    pub(crate) length: Duration,
    /// The phase's name.
    pub(crate) phase: &'static str,
    /// The two sides, unguarded first: what each says, from the fullest to the shortest form.
    pub(crate) sides: [[String; 3]; 2],
}

impl Progress {
    /// Progress on the error stream.
    pub(crate) fn new() -> Progress {
        Progress { bar: io::stderr().is_terminal() && !is_dumb(), last_plain: None }
    }

    /// Shows a reading. That it cannot be shown is no reason to stop, so errors are dropped.
    pub(crate) fn show(&mut self, reading: &Reading) {
        let mut stream = io::stderr().lock();
        if self.bar {
            let columns = terminal_size::terminal_size_of(&stream)
                .map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0));
            // The last column stays free: some terminals wrap as soon as it is written.
            let line = fit(reading, columns.saturating_sub(1));
            let _ = write!(stream, "\r{line}\x1b[K");
            let _ = stream.flush();
            return;
        }
        let due = self.last_plain.is_none_or(|(at, phase)| {
            phase != reading.phase || reading.at.saturating_sub(at) >= PLAIN_EVERY
        });
        if due {
            self.last_plain = Some((reading.at, reading.phase));
            let [[left, ..], [right, ..]] = &reading.sides;
            let _ = writeln!(stream, "{} | {left} | {right}", position(reading));
        }
    }

    /// Takes the bar away, so that the results begin on a clean line.
    pub(crate) fn clear(&mut self) {
        if self.bar {
            let mut stream = io::stderr().lock();
            let _ = write!(stream, "\r\x1b[K");
            let _ = stream.flush();
        }
    }
}

fn position(reading: &Reading) -> String {
    format!("{} {:<11}", seconds(reading), reading.phase)
}

fn seconds(reading: &Reading) -> String {
    format!("{:4.1}/{:.0} s", reading.at.as_secs_f64(), reading.length.as_secs_f64())
}

/// The fullest line that fits, with the bar in whatever room is left.
fn fit(reading: &Reading, columns: usize) -> String {
    const LONGEST_BAR: usize = 30;
    const SHORTEST_BAR: usize = 5;
    let (position, seconds) = (position(reading), seconds(reading));
    let [left, right] = &reading.sides;
    let tails = [
        format!(" {position} | {} | {}", left[0], right[0]),
        format!(" {position} | {} | {}", left[1], right[1]),
        format!(" {position}|{}|{}", left[2], right[2]),
        format!("{seconds}|{}|{}", left[2], right[2]),
        format!(" {seconds}|{}", right[2]),
        format!(" {seconds}"),
    ];
    let with_bar = tails.iter().find(|tail| tail.chars().count() + SHORTEST_BAR + 2 <= columns);
    let Some(tail) = with_bar else {
        return seconds.chars().take(columns).collect();
    };
    let room = (columns - tail.chars().count() - 2).min(LONGEST_BAR);
    let done = reading.at.as_secs_f64() / reading.length.as_secs_f64().max(f64::MIN_POSITIVE);
    let filled = ((done * room as f64) as usize).min(room);
    format!("[{}{}]{tail}", "#".repeat(filled), "-".repeat(room - filled))
}

/// A duration in three digits or so and its unit.
pub(crate) fn short(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let (value, unit) = match nanos {
        n if n < 1e3 => return format!("{n:.0} ns"),
        n if n < 1e6 => (n / 1e3, "us"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    if value < 10.0 {
        format!("{value:.2} {unit}")
    } else if value < 100.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// Breaks `text` between words so that no line is longer than `width`; lines after the first are indented.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = visible(word);
        if column > 0 && column + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// How many columns a text takes: colour codes, from the escape to its `m`, take none.
fn visible(text: &str) -> usize {
    let mut columns = 0;
    let mut in_code = false;
    for letter in text.chars() {
        match (in_code, letter) {
            (false, '\x1b') => in_code = true,
            (false, _) => columns += 1,
            (true, 'm') => in_code = false,
            (true, _) => {}
        }
    }
    columns
}
