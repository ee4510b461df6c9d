//! What an entry comes to over its templates, and whether that is allowed.
//!
//! The values are judged by the very code that judges a builder's, in `build`; here its answer is traced back to the
//! key that the value came from.

use core::time::Duration;
use std::collections::BTreeSet;

use super::entry::{BreakerConfig, BulkheadConfig, RateLimitConfig, Rule};
use super::error::{FileError, Refusal};
use super::{time, Config};
use crate::breaker::config::{validate_time, HalfOpenKind, WindowKind};
use crate::breaker::Window;
use crate::bulkhead::Bulkhead;
use crate::error::ConfigError;

/// The template that everybody has.
const DEFAULT: &str = "default";
const BREAKERS: &str = "breakers";
const TEMPLATES: &str = "templates";

/// An entry among those that a breaker's settings come from.
#[derive(Clone, Copy)]
struct Link<'c> {
    section: &'static str,
    name: &'c str,
    entry: &'c BreakerConfig,
}

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
    /// # Ok::<(), failfast::config::FileError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`FileError`] for a template that does not exist or leads back to itself, and for settings that
    /// [`build`](crate::Builder::build) would refuse.
    pub fn breaker(&self, name: &str) -> Result<BreakerConfig, FileError> {
        Ok(self.checked_breaker(name)?)
    }

    /// Checks everything: each template, each breaker over its templates, what a name without an entry gets, each bulkhead
    /// and each rate limit.
    ///
    /// A template need not be complete: where its values alone are allowed, it is up to the breakers that use it whether
    /// they fit together.
    ///
    /// # Errors
    ///
    /// A [`FileError`] for the first setting that is not allowed. Its key is where the value was given, which may be a
    /// template.
    pub fn validate(&self) -> Result<(), FileError> {
        Ok(self.check()?)
    }

    /// The error of a breaker that can't take on these settings, with the key that the one in question comes from.
    pub(crate) fn refused(&self, name: &str, error: &ConfigError) -> FileError {
        let empty = BreakerConfig::default();
        let entry = self.breakers.get(name).unwrap_or(&empty);
        let chain = self.chain(Link { section: BREAKERS, name, entry });
        FileError::from(
            chain.map_or_else(|refusal| refusal, |chain| refusal(&chain, &whole(&chain), error)),
        )
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.check_names()?;
        for (name, entry) in &self.templates {
            let link = Link { section: TEMPLATES, name, entry };
            self.chain(link)?;
            check_alone(link)?;
        }
        let default = self.templates.get(DEFAULT).cloned().unwrap_or_default();
        check_whole(&[Link { section: TEMPLATES, name: DEFAULT, entry: &default }])?;
        for name in self.breakers.keys() {
            self.checked_breaker(name)?;
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

    fn checked_breaker(&self, name: &str) -> Result<BreakerConfig, Refusal> {
        let empty = BreakerConfig::default();
        let entry = self.breakers.get(name).unwrap_or(&empty);
        check_whole(&self.chain(Link { section: BREAKERS, name, entry })?)
    }

    /// The entries that the settings come from, those that win first.
    fn chain<'c>(&'c self, first: Link<'c>) -> Result<Vec<Link<'c>>, Refusal> {
        let mut chain = vec![first];
        let mut seen = BTreeSet::new();
        let mut link = first;
        loop {
            let named = link.entry.template.as_deref();
            let refuse = |allowed: String| {
                let given = format!("{:?}", named.unwrap_or_default());
                Err(Refusal::new(&[link.section, link.name, "template"], given, allowed))
            };
            if link.section == TEMPLATES {
                seen.insert(link.name);
                if link.name == DEFAULT {
                    return match named {
                        None => Ok(chain),
                        Some(_) => refuse("none: default is everybody's last".to_owned()),
                    };
                }
            }
            let name = named.unwrap_or(DEFAULT);
            if seen.contains(name) {
                return refuse("a template that does not lead back to this one".to_owned());
            }
            link = match self.templates.get_key_value(name) {
                Some((name, entry)) => Link { section: TEMPLATES, name, entry },
                // It exists even where nothing is said of it.
                None if name == DEFAULT => return Ok(chain),
                None => return refuse(self.names_of_templates()),
            };
            chain.push(link);
        }
    }

    fn names_of_templates(&self) -> String {
        let names: BTreeSet<_> =
            self.templates.keys().map(String::as_str).chain([DEFAULT]).collect();
        let names: Vec<_> = names.into_iter().map(|name| format!("{name:?}")).collect();
        super::error::shortened(&format!("one of {}", names.join(", ")))
    }
}

// ===== breakers =====

/// What the chain comes to.
fn whole(chain: &[Link<'_>]) -> BreakerConfig {
    let over = |whole: BreakerConfig, link: &Link<'_>| whole.over(link.entry);
    BreakerConfig { template: None, ..chain.iter().fold(BreakerConfig::default(), over) }
}

/// The same, if it is allowed.
fn check_whole(chain: &[Link<'_>]) -> Result<BreakerConfig, Refusal> {
    let whole = whole(chain);
    match whole.to_builder().validate() {
        Ok(_) => Ok(whole),
        Err(error) => Err(refusal(chain, &whole, &error)),
    }
}

/// Whether a template's own values are allowed; what others must add to them is not asked for.
fn check_alone(link: Link<'_>) -> Result<(), Refusal> {
    let mut alone = link.entry.clone();
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
    let origin = keys.first().and_then(|key| chain.iter().find(|link| gives(link.entry, key)));
    let link = origin.unwrap_or(&chain[0]);
    let mut path = vec![link.section, link.name];
    path.extend(keys);
    let mut allowed = error.allowed().to_owned();
    if link.section != chain[0].section {
        let whose = Refusal::new(&[chain[0].section, chain[0].name], "", "");
        allowed = format!("{allowed} (in {})", FileError::from(whose).key());
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
        "window" => match whole.window.map(|window| window.kind) {
            Some(WindowKind::Count(size)) => (vec!["window", "count"], size.to_string()),
            Some(WindowKind::Time(length)) => (vec!["window", "time"], quoted(length)),
            Some(WindowKind::Consecutive(limit)) => {
                (vec!["window", "consecutive"], limit.to_string())
            }
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
