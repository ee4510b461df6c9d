//! Trying again: which errors are worth it, how long to wait, and when to stop.
//!
//! `attempts` makes the attempts, `waits` says how long to wait between two of them, `stop` why there was no further one.
//! Only the last is in every build: the rest needs the feature `retry`, for the delays are those of `backon`.
//! The words that threads share are the budget's, which has its models, and where a seed is given a counter of calls.

use core::time::Duration;

#[cfg(feature = "retry")]
mod attempts;
#[cfg(feature = "retry")]
mod builder;
mod stop;
#[cfg(feature = "retry")]
mod waits;

#[cfg(feature = "retry")]
pub use self::attempts::Retry;
#[cfg(feature = "retry")]
pub use self::builder::{Jitter, RetryBuilder};
pub use self::stop::{RetryError, RetryStop};

/// What an error says about trying again.
///
/// ```
/// use failfast::{Again, CallError};
/// use std::io::ErrorKind;
///
/// /// A refusal of the breaker says when to come back; a name that does not exist won't exist a moment later either.
/// fn worth_it(error: &CallError<std::io::Error>) -> Again {
///     match error {
///         CallError::Rejected(rejected) => rejected.retry_after().map_or(Again::No, Again::After),
///         CallError::Inner(error) if error.kind() == ErrorKind::NotFound => Again::No,
///         CallError::Inner(_) => Again::Yes,
///     }
/// }
/// # assert_eq!(worth_it(&CallError::Inner(ErrorKind::NotFound.into())), Again::No);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Again {
    /// Another attempt may succeed.
    Yes,
    /// The same, but not before so much time has passed: the `retry_after` of a refusal.
    ///
    /// The wait is then never shorter than this, though it be longer than the longest delay.
    After(Duration),
    /// Another attempt would fail just the same.
    No,
}
