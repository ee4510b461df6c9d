//! Why a call through a pool gave no value.

use core::fmt;
use core::time::Duration;
use std::error::Error;

use crate::bulkhead::BulkheadFull;
use crate::error::Rejected;

/// The error of a call through an [`IsolatedPool`](crate::IsolatedPool).
///
/// ```
/// use core::time::Duration;
/// use failfast::{IsolatedPool, PoolError};
///
/// let payment = IsolatedPool::builder().name("payment").threads(2).build()?;
/// match payment.call(Duration::from_secs(1), || Err::<(), _>("card declined")) {
///     Ok(()) => println!("paid"),
///     Err(PoolError::Inner(reason)) => println!("the dependency says: {reason}"),
///     Err(error) if error.has_begun() => println!("nobody knows, ask later: {error}"),
///     Err(error) => println!("nothing has happened: {error}"),
/// }
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolError<E> {
    /// The breaker refused; the call was not made.
    Rejected(Rejected),
    /// As many calls are running and queued as may be; the call was not made. No failure of the dependency.
    Full(BulkheadFull),
    /// No result came in time.
    TimedOut(PoolTimeout),
    /// The caller is one of the pool's own threads, which would wait for itself; the call was not made.
    Inside,
    /// The pool has been shut down; the call was not made.
    ShutDown,
    /// The call was made and failed.
    Inner(E),
}

/// How far a call came that gave no result in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolTimeout {
    has_begun: bool,
}

impl PoolTimeout {
    pub(super) const BEGUN: Self = PoolTimeout { has_begun: true };
    pub(super) const NEVER_RUN: Self = PoolTimeout { has_begun: false };

    /// Whether the call had begun when its time was over: then it may have an effect, or have it yet. Otherwise it never
    /// runs, and is as safe to repeat as one that was refused.
    pub const fn has_begun(&self) -> bool {
        self.has_begun
    }
}

impl<E> PoolError<E> {
    /// Whether the call was begun, so that it may have had an effect.
    pub const fn has_begun(&self) -> bool {
        match self {
            PoolError::Inner(_) => true,
            PoolError::TimedOut(timeout) => timeout.has_begun,
            _ => false,
        }
    }

    /// Whether the time was over before a result came.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, PoolError::TimedOut(_))
    }

    /// Whether there was no place.
    pub const fn is_full(&self) -> bool {
        matches!(self, PoolError::Full(_))
    }

    /// The breaker's refusal, if that is what it was.
    pub const fn rejected(&self) -> Option<&Rejected> {
        match self {
            PoolError::Rejected(rejected) => Some(rejected),
            _ => None,
        }
    }

    /// When to come back, if the breaker knows: see [`Rejected::retry_after`].
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            PoolError::Rejected(rejected) => rejected.retry_after(),
            _ => None,
        }
    }

    /// The call's own error, if it was that.
    pub fn into_inner(self) -> Option<E> {
        match self {
            PoolError::Inner(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> From<Rejected> for PoolError<E> {
    fn from(rejected: Rejected) -> Self {
        PoolError::Rejected(rejected)
    }
}

impl<E> From<BulkheadFull> for PoolError<E> {
    fn from(full: BulkheadFull) -> Self {
        PoolError::Full(full)
    }
}

impl fmt::Display for PoolTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.has_begun {
            true => "call timed out and may still be running",
            false => "call timed out before it began, and never runs",
        })
    }
}

impl<E: fmt::Display> fmt::Display for PoolError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Rejected(rejected) => rejected.fmt(f),
            PoolError::Full(full) => full.fmt(f),
            PoolError::TimedOut(timeout) => timeout.fmt(f),
            PoolError::Inside => f.write_str("pool was called from one of its own threads"),
            PoolError::ShutDown => f.write_str("pool has been shut down"),
            PoolError::Inner(error) => error.fmt(f),
        }
    }
}

impl Error for PoolTimeout {}

impl<E: Error + 'static> Error for PoolError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PoolError::Rejected(rejected) => Some(rejected),
            PoolError::Full(full) => Some(full),
            PoolError::TimedOut(timeout) => Some(timeout),
            PoolError::Inside | PoolError::ShutDown => None,
            PoolError::Inner(error) => Some(error),
        }
    }
}

/// Returned by a [shutdown](crate::IsolatedPool::shutdown) that waited in vain: calls still run. They go on, and the
/// threads end with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRunning {
    pub(super) calls: u32,
}

impl StillRunning {
    /// Calls that had not ended, those among them whose callers have gone.
    pub const fn calls(&self) -> u32 {
        self.calls
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool has been shut down with {} calls still running", self.calls)
    }
}

impl Error for StillRunning {}
