//! Settings as data: what a file, a template or an override says about each breaker, bulkhead and rate limit.
//!
//! Every setting is optional: what an entry leaves out its template gives, and what that leaves out the default gives.
//! The [registry](crate::Registry) turns entries into primitives; the allowed values are checked here before anything is
//! used, by the same code that checks a builder's in `build`.
//!
//! # In code
//!
//! ```
//! use core::time::Duration;
//! use failfast::config::{BreakerConfig, Config};
//! use failfast::Window;
//!
//! let entry = BreakerConfig::default();
//! let config = Config::default()
//!     .with_template("critical", entry.clone().window(Window::count(50)).consecutive_failures(5))
//!     .with_breaker("payment", entry.clone().template("critical").slow_call(Duration::from_secs(2), 0.8))
//!     .with_breaker("search", entry.failure_rate(0.3))
//!     .with_bulkhead("payment", 10);
//! config.validate()?;
//! let payment = config.breaker("payment")?.to_builder().name("payment").build()?;
//! # assert_eq!(payment.name(), "payment");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In a file
//!
//! `Config::load` reads a file in any of three formats, each behind the feature of its name; `Config::from_toml`,
//! `Config::from_json` and `Config::from_yaml` read a text. They return settings that have been checked. A file or text
//! has at most 256 KiB: eight hundred breakers with every setting of their own, several thousand that share templates.
//! This is `circuits.toml`:
//!
//! ```toml
#![doc = include_str!("circuits.toml")]
//! ```
//!
//! The same as `circuits.json`:
//!
//! ```json
#![doc = include_str!("circuits.json")]
//! ```
//!
//! And as `circuits.yaml`:
//!
//! ```yaml
#![doc = include_str!("circuits.yaml")]
//! ```
//!
//! ```
//! # use core::time::Duration;
//! use failfast::config::{BreakerConfig, Config, Rule};
//! use failfast::{HalfOpen, OpenWait, Window};
//!
//! # let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config"));
//! let config = Config::load(folder.join("circuits.toml"))?;
//! assert_eq!(config, Config::load(folder.join("circuits.json"))?);
//! assert_eq!(config, Config::load(folder.join("circuits.yaml"))?);
//!
//! let inventory = config.breaker("inventory")?;
//! assert_eq!(inventory.window, Some(Window::count(200))); // its own
//! assert_eq!(inventory.failure_rate, Some(Rule::At(0.2))); // critical's
//! assert_eq!(inventory.min_calls, Some(20)); // default's
//! # Ok::<(), failfast::config::InvalidConfig>(())
//! ```
//!
//! # The keys
//!
//! The file has four tables: `templates` and `breakers` (settings of a breaker, by name), `bulkheads` and `rate_limits`. A
//! key that is not listed here is refused, one that is given has a value, and none is given twice.
//!
//! | key of a breaker or template | value | default |
//! |---|---|---|
//! | `template` | the name of a template, which may name another; `default` names none | `"default"` |
//! | `window` | `{ count = n }`, the last 1 to 1,048,576 calls | `{ count = 100 }` |
//! | | `{ time = t, buckets = n }`, the last 1 ns to 366 days, in 1 to 1,024 buckets (10 if left out) | |
//! | | `{ consecutive = n }`, only the run of failures, which trips at 1 to 4,294,967,295 | |
//! | `failure_rate` | the share of calls that trips, above 0 to 1, or `"off"` | `0.5`; with `{ consecutive = n }` none, unless half-open judges by it |
//! | `failure_count` | the number of failures that trips, 1 to 4,294,967,295, or `"off"` | `"off"` |
//! | `consecutive_failures` | the run of failures that trips, 1 to 4,294,967,295, or `"off"` | `"off"` |
//! | `slow_call` | `{ limit = t, rate = r }`: slow above 1 ns to 366 days, trips at a share above 0 to 1; or `"off"` | `"off"` |
//! | `min_calls` | calls below which no rate trips, 1 to 4,294,967,295 | `20` |
//! | `open_wait` | a time of 1 ns to 366 days, or `{ fixed = t, jitter = r }` | `"30s"` |
//! | | `{ initial = t, factor = f, max = t, jitter = r }`: a factor from 1; the max from the initial wait to 366 days | |
//! | | `jitter` is a share of 0 to below 1, 0 if left out | |
//! | `half_open` | `{ probes = n }` or `{ rate = n }`, 1 to 1,000 | `{ probes = 3 }` |
//! | `probe_timeout` | a time of 1 ns to 366 days | `"60s"` |
//! | `stripes` | threads with words of their own, 1 to 1,024 | by the machine |
//! | `totals` | whether it counts what it does, `true` or `false` | `true` |
//!
//! | key of a bulkhead | value | default |
//! |---|---|---|
//! | `max_concurrent` | calls at once, 1 to 1,048,576 | must be given |
//!
//! | key of a rate limit | value | default |
//! |---|---|---|
//! | `calls` | calls in each period, 1 to as many as it has microseconds | must be given |
//! | `per` | the period, 1 µs to 366 days | must be given |
//! | `burst` | calls at once after a pause, 1 to as many as come back in 3,660 days | as many as `calls` |
//!
//! Times are text: numbers with the units `d`, `h`, `m`, `s`, `ms`, `us` and `ns`, larger before smaller, as in `"30s"`,
//! `"1m 30s"` and `"1.5s"`. A number without a unit is refused.
//!
//! # What is refused, and how
//!
//! An [`InvalidConfig`] has the file, the line, the key, the value given and the values allowed. The key is where the
//! value stands, which may be a template's.
//!
//! ```
//! # use failfast::config::Config;
//! # let path = std::env::temp_dir().join(format!("failfast-docs-{}", std::process::id())).join("circuits.toml");
//! # std::fs::create_dir_all(path.parent().unwrap()).unwrap();
//! # let load = |text: &str| {
//! #     std::fs::write(&path, text).unwrap();
//! #     let error = Config::load(&path).unwrap_err().to_string();
//! #     error.replace(&path.display().to_string(), "circuits.toml")
//! # };
//! # let text = "[breakers.payment]\nfailure_rate = 50";
//! assert_eq!(load(text), "circuits.toml:2: breakers.payment.failure_rate: given 50, allowed is \
//!     a rate above 0 to 1, at least one part in a million");
//! # let text = "[breakers.payment]\nfailure_rate = \"high\"";
//! assert_eq!(load(text), "circuits.toml:2: breakers.payment.failure_rate: given \"high\", allowed is \
//!     a rate above 0 to 1, or \"off\"");
//! # let text = "[breakers.payment]\nopen_wait = 30";
//! assert_eq!(load(text), "circuits.toml:2: breakers.payment.open_wait: given 30, allowed is \
//!     one of \"30s\", { fixed = \"30s\", jitter = 0.1 } and \
//!     { initial = \"1s\", factor = 2.0, max = \"1m\", jitter = 0.1 }");
//! # let text = "[breakers.payment]\nprobe_timeout = \"-5s\"";
//! assert_eq!(load(text), "circuits.toml:2: breakers.payment.probe_timeout: given \"-5s\", allowed is \
//!     a time with its unit (d, h, m, s, ms, us, ns), such as \"250ms\", \"30s\" or \"1m 30s\"");
//! # let text = "[breakers.payment]\nslow_call = { limit = \"400d\", rate = 1 }";
//! assert_eq!(load(text), "circuits.toml:2: breakers.payment.slow_call.limit: given \"400d\", allowed is \
//!     1 ns to 366 days");
//! # let text = "[bulkheads.payment]\nmax_concurent = 10";
//! assert_eq!(load(text), "circuits.toml:2: bulkheads.payment.max_concurent: given an unknown key, allowed is \
//!     one of max_concurrent");
//! # let text = "[rate_limits.search]\nper = \"1s\"";
//! assert_eq!(load(text), "circuits.toml:1: rate_limits.search.calls: given nothing, allowed is \
//!     a whole number from 1 to 4294967295");
//! # let text = "[breakers.payment]\ntemplate = \"critical\"";
//! assert_eq!(load(text), "circuits.toml:2: breakers.payment.template: given \"critical\", allowed is \
//!     one of \"default\"");
//! # let text = "[templates.default]\nfailure_count = 50\n[breakers.payment]\nwindow = { count = 10 }";
//! assert_eq!(load(text), "circuits.toml:2: templates.default.failure_count: given 50, allowed is \
//!     at most the size of the count window (in breakers.payment)");
//! # let text = "[breakers.payment]\nfailure_rate = 0.5.5";
//! assert_eq!(load(text), "circuits.toml:2: given \"failure_rate = 0.5.5\", allowed is \
//!     well-formed TOML (invalid float, expected nothing)");
//! # std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
//! let error = Config::load("circuits.xml").unwrap_err().to_string();
//! assert_eq!(error, "circuits.xml: given the extension \"xml\", allowed is one of .toml, .json, .yaml and .yml");
//! ```
//!
//! # With serde
//!
//! The feature `serde` alone has `Deserialize` and `Serialize` for [`Config`] and its parts, in the form of the file: to
//! have it as a part of a larger one, say, or to read more than 256 KiB. What is read so has not been checked: call
//! [`Config::validate`].

use std::collections::BTreeMap;

mod chain;
mod entry;
mod error;
mod file;
#[cfg(feature = "serde")]
mod form;
mod resolve;
pub(crate) mod time;

pub(crate) use self::chain::Resolver;
pub use self::entry::{BreakerConfig, BulkheadConfig, RateLimitConfig, Rule, SlowCall};
pub use self::error::InvalidConfig;

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
