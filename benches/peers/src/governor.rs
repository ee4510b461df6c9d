//! `governor`, for scale: no breaker but a rate limiter, one of the fastest, and its whole work is one exchange.
//!
//! `check` of an unkeyed limiter on its default clock. It has no outcomes, so a failure is to it what a success is.

use core::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::{Failed, Peer};

/// The limiter.
pub struct Governor(DefaultDirectRateLimiter);

impl Governor {
    /// A quota that no bench uses up.
    #[must_use]
    pub fn generous() -> Self {
        Governor(RateLimiter::direct(Quota::per_second(NonZeroU32::MAX)))
    }

    /// One an hour, and that one is taken.
    #[must_use]
    pub fn exhausted() -> Self {
        let limiter = RateLimiter::direct(Quota::per_hour(NonZeroU32::MIN));
        let _first = limiter.check();
        Governor(limiter)
    }
}

impl Peer for Governor {
    #[inline(always)]
    fn guard(&self, _: Result<(), Failed>) -> bool {
        self.0.check().is_ok()
    }
}
