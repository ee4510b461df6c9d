//! One breaker's panel: four rows that say what is essential, and more where there is room.

use std::time::Duration;

use failfast::{State, WindowKind};

use super::bars::{self, Outcomes};
use super::paper::{Ink, Pen};
use super::{outcomes, state};
use crate::model::{Reading, Watched};
use crate::track::Columns;
use crate::words;

/// Rows of the smallest panel.
pub(crate) const LEAST: u16 = 4;
/// Rows of a panel that shows everything.
pub(crate) const MOST: u16 = 8;

/// Where bars begin.
const LEFT: u16 = 9;
/// Columns right of the bars that go over time.
const BESIDE: u16 = 8;

/// Whether the keys go to this panel's dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Yes,
    No,
}

/// A row of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Title,
    Minute,
    Calls,
    Refusals,
    Window,
    Rates,
    Totals,
    Gap,
}

/// The rows of a panel so tall, in their order.
fn rows(tall: u16) -> &'static [Row] {
    use Row::{Calls, Gap, Minute, Rates, Refusals, Title, Totals, Window};
    match tall {
        0..=4 => &[Title, Minute, Window, Rates],
        5 => &[Title, Minute, Window, Rates, Gap],
        6 => &[Title, Minute, Calls, Window, Rates, Gap],
        7 => &[Title, Minute, Calls, Window, Rates, Totals, Gap],
        _ => &[Title, Minute, Calls, Refusals, Window, Rates, Totals, Gap],
    }
}

/// Draws a panel into the whole of the pen's area.
pub(crate) fn draw(
    watched: &Watched,
    index: usize,
    chosen: Chosen,
    now: Duration,
    pen: &mut Pen<'_>,
) {
    for (y, &row) in (0..).zip(rows(pen.height())) {
        if chosen == Chosen::Yes && row != Row::Gap {
            pen.put(0, y, pen.paper.sign("▌", if y == 0 { ">" } else { "|" }), Ink::Chosen);
        }
        match row {
            Row::Title => title(watched, index, chosen, now, y, pen),
            Row::Minute => minute(watched, now, y, pen),
            Row::Calls => over_time("calls", watched, now, y, pen),
            Row::Refusals => over_time("refused", watched, now, y, pen),
            Row::Window => window(watched, now, y, pen),
            Row::Rates => rates(watched, y, pen),
            Row::Totals => totals(watched, y, pen),
            Row::Gap => {}
        }
    }
}

fn title(
    watched: &Watched,
    index: usize,
    chosen: Chosen,
    now: Duration,
    y: u16,
    pen: &mut Pen<'_>,
) {
    let ink = if chosen == Chosen::Yes { Ink::Chosen } else { Ink::Strong };
    let number = if index < 9 { (index + 1).to_string() } else { " ".into() };
    pen.row(1, y, &[(&number, Ink::Faint), (" ", Ink::Plain)]);
    pen.part(0, y, 15, 1).put(3, 0, &watched.name, ink);
    let Some(reading) = &watched.reading else {
        pen.put(16, y, "not read yet", Ink::Faint);
        return;
    };
    state(reading.snapshot.state, 16, y, pen);
    let lasts = match reading.open_for {
        Some(left) => format!("{} left", words::left(left)),
        None => words::clock(since(watched, now)),
    };
    pen.put_before(40, y, &lasts, Ink::Plain);

    let end = pen.width().saturating_sub(1);
    let (permitted, refused) = watched.track.rates();
    let ink = |rate: f64, ink| if rate > 0.0 { ink } else { Ink::Faint };
    for (before, rate, unit, rate_ink) in [
        (25, permitted, "calls/s", ink(permitted, Ink::Plain)),
        (9, refused, "refused/s", ink(refused, Ink::Bad)),
    ] {
        let end = end.saturating_sub(before);
        let begin = end.saturating_sub(6 + unit.len() as u16);
        let figure = format!("{:>5}", words::per_second(rate));
        pen.row(begin, y, &[(&figure, rate_ink), (" ", Ink::Plain), (unit, Ink::Faint)]);
    }
    let ink = if reading.dial.well { Ink::Good } else { Ink::Warning };
    let word: String = reading.dial.word.chars().take(8).collect();
    pen.put_before(end, y, &word, ink);
}

/// How long the state has lasted.
fn since(watched: &Watched, now: Duration) -> Duration {
    watched.timeline.last().map_or(Duration::ZERO, |(begun, _)| now.saturating_sub(begun))
}

fn label(text: &str, y: u16, pen: &mut Pen<'_>) {
    pen.put(2, y, text, Ink::Faint);
}

