//! Drives two subjects through the same operations on one clock and compares every answer.
//!
//! No random source here: `plan` says what there is to drive.

use std::fmt::Debug;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{State, Transition, TransitionCause};

use crate::crew::Lane;
use crate::ledger::Ledger;
use crate::plan::{Op, Settings, Watch, LAST};
use crate::subject::{Finish, Hold, Subject};

/// How long after the build time windows are promised to be exact, in the contract: 30 years.
const PRECISE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

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
    let mut ledger = Ledger::new(settings.clock_start);
    let check_totals = |ledger: &mut Ledger| {
        if let Some(totals) = left.totals() {
            ledger.check(&totals, &left.history(), clock.now());
        }
    };

    for (step, op) in ops.iter().enumerate() {
        let at = Place { step, op };
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
                let had = current;
                current = next.for_one_built_as(settings, part, &had);
                left.reconfigure(&current.changes(&had, &clock)).expect("limits that fit");
                right.reconfigure(&current.changes(&had, &clock)).expect("limits that fit");
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
            check_totals(&mut ledger);
        }
    }

    let end = Place { step: ops.len(), op: &Op::Read };
    for (l, r) in permits {
        let dropped = Finish::Dropped;
        left.finish(l, dropped, Lane::Here);
        ledger.finished(dropped, right.finish(r, dropped, Lane::Here));
    }
    end.compare_readings(&left, &right);
    let heard = end.compare_transitions(&left, &right);
    chronicle.append(&heard);
    ledger.transitions.extend(heard);
    check_totals(&mut ledger);
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
