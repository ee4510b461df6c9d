//! What is promised of memory. In a program of its own, since it counts with the allocator.

mod calls;
#[cfg(all(feature = "toml", feature = "json", feature = "yaml"))]
mod configuration;
