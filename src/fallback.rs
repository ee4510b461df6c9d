//! What to answer when a call has failed: typed by what failed, and never at the cost of the first error.
//!
//! A fallback stands outside of everything: when it runs, no place of a bulkhead and no permit of a breaker is held, and
//! what it does is counted nowhere.

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;
use std::error::Error;

use crate::bulkhead::BulkheadFull;
use crate::error::{CallError, Rejected};
use crate::outcome::Outcome;
#[cfg(feature = "pool")]
use crate::pool::PoolError;
use crate::rate_limit::RateLimited;
use crate::retry::RetryError;

/// How a call failed, by whose fault: what a [`Fallback`] decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed<E> {
    /// A layer of this crate refused; the call was not made.
    Refused(Refusal),
    /// No result came in time.
    TimedOut(TimedOut),
    /// The call was made and gave this error of its own.
    Inner(E),
}

/// Who refused a call, with what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The rate limit: this caller's own share is spent.
    RateLimit(RateLimited),
    /// The bulkhead: too many calls are under way.
    Bulkhead(BulkheadFull),
    /// The breaker: the dependency is down, or was a moment ago.
    Breaker(Rejected),
    /// A thread pool, called from one of its own threads.
    Inside,
    /// A thread pool that has been shut down.
    ShutDown,
}

impl Refusal {
    /// When to come back, if whoever refused knows.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::RateLimit(limited) => limited.retry_after(),
            Refusal::Breaker(rejected) => rejected.retry_after(),
            Refusal::Bulkhead(_) | Refusal::Inside | Refusal::ShutDown => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::RateLimit(limited) => limited.fmt(f),
            Refusal::Bulkhead(full) => full.fmt(f),
            Refusal::Breaker(rejected) => rejected.fmt(f),
            Refusal::Inside => f.write_str("pool was called from one of its own threads"),
            Refusal::ShutDown => f.write_str("pool has been shut down"),
        }
    }
}

impl Error for Refusal {}

/// Returned when no result came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    has_begun: bool,
}

impl TimedOut {
    pub(crate) const BEGUN: Self = TimedOut { has_begun: true };
    pub(crate) const NOT_BEGUN: Self = TimedOut { has_begun: false };

    /// Whether the call was made: then it may have had an effect. Otherwise the deadline was over before it began, which
    /// is as safe to repeat as a refusal, and no failure of the dependency.
    pub const fn has_begun(&self) -> bool {
        self.has_begun
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.has_begun {
            true => "call timed out",
            false => "call timed out before it began",
        })
    }
}

impl Error for TimedOut {}

impl<E> Failed<E> {
    /// The same, with a reference to the call's own error.
    pub const fn as_ref(&self) -> Failed<&E> {
        match self {
            Failed::Refused(refusal) => Failed::Refused(*refusal),
            Failed::TimedOut(late) => Failed::TimedOut(*late),
            Failed::Inner(error) => Failed::Inner(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Refused(refusal) => refusal.fmt(f),
            Failed::TimedOut(late) => late.fmt(f),
            Failed::Inner(error) => error.fmt(f),
        }
    }
}

/// An error that says who failed: what a [`Fallback`] can stand in for.
pub trait Failure {
    /// The guarded call's own error.
    type Inner;

    /// Who failed.
    fn failed(&self) -> Failed<&Self::Inner>;

    /// What it says about the dependency: a failure, or nothing where the call was not made.
    ///
    /// For a call that goes through layers of its own within another's: their refusals are no failures of the dependency.
    ///
    /// ```
    /// use failfast::{CallError, CircuitBreaker, Failure, Outcome};
    ///
    /// let (shop, payment) = (CircuitBreaker::builder().build()?, CircuitBreaker::builder().build()?);
    /// payment.force_open();
    /// let outcome = |result: &Result<(), CallError<&str>>| match result {
    ///     Ok(()) => Outcome::Success,
    ///     Err(error) => error.outcome(),
    /// };
    /// let answer = shop.call_with(outcome, || payment.call(|| Err("card declined")));
    /// assert!(answer.is_err());
    /// assert_eq!(shop.snapshot().calls, 0);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    fn outcome(&self) -> Outcome {
        match self.failed() {
            Failed::Refused(_) => Outcome::Ignored,
            Failed::TimedOut(late) if !late.has_begun() => Outcome::Ignored,
            Failed::TimedOut(_) | Failed::Inner(_) => Outcome::Failure,
        }
    }
}

impl<E> Failure for Failed<E> {
    type Inner = E;

    fn failed(&self) -> Failed<&E> {
        self.as_ref()
    }
}

impl<E> Failure for CallError<E> {
    type Inner = E;

    fn failed(&self) -> Failed<&E> {
        match self {
            CallError::Rejected(rejected) => Failed::Refused(Refusal::Breaker(*rejected)),
            CallError::Inner(error) => Failed::Inner(error),
        }
    }
}

impl<P: Failure> Failure for RetryError<P> {
    type Inner = P::Inner;

