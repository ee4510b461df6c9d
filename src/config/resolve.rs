//! What an entry comes to over its templates, and whether that is allowed.
//!
//! The values are judged by the very code that judges a builder's, in `build`; here its answer is traced back to the
//! key that the value came from.

use core::time::Duration;

use super::chain::{Link, Resolver, BREAKERS, DEFAULT, TEMPLATES};
use super::entry::{BreakerConfig, BulkheadConfig, RateLimitConfig, Rule};
use super::error::{InvalidConfig, Refusal};
use super::{time, Config};
use crate::breaker::choices::Span;
use crate::breaker::config::{validate_time, HalfOpenKind};
use crate::breaker::Window;
use crate::bulkhead::Bulkhead;
use crate::error::ConfigError;

impl Config {
    /// The whole of a breaker's settings: its entry's, for the rest its template's, that one's template's, and so on, and
    /// `default`'s. A name that has no entry gets `default`'s.
    ///
    /// What is left out in all of them is `None` still and has the builder's default; `template` is always `None`.
    ///
    /// ```
    /// use failfast::config::{BreakerConfig, Config};
    ///
    /// let entry = BreakerConfig::default();
    /// let config = Config::default()
    ///     .with_template("default", entry.clone().min_calls(50).consecutive_failures(9))
    ///     .with_template("critical", entry.clone().consecutive_failures(3))
    ///     .with_breaker("payment", entry.clone().template("critical"));
    /// assert_eq!(config.breaker("payment")?, entry.clone().min_calls(50).consecutive_failures(3));
    /// assert_eq!(config.breaker("search")?, entry.min_calls(50).consecutive_failures(9));
    /// # Ok::<(), failfast::config::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An [`InvalidConfig`] for a template that does not exist or leads back to itself, and for settings that
    /// [`build`](crate::Builder::build) would refuse.
    pub fn breaker(&self, name: &str) -> Result<BreakerConfig, InvalidConfig> {
        Resolver::new(self).breaker(name)
    }

    /// Checks everything: each template, each breaker over its templates, what a name without an entry gets, each bulkhead
    /// and each rate limit.
    ///
    /// A template need not be complete: where its values alone are allowed, it is up to the breakers that use it whether
    /// they fit together.
    ///
    /// # Errors
    ///
    /// An [`InvalidConfig`] for the first setting that is not allowed. Its key is where the value was given, which may be
    /// a template.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        Ok(self.check()?)
    }

    /// The error of a breaker that can't take on these settings, with the key that the one in question comes from.
    pub(crate) fn refused(&self, name: &str, error: &ConfigError) -> InvalidConfig {
        let link = self.breaker_link(name);
        let refused = |whole: BreakerConfig| Ok(refusal(&self.chain(link)?, &whole, error));
        let refused = Resolver::new(self).whole(link).and_then(refused);
        InvalidConfig::from(refused.unwrap_or_else(|refusal| refusal))
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.check_names()?;
        let mut resolver = Resolver::new(self);
        for (name, entry) in &self.templates {
            let link = Link::template(name, entry);
            resolver.whole(link)?;
            check_alone(link)?;
        }
        if let Some((name, entry)) = self.templates.get_key_value(DEFAULT) {
            // Anybody may come to have what it says, and nothing else.
            resolver.allowed(Link::template(name, entry))?;
        }
        for name in self.breakers.keys() {
            resolver.allowed(self.breaker_link(name))?;
        }
        for (name, bulkhead) in &self.bulkheads {
            check_bulkhead(name, bulkhead)?;
        }
        for (name, rate_limit) in &self.rate_limits {
            check_rate_limit(name, rate_limit)?;
        }
        Ok(())
    }

    /// A registry has no place for a thing without a name.
    fn check_names(&self) -> Result<(), Refusal> {
        for (section, nameless) in [
            (TEMPLATES, self.templates.contains_key("")),
            (BREAKERS, self.breakers.contains_key("")),
            ("bulkheads", self.bulkheads.contains_key("")),
            ("rate_limits", self.rate_limits.contains_key("")),
        ] {
            if nameless {
                return Err(Refusal::new(&[section, ""], "\"\"", "a name that is not empty"));
            }
        }
        Ok(())
    }
}

impl<'c> Resolver<'c> {
    /// As [`Config::breaker`].
    pub(crate) fn breaker(&mut self, name: &'c str) -> Result<BreakerConfig, InvalidConfig> {
        Ok(self.allowed(self.config.breaker_link(name))?)
    }

    /// What a chain comes to, if that is allowed.
    fn allowed(&mut self, first: Link<'c>) -> Result<BreakerConfig, Refusal> {
        let whole = self.whole(first)?;
        match whole.to_builder().validate() {
            Ok(_) => Ok(whole),
            Err(error) => Err(refusal(&self.config.chain(first)?, &whole, &error)),
        }
    }
}

// ===== breakers =====

/// Whether a template's own values are allowed; what others must add to them is not asked for.
fn check_alone(link: Link<'_>) -> Result<(), Refusal> {
    let mut alone = link.entry.cloned().unwrap_or_default();
    if alone.window.is_none() {
        // A window that any other setting goes with.
        alone.window = Some(Window::time(Duration::from_secs(1)));
    }
    match alone.to_builder().validate() {
        Err(error) if error.field() != "rules" => Err(refusal(&[link], &alone, &error)),
        _ => Ok(()),
    }
}

