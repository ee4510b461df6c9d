//! The limit, on governor.

use core::fmt;
use core::num::NonZeroU32;
use core::ops::Add;
use core::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};

use super::RateLimited;
use crate::breaker::config::validate_time;
use crate::clock::{Clock, DefaultClock};
use crate::error::ConfigError;

/// A token bucket: so many calls in a time, and so many at once.
///
/// The bucket begins full. A call takes a token, or as many as it weighs; a token comes back every `period / calls`.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, RateLimit};
///
/// let clock = ManualClock::new(); // for the example; by default it is the CPU's counter
/// let mail = RateLimit::per_second(2).burst(3).clock(clock.clone()).build()?;
/// for _ in 0..3 {
///     assert!(mail.try_acquire().is_ok());
/// }
/// let limited = mail.try_acquire().unwrap_err();
/// assert_eq!(limited.retry_after(), Some(Duration::from_millis(500)));
/// clock.advance(Duration::from_millis(500));
/// assert!(mail.try_acquire().is_ok());
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # How exact it is
///
/// In any time `t` at most `burst + t * calls / period` tokens are given, under any schedule. The time of a token is
/// rounded up to whole nanoseconds, so that the rate is never above the one that was asked for, and at most a thousandth
/// below. A clock that steps back gives nothing twice: there are tokens again once it has caught up.
pub struct RateLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, Readings<C>, NoOpMiddleware<Instant>>,
    quota: Quota,
}

impl RateLimit {
    /// So many calls a second; 1 to a million.
    pub fn per_second(calls: u32) -> RateLimitBuilder<DefaultClock> {
        RateLimit::per(Duration::from_secs(1), calls)
    }

    /// So many calls in each such period: a thousand a day, say; at most one a microsecond.
    pub fn per(period: Duration, calls: u32) -> RateLimitBuilder<DefaultClock> {
        RateLimitBuilder { calls, period, burst: None, clock: DefaultClock::new() }
    }
}

impl<C: Clock> RateLimit<C> {
    /// Takes a token if there is one.
    ///
    /// # Errors
    ///
    /// A [`RateLimited`] that says when there will be one.
    ///
    /// # Progress
    ///
    /// Lock-free, as governor is: one exchange, tried again whenever another thread has taken tokens meanwhile. A refusal
    /// takes no exchange, and reads the clock once more.
    ///
    /// # Memory ordering
    ///
    /// None that callers may rely on.
    #[inline]
    pub fn try_acquire(&self) -> Result<(), RateLimited> {
        self.limiter.check().map_err(|refused| self.limited(&refused))
    }

    /// Takes so many tokens if there are so many, and else none; of no token there is always enough.
    ///
    /// # Errors
    ///
    /// A [`RateLimited`] that says when there will be so many; without a time, if they are more than the burst.
    ///
    /// # Progress
    ///
    /// As [`try_acquire`](RateLimit::try_acquire).
    ///
    /// # Memory ordering
    ///
    /// As [`try_acquire`](RateLimit::try_acquire).
    pub fn try_acquire_many(&self, tokens: u32) -> Result<(), RateLimited> {
        let Some(tokens) = NonZeroU32::new(tokens) else {
            return Ok(());
        };
        // Asked here, for governor multiplies before it compares, and that may overflow.
        if tokens > self.quota.burst_size() {
            return Err(RateLimited::until(None));
        }
        match self.limiter.check_n(tokens) {
            Ok(decision) => decision.map_err(|refused| self.limited(&refused)),
            Err(_) => Err(RateLimited::until(None)),
        }
    }

    /// The most tokens that there ever are.
    pub const fn burst(&self) -> u32 {
        self.quota.burst_size().get()
    }

    /// Whether it allows as much as another one.
    pub(crate) fn equals<D: Clock>(&self, other: &RateLimit<D>) -> bool {
        self.quota == other.quota
    }

    /// How often a token comes back.
    pub(crate) fn token_every(&self) -> Duration {
        self.quota.replenish_interval()
    }

    #[cold]
    fn limited(&self, refused: &NotUntil<Instant>) -> RateLimited {
        let now = governor::clock::Clock::now(self.limiter.clock());
        RateLimited::until(Some(refused.wait_time_from(now)))
    }
}

impl<C: Clock> fmt::Debug for RateLimit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("token_every", &self.quota.replenish_interval())
            .field("burst", &self.burst())
            .finish_non_exhaustive()
    }
}

// ===== settings =====

/// The settings of a [`RateLimit`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RateLimitBuilder<C = DefaultClock> {
    calls: u32,
    period: Duration,
    burst: Option<u32>,
    clock: C,
}

/// The shortest time of a token. Rounded up to whole nanoseconds it is then at most a thousandth too long.
const MIN_TOKEN_NS: u64 = 1_000;
/// What a full bucket is worth in time, at most: far more than anybody needs, and far less than governor's arithmetic has
/// room for above the last instant.
const MAX_REFILL: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

impl<C: Clock> RateLimitBuilder<C> {
    /// How many calls there may be at once, after a pause; from 1, by default as many as in a period.
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = Some(calls);
        self
    }

    /// Reads time from another clock.
    pub fn clock<D: Clock>(self, clock: D) -> RateLimitBuilder<D> {
        RateLimitBuilder { calls: self.calls, period: self.period, burst: self.burst, clock }
    }

    /// Checks the settings and fills the bucket.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names `calls`, `period` or `burst`.
    ///
    /// ```
    /// use failfast::RateLimit;
    ///
    /// let error = RateLimit::per_second(5).burst(0).build().unwrap_err();
    /// assert_eq!((error.field(), error.given()), ("burst", "0"));
    /// ```
    pub fn build(self) -> Result<RateLimit<C>, ConfigError> {
        let period_ns = validate_time("period", self.period)?;
        let calls = u64::from(self.calls);
        if calls == 0 || calls > period_ns / MIN_TOKEN_NS {
            let allowed = "1 to as many as the period has microseconds";
            return Err(ConfigError::new("calls", calls.to_string(), allowed));
        }
        let token = Duration::from_nanos(period_ns.div_ceil(calls));
        let burst = self.burst.unwrap_or(self.calls);
        let refill = token.checked_mul(burst).filter(|refill| *refill <= MAX_REFILL);
        let quota = Quota::with_period(token).filter(|_| refill.is_some());
        let Some((quota, burst)) = quota.zip(NonZeroU32::new(burst)) else {
            let allowed = "1 to as many tokens as come back in 3660 days";
            return Err(ConfigError::new("burst", burst.to_string(), allowed));
        };
        let quota = quota.allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(quota, Readings(self.clock));
        Ok(RateLimit { limiter, quota })
    }
}

// ===== governor's time =====

/// A clock of ours as governor wants it.
struct Readings<C>(C);

impl<C: Clock> governor::clock::Clock for Readings<C> {
    type Instant = Instant;

    #[inline]
    fn now(&self) -> Instant {
        Instant(self.0.now_nanos().min(LAST))
    }
}

/// Nanoseconds since the clock's zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Instant(u64);

/// The last instant, 292 years after the clock's zero. Governor adds refill times to instants, unchecked.
const LAST: u64 = u64::MAX / 2;

impl Add<Nanos> for Instant {
    type Output = Instant;

    fn add(self, time: Nanos) -> Instant {
        Instant(self.0.saturating_add(time.as_u64()))
    }
}

impl Reference for Instant {
    #[inline]
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, time: Nanos) -> Self {
        Instant(self.0.checked_sub(time.as_u64()).unwrap_or(self.0))
    }
}
