//! What stands around the breaker, through the public API only: bulkheads, and their like.
//!
//! Those that put threads to sleep are tested with real time, but never by it: a timeout here is either zero, or far
//! longer than the test.

mod budget;
mod bulkhead;
mod compose;
mod composition;
#[cfg(all(feature = "pool", feature = "rate-limit", feature = "retry"))]
mod drills;
mod fallback;
mod faults;
mod policy;
#[cfg(feature = "pool")]
mod pool;
#[cfg(feature = "rate-limit")]
mod rate_limit;
#[cfg(feature = "retry")]
mod retry;