    fn failed(&self) -> Failed<&P::Inner> {
        self.error().map_or(Failed::TimedOut(TimedOut::NOT_BEGUN), P::failed)
    }
}

#[cfg(feature = "pool")]
impl<E> Failure for PoolError<E> {
    type Inner = E;

    fn failed(&self) -> Failed<&E> {
        match self {
            PoolError::Rejected(rejected) => Failed::Refused(Refusal::Breaker(*rejected)),
            PoolError::Full(full) => Failed::Refused(Refusal::Bulkhead(*full)),
            PoolError::Inside => Failed::Refused(Refusal::Inside),
            PoolError::ShutDown => Failed::Refused(Refusal::ShutDown),
            PoolError::TimedOut(late) => Failed::TimedOut(TimedOut { has_begun: late.has_begun() }),
            PoolError::Inner(error) => Failed::Inner(error),
        }
    }
}

// ===== the fallback =====

/// What to answer instead, by what failed.
///
/// Each arm is a closure that gives a value or an error; what has no arm goes on as it is. No arm can be set twice:
///
/// ```compile_fail,E0599
/// # use failfast::Fallback;
/// # fn cached() -> Result<u32, String> { Ok(0) }
/// Fallback::new().refused(|_| cached()).refused(|_| cached());
/// ```
///
/// And one without any arm, which could answer nothing, is of no type:
///
/// ```compile_fail,E0282
/// # use failfast::{CircuitBreaker, Fallback};
/// # let breaker = CircuitBreaker::builder().build().unwrap();
/// let answer = Fallback::new().answer(breaker.call(|| Ok::<_, String>(1)));
/// ```
///
/// A cached value while the dependency is down, and its own errors as they are:
///
/// ```
/// use failfast::{CircuitBreaker, Fallback};
///
/// let breaker = CircuitBreaker::builder().name("prices").build()?;
/// let cached = Some(1_999_u32);
/// let price = || {
///     Fallback::new()
///         .refused(|_| cached.ok_or("nothing is cached"))
///         .answer(breaker.call(|| Err("no such article")))
/// };
/// assert_eq!(price().unwrap_err().to_string(), "no such article");
/// breaker.force_open();
/// assert_eq!(price().unwrap(), 1_999);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// A default, whatever failed: [`Fallback::value`]. Another call, or a queue: an arm that makes it, and may fail:
///
/// ```
/// use failfast::{CircuitBreaker, Failed, Fallback};
///
/// # #[derive(Debug, PartialEq)] enum Payment { Pending }
/// let breaker = CircuitBreaker::builder().name("payment").build()?;
/// let (queue, worker) = std::sync::mpsc::sync_channel(1);
/// let pay = |order: u32| {
///     Fallback::new()
///         .otherwise(|_: Failed<&&str>| queue.try_send(order).map(|()| Payment::Pending))
///         .answer(breaker.call(|| Err("connection refused")))
/// };
/// assert_eq!(pay(1).unwrap(), Payment::Pending);
/// assert_eq!(worker.recv().unwrap(), 1);
///
/// drop(worker); // and now the queue is down too
/// let error = pay(2).unwrap_err();
/// assert_eq!(error.to_string(), "connection refused; its fallback failed: sending on a closed channel");
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # Progress
///
/// What the arm takes; nothing is allocated, and arms that are not set are no code.
#[derive(Clone, Copy, Debug)]
#[must_use = "a fallback does nothing until it is asked for an answer"]
pub struct Fallback<R = Pass, L = Pass, I = Pass, O = Pass> {
    refused: R,
    timed_out: L,
    inner: I,
    otherwise: O,
}

/// An arm of a [`Fallback`] that is not set: what failed goes on to the next, and in the end to the caller.
#[derive(Clone, Copy, Debug)]
pub struct Pass;

/// An arm of a [`Fallback`] that is a closure.
#[derive(Clone, Copy, Debug)]
pub struct Call<F>(F);

/// The arm of [`Fallback::value`].
#[derive(Clone, Copy, Debug)]
pub struct Value<T>(T);

/// What stands in an arm of a [`Fallback`].
#[doc(hidden)]
pub trait Arm<In, T, X>: sealed::Sealed {
    fn stand_in(self, failed: In) -> Option<Result<T, X>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Pass {}
    impl<F> Sealed for super::Call<F> {}
    impl<T> Sealed for super::Value<T> {}
}

impl<In, T, X> Arm<In, T, X> for Pass {
    fn stand_in(self, _: In) -> Option<Result<T, X>> {
        None
    }
}

impl<In, T, X, F: FnOnce(In) -> Result<T, X>> Arm<In, T, X> for Call<F> {
    fn stand_in(self, failed: In) -> Option<Result<T, X>> {
        Some((self.0)(failed))
    }
}

// A value can't fail, and says so in its type.
impl<In, T> Arm<In, T, Infallible> for Value<T> {
    fn stand_in(self, _: In) -> Option<Result<T, Infallible>> {
        Some(Ok(self.0))
    }
}

