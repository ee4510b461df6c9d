//! Settings as data: what a file, a template or an override says about each breaker, bulkhead and rate limit.
//!
//! Every setting is optional: what an entry leaves out its template gives, and what that leaves out the default gives.
//! The [registry](crate::Registry) turns entries into primitives; the allowed values are checked here before anything is
//! used, by the same code that checks a builder's in `build`.

use std::collections::BTreeMap;

mod entry;
mod error;
mod file;
#[cfg(feature = "serde")]
mod form;
mod resolve;
pub(crate) mod time;

pub use self::entry::{BreakerConfig, BulkheadConfig, RateLimitConfig, Rule, SlowCall};
pub use self::error::FileError;

/// What a registry is told: templates and the named primitives.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        default,
        deny_unknown_fields,
        expecting = "a table of templates, breakers, bulkheads and rate_limits"
    )
)]
#[non_exhaustive]
pub struct Config {
    /// Settings that breakers share, by name; the one named `default` is everybody's.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "BTreeMap::is_empty"))]
    pub templates: BTreeMap<String, BreakerConfig>,
    /// Breakers by name.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "BTreeMap::is_empty"))]
    pub breakers: BTreeMap<String, BreakerConfig>,
    /// Bulkheads by name.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "BTreeMap::is_empty"))]
    pub bulkheads: BTreeMap<String, BulkheadConfig>,
    /// Rate limits by name.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "BTreeMap::is_empty"))]
    pub rate_limits: BTreeMap<String, RateLimitConfig>,
}

impl Config {
    /// With this template, in the place of another of its name.
    #[must_use]
    pub fn with_template(mut self, name: impl Into<String>, template: BreakerConfig) -> Self {
        self.templates.insert(name.into(), template);
        self
    }

    /// With this breaker, in the place of another of its name.
    #[must_use]
    pub fn with_breaker(mut self, name: impl Into<String>, breaker: BreakerConfig) -> Self {
        self.breakers.insert(name.into(), breaker);
        self
    }

    /// With a bulkhead of so many places, in the place of another of its name.
    #[must_use]
    pub fn with_bulkhead(mut self, name: impl Into<String>, max_concurrent: u32) -> Self {
        self.bulkheads.insert(name.into(), BulkheadConfig { max_concurrent });
        self
    }

    /// With this rate limit, in the place of another of its name.
    #[must_use]
    pub fn with_rate_limit(mut self, name: impl Into<String>, limit: RateLimitConfig) -> Self {
        self.rate_limits.insert(name.into(), limit);
        self
    }
}
