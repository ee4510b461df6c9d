//! The layers of a policy, one trait each: what stands in the slot, and what an empty slot is.
//!
//! A slot is a type parameter, so that a layer that is not set is a function that the compiler removes. The traits are
//! sealed: a policy's promises about who is counted and what is given back hold for the layers of this crate only.

use core::time::Duration;
use std::sync::Arc;

mod admission;
mod breaker;
mod retry;
mod timeout;

pub use self::admission::{BulkheadLayer, RateLimitLayer, Waiting};
pub use self::breaker::{Around, BreakerLayer};
pub use self::retry::RetryLayer;
pub use self::timeout::{Timeout, TimeoutLayer};

use crate::fallback::Failed;
use crate::outcome::Outcome;

/// A slot of a [`Policy`](super::Policy) without a layer: no code.
#[derive(Clone, Copy, Debug)]
pub struct Off;

/// A slot with a layer: everything but [`Off`].
pub trait Present: Slot {}

/// What may stand in a slot.
pub trait Slot {
    /// Whether there is a layer.
    #[doc(hidden)]
    const SET: bool = true;
}

impl Slot for Off {
    const SET: bool = false;
}

impl<L: Slot> Slot for Arc<L> {}
impl<L: Slot> Slot for &L {}
impl<L: Present> Present for Arc<L> {}
impl<L: Present> Present for &L {}

/// An attempt that gave no value.
#[doc(hidden)]
#[derive(Debug)]
pub struct Attempt<E> {
    pub(in crate::policy) failed: Failed<E>,
    /// What it says about the dependency.
    #[cfg_attr(not(feature = "retry"), allow(dead_code, reason = "the retry asks"))]
    pub(in crate::policy) outcome: Outcome,
}

/// Times of a retry that other layers must fit.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub(in crate::policy) total: Option<Duration>,
    pub(in crate::policy) least: Option<Duration>,
}