impl Fallback {
    /// No arm yet; without one there is nothing to [`answer`](Fallback::answer) with.
    pub const fn new() -> Self {
        Fallback { refused: Pass, timed_out: Pass, inner: Pass, otherwise: Pass }
    }
}

impl Default for Fallback {
    fn default() -> Self {
        Fallback::new()
    }
}

impl<T> Fallback<Pass, Pass, Pass, Value<T>> {
    /// One value, whatever failed: a default.
    ///
    /// ```
    /// use failfast::{CircuitBreaker, Fallback};
    ///
    /// let breaker = CircuitBreaker::builder().name("recommendations").build()?;
    /// let shown = Fallback::value(vec!["bestseller"]).answer(breaker.call(|| Err("timed out")));
    /// assert_eq!(shown.unwrap(), ["bestseller"]);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub const fn value(value: T) -> Self {
        Fallback { refused: Pass, timed_out: Pass, inner: Pass, otherwise: Value(value) }
    }
}

impl<L, I, O> Fallback<Pass, L, I, O> {
    /// What to answer when a layer of this crate refused, so that the call was not made.
    pub fn refused<T, X, F>(self, arm: F) -> Fallback<Call<F>, L, I, O>
    where
        F: FnOnce(Refusal) -> Result<T, X>,
    {
        let Fallback { timed_out, inner, otherwise, .. } = self;
        Fallback { refused: Call(arm), timed_out, inner, otherwise }
    }
}

impl<R, I, O> Fallback<R, Pass, I, O> {
    /// What to answer when no result came in time.
    pub fn timed_out<T, X, F>(self, arm: F) -> Fallback<R, Call<F>, I, O>
    where
        F: FnOnce(TimedOut) -> Result<T, X>,
    {
        let Fallback { refused, inner, otherwise, .. } = self;
        Fallback { refused, timed_out: Call(arm), inner, otherwise }
    }
}

impl<R, L, O> Fallback<R, L, Pass, O> {
    /// What to answer when the call gave an error of its own.
    pub fn inner<E, T, X, F>(self, arm: F) -> Fallback<R, L, Call<F>, O>
    where
        F: FnOnce(&E) -> Result<T, X>,
    {
        let Fallback { refused, timed_out, otherwise, .. } = self;
        Fallback { refused, timed_out, inner: Call(arm), otherwise }
    }
}

impl<R, L, I> Fallback<R, L, I, Pass> {
    /// What to answer when something failed that has no arm of its own.
    pub fn otherwise<E, T, X, F>(self, arm: F) -> Fallback<R, L, I, Call<F>>
    where
        F: FnOnce(Failed<&E>) -> Result<T, X>,
    {
        let Fallback { refused, timed_out, inner, .. } = self;
        Fallback { refused, timed_out, inner, otherwise: Call(arm) }
    }
}

impl<R, L, I, O> Fallback<R, L, I, O> {
    /// Passes a value on, and stands in for an error by the arm that fits it.
    ///
    /// # Errors
    ///
    /// A [`FallbackError`] with the first error, and the arm's own if there was an arm and it failed too.
    ///
    /// # Panics
    ///
    /// When the arm does.
    #[inline]
    pub fn answer<P, T, X>(self, result: Result<T, P>) -> Result<T, FallbackError<P, X>>
    where
        P: Failure,
        R: Arm<Refusal, T, X>,
        L: Arm<TimedOut, T, X>,
        I: for<'a> Arm<&'a P::Inner, T, X>,
        O: for<'a> Arm<Failed<&'a P::Inner>, T, X>,
    {
        let failed = match result {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        let by_kind = match failed.failed() {
            Failed::Refused(refusal) => self.refused.stand_in(refusal),
            Failed::TimedOut(late) => self.timed_out.stand_in(late),
            Failed::Inner(error) => self.inner.stand_in(error),
        };
        match by_kind.or_else(|| self.otherwise.stand_in(failed.failed())) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(FallbackError { failed, fallback: Some(error) }),
            None => Err(FallbackError { failed, fallback: None }),
        }
    }
}

// ===== its error =====

/// The error of a call that a [`Fallback`] could not stand in for: the call's, and the fallback's if it failed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FallbackError<P, X> {
    failed: P,
    fallback: Option<X>,
}

impl<P, X> FallbackError<P, X> {
    /// Why the call failed.
    pub const fn failed(&self) -> &P {
        &self.failed
    }

    /// Why the fallback failed; `None` if there was none for what failed.
    pub const fn fallback(&self) -> Option<&X> {
        self.fallback.as_ref()
    }

    /// Both, by value.
    pub fn into_parts(self) -> (P, Option<X>) {
        (self.failed, self.fallback)
    }
}

impl<P: fmt::Display, X: fmt::Display> fmt::Display for FallbackError<P, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failed.fmt(f)?;
        match &self.fallback {
            Some(error) => write!(f, "; its fallback failed: {error}"),
            None => Ok(()),
        }
    }
}

impl<P: Error + 'static, X: Error> Error for FallbackError<P, X> {
    /// Why the call failed; the fallback's error is [`fallback`](FallbackError::fallback).
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.failed)
    }
}
