//! Why there was no further attempt.

use core::fmt;
use std::error::Error;

/// The error of a call that was retried in vain, or not at all: the last attempt's error, and why it was the last.
///
/// ```
/// # #[cfg(feature = "retry")] {
/// use failfast::{Again, Deadline, Retry, RetryStop};
///
/// let retry = Retry::builder().attempts(3).sleeper(|_| ()).build().expect("a sound setting");
/// let failed = retry.call(&Deadline::never(), |_| Again::Yes, |_| Err::<(), _>("no route")).unwrap_err();
/// assert_eq!((failed.attempts(), failed.stopped()), (3, RetryStop::Attempts));
/// assert_eq!(failed.to_string(), "no more attempts after 3: no route");
/// assert_eq!(failed.into_inner(), Some("no route"));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryError<E> {
    error: Option<E>,
    attempts: u32,
    stopped: RetryStop,
}

/// Why there was no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryStop {
    /// The error was classified as one that another attempt would meet again.
    NotRetryable,
    /// Every attempt that was allowed has been made.
    Attempts,
    /// The next attempt would not have ended within the total time.
    TotalTime,
    /// The next attempt would not have ended before the deadline.
    Deadline,
    /// The retry budget that this caller shares with others is spent.
    Budget,
}

impl<E> RetryError<E> {
    #[cfg(feature = "retry")]
    pub(super) const fn new(error: Option<E>, attempts: u32, stopped: RetryStop) -> Self {
        RetryError { error, attempts, stopped }
    }

    /// The last attempt's error; `None` if there was no time for even one.
    pub const fn error(&self) -> Option<&E> {
        self.error.as_ref()
    }

    /// The last attempt's error, by value; `None` if there was no time for even one.
    pub fn into_inner(self) -> Option<E> {
        self.error
    }

    /// How many attempts were made.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Why there was no further one.
    pub const fn stopped(&self) -> RetryStop {
        self.stopped
    }
}

impl fmt::Display for RetryStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RetryStop::NotRetryable => "not worth another attempt",
            RetryStop::Attempts => "no more attempts",
            RetryStop::TotalTime => "no total time for another attempt",
            RetryStop::Deadline => "no time before the deadline for another attempt",
            RetryStop::Budget => "no retry budget",
        })
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {}", self.stopped, self.attempts)?;
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl<E: Error + 'static> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}
