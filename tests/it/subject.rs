//! What can be driven through a sequence of operations: the breaker, and its oracle.
//!
//! The driver knows only this trait, so that the oracle can be driven against itself, or against one that lies.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::oracle::{Oracle, OraclePermit};
use failfast::{
    Builder, CallError, CircuitBreaker, ConfigError, Outcome, OwnedPermit, Permit, Recorded,
    Rejected, Snapshot, State, Totals, Transition,
};

use crate::crew::{on_lane, Lane};

/// Which kind of permit is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hold {
    Borrowed,
    Owned,
}

/// How a permit ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Finish {
    /// Reported, its time measured.
    Report(Outcome),
    /// Reported with its time.
    Timed(Outcome, Duration),
    Dropped,
    /// Dropped by a panic that unwinds.
    DroppedInPanic,
    /// Forgotten, if borrowed; held by a call that hangs, if owned.
    Lost,
}

/// The control calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    Trip,
    HalfOpen,
    Reset,
    ForceOpen,
    Disable,
    MetricsOnly,
}

/// A circuit breaker under test.
pub(crate) trait Subject: Sized {
    type Permit<'a>
    where
        Self: 'a;

    fn build(builder: Builder<ManualClock>) -> Result<Self, ConfigError>;
    fn acquire(&self, hold: Hold, lane: Lane) -> Result<Self::Permit<'_>, Rejected>;
    /// Ends a permit; the answer is `None` where nobody is there to hear it.
    fn finish(&self, permit: Self::Permit<'_>, how: Finish, lane: Lane) -> Option<Recorded>;
    /// Guards a call that ends with `outcome`; `Err` where that is a failure.
    fn call(&self, outcome: Outcome) -> Result<(), CallError<()>>;
    fn control(&self, control: Control);
    fn reconfigure(&self, builder: &Builder<ManualClock>) -> Result<(), ConfigError>;
    fn state(&self) -> State;
    fn snapshot(&self) -> Snapshot;
    /// The transitions since the last call.
    fn take_transitions(&self) -> Vec<Transition>;

    /// What it has counted, if it does.
    fn totals(&self) -> Option<Totals> {
        None
    }

    /// The last transitions, if it keeps them.
    fn history(&self) -> Vec<Transition> {
        Vec::new()
    }
}

/// The result of a call that ends with `outcome`.
pub(crate) fn result_of(outcome: Outcome) -> Result<(), ()> {
    match outcome {
        Outcome::Failure => Err(()),
        Outcome::Success | Outcome::Ignored => Ok(()),
    }
}

// ===== the breaker =====

/// The breaker, and what its observer heard.
pub(crate) struct Breaker {
    breaker: Arc<CircuitBreaker<ManualClock>>,
    heard: Arc<Mutex<Vec<Transition>>>,
    /// The permits of calls that hang until the test ends. To forget an owned permit would leak the breaker too.
    hung: Mutex<Vec<OwnedPermit<ManualClock>>>,
}

pub(crate) enum EitherPermit<'a> {
    Borrowed(Permit<'a, ManualClock>),
    Owned(OwnedPermit<ManualClock>),
}

/// Lets go of a permit as a panicking call does.
///
/// Unwinding by hand calls no panic hook, so that the test's output stays readable and a fuzzer does not stop.
fn drop_in_panic<P>(permit: P) {
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _held = permit;
        resume_unwind(Box::new("a call that panics"));
    }));
    assert!(unwound.is_err());
}

impl Subject for Breaker {
    type Permit<'a> = EitherPermit<'a>;

