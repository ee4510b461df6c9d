//! Settings as data: what a file, a template or an override says about each breaker, bulkhead and rate limit.
//!
//! Every setting is optional: what an entry leaves out its template gives, and what that leaves out the default gives.
//! The [registry](crate::Registry) turns entries into primitives; the allowed values are checked there, by the same
//! `build` that checks a builder's.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::breaker::{Builder, HalfOpen, OpenWait, Window};
use crate::clock::DefaultClock;

/// What a registry is told: templates and the named primitives.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Settings that breakers share, by name; the one named `default` is everybody's.
    pub templates: BTreeMap<String, BreakerConfig>,
    /// Breakers by name.
    pub breakers: BTreeMap<String, BreakerConfig>,
    /// Bulkheads by name.
    pub bulkheads: BTreeMap<String, BulkheadConfig>,
    /// Rate limits by name.
    pub rate_limits: BTreeMap<String, RateLimitConfig>,
}

/// A breaker's settings, as far as they are given.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// The template that gives what is left out here; `default` where none is named.
    pub template: Option<String>,
    /// As [`Builder::window`].
    pub window: Option<Window>,
    /// As [`Builder::failure_rate`] and [`Builder::no_failure_rate`].
    pub failure_rate: Option<Rule<f64>>,
    /// As [`Builder::failure_count`].
    pub failure_count: Option<Rule<u32>>,
    /// As [`Builder::consecutive_failures`].
    pub consecutive_failures: Option<Rule<u32>>,
    /// As [`Builder::slow_call`].
    pub slow_call: Option<Rule<SlowCall>>,
    /// As [`Builder::min_calls`].
    pub min_calls: Option<u32>,
    /// As [`Builder::open_wait`].
    pub open_wait: Option<OpenWait>,
    /// As [`Builder::half_open`].
    pub half_open: Option<HalfOpen>,
    /// As [`Builder::probe_timeout`].
    pub probe_timeout: Option<Duration>,
    /// As [`Builder::stripes`].
    pub stripes: Option<u32>,
    /// As [`Builder::totals`]; a registry's breakers have them unless this is `Some(false)`.
    pub totals: Option<bool>,
}

/// A rule that an override can switch off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule<T> {
    /// Off, whatever the template says.
    Off,
    /// Reached at this value.
    At(T),
}

/// When a call is slow, and how many may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowCall {
    /// A call is slow if it takes longer.
    pub limit: Duration,
    /// The share of slow calls that trips.
    pub rate: f64,
}

/// A bulkhead's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// Calls that may be under way at once.
    pub max_concurrent: u32,
}

/// A rate limit's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitConfig {
    /// Calls in each period.
    pub calls: u32,
    /// The period.
    pub per: Duration,
    /// Calls at once after a pause; as many as in a period where it is left out.
    pub burst: Option<u32>,
}

impl BreakerConfig {
    /// What is given here, and for the rest what `base` gives.
    #[must_use]
    pub fn over(&self, base: &BreakerConfig) -> BreakerConfig {
        BreakerConfig {
            template: self.template.clone().or_else(|| base.template.clone()),
            window: self.window.or(base.window),
            failure_rate: self.failure_rate.or(base.failure_rate),
            failure_count: self.failure_count.or(base.failure_count),
            consecutive_failures: self.consecutive_failures.or(base.consecutive_failures),
            slow_call: self.slow_call.or(base.slow_call),
            min_calls: self.min_calls.or(base.min_calls),
            open_wait: self.open_wait.or(base.open_wait),
            half_open: self.half_open.or(base.half_open),
            probe_timeout: self.probe_timeout.or(base.probe_timeout),
            stripes: self.stripes.or(base.stripes),
            totals: self.totals.or(base.totals),
        }
    }

    /// A builder with these settings; what is left out has its default there.
    pub fn to_builder(&self) -> Builder<DefaultClock> {
        let mut builder = Builder::new();
        if let Some(window) = self.window {
            builder = builder.window(window);
        }
        builder = match self.failure_rate {
            None => builder,
            Some(Rule::Off) => builder.no_failure_rate(),
            Some(Rule::At(rate)) => builder.failure_rate(rate),
        };
        if let Some(Rule::At(failures)) = self.failure_count {
            builder = builder.failure_count(failures);
        }
        if let Some(Rule::At(failures)) = self.consecutive_failures {
            builder = builder.consecutive_failures(failures);
        }
        if let Some(Rule::At(SlowCall { limit, rate })) = self.slow_call {
            builder = builder.slow_call(limit, rate);
        }
        if let Some(calls) = self.min_calls {
            builder = builder.min_calls(calls);
        }
        if let Some(wait) = self.open_wait {
            builder = builder.open_wait(wait);
        }
        if let Some(half_open) = self.half_open {
            builder = builder.half_open(half_open);
        }
        if let Some(timeout) = self.probe_timeout {
            builder = builder.probe_timeout(timeout);
        }
        if let Some(stripes) = self.stripes {
            builder = builder.stripes(stripes);
        }
        builder.totals(self.totals.unwrap_or(true))
    }
}
