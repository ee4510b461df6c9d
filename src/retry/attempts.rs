//! The attempts, one after the other.

use core::fmt;
use core::time::Duration;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::builder::RetryBuilder;
use super::stop::{RetryError, RetryStop};
use super::waits::{Backoff, Draws};
use super::Again;
use crate::budget::RetryBudget;
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::sleep::{Sleep, ThreadSleep};

/// Makes a call again when it has failed: a few times, ever later, and never past the deadline.
///
/// ```
/// use core::time::Duration;
/// use std::sync::Arc;
/// use failfast::{Again, Deadline, Retry, RetryBudget};
/// # fn ask(attempt: u32) -> Result<&'static str, &'static str> {
/// #     if attempt < 3 { Err("connection refused") } else { Ok("in stock") }
/// # }
///
/// // Shared by all callers of the inventory, so that an outage is met with a tenth more calls, not with three times as many.
/// let budget = Arc::new(RetryBudget::new(0.1, 20)?);
/// let retry = Retry::builder()
///     .attempts(4)
///     .initial(Duration::from_millis(20))
///     .max_delay(Duration::from_millis(500))
///     .budget(budget)
/// #   .sleeper(|_| ())
///     .build()?;
///
/// let mut attempt = 0;
/// let answer = retry.call(
///     &Deadline::after(Duration::from_secs(2)),
///     |error| if *error == "no such item" { Again::No } else { Again::Yes },
///     |_deadline| {
///         attempt += 1;
///         ask(attempt) // a real one gives its socket what is left of the deadline
///     },
/// );
/// assert_eq!((answer, attempt), (Ok("in stock"), 3));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # The wait between two attempts
///
/// Before retry `n` the delay is `initial * factor^(n - 1)`, but at most `max_delay`; the [`Jitter`](super::Jitter)
/// draws the wait from around it, and never more than `max_delay`. Where the error says when to come back
/// ([`Again::After`]), the wait is at least that, which alone may be longer than `max_delay`.
///
/// # When it stops
///
/// A failed attempt is the last one if, in this order: its error is not retryable; it was the last that is allowed; the
/// wait and an attempt of `min_attempt` would not end in time; the budget is spent. So a budget pays for retries only that
/// are otherwise sure to be made.
pub struct Retry<S = ThreadSleep> {
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) total_time: Option<Duration>,
    /// At least a nanosecond: an attempt that begins at the end can't finish before it.
    pub(super) min_attempt: Duration,
    pub(super) budget: Option<Arc<RetryBudget>>,
    pub(super) draws: Draws,
    pub(super) sleeper: S,
}

impl Retry {
    /// Begins with 3 attempts, 100 ms before the second, doubled up to 10 s, full jitter, and no limit to the total time.
    pub fn builder() -> RetryBuilder {
        RetryBuilder::new()
    }
}

impl<S: Sleep> Retry<S> {
    /// Makes attempts until one succeeds, an error is not worth another, or something has run out.
    ///
    /// Each attempt is given the deadline, or the end of the total time where that is nearer. It may look at it to give
    /// itself a timeout; nothing interrupts it. `classify` sees every error of an attempt.
    ///
    /// # Errors
    ///
    /// A [`RetryError`] with the last attempt's error. If there was no time for a first attempt, none was made: then there
    /// is no error of an attempt.
    ///
    /// # Panics
    ///
    /// Never by itself; a panic of the closures or of the sleeper passes through, and nothing is held meanwhile.
    ///
    /// # Progress
    ///
    /// Blocks between attempts, by the sleeper, and for as long as the attempts do. Its own steps are wait-free: the clock,
    /// the budget, and where there is a seed one addition for a call that is retried. Allocates nothing.
    ///
    /// # Memory ordering
    ///
    /// None: attempts are made by the caller's thread, one after the other.
    #[inline]
    pub fn call<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        classify: impl FnMut(&E) -> Again,
        mut attempt: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, RetryError<E>> {
        let nearer;
        let (end, too_late) = match self.total_time {
            Some(total) if deadline.remaining().is_none_or(|left| total < left) => {
                nearer = deadline.within(total);
                (&nearer, RetryStop::TotalTime)
            }
            _ => (deadline, RetryStop::Deadline),
        };
        if !self.fits(end, Duration::ZERO) {
            return Err(RetryError::new(None, 0, too_late));
        }
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
        match attempt(end) {
            Ok(value) => Ok(value),
            Err(error) => self.call_again(error, end, too_late, classify, attempt),
        }
    }

    /// What comes after the first attempt has failed.
    #[cold]
    fn call_again<T, E, C: Clock>(
        &self,
        mut error: E,
        end: &Deadline<C>,
        too_late: RetryStop,
        mut classify: impl FnMut(&E) -> Again,
        mut attempt: impl FnMut(&Deadline<C>) -> Result<T, E>,
    ) -> Result<T, RetryError<E>> {
        let mut waits = self.backoff.waits(&self.draws);
        let mut made = 1;
        let stopped = loop {
            let floor = match classify(&error) {
                Again::Yes => Duration::ZERO,
                Again::After(floor) => floor,
                Again::No => break RetryStop::NotRetryable,
            };
            if made >= self.attempts {
                break RetryStop::Attempts;
            }
            let wait = waits.next_wait().max(floor);
            if !self.fits(end, wait) {
                break too_late;
            }
            if self.budget.as_ref().is_some_and(|budget| !budget.try_withdraw()) {
                break RetryStop::Budget;
            }
            if !wait.is_zero() {
                self.sleeper.sleep(wait);
                // Sleepers sleep longer than they are asked to.
                if !self.fits(end, Duration::ZERO) {
                    break too_late;
                }
            }
            made += 1;
            match attempt(end) {
                Ok(value) => return Ok(value),
                Err(next) => error = next,
            }
        };
        Err(RetryError::new(Some(error), made, stopped))
    }

    /// Whether an attempt that begins after such a wait can finish.
    #[inline]
    fn fits<C: Clock>(&self, end: &Deadline<C>, wait: Duration) -> bool {
        let Some(left) = end.remaining() else {
            return true;
        };
        left.checked_sub(wait).is_some_and(|left| left >= self.min_attempt)
    }
}

// Its words are changed in one step each: no panic can leave anything half done.
impl<S> UnwindSafe for Retry<S> {}
impl<S> RefUnwindSafe for Retry<S> {}

impl<S> fmt::Debug for Retry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("backoff", &self.backoff)
            .field("total_time", &self.total_time)
            .field("min_attempt", &self.min_attempt)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
