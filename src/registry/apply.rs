//! A new configuration for a registry in use: all of it is checked, then put in force, then brought to what is there.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::{Arc, PoisonError};
use std::thread::{self, ThreadId};

use super::kinds::{Item, Maker, Origin, Stock};
use super::Registry;
use crate::breaker::{Builder, CircuitBreaker};
use crate::bulkhead::Bulkhead;
use crate::clock::{Clock, DefaultClock};
use crate::config::{Config, FileError};
use crate::error::ConfigError;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimit;
use crate::sync::{Condvar, Mutex};

impl<C: Clock + Clone> Registry<C> {
    /// Puts a new configuration in force while calls go on: all of it, or, where anything is refused, none of it.
    ///
    /// ```
    /// use failfast::config::{BreakerConfig, Config};
    /// use failfast::Registry;
    ///
    /// let entry = BreakerConfig::default;
    /// let registry = Registry::from_config(Config::default().with_breaker("payment", entry()))?;
    /// let payment = registry.breaker("payment")?;
    ///
    /// // The file has changed, and has been read again.
    /// let next = Config::default()
    ///     .with_breaker("payment", entry().failure_rate(0.2))
    ///     .with_breaker("shipping", entry());
    /// let applied = registry.apply(next)?;
    /// assert_eq!(applied.breakers.changed, ["payment"]);
    /// assert_eq!(applied.breakers.added, ["shipping"]);
    /// assert_eq!(payment.settings().failure_rate, Some(0.2)); // the handle is the same
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # What happens to what is there
    ///
    /// - A **breaker** with an entry takes on its settings by [`reconfigure`](CircuitBreaker::reconfigure), which says what
    ///   becomes of its state and window; one that was built from the default template, having no entry, takes on the new
    ///   default. That holds for [inserted](Registry::insert_breaker) ones too, from the first configuration on that has an
    ///   entry for them. Equal settings change nothing at all.
    /// - A **bulkhead** is [resized](Bulkhead::resize).
    /// - A **rate limit** keeps its rate for life: another is refused. Remove the limit first, apply, and look it up again;
    ///   handles that are out keep the old one.
    /// - What has **no entry any more** stays as it is until it is removed; the next request then builds it from the default
    ///   template, or is refused where there is none.
    ///
    /// Breakers change one after another, in the order of their names: each all at once, not all at the same moment. What is
    /// asked for first meanwhile is built from the new configuration.
    ///
    /// # Errors
    ///
    /// [`ApplyError::Refused`], with the key, for the first setting that is not allowed, or that something which is there
    /// can't take on: the kind and size of a breaker's window, its stripes, whether it keeps totals, a limit on runs that is
    /// longer than its memory, the rate of a rate limit. Nothing has changed then. To change those too, remove what they
    /// belong to, apply, and look it up again.
    ///
    /// [`ApplyError::Nested`], when an observer calls this on the thread of an apply that is under way.
    ///
    /// # Progress
    ///
    /// Blocks while another thread applies, its observers included. Keeps no call and no lookup waiting while it does.
    pub fn apply(&self, config: Config) -> Result<Applied, ApplyError> {
        config.validate()?;
        let _turn = self.turns.take()?;
        let next = Arc::new(config);
        let (old, steps) = self.shelves.replan(|stock| {
            let steps = stock.steps_to(&next)?;
            stock.enter(&next);
            let old = core::mem::replace(&mut stock.config, Arc::clone(&next));
            Ok::<_, FileError>((old, steps))
        })?;
        Ok(steps.run(&old, &next))
    }
}

/// What an [`apply`](Registry::apply) did, by kinds.
///
/// ```
/// use failfast::{config::Config, Registry};
///
/// let registry = Registry::from_config(Config::default().with_bulkhead("payment", 8))?;
/// let applied = registry.apply(Config::default().with_bulkhead("payment", 9))?;
/// assert_eq!(applied.bulkheads.changed, ["payment"]);
/// assert_eq!(applied.breakers, Default::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Applied {
    /// Of the breakers.
    pub breakers: Changes,
    /// Of the bulkheads.
    pub bulkheads: Changes,
    /// Of the rate limits.
    pub rate_limits: Changes,
}