    fn build(builder: Builder<ManualClock>) -> Result<Self, ConfigError> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let breaker =
            builder.on_transition(move |t| ear.lock().unwrap().push(t.clone())).build()?;
        Ok(Breaker { breaker: Arc::new(breaker), heard, hung: Mutex::new(Vec::new()) })
    }

    fn acquire(&self, hold: Hold, lane: Lane) -> Result<EitherPermit<'_>, Rejected> {
        match hold {
            Hold::Borrowed => self.breaker.try_acquire().map(EitherPermit::Borrowed),
            Hold::Owned => {
                let breaker = Arc::clone(&self.breaker);
                on_lane(lane, move || breaker.try_acquire_owned()).map(EitherPermit::Owned)
            }
        }
    }

    fn finish(&self, permit: EitherPermit<'_>, how: Finish, lane: Lane) -> Option<Recorded> {
        match permit {
            EitherPermit::Borrowed(permit) => match how {
                Finish::Report(Outcome::Success) => Some(permit.success()),
                Finish::Report(Outcome::Failure) => Some(permit.failure()),
                Finish::Report(Outcome::Ignored) => Some(permit.ignore()),
                Finish::Timed(outcome, elapsed) => Some(permit.record_timed(outcome, elapsed)),
                Finish::Dropped => {
                    drop(permit);
                    None
                }
                Finish::DroppedInPanic => {
                    drop_in_panic(permit);
                    None
                }
                Finish::Lost => {
                    core::mem::forget(permit);
                    None
                }
            },
            EitherPermit::Owned(permit) if matches!(how, Finish::Lost) => {
                self.hung.lock().unwrap().push(permit);
                None
            }
            EitherPermit::Owned(permit) => on_lane(lane, move || match how {
                Finish::Report(outcome) => Some(permit.record(outcome)),
                Finish::Timed(outcome, elapsed) => Some(permit.record_timed(outcome, elapsed)),
                Finish::Dropped => {
                    drop(permit);
                    None
                }
                Finish::DroppedInPanic => {
                    drop_in_panic(permit);
                    None
                }
                Finish::Lost => None,
            }),
        }
    }

    fn call(&self, outcome: Outcome) -> Result<(), CallError<()>> {
        match outcome {
            Outcome::Ignored => self.breaker.call_with(|_| Outcome::Ignored, || result_of(outcome)),
            Outcome::Success | Outcome::Failure => self.breaker.call(|| result_of(outcome)),
        }
    }

    fn control(&self, control: Control) {
        match control {
            Control::Trip => self.breaker.trip(),
            Control::HalfOpen => self.breaker.half_open(),
            Control::Reset => self.breaker.reset(),
            Control::ForceOpen => self.breaker.force_open(),
            Control::Disable => self.breaker.disable(),
            Control::MetricsOnly => self.breaker.metrics_only(),
        }
    }

    fn reconfigure(&self, builder: &Builder<ManualClock>) -> Result<(), ConfigError> {
        self.breaker.reconfigure(builder)
    }

    fn state(&self) -> State {
        self.breaker.state()
    }

    fn snapshot(&self) -> Snapshot {
        self.breaker.snapshot()
    }

    fn take_transitions(&self) -> Vec<Transition> {
        core::mem::take(&mut self.heard.lock().unwrap())
    }

    fn totals(&self) -> Option<Totals> {
        self.breaker.totals()
    }

    fn history(&self) -> Vec<Transition> {
        self.breaker.history()
    }
}

// ===== the oracle =====

impl Subject for Oracle<ManualClock> {
    type Permit<'a> = OraclePermit;

    fn build(builder: Builder<ManualClock>) -> Result<Self, ConfigError> {
        builder.build_oracle()
    }

    fn acquire(&self, _hold: Hold, _lane: Lane) -> Result<OraclePermit, Rejected> {
        self.try_acquire()
    }

    fn finish(&self, permit: OraclePermit, how: Finish, _lane: Lane) -> Option<Recorded> {
        match how {
            Finish::Report(outcome) => Some(self.record(permit, outcome)),
            Finish::Timed(outcome, elapsed) => Some(self.record_timed(permit, outcome, elapsed)),
            Finish::Dropped => {
                self.record(permit, Outcome::Ignored);
                None
            }
            Finish::DroppedInPanic => {
                self.record(permit, Outcome::Failure);
                None
            }
            Finish::Lost => None,
        }
    }

    fn call(&self, outcome: Outcome) -> Result<(), CallError<()>> {
        let permit = self.try_acquire()?;
        self.record(permit, outcome);
        result_of(outcome).map_err(CallError::Inner)
    }

    fn control(&self, control: Control) {
        match control {
            Control::Trip => self.trip(),
            Control::HalfOpen => self.half_open(),
            Control::Reset => self.reset(),
            Control::ForceOpen => self.force_open(),
            Control::Disable => self.disable(),
            Control::MetricsOnly => self.metrics_only(),
        }
    }

    fn reconfigure(&self, builder: &Builder<ManualClock>) -> Result<(), ConfigError> {
        Oracle::reconfigure(self, builder)
    }

    fn state(&self) -> State {
        Oracle::state(self)
    }

    fn snapshot(&self) -> Snapshot {
        Oracle::snapshot(self)
    }

    fn take_transitions(&self) -> Vec<Transition> {
        Oracle::take_transitions(self)
    }
}
