//! The integration tests: one binary, a module a concern.

mod crew;
mod drive;
mod inputs;
mod properties;
mod strategies;
mod subject;
mod vectors;
