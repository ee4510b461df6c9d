//! What runs a breaker in production, through the public API only: configuration, registry, health, metrics, events.

#[cfg(all(feature = "toml", feature = "json", feature = "yaml"))]
mod config;
mod exposition;
#[cfg(feature = "serde")]
mod health;
mod prometheus;
#[cfg(feature = "rate-limit")]
mod registry;
mod tracing;
