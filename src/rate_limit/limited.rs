//! The refusal.

use core::fmt;
use core::time::Duration;
use std::error::Error;

/// Returned when a rate limit has not enough tokens for a call.
///
/// ```
/// # #[cfg(feature = "rate-limit")] {
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, RateLimit};
///
/// let clock = ManualClock::new();
/// let limit = RateLimit::per_second(10).burst(2).clock(clock).build().expect("a sound setting");
/// assert!(limit.try_acquire_many(2).is_ok());
/// let limited = limit.try_acquire().unwrap_err();
/// assert_eq!(limited.retry_after(), Some(Duration::from_millis(100)));
/// let limited = limit.try_acquire_many(3).unwrap_err();
/// assert_eq!(limited.retry_after(), None); // never more than two at once
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited {
    wait: Option<Duration>,
}

impl RateLimited {
    #[cfg(feature = "rate-limit")]
    pub(super) const fn until(wait: Option<Duration>) -> Self {
        RateLimited { wait }
    }

    /// How long until there are enough tokens, if nobody else takes them.
    ///
    /// `None` if there never are: the call asked for more at once than the burst.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.wait
    }
}

impl fmt::Display for RateLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wait {
            Some(wait) => write!(f, "rate limit is reached, retry after {wait:?}"),
            None => f.write_str("rate limit never allows so much at once"),
        }
    }
}

impl Error for RateLimited {}
