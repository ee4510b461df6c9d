//! Fail-fast primitives for latency-critical synchronous code.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bits;
mod breaker;
pub mod clock;
pub mod docs;
mod error;
mod event;
mod metrics;
mod outcome;
mod phase;
mod seats;
mod sync;
mod threads;
mod window;

#[cfg(feature = "oracle")]
#[doc(hidden)]
pub mod oracle;

pub use breaker::{Builder, CircuitBreaker, HalfOpen, OpenWait, OwnedPermit, Permit, Window};
pub use error::{CallError, ConfigError, Rejected};
pub use event::{Transition, TransitionCause};
pub use metrics::Snapshot;
pub use outcome::{Outcome, Recorded};
pub use phase::State;
