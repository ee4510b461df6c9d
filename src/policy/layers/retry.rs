//! The retry's layer: which failures are worth another attempt.

use std::sync::Arc;

use super::{Attempt, Off, Slot, Times};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::policy::error::PolicyError;

/// What may be a policy's retry: a `Retry`, by value, by reference or in an [`Arc`].
pub trait RetryLayer: Slot {
    #[doc(hidden)]
    fn times(&self) -> Times;

    /// Makes attempts until one gives a value or there is no further one.
    #[doc(hidden)]
    fn repeat<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        attempt: impl FnMut(&Deadline<C>) -> Result<T, Attempt<E>>,
    ) -> Result<T, PolicyError<E>>;
}

impl RetryLayer for Off {
    fn times(&self) -> Times {
        Times::default()
    }

    #[inline]
    fn repeat<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        mut attempt: impl FnMut(&Deadline<C>) -> Result<T, Attempt<E>>,
    ) -> Result<T, PolicyError<E>> {
        attempt(deadline).map_err(|attempt| PolicyError::new(attempt.failed, 1, None))
    }
}

#[cfg(feature = "retry")]
mod repeated {
    use crate::error::Rejected;
    use crate::fallback::{Failed, Refusal, TimedOut};
    use crate::outcome::Outcome;
    use crate::phase::State;
    use crate::policy::layers::Present;
    use crate::retry::{Again, Retry};
    use crate::sleep::Sleep;

    use super::*;

    impl<S> Slot for Retry<S> {}
    impl<S> Present for Retry<S> {}
    impl<S: Sleep> RetryLayer for Retry<S> {
        fn times(&self) -> Times {
            Times { total: self.total_time(), least: Some(self.min_attempt()) }
        }

        #[inline]
        fn repeat<T, E, C: Clock + Clone>(
            &self,
            deadline: &Deadline<C>,
            attempt: impl FnMut(&Deadline<C>) -> Result<T, Attempt<E>>,
        ) -> Result<T, PolicyError<E>> {
            self.call(deadline, Attempt::again, attempt).map_err(|error| {
                let (attempts, stopped) = (error.attempts(), Some(error.stopped()));
                let failed = match error.into_inner() {
                    Some(attempt) => attempt.failed,
                    None => Failed::TimedOut(TimedOut::NOT_BEGUN),
                };
                PolicyError::new(failed, attempts, stopped)
            })
        }
    }

    impl<E> Attempt<E> {
        fn again(&self) -> Again {
            match &self.failed {
                Failed::Refused(refusal) => match refusal.retry_after() {
                    Some(wait) => Again::After(wait),
                    None if is_for_good(refusal) => Again::No,
                    None => Again::Yes,
                },
                Failed::TimedOut(late) if !late.has_begun() => Again::No,
                // What says nothing against the dependency is the caller's to change.
                _ if self.outcome != Outcome::Failure => Again::No,
                _ => Again::Yes,
            }
        }
    }

    /// Whether only another call than this one can change what was refused.
    fn is_for_good(refusal: &Refusal) -> bool {
        match refusal {
            Refusal::Breaker(rejected) => Rejected::state(rejected) == State::ForcedOpen,
            Refusal::Bulkhead(_) => false,
            Refusal::RateLimit(_) | Refusal::Inside | Refusal::ShutDown => true,
        }
    }
}

impl<L: RetryLayer> RetryLayer for Arc<L> {
    fn times(&self) -> Times {
        (**self).times()
    }

    #[inline]
    fn repeat<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        attempt: impl FnMut(&Deadline<C>) -> Result<T, Attempt<E>>,
    ) -> Result<T, PolicyError<E>> {
        (**self).repeat(deadline, attempt)
    }
}

impl<L: RetryLayer> RetryLayer for &L {
    fn times(&self) -> Times {
        (**self).times()
    }

    #[inline]
    fn repeat<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        attempt: impl FnMut(&Deadline<C>) -> Result<T, Attempt<E>>,
    ) -> Result<T, PolicyError<E>> {
        (**self).repeat(deadline, attempt)
    }
}
