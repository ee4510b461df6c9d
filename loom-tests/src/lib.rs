//! Models of the library's races, checked by loom under every schedule within the bounds.
//!
//! The library's sources are included by path, beside a `sync` module of the same face with loom's atomics: neither
//! the library's manifest nor its sources know of loom. The models are in `models`, one file a subject; the runner
//! prints how many executions each took. See the README for the bounds and for what each ordering is there for.

#![forbid(unsafe_code)]
#![allow(dead_code, unused_imports, unexpected_cfgs)] // Of the library's sources, the models need the engine only.

#[path = "../../src/bits.rs"]
mod bits;
mod breaker;
mod budget;
mod bulkhead;
mod clock;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/event.rs"]
mod event;
#[path = "../../src/outcome.rs"]
mod outcome;
#[path = "../../src/phase.rs"]
mod phase;
mod pool;
mod registry;
#[path = "../../src/seats.rs"]
mod seats;
#[path = "../../src/totals/mod.rs"]
mod totals;
#[path = "../../src/window/mod.rs"]
mod window;

mod sync;

mod models;
mod orders;
mod race;
mod runner;

pub use runner::run;
