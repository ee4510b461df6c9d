//! Scripts that turn the dials as somebody with `curl` would, and what must be seen meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use failfast::{State, Transition, TransitionCause};

use crate::model::{Board, Event, What};
use crate::words;

/// When to do what: `POST /what` to the dependency at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) at: Duration,
    pub(crate) index: usize,
    pub(crate) what: &'static str,
    /// What the header says from then on.
    pub(crate) note: &'static str,
}

const fn step(millis: u64, index: usize, what: &'static str, note: &'static str) -> Step {
    Step { at: Duration::from_millis(millis), index, what, note }
}

const PAYMENT: usize = 0;
const INVENTORY: usize = 1;
const SHIPPING: usize = 2;
const NOTIFICATION: usize = 3;

/// Three of four break, each in its way, and are repaired.
const DEMO: [Step; 6] = [
    step(1_500, PAYMENT, "fail", "payment fails"),
    step(1_700, SHIPPING, "hang", "shipping hangs"),
    step(1_900, INVENTORY, "slow", "inventory slow"),
    step(4_000, PAYMENT, "recover", "payment repaired"),
    step(4_200, SHIPPING, "recover", "shipping repaired"),
    step(4_400, INVENTORY, "recover", "all repaired"),
];
/// A demo that takes longer has failed.
const DEMO_LIMIT: Duration = Duration::from_secs(14);
/// How long a breaker may take to open: the window of inventory must fill with slow calls.
const OPENS_WITHIN: Duration = Duration::from_secs(4);
/// The open time that the breakers are set to, and what the next call and a busy machine may add.
const OPEN_TIME: Duration = Duration::from_secs(5);
const OPEN_SLACK: Duration = Duration::from_millis(1_500);
/// How long the recovery is watched.
const AFTER: Duration = Duration::from_millis(700);

/// A minute in which every kind of trouble has its place.
const MINUTE: [Step; 11] = [
    step(7_000, PAYMENT, "fail", ""),
    step(9_000, PAYMENT, "recover", ""),
    step(15_000, INVENTORY, "slow", ""),
    step(19_000, INVENTORY, "recover", ""),
    step(24_000, SHIPPING, "hang", ""),
    step(37_000, SHIPPING, "recover", ""),
    step(41_000, NOTIFICATION, "hang", ""),
    step(43_000, NOTIFICATION, "recover", ""),
    step(51_000, INVENTORY, "fail?rate=0.3", ""),
    step(54_000, SHIPPING, "slow?ms=160", ""),
    step(56_500, PAYMENT, "fail", ""),
];
/// When the picture is taken.
const MINUTE_ENDS: Duration = Duration::from_millis(58_600);

/// A script in progress.
pub(crate) struct Script {
    kind: Kind,
    left: VecDeque<Step>,
}

enum Kind {
    Demo(Witness),
    Minute,
}

impl Script {
    pub(crate) fn demo() -> Script {
        Script { kind: Kind::Demo(Witness::default()), left: DEMO.into() }
    }

    pub(crate) fn minute() -> Script {
        Script { kind: Kind::Minute, left: MINUTE.into() }
    }

    /// The next step that is due.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Step> {
        let step = *self.left.front().filter(|step| step.at <= now)?;
        self.left.pop_front();
        if let Kind::Demo(witness) = &mut self.kind {
            if step.what != "recover" {
                witness.seen(step.index).broken = Some(now);
            }
        }
        Some(step)
    }

    /// Looks at the board, and at what has happened since the last look.
    pub(crate) fn look(&mut self, board: &Board, events: &[Event]) {
        if let Kind::Demo(witness) = &mut self.kind {
            witness.look(board, events);
        }
    }

    /// Whether there is nothing more to wait for.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        match &self.kind {
            Kind::Demo(witness) => {
                let rested = witness.healed.is_some_and(|at| now.saturating_sub(at) >= AFTER);
                now >= DEMO_LIMIT || (self.left.is_empty() && rested)
            }
            Kind::Minute => now >= MINUTE_ENDS,
        }
    }

    /// What a demo has claimed, and whether it was kept; nothing for a script that claims nothing.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        match &self.kind {
            Kind::Demo(witness) => witness.claims(),
            Kind::Minute => Vec::new(),
        }
    }
}

/// A sentence about a run, and whether it was true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) text: String,
    pub(crate) kept: bool,
}

/// What a demo remembers of what it has seen.
#[derive(Default)]
struct Witness {
    breakers: Vec<Seen>,
    /// Since when all breakers have been closed again.
    healed: Option<Duration>,
}

