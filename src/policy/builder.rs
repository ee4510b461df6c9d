//! The settings of a policy: which slots are set, and whether their times fit together.

use core::borrow::Borrow;
use core::fmt;
use core::time::Duration;

use super::layers::{
    Around, BreakerLayer, BulkheadLayer, Off, Present, RateLimitLayer, RetryLayer, Timeout,
    TimeoutLayer, Times, Waiting,
};
use super::Policy;
use crate::breaker::config::{validate_time, MakeClock};
use crate::bulkhead::Bulkhead;
use crate::clock::{Clock, DefaultClock};
use crate::deadline::Deadline;
use crate::error::ConfigError;

/// The layers of a [`Policy`]; begin with [`Policy::builder`].
///
/// Layers may be set in any sequence: where each stands is fixed. A layer is taken by value, by reference or in an
/// [`Arc`](std::sync::Arc), so that policies may share it.
///
/// What makes no sense does not compile: a layer twice,
///
/// ```compile_fail,E0599
/// # use core::time::Duration;
/// # use failfast::Policy;
/// let policy = Policy::builder().timeout(Duration::from_secs(1)).timeout(Duration::from_secs(2));
/// ```
///
/// one thing in the place of another,
///
/// ```compile_fail,E0277
/// # use failfast::{Bulkhead, Policy};
/// let policy = Policy::builder().breaker(Bulkhead::new(5).unwrap());
/// ```
///
/// a breaker around retries that are not there,
///
/// ```compile_fail,E0599
/// # use failfast::{CircuitBreaker, Policy};
/// let breaker = CircuitBreaker::builder().build().unwrap();
/// let policy = Policy::builder().breaker(breaker).breaker_around_retries();
/// ```
///
/// or retries that have no breaker around them:
///
/// ```compile_fail,E0599
/// # use failfast::{Policy, Retry};
/// let retry = Retry::builder().build().unwrap();
/// let policy = Policy::builder().retry(retry).breaker_around_retries();
/// ```
///
/// And so with all of them, once each:
///
/// ```
/// # use core::time::Duration;
/// # use failfast::{Bulkhead, CircuitBreaker, Policy, Retry};
/// let policy = Policy::builder()
///     .retry(Retry::builder().build()?)
///     .bulkhead(Bulkhead::new(5)?)
///     .breaker(CircuitBreaker::builder().build()?)
///     .timeout(Duration::from_secs(1))
///     .breaker_around_retries()
///     .build()?;
/// # assert_eq!(policy.call(|_| Ok::<_, ()>(1)), Ok(1));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct PolicyBuilder<Rt = Off, Rl = Off, Bh = Off, Br = Off, To = Off, C = DefaultClock> {
    retry: Rt,
    rate_limit: Rl,
    bulkhead: Bh,
    breaker: Br,
    timeout: To,
    clock: MakeClock<C>,
}

impl PolicyBuilder {
    pub(super) const fn new() -> Self {
        PolicyBuilder {
            retry: Off,
            rate_limit: Off,
            bulkhead: Off,
            breaker: Off,
            timeout: Off,
            clock: MakeClock::New(DefaultClock::new),
        }
    }
}

// ===== layers =====

impl<Rl, Bh, Br, To, C> PolicyBuilder<Off, Rl, Bh, Br, To, C> {
    /// Makes failed calls again; a `Retry`, of the feature `retry`.
    ///
    /// An attempt that failed, timed out or was refused is made again, as the retry's settings allow; the `retry_after` of
    /// a refusal is the floor of the wait. What is not made again: an error that the classification does not call a
    /// failure (see [`Policy::call_with`]), an attempt that did not begin in time, and one that a breaker refused which was
    /// forced open.
    ///
    /// Without a total time and without a deadline of the call a retry waits as long as an open breaker asks it to.
    pub fn retry<R: RetryLayer + Present>(self, retry: R) -> PolicyBuilder<R, Rl, Bh, Br, To, C> {
        let PolicyBuilder { rate_limit, bulkhead, breaker, timeout, clock, .. } = self;
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }
}

impl<Rt, Bh, Br, To, C> PolicyBuilder<Rt, Off, Bh, Br, To, C> {
    /// Takes a token for each attempt; a `RateLimit`, of the feature `rate-limit`.
    pub fn rate_limit<R: RateLimitLayer + Present>(
        self,
        rate_limit: R,
    ) -> PolicyBuilder<Rt, R, Bh, Br, To, C> {
        let PolicyBuilder { retry, bulkhead, breaker, timeout, clock, .. } = self;
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }
}

impl<Rt, Rl, Br, To, C> PolicyBuilder<Rt, Rl, Off, Br, To, C> {
    /// Holds a place of a [`Bulkhead`] during each attempt; refuses at once when there is none.
    pub fn bulkhead<B: BulkheadLayer + Present>(
        self,
        bulkhead: B,
    ) -> PolicyBuilder<Rt, Rl, B, Br, To, C> {
        let PolicyBuilder { retry, rate_limit, breaker, timeout, clock, .. } = self;
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }

    /// As [`bulkhead`](PolicyBuilder::bulkhead), but waits in order for a place: for at most that long, 1 ns to 366 days,
    /// and not beyond the call's deadline. The thread sleeps by the system's time, whatever the policy's clock.
    pub fn bulkhead_waiting<B: Borrow<Bulkhead>>(
        self,
        bulkhead: B,
        most: Duration,
    ) -> PolicyBuilder<Rt, Rl, Waiting<B>, Br, To, C> {
        let PolicyBuilder { retry, rate_limit, breaker, timeout, clock, .. } = self;
        let bulkhead = Waiting::new(bulkhead, most);
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }
}

