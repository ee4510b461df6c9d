//! The vocabulary of the stories: a stage with a clock that the story moves, calls that end one way or the other, and
//! a journal that hears every transition.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::{
    Builder, CircuitBreaker, Outcome, Recorded, Rejected, Snapshot, State, Transition,
    TransitionCause,
};

/// A breaker whose time the story moves.
pub(crate) type Breaker = CircuitBreaker<ManualClock>;

/// A control call.
pub(crate) type Control = fn(&Breaker);

/// Every state with the control call that leads to it.
pub(crate) const CONTROLS: [(State, Control); 6] = [
    (State::Closed, Breaker::reset),
    (State::Open, Breaker::trip),
    (State::HalfOpen, Breaker::half_open),
    (State::ForcedOpen, Breaker::force_open),
    (State::Disabled, Breaker::disable),
    (State::MetricsOnly, Breaker::metrics_only),
];

/// How much later than asked for an open time or a lease may end (contract, section 3).
pub(crate) const LATE: Duration = Duration::from_micros(1_100);
/// The smallest step of a clock.
pub(crate) const INSTANT: Duration = Duration::from_nanos(1);
/// Calls longer than this are slow, in the stories that have such a rule.
pub(crate) const SLOW_LIMIT: Duration = Duration::from_secs(3);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Builds a breaker on a manual clock at zero, with a journal.
#[track_caller]
pub(crate) fn stage(builder: Builder) -> (Breaker, ManualClock, Journal) {
    let clock = ManualClock::new();
    let journal = Journal::default();
    let breaker = builder
        .clock(clock.clone())
        .on_transition(journal.pen())
        .build()
        .expect("the story's settings are legal");
    (breaker, clock, journal)
}

// ===== calls =====

#[track_caller]
pub(crate) fn ends(breaker: &Breaker, outcome: Outcome) -> Recorded {
    breaker.try_acquire().expect("this call is granted").record(outcome)
}

/// A call that takes this long.
#[track_caller]
pub(crate) fn takes(breaker: &Breaker, outcome: Outcome, elapsed: Duration) -> Recorded {
    breaker.try_acquire().expect("this call is granted").record_timed(outcome, elapsed)
}

#[track_caller]
pub(crate) fn succeed(breaker: &Breaker, calls: u32) {
    for _ in 0..calls {
        assert_eq!(ends(breaker, Outcome::Success), Recorded::Counted);
    }
}

#[track_caller]
pub(crate) fn fail(breaker: &Breaker, calls: u32) {
    for _ in 0..calls {
        assert_eq!(ends(breaker, Outcome::Failure), Recorded::Counted);
    }
}

#[track_caller]
pub(crate) fn refused(breaker: &Breaker) -> Rejected {
    breaker.try_acquire().expect_err("this call is refused")
}

/// Plays calls in shorthand and says after which one, counted from 1, the breaker was not closed any more.
///
/// `s` is a success, `f` a failure, `S` and `F` the same but slow, `i` ignored. A quick call here takes exactly the
/// limit, a slow one a nanosecond more: "strictly greater than the limit" (contract, section 3).
#[track_caller]
pub(crate) fn opens_at(breaker: &Breaker, history: &str) -> Option<usize> {
    for (index, call) in history.chars().filter(|call| *call != ' ').enumerate() {
        let (outcome, elapsed) = match call {
            's' => (Outcome::Success, SLOW_LIMIT),
            'f' => (Outcome::Failure, SLOW_LIMIT),
            'S' => (Outcome::Success, SLOW_LIMIT + INSTANT),
            'F' => (Outcome::Failure, SLOW_LIMIT + INSTANT),
            'i' => (Outcome::Ignored, SLOW_LIMIT + INSTANT),
            _ => unreachable!("no shorthand for {call}"),
        };
        assert_eq!(takes(breaker, outcome, elapsed), Recorded::Counted);
        if breaker.state() != State::Closed {
            return Some(index + 1);
        }
    }
    None
}

/// Trips the breaker and lets the open time pass, so that the next acquire is a probe.
#[track_caller]
pub(crate) fn open_and_wait(breaker: &Breaker, clock: &ManualClock) {
    breaker.trip();
    let wait = refused(breaker).retry_after().expect("open breakers say when to come back");
    clock.advance(wait);
}

// ===== readings =====

/// Every number of the window is zero and no rate is shown.
#[track_caller]
pub(crate) fn assert_empty(snapshot: &Snapshot) {
    let counts = (
        snapshot.calls,
        snapshot.failures,
        snapshot.slow_calls,
        snapshot.slow_failures,
        snapshot.consecutive_failures,
    );
    assert_eq!(counts, (0, 0, 0, 0, 0), "{snapshot:?}");
    assert_eq!(snapshot.failure_rate, None);
    assert_eq!(snapshot.slow_rate, None);
}

/// Calls, failures, slow calls, slow failures.
pub(crate) fn counts(breaker: &Breaker) -> (u64, u64, u64, u64) {
    let snapshot = breaker.snapshot();
    (snapshot.calls, snapshot.failures, snapshot.slow_calls, snapshot.slow_failures)
}

/// The real wait lies between the one asked for and 1.1 ms more (contract, section 3).
#[track_caller]
pub(crate) fn assert_waits(given: Option<Duration>, asked: Duration) {
    let given = given.expect("open breakers say when to come back");
    assert!(given >= asked && given <= asked + LATE, "asked for {asked:?}, waits {given:?}");
}

// ===== the journal =====

/// Every transition that was heard, in the order of hearing.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Transition>>>);

impl Journal {
    /// An observer that writes into this journal.
    pub(crate) fn pen(&self) -> impl Fn(&Transition) + Send + Sync + 'static {
        let entries = Arc::clone(&self.0);
        move |transition| entries.lock().unwrap().push(transition.clone())
    }

    pub(crate) fn entries(&self) -> Vec<Transition> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    #[track_caller]
    pub(crate) fn last(&self) -> Transition {
        self.entries().pop().expect("at least one transition was heard")
    }

    pub(crate) fn causes(&self) -> Vec<TransitionCause> {
        self.entries().iter().map(|entry| entry.cause).collect()
    }

    /// The state before the first entry and the states after each.
    pub(crate) fn path(&self) -> Vec<State> {
        let entries = self.entries();
        let first = entries.first().map(|entry| entry.from);
        first.into_iter().chain(entries.iter().map(|entry| entry.to)).collect()
    }

    /// Each generation was heard once, none is missing, and each change starts where the one before it ended.
    #[track_caller]
    pub(crate) fn assert_without_gaps(&self) {
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.generation);
        let mut state = State::Closed;
        for (entry, generation) in entries.iter().zip(1..) {
            assert_eq!(entry.generation, generation, "{entries:?}");
            assert_eq!(entry.from, state, "generation {generation} starts elsewhere");
            state = entry.to;
        }
    }
}
