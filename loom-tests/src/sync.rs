//! The face of the library's `sync` module, with loom's atomics behind it.

pub(crate) use loom::sync::atomic::{fence, AtomicU64, Ordering};
