//! The face of the library's `sync` module, with shuttle's atomics behind it.
//!
//! Shuttle runs one thread at a time and switches at every access: all orderings are sequentially consistent, and a fence
//! has nothing left to do. What a weaker ordering would allow is loom's business.

pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
// For those who change settings.
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

pub(crate) fn fence(_: Ordering) {}

// Clippy looks at the unit tests of the included sources too; they count accesses.
#[cfg(test)]
#[path = "../../../src/sync.rs"]
mod counting;
#[cfg(test)]
pub(crate) use counting::tally;
