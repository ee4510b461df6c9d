//! The one place that names atomics.
//!
//! Every other file takes them from here, so that the models in `loom-tests` see all of them: there a module of the
//! same name puts loom's atomics behind the same face.

use core::sync::atomic as core_atomic;

pub(crate) use core_atomic::Ordering;

/// A word that holds a `u64`.
pub(crate) type AtomicU64 = atomic::Atomic<u64>;

/// A fence. Each names its edge; a `SeqCst` one the two words that it keeps apart.
#[inline]
pub(crate) fn fence(order: Ordering) {
    core_atomic::fence(order);
}
