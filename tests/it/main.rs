//! The breaker through its public API only: one binary, on the manual clock, without a single sleep.

mod control;
mod pins;
mod scenario;
mod settings;
mod story;
mod threads;
