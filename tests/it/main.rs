//! The breaker through its public API only: one binary, on the manual clock, without a single sleep.

mod baseline;
mod control;
mod crew;
mod drive;
mod inputs;
mod ledger;
mod memory;
mod pins;
mod plan;
mod properties;
mod reconfigure;
mod scenario;
mod settings;
mod story;
mod strategies;
mod subject;
mod threads;
mod tidy;
mod totals;
mod vectors;