#[derive(Clone, Default)]
struct Seen {
    name: String,
    broken: Option<Duration>,
    changes: Vec<Transition>,
    state: Option<State>,
    /// Permits so far, as first read in the open time of this generation.
    permitted_at: Option<(u64, u64)>,
    /// Calls that were permitted in an open time.
    leaked: u64,
    refused: u64,
    permitted: u64,
    /// Permits when it closed again.
    permitted_before: Option<u64>,
}

impl Witness {
    fn seen(&mut self, index: usize) -> &mut Seen {
        if self.breakers.len() <= index {
            self.breakers.resize_with(index + 1, Seen::default);
        }
        &mut self.breakers[index]
    }

    fn look(&mut self, board: &Board, events: &[Event]) {
        for event in events {
            if let What::Changed(change) = &event.what {
                self.seen(event.index).changes.push(change.clone());
            }
        }
        for (index, watched) in board.watched.iter().enumerate() {
            let Some(reading) = &watched.reading else { continue };
            let seen = self.seen(index);
            seen.name.clone_from(&watched.name);
            let (snapshot, totals) = (&reading.snapshot, &reading.totals);
            seen.refused = totals.refused;
            seen.permitted = totals.permitted;
            seen.state = Some(snapshot.state);
            match (snapshot.state, seen.permitted_at) {
                // The totals are read after the state, and the open time after them: it lasted all along.
                (State::Open, Some((generation, permitted)))
                    if generation == snapshot.generation && reading.open_for.is_some() =>
                {
                    seen.leaked = totals.permitted.saturating_sub(permitted);
                }
                (State::Open, at) if at.is_none_or(|at| at.0 != snapshot.generation) => {
                    seen.permitted_at = Some((snapshot.generation, totals.permitted));
                }
                (State::Closed, Some(_)) if seen.permitted_before.is_none() => {
                    seen.permitted_before = Some(totals.permitted);
                }
                _ => {}
            }
        }
        let well = self.breakers.iter().all(|seen| {
            seen.state == Some(State::Closed) && (seen.broken.is_none() || !seen.changes.is_empty())
        });
        self.healed = if well { self.healed.or(Some(board.now)) } else { None };
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (index, seen) in self.breakers.iter().enumerate() {
            let mut claim = |text: String, kept| {
                claims.push(Claim { text: format!("{}: {text}", seen.name), kept })
            };
            let Some(broken) = seen.broken else {
                claim("its neighbours' outages did not touch it".into(), seen.changes.is_empty());
                continue;
            };
            let Some(opening) = seen.changes.iter().find(|change| change.to == State::Open) else {
                claim("opens".into(), false);
                continue;
            };
            let cause = match opening.cause {
                TransitionCause::ConsecutiveFailures { failures } => {
                    failures >= 3 && index != INVENTORY
                }
                TransitionCause::SlowRate { .. } => index == INVENTORY,
                _ => false,
            };
            let after = opening.at.saturating_sub(broken);
            claim(
                format!(
                    "opened {} after it broke: {}",
                    words::left(after),
                    words::cause(&opening.cause)
                ),
                cause && after <= OPENS_WITHIN,
            );
            claim(
                format!("while open, {} refused and {} let through", seen.refused, seen.leaked),
                seen.refused > 0 && seen.leaked == 0,
            );
            let probe = seen.changes.iter().find(|change| change.to == State::HalfOpen);
            let open = probe.map(|probe| probe.at.saturating_sub(opening.at));
            claim(
                match open {
                    Some(open) => format!("asked again after {:.2} s", open.as_secs_f64()),
                    None => "asks again".into(),
                },
                open.is_some_and(|open| open >= OPEN_TIME && open <= OPEN_TIME + OPEN_SLACK),
            );
            let closing = seen.changes.iter().find(|change| change.to == State::Closed);
            claim(
                format!(
                    "closed: {}",
                    closing.map_or("no".into(), |closing| words::cause(&closing.cause))
                ),
                closing.is_some_and(|closing| {
                    closing.cause == TransitionCause::ProbesSucceeded { calls: 1, failures: 0 }
                }) && seen.changes.len() == 3,
            );
            let served =
                seen.permitted_before.map_or(0, |before| seen.permitted.saturating_sub(before));
            claim(
                format!("calls go through again: {served} since"),
                served > 0 && seen.state == Some(State::Closed),
            );
        }
        claims
    }
}
