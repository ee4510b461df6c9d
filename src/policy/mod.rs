//! Policies: bulkhead, rate limit, retry, breaker and timeout around one call, in a fixed order.
//!
//! This file is the face and the order; `builder` has the settings, `layers` what each slot does, `error` the one error.

use core::fmt;

mod builder;
mod error;
mod layers;

pub use self::builder::PolicyBuilder;
pub use self::error::{Layer, PolicyError};
pub use self::layers::{
    Around, BreakerLayer, BulkheadLayer, Off, RateLimitLayer, RetryLayer, Timeout, TimeoutLayer,
    Waiting,
};

use self::layers::Attempt;
use crate::clock::{Clock, DefaultClock};
use crate::deadline::Deadline;
use crate::error::Rejected;
use crate::fallback::{Arm, Failed, Fallback, FallbackError, Refusal, TimedOut};
use crate::outcome::Outcome;

/// What stands around a call: any of retry, rate limit, bulkhead, breaker and timeout, in that order.
///
/// ```
/// use core::time::Duration;
/// use std::sync::Arc;
/// use failfast::{Bulkhead, CircuitBreaker, Deadline, Fallback, Policy};
///
/// # fn ask(_: &Deadline) -> Result<u32, std::io::Error> { Ok(3) }
/// let breaker = Arc::new(CircuitBreaker::builder().name("inventory").build()?);
/// let inventory = Policy::builder()
///     .bulkhead(Bulkhead::new(20)?)
///     .breaker(Arc::clone(&breaker)) // others may ask it, and share it
///     .timeout(Duration::from_millis(200))
///     .build()?;
///
/// // The call gives its socket the time that remains of the deadline.
/// let in_stock = inventory.call(|deadline| ask(deadline));
/// assert_eq!(in_stock.unwrap(), 3);
///
/// // With something to say when the inventory can't be asked:
/// let in_stock = inventory.call_or(Fallback::value(0), |deadline| ask(deadline));
/// assert_eq!(in_stock.unwrap(), 3);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// A policy is shared by reference or in an [`Arc`](std::sync::Arc) by any number of threads; it has no state but that
/// of its layers.
///
/// # The two orders
///
/// Outermost first: fallback, retry, rate limit, bulkhead, breaker, timeout, call.
///
/// - The fallback, given at the call, runs when everything else is over and nothing is held.
/// - Each attempt of the retry takes a token and a place of its own, and is guarded by the breaker on its own; between two
///   attempts nothing is held.
/// - A token is spent though the bulkhead or the breaker then refuses.
/// - Waiting for a place is not part of the timeout.
///
/// With [`breaker_around_retries`](PolicyBuilder::breaker_around_retries): fallback, breaker, retry, rate limit, bulkhead,
/// timeout, call. The breaker then grants once a call, and hears the last word of the dependency: failure only if the
/// attempts failed in the end. It trips later, and a permit is held during the waits; but a dependency that one more
/// attempt always reaches is not taken for broken, and an open breaker is not asked again.
///
/// # What counts as a failure of the dependency
///
/// What the call gave in time, as it is classified (`Err` is a failure, unless said otherwise: a call that has layers of
/// its own inside says it by [`Failure::outcome`](crate::Failure::outcome)); that it gave nothing in time; that it panicked. A refusal by retry budget, rate limit, bulkhead or breaker never does, nor does an attempt whose
/// deadline was over before it began. With the breaker around the retries, refusals do not hide a failed attempt: the
/// breaker hears of the last attempt that was made.
///
/// # Timeout
///
/// The layer sets the deadline that the call is given: that far from now, but no later than the call's own deadline. It
/// interrupts nothing. A result that comes after the deadline, though it be a success, is dropped and becomes
/// [`TimedOut`], which the breaker counts as a failure; only an error that is classified as ignored is handed on as it is. What must not be lost (a receipt) the call itself has to keep.
/// Only a pool of its own lets the caller go on in time.
///
/// # Progress
///
/// As the layers that are set, plus what the call takes. A layer that is not set is no code. Nothing is allocated but by
/// the call itself, and by a caller that goes to sleep for a place of a bulkhead: its place in the queue.
pub struct Policy<Rt = Off, Rl = Off, Bh = Off, Br = Off, To = Off, C = DefaultClock> {
    retry: Rt,
    rate_limit: Rl,
    bulkhead: Bh,
    breaker: Br,
    timeout: To,
    /// What a call is given that has neither deadline nor timeout; its clock is the policy's.
    endless: Deadline<C>,
}

