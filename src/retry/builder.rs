//! The settings of a retry, checked in one place.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use backon::ExponentialBuilder;

use super::attempts::Retry;
use super::waits::{Backoff, Draws, Spread};
use crate::breaker::config::{validate_rate, validate_time};
use crate::budget::RetryBudget;
use crate::clock::nanos;
use crate::error::ConfigError;
use crate::sleep::{Sleep, ThreadSleep};

/// Attempts unless set, the first one included. Three is what gRPC, Polly and resilience4j begin with, more or less.
const DEFAULT_ATTEMPTS: u32 = 3;
/// The delay before the second attempt unless set. Arbitrary: long against a call within a data centre.
const DEFAULT_INITIAL: Duration = Duration::from_millis(100);
/// What each delay is multiplied with unless set: the usual doubling.
const DEFAULT_FACTOR: f32 = 2.0;
/// The longest delay unless set. Arbitrary: whoever can wait longer needs a queue.
const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(10);

/// How waits are drawn from around their delay, so that callers that failed together do not come back together.
///
/// Whatever the jitter, no wait is longer than the longest delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Every wait is its delay.
    None,
    /// Anything from nothing to the delay, equally likely: spreads best. The default.
    Full,
    /// The delay, give or take this ratio of it, equally likely; above 0 to 1. Where that would reach beyond the longest
    /// delay, the range ends there.
    Proportional(f64),
}

/// The settings of a [`Retry`].
#[must_use = "a builder does nothing until `build`"]
pub struct RetryBuilder<S = ThreadSleep> {
    attempts: u32,
    initial: Duration,
    factor: f32,
    max_delay: Duration,
    jitter: Jitter,
    total_time: Option<Duration>,
    min_attempt: Duration,
    budget: Option<Arc<RetryBudget>>,
    draws: Draws,
    sleeper: S,
}

impl RetryBuilder {
    pub(super) const fn new() -> Self {
        RetryBuilder {
            attempts: DEFAULT_ATTEMPTS,
            initial: DEFAULT_INITIAL,
            factor: DEFAULT_FACTOR,
            max_delay: DEFAULT_MAX_DELAY,
            jitter: Jitter::Full,
            total_time: None,
            min_attempt: Duration::ZERO,
            budget: None,
            draws: Draws::Own,
            sleeper: ThreadSleep,
        }
    }
}

impl<S> RetryBuilder<S> {
    /// How many attempts there may be, the first one included; at least 1, which is no retry; by default 3.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The delay before the second attempt; 1 ns to 366 days, by default 100 ms.
    pub fn initial(mut self, delay: Duration) -> Self {
        self.initial = delay;
        self
    }

    /// What each delay is multiplied with to get the next; 1 to 1000, by default 2.
    ///
    /// `backon` multiplies in 32-bit floats, so delays are exact to about a part in a million.
    pub fn factor(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }

    /// The longest delay, and the longest wait that the jitter draws; from `initial` to 366 days, by default 10 s.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// How waits are drawn from around their delay; by default [`Jitter::Full`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Bounds the time from the first attempt's beginning to the last one's end, as a deadline does; by default there is
    /// only the call's own deadline. 1 ns to 366 days, and enough for the shortest first wait and `min_attempt`.
    pub fn total_time(mut self, time: Duration) -> Self {
        self.total_time = Some(time);
        self
    }

    /// The least time that an attempt needs: with less of it left, none is begun. By default any time will do.
    pub fn min_attempt(mut self, time: Duration) -> Self {
        self.min_attempt = time;
        self
    }

    /// Has retries paid from a budget: a first attempt deposits, a retry withdraws, when it is decided.
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Seeds the random source: the `n`-th call that is retried then draws the same waits each time. By default each call
    /// has a seed of its own, and threads share nothing.
    ///
    /// Of this and [`random_source`](RetryBuilder::random_source) the last counts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.draws = Draws::seeded(seed);
        self
    }

    /// Draws from a random source of the caller's, whose values are taken to be equally likely, all 64 bits of them.
    pub fn random_source(mut self, source: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.draws = Draws::Given(Box::new(source));
        self
    }

    /// What waits between two attempts; by default the thread sleeps.
    pub fn sleeper<T: Sleep>(self, sleeper: T) -> RetryBuilder<T> {
        RetryBuilder {
            attempts: self.attempts,
            initial: self.initial,
            factor: self.factor,
            max_delay: self.max_delay,
            jitter: self.jitter,
            total_time: self.total_time,
            min_attempt: self.min_attempt,
            budget: self.budget,
            draws: self.draws,
            sleeper,
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the setting, the value given and the values allowed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::Retry;
    ///
    /// let error = Retry::builder().max_delay(Duration::from_millis(50)).build().unwrap_err();
    /// assert_eq!(error.to_string(), "max_delay: given 50ms, allowed is from the initial delay to 366 days");
    /// ```
    pub fn build(self) -> Result<Retry<S>, ConfigError> {
        if self.attempts == 0 {
            return Err(ConfigError::new("attempts", "0", "1 to 4294967295"));
        }
        let initial_ns = validate_time("initial", self.initial)?;
        if !(1.0..=1_000.0).contains(&self.factor) {
            return Err(ConfigError::new("factor", self.factor.to_string(), "1 to 1000"));
        }
        let max_ns = validate_time("max_delay", self.max_delay)?;
        if max_ns < initial_ns {
            let allowed = "from the initial delay to 366 days";
            return Err(ConfigError::new("max_delay", format!("{:?}", self.max_delay), allowed));
        }
        let spread = match self.jitter {
            Jitter::None => Spread::None,
            Jitter::Full => Spread::Full,
            Jitter::Proportional(ratio) => Spread::Millionths(validate_rate("jitter", ratio)?),
        };
        let delays = ExponentialBuilder::new()
            .with_min_delay(self.initial)
            .with_max_delay(self.max_delay)
            .with_factor(self.factor)
            .without_max_times()
            // Its own jitter is off. Without a seed, and with a feature that another crate may have set, it would ask its
            // thread's random source all the same.
            .with_jitter_seed(0);
        let backoff = Backoff { delays, max_ns, spread };
        let min_attempt = self.validate_times(&backoff, initial_ns)?;
        Ok(Retry {
            attempts: self.attempts,
            backoff,
            total_time: self.total_time,
            min_attempt,
            budget: self.budget,
            draws: self.draws,
            sleeper: self.sleeper,
        })
    }

    /// The least time of an attempt, which leaves the total time room for a retry.
    fn validate_times(&self, backoff: &Backoff, initial_ns: u64) -> Result<Duration, ConfigError> {
        let least = self.min_attempt.max(Duration::from_nanos(1));
        let least_ns = validate_time("min_attempt", least)?;
        let Some(total) = self.total_time else {
            return Ok(least);
        };
        validate_time("total_time", total)?;
        let wait_ns = if self.attempts > 1 { backoff.range(initial_ns).0 } else { 0 };
        if nanos(total) < wait_ns + least_ns {
            let allowed = "at least the shortest first wait and min_attempt together";
            return Err(ConfigError::new("total_time", format!("{total:?}"), allowed));
        }
        Ok(least)
    }
}

impl<S> fmt::Debug for RetryBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBuilder")
            .field("attempts", &self.attempts)
            .field("initial", &self.initial)
            .field("factor", &self.factor)
            .field("max_delay", &self.max_delay)
            .field("jitter", &self.jitter)
            .field("total_time", &self.total_time)
            .field("min_attempt", &self.min_attempt)
            .field("budget", &self.budget)
            .field("draws", &self.draws)
            .finish_non_exhaustive()
    }
}
