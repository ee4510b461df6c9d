//! The layers that let a call in or refuse it: the rate limit, the bulkhead.

use core::time::Duration;
use std::sync::Arc;

use super::{Off, Present, Slot};
use crate::bulkhead::{Bulkhead, BulkheadFull, BulkheadPermit};
use crate::clock::Clock;
use crate::deadline::Deadline;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimit;
use crate::rate_limit::RateLimited;

// ===== the rate limit =====

/// What may be a policy's rate limit: a `RateLimit`, by value, by reference or in an [`Arc`].
pub trait RateLimitLayer: Slot {
    /// Takes a token.
    #[doc(hidden)]
    fn admit(&self) -> Result<(), RateLimited>;
}

impl RateLimitLayer for Off {
    #[inline]
    fn admit(&self) -> Result<(), RateLimited> {
        Ok(())
    }
}

#[cfg(feature = "rate-limit")]
impl<C: Clock> Slot for RateLimit<C> {}
#[cfg(feature = "rate-limit")]
impl<C: Clock> Present for RateLimit<C> {}
#[cfg(feature = "rate-limit")]
impl<C: Clock> RateLimitLayer for RateLimit<C> {
    #[inline]
    fn admit(&self) -> Result<(), RateLimited> {
        self.try_acquire()
    }
}

impl<L: RateLimitLayer> RateLimitLayer for Arc<L> {
    #[inline]
    fn admit(&self) -> Result<(), RateLimited> {
        (**self).admit()
    }
}

impl<L: RateLimitLayer> RateLimitLayer for &L {
    #[inline]
    fn admit(&self) -> Result<(), RateLimited> {
        (**self).admit()
    }
}

// ===== the bulkhead =====

/// What may be a policy's bulkhead: a [`Bulkhead`], by value, by reference or in an [`Arc`]; or one with a queue.
pub trait BulkheadLayer: Slot {
    /// What is held during the attempt.
    #[doc(hidden)]
    type Place<'a>
    where
        Self: 'a;

    /// How long a caller may wait for a place.
    #[doc(hidden)]
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Takes a place.
    #[doc(hidden)]
    fn enter<C: Clock>(&self, deadline: &Deadline<C>) -> Result<Self::Place<'_>, BulkheadFull>;
}

impl BulkheadLayer for Off {
    type Place<'a> = ();

    #[inline]
    fn enter<C: Clock>(&self, _: &Deadline<C>) -> Result<(), BulkheadFull> {
        Ok(())
    }
}

impl Slot for Bulkhead {}
impl Present for Bulkhead {}
impl BulkheadLayer for Bulkhead {
    type Place<'a> = BulkheadPermit<'a>;

    #[inline]
    fn enter<C: Clock>(&self, _: &Deadline<C>) -> Result<BulkheadPermit<'_>, BulkheadFull> {
        self.try_acquire()
    }
}

impl<B: BulkheadLayer> BulkheadLayer for Arc<B> {
    type Place<'a>
        = B::Place<'a>
    where
        B: 'a;

    #[inline]
    fn enter<C: Clock>(&self, deadline: &Deadline<C>) -> Result<B::Place<'_>, BulkheadFull> {
        (**self).enter(deadline)
    }
}

impl<'b, B: BulkheadLayer> BulkheadLayer for &'b B {
    type Place<'a>
        = B::Place<'a>
    where
        &'b B: 'a;

    #[inline]
    fn enter<C: Clock>(&self, deadline: &Deadline<C>) -> Result<B::Place<'_>, BulkheadFull> {
        (**self).enter(deadline)
    }
}

/// A bulkhead in whose queue a policy's calls wait, for some time and never past their deadline.
#[derive(Clone, Debug)]
pub struct Waiting<B> {
    bulkhead: B,
    most: Duration,
}

impl<B> Waiting<B> {
    pub(in crate::policy) const fn new(bulkhead: B, most: Duration) -> Self {
        Waiting { bulkhead, most }
    }
}

impl<B> Slot for Waiting<B> {}
impl<B> Present for Waiting<B> {}
impl<B: core::borrow::Borrow<Bulkhead>> BulkheadLayer for Waiting<B> {
    type Place<'a>
        = BulkheadPermit<'a>
    where
        B: 'a;

    fn patience(&self) -> Option<Duration> {
        Some(self.most)
    }

    #[inline]
    fn enter<C: Clock>(&self, deadline: &Deadline<C>) -> Result<BulkheadPermit<'_>, BulkheadFull> {
        self.bulkhead.borrow().acquire_timeout(deadline.remaining_or(self.most))
    }
}
