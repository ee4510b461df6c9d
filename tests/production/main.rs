//! What runs a breaker in production, through the public API only: configuration, metrics, events.

#[cfg(all(feature = "toml", feature = "json", feature = "yaml"))]
mod config;
mod exposition;
mod prometheus;
mod tracing;
