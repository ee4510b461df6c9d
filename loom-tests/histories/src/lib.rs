//! Whole histories of calls to a breaker, and a check of each against the oracle.
//!
//! A [`plan`] says which thread calls what; [`run`] does it and writes down every answer, as a [`history`]; the
//! [`checker`] looks for an order of all calls that respects happens-before and in which the oracle, one call after the
//! other, gives every answer. Histories are made by real threads (in `tests`) and by [`schedules`] of shuttle's. See the
//! README.

#![forbid(unsafe_code)]
// The library's sources have parts that no schedule needs, and features that are its own business.
#![allow(dead_code, unused_imports, unexpected_cfgs)]

pub mod checker;
pub mod generations;
pub mod history;
pub mod plan;
pub mod run;
pub mod schedules;
pub mod subject;

// ===== the library's sources, on shuttle's atomics =====

#[path = "../../../src/bits.rs"]
mod bits;
#[path = "../../../src/breaker/mod.rs"]
mod breaker;
mod clock;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/event.rs"]
mod event;
#[path = "../../../src/metrics.rs"]
mod metrics;
#[path = "../../../src/outcome.rs"]
mod outcome;
#[path = "../../../src/phase.rs"]
mod phase;
#[cfg(test)]
#[path = "../../../src/seats.rs"]
mod seats;
mod sync;
mod threads;
#[path = "../../../src/totals/mod.rs"]
mod totals;
#[path = "../../../src/trace.rs"]
mod trace;
#[path = "../../../src/window/mod.rs"]
mod window;

// Under the names that the sources and the checker's macros know.
use breaker::{CircuitBreaker, HalfOpen, OpenWait, Permit, Window};
use event::{Transition, TransitionCause};
use outcome::{Outcome, Recorded};
use phase::State;
