//! The picture where there is no terminal: a line a second, and a line for each event, in plain ASCII.

use std::fmt::Write;

use failfast::State;

use crate::model::{Board, Event, Watched, What};
use crate::words;

/// What is said first.
pub(crate) fn opening(board: &Board) -> String {
    let mut text =
        String::from("minutes:seconds, then what each breaker permits; break a dependency with\n");
    for watched in &board.watched {
        let (port, name) = (watched.port, &watched.name);
        let _ = writeln!(
            text,
            "  curl -X POST http://127.0.0.1:{port}/fail    # {name}; /slow /hang /recover"
        );
    }
    text
}

/// A second's line.
pub(crate) fn second(board: &Board) -> String {
    let breakers: Vec<String> = board.watched.iter().map(breaker).collect();
    format!("{:>8}  {}\n", words::instant(board.now), breakers.join(" | "))
}

fn breaker(watched: &Watched) -> String {
    let Some(reading) = &watched.reading else {
        return format!("{}: not read yet", watched.name);
    };
    let (permitted, refused) = watched.track.rates();
    let mut text = format!("{} {}", watched.name, reading.snapshot.state);
    if let (State::Open, Some(left)) = (reading.snapshot.state, reading.open_for) {
        let _ = write!(text, " {} left", words::left(left));
    }
    let _ = write!(text, " {}/s", words::per_second(permitted));
    if refused > 0.0 {
        let _ = write!(text, " {} refused/s", words::per_second(refused));
    }
    for (rate, what) in
        [(reading.snapshot.failure_rate, "failed"), (reading.snapshot.slow_rate, "slow")]
    {
        if let Some(rate) = rate.filter(|&rate| rate > 0.0) {
            let _ = write!(text, " {} % {what}", words::percent(rate));
        }
    }
    text
}

/// An event's line.
pub(crate) fn event(board: &Board, event: &Event) -> String {
    let name = board.watched.get(event.index).map_or("?", |watched| &watched.name);
    let what = match &event.what {
        What::Changed(change) => {
            format!("{} > {}: {}", change.from, change.to, words::cause(&change.cause))
        }
        What::Turned(dial) => format!("dial > {}", dial.word),
        What::Missed(number) => {
            format!("{} not seen", words::counted(*number, "change", "changes"))
        }
    };
    format!("{:>8}  * {name}: {what}\n", words::instant(event.at))
}
