//! What is driven, as plain data: settings, operations, movements of the clock.
//!
//! Property tests and fuzz targets make them, each in its own way; `drive` runs them.

use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Window};

use crate::crew::Lane;
use crate::subject::{Control, Finish, Hold};

// ===== settings =====

/// A breaker's settings as plain data, and where the clock stands at the build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) window: Kind,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) failure_count: Option<u32>,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) slow_call: Option<(Duration, f64)>,
    pub(crate) min_calls: u32,
    pub(crate) open_wait: OpenWait,
    pub(crate) half_open: HalfOpen,
    pub(crate) probe_timeout: Duration,
    pub(crate) jitter_seed: u64,
    pub(crate) stripes: u32,
    pub(crate) clock_start: Duration,
    pub(crate) totals: bool,
}

/// A window as plain data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Count(u32),
    Time(Duration, u32),
    Consecutive(u32),
}

impl Kind {
    pub(crate) fn window(self) -> Window {
        match self {
            Kind::Count(size) => Window::count(size),
            Kind::Time(length, buckets) => Window::time(length).buckets(buckets),
            Kind::Consecutive(limit) => Window::consecutive(limit),
        }
    }
}

/// The last instant of a time window's runs: with buckets of 1 ns the one after it has the number that the breaker
/// keeps for "no bucket", and shares the bucket before it.
pub(crate) const LAST: Duration = Duration::from_nanos(u64::MAX - 1);

/// The longest run that any breaker has memory for.
const LONGEST_RUN: u32 = 16;

impl Settings {
    /// The same settings with those left out that do not go together, and with a rule if there is none.
    pub(crate) fn made_to_fit(mut self) -> Self {
        match self.window {
            Kind::Count(size) => {
                self.failure_count = self.failure_count.map(|count| count.min(size));
            }
            Kind::Consecutive(_) => {
                self.failure_count = None;
                self.consecutive_failures = None;
            }
            Kind::Time(..) => self.clock_start = self.clock_start.min(LAST),
        }
        let counted = self.failure_count.or(self.consecutive_failures);
        if counted.is_none() && self.slow_call.is_none() && self.failure_rate.is_none() {
            self.failure_rate = Some(0.5);
        }
        self
    }

    /// These limits for a breaker that was built with others: what can't change stays.
    pub(crate) fn for_one_built_as(self, built: &Settings, part: Part, current: &Settings) -> Self {
        let Settings { open_wait, probe_timeout, half_open, .. } = self;
        match part {
            Part::All => {}
            Part::HalfOpen => return Settings { half_open, ..*current },
            Part::Times => return Settings { open_wait, probe_timeout, ..*current },
            Part::None => return *current,
        }
        let window = match built.window {
            Kind::Consecutive(_) => Kind::Consecutive(1 + (self.jitter_seed % 6) as u32),
            window => window,
        };
        let runs = !built.is_timed() || built.consecutive_failures.is_some();
        let longest = LONGEST_RUN.max(built.consecutive_failures.unwrap_or(0));
        let consecutive_failures = self.consecutive_failures.filter(|_| runs);
        let consecutive_failures = consecutive_failures.map(|run| run.min(longest));
        let Settings { stripes, clock_start, totals, .. } = *built;
        Settings { window, consecutive_failures, stripes, clock_start, totals, ..self }
            .made_to_fit()
    }

    /// Whether the window is one of time.
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self.window, Kind::Time(..))
    }

    /// For a breaker that has these limits already, but for some; the seed is given only if it is another.
    pub(crate) fn changes(&self, had: &Settings, clock: &ManualClock) -> Builder<ManualClock> {
        match self.jitter_seed == had.jitter_seed {
            true => self.without_seed(clock),
            false => self.builder(clock),
        }
    }

    pub(crate) fn builder(&self, clock: &ManualClock) -> Builder<ManualClock> {
        self.without_seed(clock).jitter_seed(self.jitter_seed)
    }

    fn without_seed(&self, clock: &ManualClock) -> Builder<ManualClock> {
        let mut builder = CircuitBreaker::builder()
            .clock(clock.clone())
            .window(self.window.window())
            .min_calls(self.min_calls)
            .open_wait(self.open_wait)
            .half_open(self.half_open)
            .probe_timeout(self.probe_timeout)
            .stripes(self.stripes)
            .totals(self.totals);
        builder = match self.failure_rate {
            Some(rate) => builder.failure_rate(rate),
            None => builder.no_failure_rate(),
        };
        if let Some(failures) = self.failure_count {
            builder = builder.failure_count(failures);
        }
        if let Some(failures) = self.consecutive_failures {
            builder = builder.consecutive_failures(failures);
        }
        if let Some((limit, rate)) = self.slow_call {
            builder = builder.slow_call(limit, rate);
        }
        builder
    }
}

