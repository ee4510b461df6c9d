//! A client-side rate limit: governor's token bucket behind this crate's clocks, refusals and settings.
//!
//! The refusal is in every build, the limit itself needs the feature `rate-limit`. It has no protocol of its own: the
//! word and its exchange are governor's.

#[cfg(feature = "rate-limit")]
mod bucket;
mod limited;

#[cfg(feature = "rate-limit")]
pub use self::bucket::{RateLimit, RateLimitBuilder};
pub use self::limited::RateLimited;
