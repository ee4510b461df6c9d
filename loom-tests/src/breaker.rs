//! The engine without the breaker's face: that one reads clocks and tells observers, which no model needs.

#[path = "../../src/breaker/cell.rs"]
pub(crate) mod cell;
#[path = "../../src/breaker/engine.rs"]
pub(crate) mod engine;
#[path = "../../src/breaker/limits.rs"]
pub(crate) mod limits;
#[path = "../../src/breaker/reconfigure.rs"]
pub(crate) mod reconfigure;
#[path = "../../src/breaker/rules.rs"]
pub(crate) mod rules;
#[path = "../../src/breaker/state.rs"]
pub(crate) mod state;
