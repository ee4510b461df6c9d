//! The breaker's layer, in one of its two places.

use core::time::Duration;
use std::sync::Arc;

use super::{Off, Present, Slot};
use crate::breaker::CircuitBreaker;
use crate::clock::Clock;
use crate::error::Rejected;
use crate::outcome::Outcome;

/// What may be a policy's breaker: a [`CircuitBreaker`], by value, by reference or in an [`Arc`].
pub trait BreakerLayer: Slot {
    /// Whether it guards all attempts together.
    #[doc(hidden)]
    const AROUND: bool = false;

    /// Guards one attempt.
    #[doc(hidden)]
    fn guard_attempt<R>(&self, attempt: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected>;

    /// Guards all attempts of a call together.
    #[doc(hidden)]
    #[inline]
    fn guard_all<R>(&self, attempts: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        Ok(attempts().0)
    }

    /// How long a permit may be held in half-open before it counts as lost.
    #[doc(hidden)]
    fn lease(&self) -> Option<Duration>;
}

impl BreakerLayer for Off {
    #[inline]
    fn guard_attempt<R>(&self, attempt: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        Ok(attempt().0)
    }

    fn lease(&self) -> Option<Duration> {
        None
    }
}

impl<C: Clock> Slot for CircuitBreaker<C> {}
impl<C: Clock> Present for CircuitBreaker<C> {}
impl<C: Clock> BreakerLayer for CircuitBreaker<C> {
    #[inline]
    fn guard_attempt<R>(&self, attempt: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        // Should the attempt panic, the permit's drop counts a failure.
        let permit = self.try_acquire()?;
        let (answer, outcome) = attempt();
        permit.record(outcome);
        Ok(answer)
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.probe_timeout())
    }
}

impl<B: BreakerLayer> BreakerLayer for Arc<B> {
    #[inline]
    fn guard_attempt<R>(&self, attempt: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        (**self).guard_attempt(attempt)
    }

    fn lease(&self) -> Option<Duration> {
        (**self).lease()
    }
}

impl<B: BreakerLayer> BreakerLayer for &B {
    #[inline]
    fn guard_attempt<R>(&self, attempt: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        (**self).guard_attempt(attempt)
    }

    fn lease(&self) -> Option<Duration> {
        (**self).lease()
    }
}

/// A breaker around the retries: it hears of a call once, however many attempts that takes.
#[derive(Clone, Debug)]
pub struct Around<B>(pub(in crate::policy) B);

impl<B: BreakerLayer> Slot for Around<B> {}
impl<B: BreakerLayer> BreakerLayer for Around<B> {
    const AROUND: bool = true;

    #[inline]
    fn guard_attempt<R>(&self, attempt: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        Ok(attempt().0)
    }

    #[inline]
    fn guard_all<R>(&self, attempts: impl FnOnce() -> (R, Outcome)) -> Result<R, Rejected> {
        self.0.guard_attempt(attempts)
    }

    fn lease(&self) -> Option<Duration> {
        self.0.lease()
    }
}