/// Which names a new configuration means, each in one of the lists, in order.
///
/// ```
/// use failfast::{config::Config, Registry};
///
/// let registry = Registry::from_config(Config::default().with_bulkhead("payment", 8))?;
/// let payment = registry.bulkhead("payment")?;
/// let bulkheads = registry.apply(Config::default().with_bulkhead("paymnet", 9))?.bulkheads;
/// assert_eq!((bulkheads.added, bulkheads.gone), (vec!["paymnet".to_owned()], vec!["payment".to_owned()]));
/// assert_eq!(payment.max_concurrent(), 8); // as it was: worth a line in the log
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Changes {
    /// New entries; what had the name already has taken on their settings.
    pub added: Vec<String>,
    /// Entries whose settings are others than before, through their templates too; and breakers without an entry, for
    /// which the default template is another.
    pub changed: Vec<String>,
    /// The rest of the entries, and of what is there.
    pub unchanged: Vec<String>,
    /// Entries that are gone; what was built from them stays as it is until it is removed.
    pub gone: Vec<String>,
}

// ===== the steps =====

/// What is to be done once a configuration is in force.
struct Steps<C> {
    breakers: Vec<(Arc<CircuitBreaker<C>>, Builder<DefaultClock>)>,
    bulkheads: Vec<(String, Arc<Bulkhead>, u32)>,
    /// All names that are there.
    names: [BTreeSet<String>; 3],
}

impl<C: Clock + Clone> Stock<C> {
    /// What it takes to bring everything here to a configuration, which was validated; the first thing that can't be
    /// brought to it is the error. No foreign code runs here.
    fn steps_to(&self, next: &Config) -> Result<Steps<C>, FileError> {
        let mut breakers = Vec::new();
        for (name, item) in &self.breakers {
            if !next.breakers.contains_key(name) && item.origin != Origin::Default {
                continue;
            }
            let settings = next.breaker(name)?;
            let builder = settings.to_builder();
            accepts_totals(item, settings.totals)
                .and_then(|()| item.thing.accepts(&builder))
                .map_err(|error| next.refused(name, &error))?;
            breakers.push((Arc::clone(&item.thing), builder));
        }
        let mut bulkheads = Vec::new();
        for (name, item) in &self.bulkheads {
            if let Some(entry) = next.bulkheads.get(name) {
                bulkheads.push((name.clone(), Arc::clone(&item.thing), entry.max_concurrent));
            }
        }
        #[cfg(feature = "rate-limit")]
        for (name, item) in &self.rate_limits {
            accepts_rate(name, &item.thing, next)?;
        }
        #[cfg(feature = "rate-limit")]
        let rate_limits = self.rate_limits.keys().cloned().collect();
        #[cfg(not(feature = "rate-limit"))]
        let rate_limits = BTreeSet::new();
        let names = [
            self.breakers.keys().cloned().collect(),
            self.bulkheads.keys().cloned().collect(),
            rate_limits,
        ];
        Ok(Steps { breakers, bulkheads, names })
    }

    /// Notes of which breakers the default template is no longer the business.
    fn enter(&mut self, next: &Config) {
        for (name, item) in &mut self.breakers {
            if next.breakers.contains_key(name) {
                item.origin = Origin::Own;
            }
        }
    }
}

/// A breaker keeps totals for life or never. Where nothing is said of them, those that were built here have them, and
/// those of the program are as they are.
fn accepts_totals<C: Clock>(
    item: &Item<CircuitBreaker<C>>,
    totals: Option<bool>,
) -> Result<(), ConfigError> {
    let has = item.thing.keeps_totals();
    let asked = match item.maker {
        Maker::Registry => totals.unwrap_or(true),
        Maker::Program => totals.unwrap_or(has),
    };
    match asked == has {
        true => Ok(()),
        false => {
            let allowed = format!("{has}, as the breaker was built");
            Err(ConfigError::new("totals", asked.to_string(), allowed))
        }
    }
}

#[cfg(feature = "rate-limit")]
fn accepts_rate<C: Clock>(
    name: &str,
    limit: &RateLimit<C>,
    next: &Config,
) -> Result<(), FileError> {
    let Some(entry) = next.rate_limits.get(name) else {
        return Ok(());
    };
    // Of a clock that nobody reads: cloning the registry's would be foreign code.
    let asked = super::kinds::rate_limit(entry, crate::clock::ManualClock::new());
    match asked {
        Ok(asked) if limit.equals(&asked) => Ok(()),
        _ => {
            let given = format!("{} calls per {:?}", entry.calls, entry.per);
            let given = match entry.burst {
                Some(burst) => format!("{given}, {burst} at once"),
                None => given,
            };
            let allowed = format!(
                "a call every {:?}, {} at once, as the limit was built: remove it first",
                limit.token_every(),
                limit.burst()
            );
            Err(FileError::at(&["rate_limits", name], given, allowed))
        }
    }
}