/// The columns of the bars over time.
fn columns(now: Duration, pen: &Pen<'_>) -> Columns {
    Columns::until(now, pen.width().saturating_sub(LEFT + BESIDE + 1))
}

fn minute(watched: &Watched, now: Duration, y: u16, pen: &mut Pen<'_>) {
    label("minute", y, pen);
    let mut x = LEFT;
    for shown in watched.timeline.columns(&columns(now, pen)) {
        let (sign, ink) = match shown {
            Some(state) => pen.paper.state(state),
            None => (" ", Ink::Faint),
        };
        x = pen.put(x, y, sign, ink);
    }
    let end = pen.width().saturating_sub(1);
    pen.put_before(end, y, &format!(":{}", watched.port), Ink::Plain);
}

/// Calls or refusals in each column, against the largest of both.
fn over_time(what: &str, watched: &Watched, now: Duration, y: u16, pen: &mut Pen<'_>) {
    label(what, y, pen);
    let columns = watched.track.columns(&columns(now, pen));
    let refusals = what == "refused";
    let largest = columns.iter().flatten().map(|&(calls, no)| calls.max(no)).fold(0.0, f64::max);
    let mut x = LEFT;
    for &column in &columns {
        let rate = column.map_or(0.0, |(calls, no)| if refusals { no } else { calls });
        let level = if largest > 0.0 { rate / largest } else { 0.0 };
        x = pen.put(x, y, pen.paper.level(level), if refusals { Ink::Bad } else { Ink::Faint });
    }
    let end = pen.width().saturating_sub(1);
    let own = columns.iter().flatten().map(|&(calls, no)| if refusals { no } else { calls });
    let peak =
        format!("{}{}/s", pen.paper.sign("≤", "<"), words::per_second(own.fold(0.0, f64::max)));
    pen.put_before(end, y, &peak, Ink::Faint);
}

fn window(watched: &Watched, now: Duration, y: u16, pen: &mut Pen<'_>) {
    let (Some(reading), Some(outcomes)) = (&watched.reading, outcomes(watched)) else {
        label("window", y, pen);
        return;
    };
    let end = pen.width().saturating_sub(1);
    let refused = words::count(reading.totals.refused);
    let begin = end.saturating_sub(13);
    pen.row(begin, y, &[("refused ", Ink::Faint), (&format!("{refused:>5}"), Ink::Plain)]);

    // Counts of 35 columns stand between the bar and the refusals.
    let width = begin.saturating_sub(LEFT + 1 + 35 + 1);
    let beside = LEFT + width + 1;
    match reading.snapshot.state {
        State::Open => {
            label("wait", y, pen);
            let left = reading.open_for.unwrap_or_default();
            let whole = left.saturating_add(since(watched, now));
            let share = left.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
            bars::wait(share, LEFT, y, width, pen);
            let text = format!("{} of {} left", words::left(left), words::whole(whole));
            pen.put(beside, y, &text, Ink::Plain);
        }
        State::HalfOpen => {
            label("probes", y, pen);
            let size = u64::from(watched.limits.probes).max(outcomes.calls());
            bars::window(outcomes, size, LEFT, y, width, pen);
            counts(outcomes, beside, y, pen);
        }
        State::ForcedOpen => {
            label("window", y, pen);
            pen.put(LEFT, y, "none: open until told otherwise", Ink::Faint);
        }
        State::Disabled => {
            label("window", y, pen);
            pen.put(LEFT, y, "none: nothing is counted", Ink::Faint);
        }
        State::Closed | State::MetricsOnly => {
            label("window", y, pen);
            closed_window(watched, reading, outcomes, (width, beside), y, pen);
        }
    }
}

fn closed_window(
    watched: &Watched,
    reading: &Reading,
    outcomes: Outcomes,
    (width, beside): (u16, u16),
    y: u16,
    pen: &mut Pen<'_>,
) {
    let size = match watched.limits.window {
        WindowKind::Count { size } => u64::from(size).max(outcomes.calls()),
        WindowKind::Consecutive { .. } => {
            let run = reading.snapshot.consecutive_failures;
            let size = watched.limits.run.map_or(run, u64::from).max(run);
            bars::window(
                Outcomes { failed: run, ..Outcomes::default() },
                size,
                LEFT,
                y,
                width,
                pen,
            );
            pen.put(beside, y, "only failures in a row count", Ink::Faint);
            return;
        }
        // Of a time window: any number.
        _ => outcomes.calls().max(u64::from(width)),
    };
    bars::window(outcomes, size, LEFT, y, width, pen);
    counts(outcomes, beside, y, pen);
}