impl<Rt, Rl, Bh, To, C> PolicyBuilder<Rt, Rl, Bh, Off, To, C> {
    /// Has a [`CircuitBreaker`](crate::CircuitBreaker) guard each attempt.
    pub fn breaker<B: BreakerLayer + Present>(
        self,
        breaker: B,
    ) -> PolicyBuilder<Rt, Rl, Bh, B, To, C> {
        let PolicyBuilder { retry, rate_limit, bulkhead, timeout, clock, .. } = self;
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }
}

impl<Rt, Rl, Bh, Br, C> PolicyBuilder<Rt, Rl, Bh, Br, Off, C> {
    /// How long each attempt may take; 1 ns to 366 days.
    pub fn timeout(self, most: Duration) -> PolicyBuilder<Rt, Rl, Bh, Br, Timeout, C> {
        let PolicyBuilder { retry, rate_limit, bulkhead, breaker, clock, .. } = self;
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout: Timeout(most), clock }
    }
}

impl<Rt: RetryLayer + Present, Rl, Bh, Br: BreakerLayer + Present, To, C>
    PolicyBuilder<Rt, Rl, Bh, Br, To, C>
{
    /// Puts the breaker around the retries, where it hears of each call once: see [the orders](Policy#the-two-orders).
    ///
    /// Give the retry a total time: in half-open a permit that is held for longer than the breaker's probe timeout counts as
    /// lost, and only a total time can be held against that by [`build`](PolicyBuilder::build).
    pub fn breaker_around_retries(self) -> PolicyBuilder<Rt, Rl, Bh, Around<Br>, To, C> {
        let PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock } = self;
        let breaker = Around(breaker);
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }
}

// ===== clock and build =====

impl<Rt, Rl, Bh, Br, To, C> PolicyBuilder<Rt, Rl, Bh, Br, To, C> {
    /// Reads deadlines on another clock; the breaker and the rate limit keep their own.
    pub fn clock<D: Clock + Clone>(self, clock: D) -> PolicyBuilder<Rt, Rl, Bh, Br, To, D> {
        let PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, .. } = self;
        let clock = MakeClock::Given(clock);
        PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock }
    }
}

impl<Rt, Rl, Bh, Br, To, C> PolicyBuilder<Rt, Rl, Bh, Br, To, C>
where
    Rt: RetryLayer,
    Rl: RateLimitLayer,
    Bh: BulkheadLayer,
    Br: BreakerLayer,
    To: TimeoutLayer,
    C: Clock + Clone,
{
    /// Checks that the layers fit together.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the setting, the value given and what would fit:
    ///
    /// - no layer at all;
    /// - a timeout longer than the retry's total time, or shorter than the least time that its attempts need;
    /// - waiting for a place of the bulkhead for longer than the retry's total time;
    /// - a guarded piece (an attempt; or all of them, with the breaker around) that may take longer than the breaker's
    ///   probe timeout: a probe that is neither late nor lost would count as lost, and the breaker might never close.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{CircuitBreaker, Policy};
    ///
    /// let breaker = CircuitBreaker::builder().probe_timeout(Duration::from_secs(5)).build()?;
    /// let error = Policy::builder().breaker(breaker).timeout(Duration::from_secs(8)).build().unwrap_err();
    /// assert_eq!(error.to_string(), "timeout: given 8s, allowed is at most the breaker's probe_timeout");
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn build(self) -> Result<Policy<Rt, Rl, Bh, Br, To, C>, ConfigError> {
        self.validate()?;
        let PolicyBuilder { retry, rate_limit, bulkhead, breaker, timeout, clock } = self;
        let endless = Deadline::never_on(clock.make());
        Ok(Policy { retry, rate_limit, bulkhead, breaker, timeout, endless })
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if !(Rt::SET || Rl::SET || Bh::SET || Br::SET || To::SET) {
            let allowed = "at least one of retry, rate_limit, bulkhead, breaker and timeout";
            return Err(ConfigError::new("layers", "none", allowed));
        }
        let (limit, patience) = (self.timeout.limit(), self.bulkhead.patience());
        if let Some(limit) = limit {
            validate_time("timeout", limit)?;
        }
        if let Some(patience) = patience {
            validate_time("bulkhead_waiting", patience)?;
        }
        let Times { total, least } = self.retry.times();
        at_most("timeout", limit, total, "at most the retry's total_time")?;
        at_most("min_attempt", least, limit, "at most the policy's timeout")?;
        at_most("bulkhead_waiting", patience, total, "at most the retry's total_time")?;
        let lease = self.breaker.lease();
        at_most("timeout", limit, lease, "at most the breaker's probe_timeout")?;
        if Br::AROUND {
            let allowed = "at most the probe_timeout of the breaker around the retries";
            at_most("total_time", total, lease, allowed)?;
        }
        Ok(())
    }
}

/// Refuses a time that is longer than another; one that is not set is as long as it need be.
fn at_most(
    field: &'static str,
    given: Option<Duration>,
    most: Option<Duration>,
    allowed: &'static str,
) -> Result<(), ConfigError> {
    match (given, most) {
        (Some(given), Some(most)) if given > most => {
            Err(ConfigError::new(field, format!("{given:?}"), allowed))
        }
        _ => Ok(()),
    }
}

impl<Rt, Rl, Bh, Br, To, C> fmt::Debug for PolicyBuilder<Rt, Rl, Bh, Br, To, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyBuilder").finish_non_exhaustive()
    }
}
