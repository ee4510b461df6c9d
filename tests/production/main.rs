//! What runs a breaker in production, through the public API only: configuration, and what is built on it.

#[cfg(all(feature = "toml", feature = "json", feature = "yaml"))]
mod config;
#[cfg(feature = "serde")]
mod health;
#[cfg(all(feature = "rate-limit", feature = "toml"))]
mod registry;