impl Policy {
    /// Starts a builder without any layer.
    pub const fn builder() -> PolicyBuilder {
        PolicyBuilder::new()
    }
}

impl<Rt, Rl, Bh, Br, To, C> Policy<Rt, Rl, Bh, Br, To, C>
where
    Rt: RetryLayer,
    Rl: RateLimitLayer,
    Bh: BulkheadLayer,
    Br: BreakerLayer,
    To: TimeoutLayer,
    C: Clock + Clone,
{
    /// Makes a call through the layers: `Ok` is a success of the dependency, `Err` a failure.
    ///
    /// # Errors
    ///
    /// A [`PolicyError`] that says which layer spoke and when to come back.
    ///
    /// # Panics
    ///
    /// When `f` does: the breaker has counted a failure then, and the bulkhead's place is free again.
    ///
    /// # Progress
    ///
    /// As [`Policy`].
    ///
    /// # Memory ordering
    ///
    /// As the layers that are set.
    #[inline]
    pub fn call<T, E>(
        &self,
        f: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        self.through(&self.endless, by_result, f)
    }

    /// As [`call`](Policy::call), with a fallback for what fails: short for [`Fallback::answer`] of the call's result, which
    /// is there for the other calls too.
    ///
    /// ```
    /// use failfast::{CircuitBreaker, Fallback, Policy, Refusal};
    ///
    /// let policy = Policy::builder().breaker(CircuitBreaker::builder().build()?).build()?;
    /// let price = policy.call_or(
    ///     Fallback::new()
    ///         .refused(|_: Refusal| Ok(1_999)) // the one of yesterday
    ///         .inner(|error: &&str| Err(format!("no price: {error}"))),
    ///     |_deadline| Err("no such article"),
    /// );
    /// let error = price.unwrap_err();
    /// assert_eq!(error.failed().failed(), failfast::Failed::Inner(&"no such article"));
    /// assert_eq!(error.fallback().unwrap(), "no price: no such article");
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`FallbackError`] with the policy's error, and the fallback's if that failed too.
    ///
    /// # Panics
    ///
    /// When `f` or the fallback does.
    ///
    /// # Progress
    ///
    /// As [`Policy`], plus what the fallback takes.
    ///
    /// # Memory ordering
    ///
    /// As the layers that are set.
    #[inline]
    pub fn call_or<T, E, X, R, L, I, O>(
        &self,
        fallback: Fallback<R, L, I, O>,
        f: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, FallbackError<PolicyError<E>, X>>
    where
        R: Arm<Refusal, T, X>,
        L: Arm<TimedOut, T, X>,
        I: for<'a> Arm<&'a E, T, X>,
        O: for<'a> Arm<Failed<&'a E>, T, X>,
    {
        fallback.answer(self.call(f))
    }

    /// As [`call`](Policy::call), within a deadline that others share: no attempt's end is later, no wait goes beyond it.
    ///
    /// Without a timeout and without a retry nothing looks at it but `f`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{clock::ManualClock, Deadline, Policy};
    ///
    /// let clock = ManualClock::new();
    /// let payment = Policy::builder().timeout(Duration::from_secs(2)).clock(clock.clone()).build()?;
    /// let order = Deadline::after_on(clock.clone(), Duration::from_secs(3));
    /// clock.advance(Duration::from_millis(2_500)); // the inventory took its time
    /// let left = payment.call_within(&order, |deadline| Ok::<_, ()>(deadline.remaining()));
    /// assert_eq!(left, Ok(Some(Duration::from_millis(500))));
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `call`; [`TimedOut`] also if the deadline was over before the call was made.
    ///
    /// # Panics
    ///
    /// As `call`.
    ///
    /// # Progress
    ///
    /// As [`Policy`].
    ///
    /// # Memory ordering
    ///
    /// As the layers that are set.
    #[inline]
    pub fn call_within<T, E>(
        &self,
        deadline: &Deadline<C>,
        f: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        self.through(deadline, by_result, f)
    }

    /// As [`call`](Policy::call), with results that `classify` judges.
    ///
    /// The breaker is told what it says, and an error is worth another attempt only if it is a failure.
    ///
    /// ```
    /// use failfast::{CircuitBreaker, Outcome, Policy};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let policy = Policy::builder().breaker(&breaker).build()?;
    /// // A caller's mistake says nothing about the dependency.
    /// let status = policy.call_with(
    ///     |answer: &Result<(), u16>| match answer {
    ///         Err(400..=499) => Outcome::Ignored,
    ///         Err(_) => Outcome::Failure,
    ///         Ok(()) => Outcome::Success,
    ///     },
    ///     |_deadline| Err(404),
    /// );
    /// assert_eq!(status.unwrap_err().into_inner(), Some(404));
    /// assert_eq!(breaker.snapshot().calls, 0);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `call`.
    ///
    /// # Panics
    ///
    /// When `f` or `classify` does; the breaker has counted a failure then.
    ///
    /// # Progress
    ///
    /// As [`Policy`], plus what `classify` takes.
    ///
    /// # Memory ordering
    ///
    /// As the layers that are set.
    #[inline]
    pub fn call_with<T, E>(
        &self,
        classify: impl FnMut(&Result<T, E>) -> Outcome,
        f: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        self.through(&self.endless, classify, f)
    }

    /// As [`call_with`](Policy::call_with), within a deadline as [`call_within`](Policy::call_within).
    ///
    /// # Errors
    ///
    /// As `call_within`.
    ///
    /// # Panics
    ///
    /// As `call_with`.
    ///
    /// # Progress
    ///
    /// As `call_with`.
    ///
    /// # Memory ordering
    ///
    /// As the layers that are set.
    #[inline]
    pub fn call_within_with<T, E>(
        &self,
        deadline: &Deadline<C>,
        classify: impl FnMut(&Result<T, E>) -> Outcome,
        f: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        self.through(deadline, classify, f)
    }

    // ===== the order =====

    /// Breaker, where it is the outer one; retry; attempts.
    #[inline]
    fn through<T, E>(
        &self,
        deadline: &Deadline<C>,
        mut classify: impl FnMut(&Result<T, E>) -> Outcome,
        mut f: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        let guarded = self.breaker.guard_all(|| {
            // What the dependency said last; refusals say nothing.
            let mut last = Outcome::Ignored;
            let result = self.retry.repeat(deadline, |end| {
                let (result, outcome) = self.attempt(end, &mut classify, &mut f);
                if outcome != Outcome::Ignored {
                    last = outcome;
                }
                result
            });
            (result, last)
        });
        match guarded {
            Ok(result) => result,
            Err(rejected) => Err(PolicyError::new(refused_by_breaker(rejected), 0, None)),
        }
    }

    /// Rate limit, bulkhead, breaker, timeout, call; and what it says about the dependency.
    #[inline]
    fn attempt<T, E>(
        &self,
        deadline: &Deadline<C>,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
        f: impl FnOnce(&Deadline<C>) -> Result<T, E>,
    ) -> (Result<T, Attempt<E>>, Outcome) {
        if let Err(limited) = self.rate_limit.admit() {
            return refused(Failed::Refused(Refusal::RateLimit(limited)));
        }
        let _place = match self.bulkhead.enter(deadline) {
            Ok(place) => place,
            Err(full) => return refused(Failed::Refused(Refusal::Bulkhead(full))),
        };
        let guarded = self.breaker.guard_attempt(|| {
            let (result, outcome) = self.timeout.bound(deadline, classify, f);
            ((result, outcome), outcome)
        });
        match guarded {
            Ok((Ok(value), outcome)) => (Ok(value), outcome),
            Ok((Err(failed), outcome)) => (Err(Attempt { failed, outcome }), outcome),
            Err(rejected) => refused(refused_by_breaker(rejected)),
        }
    }
}

/// How results are judged unless a call says otherwise.
#[inline]
fn by_result<T, E>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    }
}

/// An attempt that did not get as far as the dependency.
#[inline]
fn refused<T, E>(failed: Failed<E>) -> (Result<T, Attempt<E>>, Outcome) {
    (Err(Attempt { failed, outcome: Outcome::Ignored }), Outcome::Ignored)
}

#[inline]
fn refused_by_breaker<E>(rejected: Rejected) -> Failed<E> {
    Failed::Refused(Refusal::Breaker(rejected))
}

impl<Rt, Rl, Bh, Br, To, C> fmt::Debug for Policy<Rt, Rl, Bh, Br, To, C>
where
    Rt: fmt::Debug,
    Rl: fmt::Debug,
    Bh: fmt::Debug,
    Br: fmt::Debug,
    To: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("retry", &self.retry)
            .field("rate_limit", &self.rate_limit)
            .field("bulkhead", &self.bulkhead)
            .field("breaker", &self.breaker)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