impl<C: Clock + Clone> Steps<C> {
    /// Takes the steps, without any lock: observers hear of new generations.
    fn run(self, old: &Config, next: &Config) -> Applied {
        // What is there and takes no step stays as it is.
        let [mut breakers, mut bulkheads, rate_limits] = self.names.map(|names| {
            names.into_iter().map(|name| (name, Kept::Same)).collect::<BTreeMap<_, _>>()
        });
        for (breaker, builder) in self.breakers {
            let before = breaker.settings();
            let taken = breaker.reconfigure(&builder);
            debug_assert!(taken.is_ok(), "{taken:?} though it was accepted");
            breakers.insert(breaker.name().to_owned(), Kept::if_same(before == breaker.settings()));
        }
        for (name, bulkhead, places) in self.bulkheads {
            let before = bulkhead.max_concurrent();
            let taken = bulkhead.resize(places);
            debug_assert!(taken.is_ok(), "{taken:?} though it was validated");
            bulkheads.insert(name, Kept::if_same(before == places));
        }
        Applied {
            breakers: changes(&old.breakers, &next.breakers, breakers, |name| {
                old.breaker(name).ok() == next.breaker(name).ok()
            }),
            bulkheads: changes(&old.bulkheads, &next.bulkheads, bulkheads, |name| {
                old.bulkheads.get(name) == next.bulkheads.get(name)
            }),
            rate_limits: changes(&old.rate_limits, &next.rate_limits, rate_limits, |name| {
                old.rate_limits.get(name) == next.rate_limits.get(name)
            }),
        }
    }
}

/// Whether what is there has kept its settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Same,
    Changed,
}

impl Kept {
    fn if_same(same: bool) -> Self {
        match same {
            true => Kept::Same,
            false => Kept::Changed,
        }
    }
}

/// The lists: by what has become of what is there, and where nothing is, by what the entries say.
fn changes<T>(
    old: &BTreeMap<String, T>,
    next: &BTreeMap<String, T>,
    there: BTreeMap<String, Kept>,
    says_the_same: impl Fn(&str) -> bool,
) -> Changes {
    let mut changes = Changes::default();
    let names: BTreeSet<&String> = old.keys().chain(next.keys()).chain(there.keys()).collect();
    for name in names {
        let kept = || match there.get(name) {
            Some(kept) => *kept,
            None => Kept::if_same(says_the_same(name)),
        };
        let list = match (old.contains_key(name), next.contains_key(name)) {
            (false, true) => &mut changes.added,
            (true, false) => &mut changes.gone,
            _ if kept() == Kept::Changed => &mut changes.changed,
            _ => &mut changes.unchanged,
        };
        list.push(name.clone());
    }
    changes
}

// ===== one after another =====

/// Whose turn it is. While somebody has it no lock is held, so that observers may do what they like, but for one thing.
pub(super) struct Turns {
    taken: Mutex<Option<ThreadId>>,
    free: Condvar,
}

/// Ends with this.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    pub(super) fn new() -> Self {
        Turns { taken: Mutex::new(None), free: Condvar::new() }
    }

    /// Waits for a turn; an error where the thread would wait for itself.
    fn take(&self) -> Result<Turn<'_>, ApplyError> {
        let me = thread::current().id();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(who) = *taken {
            if who == me {
                return Err(ApplyError::Nested);
            }
            taken = self.free.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken = Some(me);
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.free.notify_one();
    }
}

// ===== the error =====

/// A configuration that a registry does not take on; nothing has changed.
///
/// ```
/// use failfast::config::{BreakerConfig, Config};
/// use failfast::{Registry, Window};
///
/// let registry = Registry::new();
/// registry.breaker("payment")?;
/// let entry = BreakerConfig::default().window(Window::count(500));
/// let error = registry.apply(Config::default().with_breaker("payment", entry)).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "breakers.payment.window.count: given 500, allowed is count(100), as the breaker was built"
/// );
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyError {
    /// A setting is not allowed, or what is there can't take it on.
    Refused(FileError),
    /// An observer called this on the thread of an apply that is under way, and would wait for itself.
    Nested,
}

impl From<FileError> for ApplyError {
    fn from(error: FileError) -> Self {
        ApplyError::Refused(error)
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::Refused(error) => error.fmt(f),
            ApplyError::Nested => {
                f.write_str("a configuration is being applied by the very thread that asks for it")
            }
        }
    }
}

impl Error for ApplyError {}