fn counts(outcomes: Outcomes, x: u16, y: u16, pen: &mut Pen<'_>) {
    let [well, slow, failed, _] = bars::signs(pen);
    let mut x = x;
    for (number, (sign, ink), name) in [
        (outcomes.well, well, "ok"),
        (outcomes.failed, failed, "failed"),
        (outcomes.slow, slow, "slow"),
    ] {
        let (ink, name_ink) = if number > 0 { (ink, Ink::Plain) } else { (Ink::Faint, Ink::Faint) };
        let figure = format!("{:>5} ", words::count(number));
        x = pen.row(
            x,
            y,
            &[(sign, ink), (&figure, name_ink), (name, Ink::Faint), (" ", Ink::Plain)],
        );
    }
}

fn rates(watched: &Watched, y: u16, pen: &mut Pen<'_>) {
    label("rates", y, pen);
    let Some(reading) = &watched.reading else { return };
    let limits = &watched.limits;
    let wide = pen.width() >= 100;
    let slow_name = match limits.slow {
        Some((limit, _)) if wide => format!("slow (> {}) ", words::limit(limit)),
        _ => "slow ".to_owned(),
    };
    // Both gauges take a bar, a blank and a text of eleven columns; the run's eleven stand at the end.
    let fixed = LEFT + 7 + slow_name.len() as u16 + 2 * (1 + 11) + 2 + 2 + 11 + 1;
    let bar = (pen.width().saturating_sub(fixed) / 2).min(40);
    let snapshot = &reading.snapshot;
    let failed = (limits.failure_rate, snapshot.failure_rate);
    let slow = (limits.slow.map(|(_, rate)| rate), snapshot.slow_rate);
    let mut x = LEFT;
    for (name, (limit, rate)) in [("failed ", failed), (slow_name.as_str(), slow)] {
        pen.put(x, y, name, Ink::Faint);
        x += name.len() as u16;
        match limit {
            Some(limit) => {
                bars::gauge(rate, limit, x, y, bar, pen);
                let figure = match rate {
                    Some(rate) => format!("{:>4}", words::percent(rate)),
                    None => format!("{:>4}", pen.paper.sign("–", "-")),
                };
                let of = format!(" of {} %", words::percent(limit));
                pen.row(x + bar, y, &[(&figure, bars::against(rate, limit)), (&of, Ink::Faint)]);
            }
            None => {
                pen.put(x, y, "no rule", Ink::Faint);
            }
        }
        x += bar + 1 + 11 + 2;
    }
    if let Some((name, now, limit)) = run(watched, reading) {
        let ink = if now > 0 { Ink::Warning } else { Ink::Faint };
        let end = pen.width().saturating_sub(1);
        let figure = words::count(now);
        let of = format!(" of {}", words::count(limit));
        let begin = end.saturating_sub((name.len() + figure.len() + of.len()) as u16);
        pen.row(begin, y, &[(name, Ink::Faint), (&figure, ink), (&of, Ink::Faint)]);
    }
}

/// The rule that counts failures: its name, what it has counted, and its limit.
fn run(watched: &Watched, reading: &Reading) -> Option<(&'static str, u64, u64)> {
    let snapshot = &reading.snapshot;
    let in_a_row = watched.limits.run.map(|limit| ("run ", snapshot.consecutive_failures, limit));
    let in_all = watched.limits.failure_count.map(|limit| ("count ", snapshot.failures, limit));
    in_a_row.or(in_all).map(|(name, now, limit)| (name, now, limit.into()))
}

/// As many of the running totals as there is room for.
fn totals(watched: &Watched, y: u16, pen: &mut Pen<'_>) {
    label("totals", y, pen);
    let Some(reading) = &watched.reading else { return };
    let totals = &reading.totals;
    let probes = totals.probes_succeeded.saturating_add(totals.probes_failed);
    let figures = [
        (totals.in_flight(), "in flight"),
        (totals.permitted, "permitted"),
        (totals.succeeded, "ok"),
        (totals.failed, "failed"),
        (totals.slow, "slow"),
        (totals.openings, "openings"),
        (probes, "probes"),
        (totals.stale, "stale"),
        (totals.ignored, "ignored"),
    ];
    let mut x = LEFT;
    for (number, name) in figures {
        let figure = words::count(number);
        // Small figures come and go; the columns stay where they are.
        let width = (5 + 1 + name.len()) as u16;
        if x + width >= pen.width() {
            break;
        }
        pen.row(
            x,
            y,
            &[(&format!("{figure:>5}"), Ink::Plain), (" ", Ink::Plain), (name, Ink::Faint)],
        );
        x += width + 2;
    }
}
