//! The entries of a configuration: what may be said of a breaker, a bulkhead, a rate limit.

use core::time::Duration;

#[cfg(feature = "serde")]
use super::form;
use crate::breaker::{Builder, HalfOpen, OpenWait, Window};
use crate::clock::DefaultClock;

/// A breaker's settings, as far as they are given.
///
/// The methods have the names of [`Builder`]'s and take the same; the fields can be read, and be set back to `None`.
///
/// ```
/// use core::time::Duration;
/// use failfast::config::BreakerConfig;
/// use failfast::OpenWait;
///
/// let payment = BreakerConfig::default()
///     .template("critical")
///     .slow_call(Duration::from_secs(2), 0.8)
///     .open_wait(OpenWait::fixed(Duration::from_secs(5)));
/// assert_eq!(payment.window, None); // the template's
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(default, deny_unknown_fields, expecting = "a table of a breaker's settings")
)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// The template that gives what is left out here; `default` where none is named.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::name", skip_serializing_if = "Option::is_none")
    )]
    pub template: Option<String>,
    /// As [`Builder::window`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub window: Option<Window>,
    /// As [`Builder::failure_rate`] and [`Builder::no_failure_rate`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub failure_rate: Option<Rule<f64>>,
    /// As [`Builder::failure_count`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub failure_count: Option<Rule<u32>>,
    /// As [`Builder::consecutive_failures`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub consecutive_failures: Option<Rule<u32>>,
    /// As [`Builder::slow_call`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub slow_call: Option<Rule<SlowCall>>,
    /// As [`Builder::min_calls`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some_count", skip_serializing_if = "Option::is_none")
    )]
    pub min_calls: Option<u32>,
    /// As [`Builder::open_wait`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub open_wait: Option<OpenWait>,
    /// As [`Builder::half_open`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some", skip_serializing_if = "Option::is_none")
    )]
    pub half_open: Option<HalfOpen>,
    /// As [`Builder::probe_timeout`].
    #[cfg_attr(
        feature = "serde",
        serde(with = "form::some_time", skip_serializing_if = "Option::is_none")
    )]
    pub probe_timeout: Option<Duration>,
    /// As [`Builder::stripes`].
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some_count", skip_serializing_if = "Option::is_none")
    )]
    pub stripes: Option<u32>,
    /// As [`Builder::totals`]; a registry's breakers have them unless this is `Some(false)`.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "form::some_flag", skip_serializing_if = "Option::is_none")
    )]
    pub totals: Option<bool>,
}

/// A rule that an override can switch off.
///
/// In a file it is the value, or `"off"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule<T> {
    /// Off, whatever the template says.
    Off,
    /// Reached at this value.
    At(T),
}

/// When a call is slow, and how many may be.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(deny_unknown_fields, expecting = "a table such as { limit = \"2s\", rate = 0.8 }")
)]
pub struct SlowCall {
    /// A call is slow if it takes longer.
    #[cfg_attr(feature = "serde", serde(with = "super::time"))]
    pub limit: Duration,
    /// The share of slow calls that trips.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "form::rate"))]
    pub rate: f64,
}

/// A bulkhead's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(deny_unknown_fields, expecting = "a table such as { max_concurrent = 10 }")
)]
pub struct BulkheadConfig {
    /// Calls that may be under way at once.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "form::count"))]
    pub max_concurrent: u32,
}

/// A rate limit's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(deny_unknown_fields, expecting = "a table such as { calls = 100, per = \"1s\" }")
)]
pub struct RateLimitConfig {
    /// Calls in each period.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "form::count"))]
    pub calls: u32,
    /// The period.
    #[cfg_attr(feature = "serde", serde(with = "super::time"))]
    pub per: Duration,
    /// Calls at once after a pause; as many as in a period where it is left out.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "form::some_count",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub burst: Option<u32>,
}

impl BreakerConfig {
    /// What is left out here comes from this template; where none is named, from `default`.
    #[must_use]
    pub fn template(mut self, name: impl Into<String>) -> Self {
        self.template = Some(name.into());
        self
    }

    /// As [`Builder::window`].
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// As [`Builder::failure_rate`].
    #[must_use]
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.failure_rate = Some(Rule::At(rate));
        self
    }

    /// As [`Builder::no_failure_rate`], whatever the template says.
    #[must_use]
    pub fn no_failure_rate(mut self) -> Self {
        self.failure_rate = Some(Rule::Off);
        self
    }

    /// As [`Builder::failure_count`].
    #[must_use]
    pub fn failure_count(mut self, failures: u32) -> Self {
        self.failure_count = Some(Rule::At(failures));
        self
    }

    /// Switches the rule off, whatever the template says.
    #[must_use]
    pub fn no_failure_count(mut self) -> Self {
        self.failure_count = Some(Rule::Off);
        self
    }

    /// As [`Builder::consecutive_failures`].
    #[must_use]
    pub fn consecutive_failures(mut self, failures: u32) -> Self {
        self.consecutive_failures = Some(Rule::At(failures));
        self
    }

    /// Switches the rule off, whatever the template says.
    #[must_use]
    pub fn no_consecutive_failures(mut self) -> Self {
        self.consecutive_failures = Some(Rule::Off);
        self
    }

    /// As [`Builder::slow_call`].
    #[must_use]
    pub fn slow_call(mut self, limit: Duration, rate: f64) -> Self {
        self.slow_call = Some(Rule::At(SlowCall { limit, rate }));
        self
    }

    /// Switches the rule off, whatever the template says.
    #[must_use]
    pub fn no_slow_call(mut self) -> Self {
        self.slow_call = Some(Rule::Off);
        self
    }

    /// As [`Builder::min_calls`].
    #[must_use]
    pub fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = Some(calls);
        self
    }

    /// As [`Builder::open_wait`].
    #[must_use]
    pub fn open_wait(mut self, wait: OpenWait) -> Self {
        self.open_wait = Some(wait);
        self
    }

    /// As [`Builder::half_open`].
    #[must_use]
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.half_open = Some(half_open);
        self
    }

    /// As [`Builder::probe_timeout`].
    #[must_use]
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = Some(timeout);
        self
    }

    /// As [`Builder::stripes`].
    #[must_use]
    pub fn stripes(mut self, stripes: u32) -> Self {
        self.stripes = Some(stripes);
        self
    }

    /// As [`Builder::totals`].
    #[must_use]
    pub fn totals(mut self, totals: bool) -> Self {
        self.totals = Some(totals);
        self
    }

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
