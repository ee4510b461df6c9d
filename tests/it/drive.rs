//! Drives two subjects through the same operations on one clock and compares every answer.
//!
//! No random source here: property tests and fuzz targets make the settings and the operations, each in its own way.

use std::fmt::Debug;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{
    Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, State, Transition, TransitionCause,
    Window,
};

use crate::crew::Lane;
use crate::ledger::Ledger;
use crate::subject::{Control, Finish, Hold, Subject};

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
    fn for_one_built_as(self, built: &Settings, part: Part, current: &Settings) -> Self {
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

    pub(crate) fn builder(&self, clock: &ManualClock) -> Builder<ManualClock> {
        let mut builder = CircuitBreaker::builder()
            .clock(clock.clone())
            .window(self.window.window())
            .min_calls(self.min_calls)
            .open_wait(self.open_wait)
            .half_open(self.half_open)
            .probe_timeout(self.probe_timeout)
            .jitter_seed(self.jitter_seed)
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
}

/// When the driver reads state and snapshot: a reader must not change what it reads, nor be needed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watch {
    EveryStep,
    AtReads,
}

/// How long after the build time windows are promised to be exact, in the contract: 30 years.
const PRECISE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The last instant of a time window's runs: with buckets of 1 ns the one after it has the number that the breaker
/// keeps for "no bucket", and shares the bucket before it.
const LAST: Duration = Duration::from_nanos(u64::MAX - 1);

/// The last instant that a clock can show: the end of all times, and the mark of a call that is not timed.
///
/// Who has seen it has totals that are not compared.
const END: Duration = Duration::from_nanos(u64::MAX);

/// More stripes than a test process starts threads.
const MORE_THAN_THREADS: u32 = 64;

/// Whether a run must stay on one thread, and that thread have words of its own.
///
/// Where the clock steps back, a time window drops an outcome whose slot holds a newer bucket. Each thread has slots of
/// its own, and threads that share words have one a kind of outcome: what is dropped then depends on who reported. The
/// contract leaves it open; the oracle, with one set of slots, can speak only for one thread that shares with nobody.
fn must_stay(settings: &Settings, ops: &[Op]) -> bool {
    settings.is_timed() && ops.iter().any(|op| op.may_step_back())
}

/// Runs the operations on both and panics at the first answer in which they differ.
pub(crate) fn drive<L: Subject, R: Subject>(settings: &Settings, ops: &[Op], watch: Watch) {
    let clock = ManualClock::new();
    clock.set(settings.clock_start);
    let stay = must_stay(settings, ops);
    let stripes = if stay { MORE_THAN_THREADS } else { settings.stripes };
    let settings = &Settings { stripes, ..*settings };
    let mut current = *settings;
    let left = L::build(settings.builder(&clock)).expect("settings that fit");
    let right = R::build(settings.builder(&clock)).expect("settings that fit");
    let mut permits: Vec<(L::Permit<'_>, R::Permit<'_>)> = Vec::new();
    let mut reopens_at = clock.now();
    let horizon = settings.clock_start.saturating_add(PRECISE).min(LAST);
    let mut chronicle = Chronicle::default();
    let mut ledger = Ledger::default();
    let steady = !ops.iter().any(Op::may_step_back);
    let mut in_time = true;
    let check_totals = |ledger: &Ledger, in_time: bool| {
        if let Some(totals) = left.totals().filter(|_| in_time) {
            // Times beyond half of what the clock counts are not kept.
            let age = clock.now().saturating_sub(settings.clock_start);
            let age = (steady && age < END / 2).then_some(age);
            ledger.check(&totals, &left.history(), age);
        }
    };

    for (step, op) in ops.iter().enumerate() {
        let at = Place { step, op };
        in_time &= clock.now() < END;
        let op = if stay { op.on_this_thread() } else { *op };
        match op {
            Op::Acquire(hold, lane) => {
                let (l, r) = (left.acquire(hold, lane), right.acquire(hold, lane));
                at.agree("the refusal", &l.as_ref().err(), &r.as_ref().err());
                ledger.acquired(r.is_ok());
                if let Some(wait) = r.as_ref().err().and_then(|refusal| refusal.retry_after()) {
                    reopens_at = clock.now().saturating_add(wait);
                }
                permits.extend(l.ok().zip(r.ok()));
            }
            Op::Finish { which, how, lane } => {
                if !permits.is_empty() {
                    let (l, r) = permits.swap_remove(which % permits.len());
                    let answers = (left.finish(l, how, lane), right.finish(r, how, lane));
                    at.agree("the report", &answers.0, &answers.1);
                    ledger.finished(how, answers.1);
                }
            }
            Op::Call(outcome) => {
                let answers = (left.call(outcome), right.call(outcome));
                at.agree("the call", &answers.0, &answers.1);
                ledger.called(outcome, &answers.1);
            }
            Op::Burst { outcome, times, lane } => {
                for _ in 0..times {
                    let l = left.acquire(Hold::Owned, lane);
                    let r = right.acquire(Hold::Owned, lane);
                    at.agree("the refusal", &l.as_ref().err(), &r.as_ref().err());
                    ledger.acquired(r.is_ok());
                    if let (Ok(l), Ok(r)) = (l, r) {
                        let how = Finish::Report(outcome);
                        let answers = (left.finish(l, how, lane), right.finish(r, how, lane));
                        at.agree("the report", &answers.0, &answers.1);
                        ledger.finished(how, answers.1);
                    }
                }
            }
            Op::Control(control) => {
                left.control(control);
                right.control(control);
            }
            Op::Reconfigure(part, next) => {
                current = next.for_one_built_as(settings, part, &current);
                left.reconfigure(&current.builder(&clock)).expect("limits that fit");
                right.reconfigure(&current.builder(&clock)).expect("limits that fit");
            }
            Op::Clock(movement) => {
                movement.apply(&clock, &current, reopens_at);
                if settings.is_timed() {
                    clock.set(clock.now().min(horizon));
                }
            }
            Op::Read => at.compare_readings(&left, &right),
        }
        if let Watch::EveryStep = watch {
            at.compare_readings(&left, &right);
        }
        let heard = at.compare_transitions(&left, &right);
        chronicle.append(&heard);
        ledger.transitions.extend(heard);
        if let Op::Read = op {
            check_totals(&ledger, in_time);
        }
    }

    let end = Place { step: ops.len(), op: &Op::Read };
    for (l, r) in permits {
        let dropped = Finish::Dropped;
        left.finish(l, dropped, Lane::Here);
        ledger.finished(dropped, right.finish(r, dropped, Lane::Here));
    }
    end.compare_readings(&left, &right);
    in_time &= clock.now() < END;
    let heard = end.compare_transitions(&left, &right);
    chronicle.append(&heard);
    ledger.transitions.extend(heard);
    check_totals(&ledger, in_time);
}

