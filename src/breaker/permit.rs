//! Permits: the right to make one call, and the duty to say how it ended.

use core::fmt;
use core::mem::ManuallyDrop;
use core::time::Duration;
use std::sync::Arc;

use crate::breaker::{CircuitBreaker, Grant};
use crate::clock::{nanos, Clock, DefaultClock};
use crate::outcome::{Outcome, Recorded};

/// Permission for one call, borrowed from a breaker.
///
/// Consume it with [`success`](Permit::success), [`failure`](Permit::failure), [`ignore`](Permit::ignore) or one of
/// the `record` forms.
/// Dropping it counts as a failure while the thread is panicking, and as ignored otherwise.
/// It may be recorded on another thread than the one that acquired it.
///
/// ```
/// use failfast::{CircuitBreaker, Recorded};
///
/// let breaker = CircuitBreaker::builder().build()?;
/// let permit = breaker.try_acquire().expect("closed breakers permit every call");
/// breaker.reset(); // a new generation: the outcome is of the old one
/// assert_eq!(permit.success(), Recorded::Stale);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # Progress
///
/// Every form is wait-free while the state does not change; a report that changes the state is lock-free. The
/// exceptions are listed with their bounds on the [progress page](crate::docs::progress).
///
/// # Memory ordering
///
/// What happened before a report happens before the transition that the report causes, and before everything that a
/// thread does after it has seen that transition. Reports that change no state do not synchronise.
#[must_use = "a dropped permit is an ignored call"]
pub struct Permit<'a, C: Clock = DefaultClock> {
    breaker: &'a CircuitBreaker<C>,
    grant: Grant,
}

/// Permission for one call that keeps its breaker alive: `Send + 'static`, for pool threads.
///
/// As [`Permit`], but it holds an [`Arc`]: acquiring and recording cost its reference count on top, one addition each
/// to a word that all owners share. Where the breaker lives as long as the pool (a `static`, a scope), a borrowed permit
/// can be sent as well, and costs nothing more.
///
/// ```
/// use failfast::CircuitBreaker;
/// use std::sync::Arc;
///
/// let breaker = Arc::new(CircuitBreaker::builder().build()?);
/// let permit = breaker.try_acquire_owned().expect("closed");
/// std::thread::spawn(move || permit.failure()).join().unwrap();
/// assert_eq!(breaker.snapshot().failures, 1);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[must_use = "a dropped permit is an ignored call"]
pub struct OwnedPermit<C: Clock = DefaultClock> {
    breaker: Arc<CircuitBreaker<C>>,
    grant: Grant,
}

impl<'a, C: Clock> Permit<'a, C> {
    #[inline]
    pub(crate) fn new(breaker: &'a CircuitBreaker<C>, grant: Grant) -> Self {
        Permit { breaker, grant }
    }

    /// Reports that the call succeeded.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn success(self) -> Recorded {
        let this = ManuallyDrop::new(self);
        this.breaker.settle_success(this.grant)
    }

    /// Reports that the call failed.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn failure(self) -> Recorded {
        self.record(Outcome::Failure)
    }

    /// Reports that the call says nothing about the dependency; a half-open place is given back.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn ignore(self) -> Recorded {
        self.record(Outcome::Ignored)
    }

    /// Reports an outcome; its elapsed time is measured where a slow-call rule needs it.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn record(self, outcome: Outcome) -> Recorded {
        let this = ManuallyDrop::new(self);
        this.breaker.settle(this.grant, outcome)
    }

    /// Reports an outcome with the elapsed time of the call, which replaces the measured one.
    ///
    /// Buckets and deadlines still use the clock.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn record_timed(self, outcome: Outcome, elapsed: Duration) -> Recorded {
        let this = ManuallyDrop::new(self);
        this.breaker.settle_timed(this.grant, outcome, nanos(elapsed))
    }
}

impl<C: Clock> Drop for Permit<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.breaker.settle_dropped(self.grant);
    }
}

impl<C: Clock> fmt::Debug for Permit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}

impl<C: Clock> OwnedPermit<C> {
    #[inline]
    pub(crate) fn new(breaker: Arc<CircuitBreaker<C>>, grant: Grant) -> Self {
        OwnedPermit { breaker, grant }
    }

    /// Hands the permit's duty to a borrowed one, which settles it; `self` then only lets go of the `Arc`.
    #[inline]
    fn settle(mut self, report: impl FnOnce(Permit<'_, C>) -> Recorded) -> Recorded {
        let grant = core::mem::replace(&mut self.grant, Grant::SETTLED);
        report(Permit::new(&self.breaker, grant))
    }

    /// Reports that the call succeeded.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn success(self) -> Recorded {
        self.settle(|permit| permit.success())
    }

    /// Reports that the call failed.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn failure(self) -> Recorded {
        self.settle(|permit| permit.failure())
    }

    /// Reports that the call says nothing about the dependency; a half-open place is given back.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn ignore(self) -> Recorded {
        self.settle(|permit| permit.ignore())
    }

    /// Reports an outcome; its elapsed time is measured where a slow-call rule needs it.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn record(self, outcome: Outcome) -> Recorded {
        self.settle(|permit| permit.record(outcome))
    }

    /// Reports an outcome with the elapsed time of the call, which replaces the measured one.
    ///
    /// Buckets and deadlines still use the clock.
    ///
    /// # Progress
    ///
    /// As [`Permit`].
    ///
    /// # Memory ordering
    ///
    /// As [`Permit`].
    #[inline]
    pub fn record_timed(self, outcome: Outcome, elapsed: Duration) -> Recorded {
        self.settle(|permit| permit.record_timed(outcome, elapsed))
    }

    /// The breaker that granted this permit.
    ///
    /// # Progress
    ///
    /// Wait-free: no atomic is read.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn breaker(&self) -> &Arc<CircuitBreaker<C>> {
        &self.breaker
    }
}

impl<C: Clock> Drop for OwnedPermit<C> {
    // Inlined, so that a permit that has just been settled pays nothing here.
    #[inline]
    fn drop(&mut self) {
        if !self.grant.is_settled() {
            self.breaker.settle_dropped(self.grant);
        }
    }
}

impl<C: Clock> fmt::Debug for OwnedPermit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}
