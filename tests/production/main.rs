//! What runs a breaker in production, through the public API only: configuration, and what is built on it.

#[cfg(all(feature = "toml", feature = "json", feature = "yaml"))]
mod config;