/// The error of `build` with the key of the entry that the value came from, and the value as a file has it.
fn refusal(chain: &[Link<'_>], whole: &BreakerConfig, error: &ConfigError) -> Refusal {
    let (keys, given) = in_a_file(whole, error);
    let says = |key: &&str, link: &&Link<'_>| link.entry.is_some_and(|entry| gives(entry, key));
    let origin = keys.first().and_then(|key| chain.iter().find(|link| says(key, link)));
    let link = origin.unwrap_or(&chain[0]);
    let mut path = vec![link.section, link.name];
    path.extend(keys);
    let mut allowed = error.allowed().to_owned();
    if link.section != chain[0].section {
        let whose = Refusal::new(&[chain[0].section, chain[0].name], "", "");
        allowed = format!("{allowed} (in {})", InvalidConfig::from(whose).key());
    }
    Refusal::new(&path, given, allowed)
}

/// Whether the entry says something of this key.
fn gives(entry: &BreakerConfig, key: &str) -> bool {
    match key {
        "window" => entry.window.is_some(),
        "failure_rate" => entry.failure_rate.is_some(),
        "failure_count" => entry.failure_count.is_some(),
        "consecutive_failures" => entry.consecutive_failures.is_some(),
        "slow_call" => entry.slow_call.is_some(),
        "min_calls" => entry.min_calls.is_some(),
        "open_wait" => entry.open_wait.is_some(),
        "half_open" => entry.half_open.is_some(),
        "probe_timeout" => entry.probe_timeout.is_some(),
        "stripes" => entry.stripes.is_some(),
        "totals" => entry.totals.is_some(),
        _ => false,
    }
}

/// The keys below the entry that a builder's error means, and the value as it stands there.
fn in_a_file(whole: &BreakerConfig, error: &ConfigError) -> (Vec<&'static str>, String) {
    let quoted = |time| format!("{:?}", time::format(time));
    let as_built = || error.given().to_owned();
    match error.field() {
        "rules" => (Vec::new(), "no rule".to_owned()),
        "window" => match whole.window.map(|window| window.span) {
            Some(Span::Count(size)) => (vec!["window", "count"], size.to_string()),
            Some(Span::Time(length)) => (vec!["window", "time"], quoted(length)),
            Some(Span::Consecutive(limit)) => (vec!["window", "consecutive"], limit.to_string()),
            None => (vec!["window"], as_built()),
        },
        "buckets" => {
            let buckets = whole.window.and_then(|window| window.buckets);
            (vec!["window", "buckets"], buckets.map_or_else(as_built, |n| n.to_string()))
        }
        "slow_call" => match whole.slow_call {
            Some(Rule::At(slow)) if validate_time("limit", slow.limit).is_err() => {
                (vec!["slow_call", "limit"], quoted(slow.limit))
            }
            _ => (vec!["slow_call", "rate"], as_built()),
        },
        "open_wait" => match whole.open_wait {
            Some(wait) => match wait.growth {
                None if wait.jitter == 0.0 => (vec!["open_wait"], quoted(wait.initial)),
                None => (vec!["open_wait", "fixed"], quoted(wait.initial)),
                Some(_) if validate_time("initial", wait.initial).is_err() => {
                    (vec!["open_wait", "initial"], quoted(wait.initial))
                }
                Some((factor, _)) if !(factor.is_finite() && factor >= 1.0) => {
                    (vec!["open_wait", "factor"], factor.to_string())
                }
                Some((_, max)) => (vec!["open_wait", "max"], quoted(max)),
            },
            None => (vec!["open_wait"], as_built()),
        },
        "jitter" => (vec!["open_wait", "jitter"], as_built()),
        "half_open" => match whole.half_open {
            Some(half_open) => {
                let key = match half_open.kind {
                    HalfOpenKind::Probes => "probes",
                    HalfOpenKind::Rate => "rate",
                };
                (vec!["half_open", key], half_open.places.to_string())
            }
            None => (vec!["half_open"], as_built()),
        },
        "probe_timeout" => {
            (vec!["probe_timeout"], whole.probe_timeout.map_or_else(as_built, quoted))
        }
        "failure_rate" => (vec!["failure_rate"], as_built()),
        "failure_count" => (vec!["failure_count"], as_built()),
        "consecutive_failures" => (vec!["consecutive_failures"], as_built()),
        "min_calls" => (vec!["min_calls"], as_built()),
        "stripes" => (vec!["stripes"], as_built()),
        "totals" => (vec!["totals"], as_built()),
        // No rule at all is the fault of the entry.
        _ => (Vec::new(), as_built()),
    }
}

// ===== what stands around the breaker =====

fn check_bulkhead(name: &str, bulkhead: &BulkheadConfig) -> Result<(), Refusal> {
    match Bulkhead::new(bulkhead.max_concurrent) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Refusal::new(&["bulkheads", name, error.field()], error.given(), error.allowed()))
        }
    }
}

#[cfg(feature = "rate-limit")]
fn check_rate_limit(name: &str, rate_limit: &RateLimitConfig) -> Result<(), Refusal> {
    let RateLimitConfig { calls, per, burst } = *rate_limit;
    let limit = crate::RateLimit::per(per, calls).clock(crate::clock::ManualClock::new());
    let limit = match burst {
        Some(burst) => limit.burst(burst),
        None => limit,
    };
    let Err(error) = limit.build() else {
        return Ok(());
    };
    let (key, given) = match error.field() {
        "period" => ("per", format!("{:?}", time::format(per))),
        field => (field, error.given().to_owned()),
    };
    Err(Refusal::new(&["rate_limits", name, key], given, error.allowed()))
}

#[cfg(not(feature = "rate-limit"))]
fn check_rate_limit(name: &str, _: &RateLimitConfig) -> Result<(), Refusal> {
    let allowed = "none in this build: it needs the crate's feature rate-limit";
    Err(Refusal::new(&["rate_limits", name], "a rate limit", allowed))
}