// ===== operations =====

/// One step of a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Acquire(Hold, Lane),
    /// Ends one of the permits that are out; nothing where none is.
    Finish {
        which: usize,
        how: Finish,
        lane: Lane,
    },
    /// A guarded call.
    Call(Outcome),
    /// So many calls in a row, each acquired and reported at once.
    Burst {
        outcome: Outcome,
        times: u8,
        lane: Lane,
    },
    Control(Control),
    /// Replaces the limits, as far as they may change.
    Reconfigure(Part, Settings),
    Clock(Move),
    /// Compares what a reader sees.
    Read,
}

impl Op {
    /// Whether it may put the clock back.
    pub(crate) fn may_step_back(&self) -> bool {
        matches!(self, Op::Clock(movement) if movement.may_step_back())
    }

    /// The same operation, done by the driving thread.
    pub(crate) fn on_this_thread(self) -> Self {
        let lane = Lane::Here;
        match self {
            Op::Acquire(hold, _) => Op::Acquire(hold, lane),
            Op::Finish { which, how, .. } => Op::Finish { which, how, lane },
            Op::Burst { outcome, times, .. } => Op::Burst { outcome, times, lane },
            Op::Call(_) | Op::Control(_) | Op::Reconfigure(..) | Op::Clock(_) | Op::Read => self,
        }
    }
}

/// Which limits are replaced; the others are given as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    All,
    HalfOpen,
    Times,
    None,
}

/// A movement of the clock; all saturate. The nudges are nanoseconds around the interesting instant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    Forward(u64),
    Back(u64),
    /// To so long after the instant of the build, forward or back.
    AfterBuild(u64),
    /// To an instant, forward or back.
    To(u64),
    /// On by whole buckets of the window.
    Buckets(u32, i8),
    /// On by the lease of the probes.
    Lease(i8),
    /// On to the instant that the last refusal named, if it lies ahead.
    Deadline(i8),
}

impl Move {
    fn may_step_back(self) -> bool {
        match self {
            Move::Back(_) | Move::AfterBuild(_) | Move::To(_) => true,
            Move::Forward(_) | Move::Buckets(..) | Move::Lease(_) | Move::Deadline(_) => false,
        }
    }

    /// Moves a clock on which a breaker of these settings runs.
    pub(crate) fn apply(self, clock: &ManualClock, settings: &Settings, reopens_at: Duration) {
        let now = clock.now();
        let nudged = |to: Duration, nudge: i8| {
            let by = Duration::from_nanos(u64::from(nudge.unsigned_abs()));
            let to = if nudge < 0 { to.saturating_sub(by) } else { to.saturating_add(by) };
            clock.set(to.max(now));
        };
        match self {
            Move::Forward(by) => clock.advance(Duration::from_nanos(by)),
            Move::Back(by) => clock.set(now.saturating_sub(Duration::from_nanos(by))),
            Move::AfterBuild(by) => {
                clock.set(settings.clock_start.saturating_add(Duration::from_nanos(by)));
            }
            Move::To(to) => clock.set(Duration::from_nanos(to)),
            Move::Buckets(count, nudge) => {
                let bucket = match settings.window {
                    Kind::Time(length, buckets) => length / buckets,
                    Kind::Count(_) | Kind::Consecutive(_) => Duration::from_nanos(1),
                };
                nudged(now.saturating_add(bucket * count), nudge);
            }
            Move::Lease(nudge) => nudged(now.saturating_add(settings.probe_timeout), nudge),
            Move::Deadline(nudge) => nudged(reopens_at, nudge),
        }
    }
}

/// When the driver reads state and snapshot: a reader must not change what it reads, nor be needed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watch {
    EveryStep,
    AtReads,
}
