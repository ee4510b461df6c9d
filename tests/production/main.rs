//! What operators meet: metrics and events.

mod exposition;
mod prometheus;
mod tracing;
