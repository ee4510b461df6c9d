//! The timeout's layer: the end of an attempt, and the judgement of what came after it.

use core::time::Duration;

use super::{Off, Present, Slot};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::fallback::{Failed, TimedOut};
use crate::outcome::Outcome;

/// What may be a policy's timeout: a [`Timeout`].
pub trait TimeoutLayer: Slot {
    /// How long an attempt may take.
    #[doc(hidden)]
    fn limit(&self) -> Option<Duration>;

    /// Makes the call in time, or says that it was late; and what it says about the dependency.
    #[doc(hidden)]
    fn bound<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
        call: impl FnOnce(&Deadline<C>) -> Result<T, E>,
    ) -> (Result<T, Failed<E>>, Outcome);
}

#[inline]
fn judged<T, E>(
    result: Result<T, E>,
    classify: impl FnOnce(&Result<T, E>) -> Outcome,
) -> (Result<T, Failed<E>>, Outcome) {
    let outcome = classify(&result);
    (result.map_err(Failed::Inner), outcome)
}

impl TimeoutLayer for Off {
    fn limit(&self) -> Option<Duration> {
        None
    }

    #[inline]
    fn bound<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
        call: impl FnOnce(&Deadline<C>) -> Result<T, E>,
    ) -> (Result<T, Failed<E>>, Outcome) {
        judged(call(deadline), classify)
    }
}

/// The time that an attempt may take; shorter where the call's deadline is nearer.
#[derive(Clone, Copy, Debug)]
pub struct Timeout(pub(in crate::policy) Duration);

impl Slot for Timeout {}
impl Present for Timeout {}
impl TimeoutLayer for Timeout {
    fn limit(&self) -> Option<Duration> {
        Some(self.0)
    }

    #[inline]
    fn bound<T, E, C: Clock + Clone>(
        &self,
        deadline: &Deadline<C>,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
        call: impl FnOnce(&Deadline<C>) -> Result<T, E>,
    ) -> (Result<T, Failed<E>>, Outcome) {
        if deadline.is_over() {
            return (Err(Failed::TimedOut(TimedOut::NOT_BEGUN)), Outcome::Ignored);
        }
        let end = deadline.within(self.0);
        let result = call(&end);
        if !end.is_over() {
            return judged(result, classify);
        }
        // An error that says nothing about the dependency says no more for being late: the refusal of a layer within is no
        // failure.
        if result.is_err() && classify(&result) == Outcome::Ignored {
            return (result.map_err(Failed::Inner), Outcome::Ignored);
        }
        (Err(Failed::TimedOut(TimedOut::BEGUN)), Outcome::Failure)
    }
}
