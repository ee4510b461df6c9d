//! The design, in pages: what the crate promises, how it keeps it, and how that is shown.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("orderings.md")]
pub mod orderings {}

#[doc = include_str!("progress.md")]
pub mod progress {}

#[doc = include_str!("proof.md")]
pub mod proof {}

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("patterns.md")]
pub mod patterns {}

#[doc = include_str!("operations.md")]
pub mod operations {}
