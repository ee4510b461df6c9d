//! The drawing: a board, a view and an area in, cells out. Nothing else is read, so the same in gives the same out.

mod bars;
mod help;
mod panel;
mod paper;

use failfast::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::{Board, Event, View, Watched, What};
use crate::words;

use self::panel::Chosen;
use self::paper::Pen;
pub(crate) use self::paper::{Colours, Ink, Letters, Paper};

/// The smallest terminal in which everything essential has its place.
pub(crate) const SMALLEST: (u16, u16) = (80, 24);

/// Rows of events that a taller panel must leave.
const EVENTS: u16 = 5;

/// Draws the picture into the area.
pub(crate) fn draw(board: &Board, view: &View, paper: Paper, area: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, area, paper);
    if pen.width() < SMALLEST.0 || pen.height() < SMALLEST.1 {
        too_small(board, view, &mut pen);
        return;
    }
    let (width, height) = (pen.width(), pen.height());
    header(board, view, &mut pen);

    let count = u16::try_from(board.watched.len()).unwrap_or(u16::MAX);
    // Header, rule and footer take a row each.
    let room = height - 3 - EVENTS;
    let tall = room.checked_div(count).unwrap_or(0).clamp(panel::LEAST, panel::MOST);
    let shown = count.min(room / tall);
    // The selected one is always among those that are shown.
    let first = view.selected.saturating_sub(usize::from(shown.saturating_sub(1)));
    let panels = board.watched.iter().enumerate().skip(first).take(usize::from(shown));
    let mut y = 1;
    for (index, watched) in panels {
        let mut part = pen.part(0, y, width, tall);
        let chosen = if index == view.selected { Chosen::Yes } else { Chosen::No };
        panel::draw(watched, index, chosen, board.now, &mut part);
        y += tall;
    }

    rule(board, view, y, &mut pen);
    let rows = height - y - 2;
    for (row, event) in (0..rows).zip(board.newest()) {
        let name = board.watched.get(event.index).map_or("", |watched| &watched.name);
        event_row(event, name, y + 1 + row, &mut pen);
    }
    footer(count, height - 1, &mut pen);
    if view.help {
        help::draw(&mut pen);
    }
}

fn header(board: &Board, view: &View, pen: &mut Pen<'_>) {
    let (permitted, refused) = board.rates();
    let breakers = words::counted(board.watched.len() as u64, "breaker", "breakers");
    pen.row(
        1,
        0,
        &[
            ("failfast", Ink::Strong),
            (&format!("  {breakers} "), Ink::Faint),
            (&format!("{:>7}", words::per_second(permitted)), Ink::Plain),
            (" calls/s", Ink::Faint),
            (&format!("{:>7}", words::per_second(refused)), Ink::Plain),
            (" refused/s", Ink::Faint),
        ],
    );
    let end = pen.width() - 1;
    let time = words::clock(board.now);
    if view.paused {
        pen.put_before(end, 0, &format!("paused at {time}; calls go on"), Ink::Chosen);
    } else {
        pen.put_before(end, 0, &time, Ink::Plain);
        pen.put_before(end - 9, 0, view.note, Ink::Chosen);
    }
}

/// The rule above the events, with what turns the selected dial from outside.
fn rule(board: &Board, view: &View, y: u16, pen: &mut Pen<'_>) {
    let width = pen.width();
    pen.put(0, y, &pen.paper.sign("─", "-").repeat(usize::from(width)), Ink::Faint);
    pen.put(1, y, " events ", Ink::Strong);
    if let Some(watched) = board.watched.get(view.selected) {
        let address = format!(" curl -X POST http://127.0.0.1:{}/fail ", watched.port);
        pen.put_before(width - 1, y, &address, Ink::Plain);
    }
}

fn event_row(event: &Event, name: &str, y: u16, pen: &mut Pen<'_>) {
    let arrow = pen.paper.sign(" → ", " > ");
    pen.put_before(11, y, &words::instant(event.at), Ink::Faint);
    pen.put(13, y, name, Ink::Plain);
    let x = 27;
    match &event.what {
        What::Changed(change) => {
            let (from, to) = (change.from.to_string(), change.to.to_string());
            let (_, ink) = pen.paper.state(change.to);
            pen.row(x, y, &[(&from, Ink::Plain), (arrow, Ink::Faint), (&to, ink)]);
            pen.put(x + 26, y, &words::cause(&change.cause), Ink::Plain);
        }
        What::Turned(dial) => {
            let ink = if dial.well { Ink::Good } else { Ink::Warning };
            pen.row(x, y, &[("dial", Ink::Faint), (arrow, Ink::Faint), (&dial.word, ink)]);
        }
        What::Missed(number) => {
            let text = format!("{} not seen", words::counted(*number, "change", "changes"));
            pen.put(x, y, &text, Ink::Faint);
        }
    }
}

fn footer(breakers: u16, y: u16, pen: &mut Pen<'_>) {
    let digits = match breakers {
        0 | 1 => "1".to_owned(),
        _ => format!("1-{}", breakers.min(9)),
    };
    let keys = [
        (digits.as_str(), "select"),
        ("f", "fail"),
        ("s", "slow"),
        ("h", "hang"),
        ("r", "recover"),
        ("R", "all"),
        ("p", "pause"),
        ("?", "help"),
        ("q", "quit"),
    ];
    let mut x = 1;
    for (key, what) in keys {
        x = pen.row(x, y, &[(key, Ink::Strong), (" ", Ink::Plain), (what, Ink::Faint)]) + 2;
    }
}

/// Says that there is no room, and in what is left how the breakers do.
fn too_small(board: &Board, view: &View, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width(), pen.height());
    let complaint = format!(
        "The picture needs {} columns and {} rows; this terminal has {width} and {height}. A larger window or a smaller \
         font makes room; q quits.",
        SMALLEST.0, SMALLEST.1
    );
    let mut y = 0;
    for line in wrap(&complaint, usize::from(width)) {
        pen.put(0, y, &line, Ink::Plain);
        y += 1;
    }
    y += 1;
    for (index, watched) in board.watched.iter().enumerate() {
        let marker = match index == view.selected {
            true => pen.paper.sign("▸", ">"),
            false => " ",
        };
        let x = pen.row(0, y, &[(marker, Ink::Chosen), (&watched.name, Ink::Plain)]);
        if let Some(reading) = &watched.reading {
            state(reading.snapshot.state, x.max(14) + 1, y, pen);
            let (permitted, refused) = watched.track.rates();
            let text = format!(
                "{:>5} calls/s {:>5} refused/s",
                words::per_second(permitted),
                words::per_second(refused)
            );
            pen.put(31, y, &text, Ink::Plain);
        }
        y = y.saturating_add(1);
    }
}

/// The sign and the name of a state.
fn state(state: State, x: u16, y: u16, pen: &mut Pen<'_>) -> u16 {
    let (sign, ink) = pen.paper.state(state);
    pen.row(x, y, &[(sign, ink), (" ", Ink::Plain), (&state.to_string(), ink)])
}

/// Breaks between words; a word longer than a line is cut where it is written.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What a watched breaker's window holds, by what became of the calls.
fn outcomes(watched: &Watched) -> Option<bars::Outcomes> {
    let snapshot = &watched.reading.as_ref()?.snapshot;
    let slow = snapshot.slow_calls.saturating_sub(snapshot.slow_failures);
    Some(bars::Outcomes {
        well: snapshot.calls.saturating_sub(snapshot.failures).saturating_sub(slow),
        slow,
        failed: snapshot.failures,
    })
}
