//! What runs a breaker in production, through the public API only: configuration, what is built on it, and what operators
//! see of it.

#[cfg(all(feature = "toml", feature = "json", feature = "yaml"))]
mod config;
#[cfg(feature = "prometheus")]
mod exposition;
#[cfg(feature = "serde")]
mod health;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(all(feature = "rate-limit", feature = "toml"))]
mod registry;
#[cfg(feature = "tracing")]
#[cfg(feature = "tracing")]
mod tracing;
