//! The outage as a script: the dial's positions over time, and the load.
//!
//! Every number that shapes the run stands here, so that a reader can play with it.
//! They are chosen so that the healthy pool is about 60 % busy: busy enough that a backlog takes seconds to drain,
//! with room enough that it does drain.

use std::time::Duration;

/// The position of the backend's dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Every request is answered after a short time of work.
    Healthy,
    /// Three of ten requests are answered with status 500.
    Failing,
    /// Every request hangs for two seconds, which is longer than the client waits.
    Hanging,
    /// Every connection is reset, as by a proxy whose backend has gone.
    Down,
}

impl Health {
    /// All positions, in the order of their codes.
    pub(crate) const ALL: [Health; 4] =
        [Health::Healthy, Health::Failing, Health::Hanging, Health::Down];

    /// The place of this position in [`Health::ALL`].
    pub(crate) const fn code(self) -> u8 {
        match self {
            Health::Healthy => 0,
            Health::Failing => 1,
            Health::Hanging => 2,
            Health::Down => 3,
        }
    }

    /// The position with this code; an unknown code reads as healthy.
    pub(crate) fn from_code(code: u8) -> Health {
        Health::ALL.get(usize::from(code)).copied().unwrap_or(Health::Healthy)
    }
}

/// A stretch of time in which the dial stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// What the reports call it.
    pub(crate) name: &'static str,
    /// Where the dial stands.
    pub(crate) health: Health,
    /// How long.
    pub(crate) length: Duration,
}

/// The script. A second repair stands between hanging and down because only there does a backlog survive: when the
/// backend is down, an unguarded pool gets rid of its backlog by failing it all at once.
pub(crate) const PHASES: [Phase; 6] = [
    phase("healthy", Health::Healthy, 3),
    phase("30 % errors", Health::Failing, 4),
    phase("hanging 2 s", Health::Hanging, 5),
    phase("recovered", Health::Healthy, 7),
    phase("down", Health::Down, 4),
    phase("recovered", Health::Healthy, 5),
];

const fn phase(name: &'static str, health: Health, seconds: u64) -> Phase {
    Phase { name, health, length: Duration::from_secs(seconds) }
}

/// Requests that arrive in a second, evenly spaced, on each side.
pub(crate) const ARRIVALS_PER_SECOND: u32 = 250;
/// Threads in each side's pool.
pub(crate) const WORKERS: usize = 16;
/// How long the HTTP client waits to connect, and then again for the answer.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a caller waits, counted from the scheduled arrival: an answer after that finds nobody.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// How long the healthy backend works on a request: the least, and by how much more at most.
pub(crate) const WORK: (Duration, Duration) =
    (Duration::from_millis(30), Duration::from_millis(20));
/// How long a hanging backend sits on a request.
pub(crate) const HANG: Duration = Duration::from_secs(2);
/// How long the run waits after the last arrival for what is still in the pools. With the phases this stays below
/// the 40 seconds that the example may take.
pub(crate) const DRAIN: Duration = Duration::from_secs(6);
/// A side counts as recovered at the first of this many requests in a row that are all served: 100 ms of load.
pub(crate) const RECOVERED_RUN: usize = 25;

/// When each phase begins, with the phase.
pub(crate) fn schedule() -> impl Iterator<Item = (Duration, Phase)> {
    PHASES.iter().scan(Duration::ZERO, |next, &phase| {
        let begin = *next;
        *next += phase.length;
        Some((begin, phase))
    })
}

/// The length of all phases together.
pub(crate) fn length() -> Duration {
    PHASES.iter().map(|phase| phase.length).sum()
}

/// The phase at `at`; the last one goes on for ever.
pub(crate) fn phase_at(at: Duration) -> Phase {
    schedule().filter(|(begin, _)| *begin <= at).last().map_or(PHASES[0], |(_, phase)| phase)
}

/// Requests that each side gets.
pub(crate) fn arrivals() -> u32 {
    (length().as_secs_f64() * f64::from(ARRIVALS_PER_SECOND)) as u32
}

/// When request `index` arrives.
pub(crate) fn arrival(index: u32) -> Duration {
    Duration::from_secs(u64::from(index)) / ARRIVALS_PER_SECOND
}