impl Move {
    fn apply(self, clock: &ManualClock, settings: &Settings, reopens_at: Duration) {
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

// ===== comparing =====

/// A step, for the messages.
struct Place<'a> {
    step: usize,
    op: &'a Op,
}

impl Place<'_> {
    #[track_caller]
    fn agree<T: PartialEq + Debug>(&self, what: &str, left: &T, right: &T) {
        let Place { step, op } = self;
        assert_eq!(left, right, "{what} differs in step {step}, {op:?}");
    }

    fn compare_readings<L: Subject, R: Subject>(&self, left: &L, right: &R) {
        self.agree("the state", &left.state(), &right.state());
        let (l, r) = (left.snapshot(), right.snapshot());
        self.agree("the snapshot", &l, &r);
        self.agree("the state of the snapshot", &l.state, &left.state());
    }

    fn compare_transitions<L: Subject, R: Subject>(&self, left: &L, right: &R) -> Vec<Transition> {
        let (l, r) = (left.take_transitions(), right.take_transitions());
        self.agree("what observers heard", &l, &r);
        l
    }
}

/// The transitions so far: laws that hold whatever the other subject says.
#[derive(Default)]
struct Chronicle {
    last: Option<Transition>,
}

impl Chronicle {
    fn append(&mut self, heard: &[Transition]) {
        for transition in heard {
            let (state, generation) = match &self.last {
                Some(last) => (last.to, last.generation),
                None => (State::Closed, 0),
            };
            assert_eq!(transition.from, state, "transitions join up: {transition:?}");
            assert_eq!(
                transition.generation,
                generation + 1,
                "generations have no gaps: {transition:?}"
            );
            assert!(is_legal(transition), "not a legal change: {transition:?}");
            self.last = Some(transition.clone());
        }
    }
}

/// Whether a cause may lead from the one state to the other.
fn is_legal(transition: &Transition) -> bool {
    use State::{Closed, HalfOpen, Open};
    use TransitionCause as Cause;
    let (from, to) = (transition.from, transition.to);
    match transition.cause {
        Cause::FailureRate { failures, calls } => {
            failures <= calls && matches!((from, to), (Closed | HalfOpen, Open))
        }
        Cause::SlowRate { slow_calls, calls } => {
            slow_calls <= calls && matches!((from, to), (Closed | HalfOpen, Open))
        }
        Cause::FailureCount { failures } | Cause::ConsecutiveFailures { failures } => {
            failures > 0 && (from, to) == (Closed, Open)
        }
        Cause::OpenTimeOver => (from, to) == (Open, HalfOpen),
        Cause::ProbeFailed | Cause::ProbeSlow => (from, to) == (HalfOpen, Open),
        Cause::ProbesLost { outstanding } => outstanding > 0 && (from, to) == (HalfOpen, Open),
        Cause::ProbesSucceeded { calls, failures } => {
            0 < calls && failures <= calls && (from, to) == (HalfOpen, Closed)
        }
        Cause::Control => true,
        Cause::Reconfigured => from == to && matches!(from, Closed | HalfOpen | State::MetricsOnly),
        _ => false,
    }
}
