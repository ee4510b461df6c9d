//! The one error of a policy: which layer spoke, why there was no further attempt, and when to come back.

use core::fmt;
use core::time::Duration;
use std::error::Error;

use crate::fallback::{Failed, Failure, Refusal};
use crate::retry::RetryStop;

/// The error of a call through a [`Policy`](super::Policy).
///
/// ```
/// use failfast::policy::Layer;
/// use failfast::{CircuitBreaker, Failed, Policy};
///
/// let policy = Policy::builder().breaker(CircuitBreaker::builder().build()?).build()?;
/// match policy.call(|_deadline| Err::<(), _>("card declined")) {
///     Ok(()) => println!("paid"),
///     Err(error) => match error.failed() {
///         Failed::Inner(reason) => println!("the dependency says: {reason}"),
///         Failed::TimedOut(late) if late.has_begun() => println!("nobody knows, ask later"),
///         Failed::TimedOut(_) | Failed::Refused(_) => {
///             println!("not even tried, says the {}; come back in {:?}", error.layer(), error.retry_after());
///         }
///     },
/// }
/// # assert_eq!(policy.call(|_| Err::<(), _>(1)).unwrap_err().layer(), Layer::Call);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError<E> {
    failed: Failed<E>,
    attempts: u32,
    stopped: Option<RetryStop>,
}

/// The layers of a policy, outermost first, and the call itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The retry: there was no time for even one attempt.
    Retry,
    /// The rate limit refused.
    RateLimit,
    /// The bulkhead refused.
    Bulkhead,
    /// The breaker refused, within the retry or around it.
    Breaker,
    /// The timeout: no result came in time.
    Timeout,
    /// The call gave an error of its own.
    Call,
}

impl<E> PolicyError<E> {
    #[inline]
    pub(super) const fn new(failed: Failed<E>, attempts: u32, stopped: Option<RetryStop>) -> Self {
        PolicyError { failed, attempts, stopped }
    }

    /// How the last attempt failed.
    pub const fn failed(&self) -> Failed<&E> {
        self.failed.as_ref()
    }

    /// The layer that the last attempt's error is from.
    ///
    /// Where there is a retry, [`stopped`](PolicyError::stopped) says why it made no further attempt.
    pub const fn layer(&self) -> Layer {
        match &self.failed {
            Failed::Refused(Refusal::RateLimit(_)) => Layer::RateLimit,
            Failed::Refused(Refusal::Bulkhead(_)) => Layer::Bulkhead,
            Failed::Refused(Refusal::Breaker(_)) => Layer::Breaker,
            Failed::TimedOut(_) if self.attempts == 0 => Layer::Retry,
            Failed::TimedOut(_) => Layer::Timeout,
            // No layer of a policy is a pool.
            Failed::Refused(Refusal::Inside | Refusal::ShutDown) | Failed::Inner(_) => Layer::Call,
        }
    }

    /// When to come back, if the last attempt was refused and whoever refused knows.
    pub const fn retry_after(&self) -> Option<Duration> {
        match &self.failed {
            Failed::Refused(refusal) => refusal.retry_after(),
            Failed::TimedOut(_) | Failed::Inner(_) => None,
        }
    }

    /// How many attempts were made, refused ones included; 0 if none could even be tried: a breaker around the retries
    /// refused, or there was no time.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Why the retry made no further attempt; `None` in a policy without one, or where a breaker around it refused.
    pub const fn stopped(&self) -> Option<RetryStop> {
        self.stopped
    }

    /// How the last attempt failed, by value.
    pub fn into_failed(self) -> Failed<E> {
        self.failed
    }

    /// The call's own error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self.failed {
            Failed::Inner(error) => Some(error),
            Failed::Refused(_) | Failed::TimedOut(_) => None,
        }
    }
}

impl<E> Failure for PolicyError<E> {
    type Inner = E;

    fn failed(&self) -> Failed<&E> {
        self.failed()
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Retry => "retry",
            Layer::RateLimit => "rate limit",
            Layer::Bulkhead => "bulkhead",
            Layer::Breaker => "breaker",
            Layer::Timeout => "timeout",
            Layer::Call => "call",
        })
    }
}

impl<E: fmt::Display> fmt::Display for PolicyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failed.fmt(f)?;
        match self.stopped {
            Some(stopped) => write!(f, " ({stopped} after {})", self.attempts),
            None => Ok(()),
        }
    }
}

impl<E: Error + 'static> Error for PolicyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.failed {
            Failed::Refused(Refusal::RateLimit(limited)) => Some(limited),
            Failed::Refused(Refusal::Bulkhead(full)) => Some(full),
            Failed::Refused(Refusal::Breaker(rejected)) => Some(rejected),
            Failed::Refused(refusal) => Some(refusal),
            Failed::TimedOut(late) => Some(late),
            Failed::Inner(error) => Some(error),
        }
    }
}
