//! A new configuration for a registry in use: all of it is checked, then put in force, then brought to what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use super::kinds::{Item, Maker, Origin, Stock};
use super::Registry;
use crate::breaker::{Builder, CircuitBreaker};
use crate::bulkhead::Bulkhead;
use crate::clock::{Clock, DefaultClock};
use crate::config::{Config, InvalidConfig, Resolver};
use crate::error::ConfigError;
use crate::event::Transition;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimit;
use crate::sync::Mutex;

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
    /// # Observers
    ///
    /// They are told on this thread, of one breaker after another, once all of them have changed and another `apply` may
    /// begin; so they may apply configurations themselves, to this registry or another, and are called again for what that
    /// changes. They hear of that before they hear of the breakers that were still to come: the generations tell the order.
    ///
    /// # Panics
    ///
    /// When a breaker's clock does. The breakers before it have changed then, and their observers have been told; those
    /// from it on have their old settings until the next `apply`.
    ///
    /// # Errors
    ///
    /// An [`InvalidConfig`] for the first setting that is not allowed, or that something which is there can't take on: the
    /// kind and size of a breaker's window, its stripes, whether it keeps totals, a limit on runs that is longer than its
    /// memory, the rate of a rate limit. Nothing has changed then. To change those too, remove what they belong to, apply,
    /// and look it up again.
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
    ///
    /// # Progress
    ///
    /// Blocks while another thread applies. Keeps no call and no lookup waiting while it does.
    pub fn apply(&self, config: Config) -> Result<Applied, InvalidConfig> {
        config.validate()?;
        let next = Arc::new(config);
        // Outlives the turn.
        let mut news = News(Vec::new());
        self.turn.take(|| {
            let (old, steps) = self.shelves.replan(|stock| {
                let steps = stock.steps_to(&next)?;
                stock.enter(&next);
                let old = core::mem::replace(&mut stock.config, Arc::clone(&next));
                Ok::<_, InvalidConfig>((old, steps))
            })?;
            Ok(steps.run(&old, &next, &mut news))
        })
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

/// Breakers that have taken a step, and what their observers are told when this is dropped, in whatever way.
struct News<C: Clock>(Vec<(Arc<CircuitBreaker<C>>, Vec<Transition>)>);

impl<C: Clock> Drop for News<C> {
    fn drop(&mut self) {
        for (breaker, transitions) in &self.0 {
            transitions.iter().for_each(|transition| breaker.tell(transition));
        }
    }
}

impl<C: Clock + Clone> Stock<C> {
    /// What it takes to bring everything here to a configuration, which was validated; the first thing that can't be
    /// brought to it is the error. No foreign code runs here.
    fn steps_to(&self, next: &Config) -> Result<Steps<C>, InvalidConfig> {
        let mut breakers = Vec::new();
        let mut resolver = Resolver::new(next);
        for (name, item) in &self.breakers {
            if !next.breakers.contains_key(name) && item.origin != Origin::Default {
                continue;
            }
            let settings = resolver.breaker(name)?;
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
) -> Result<(), InvalidConfig> {
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
            Err(InvalidConfig::at(&["rate_limits", name], given, allowed))
        }
    }
}

impl<C: Clock + Clone> Steps<C> {
    /// Takes the steps; says what they did, and notes what observers are to be told.
    fn run(self, old: &Config, next: &Config, news: &mut News<C>) -> Applied {
        // What is there and takes no step stays as it is.
        let [mut breakers, mut bulkheads, rate_limits] = self.names.map(|names| {
            names.into_iter().map(|name| (name, Kept::Same)).collect::<BTreeMap<_, _>>()
        });
        for (breaker, builder) in self.breakers {
            let before = breaker.settings();
            let taken = breaker.take_on(&builder);
            debug_assert!(taken.is_ok(), "{taken:?} though it was accepted");
            breakers.insert(breaker.name().to_owned(), Kept::if_same(before == breaker.settings()));
            news.0.push((breaker, taken.unwrap_or_default()));
        }
        for (name, bulkhead, places) in self.bulkheads {
            let before = bulkhead.max_concurrent();
            let taken = bulkhead.resize(places);
            debug_assert!(taken.is_ok(), "{taken:?} though it was validated");
            bulkheads.insert(name, Kept::if_same(before == places));
        }
        let (mut before, mut after) = (Resolver::new(old), Resolver::new(next));
        Applied {
            breakers: changes(&old.breakers, &next.breakers, &breakers, |name| {
                before.breaker(name).ok() == after.breaker(name).ok()
            }),
            bulkheads: changes(&old.bulkheads, &next.bulkheads, &bulkheads, |name| {
                old.bulkheads.get(name) == next.bulkheads.get(name)
            }),
            rate_limits: changes(&old.rate_limits, &next.rate_limits, &rate_limits, |name| {
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
fn changes<'c, T>(
    old: &'c BTreeMap<String, T>,
    next: &'c BTreeMap<String, T>,
    there: &'c BTreeMap<String, Kept>,
    mut says_the_same: impl FnMut(&'c str) -> bool,
) -> Changes {
    let mut changes = Changes::default();
    let names: BTreeSet<&String> = old.keys().chain(next.keys()).chain(there.keys()).collect();
    for name in names {
        let mut kept = || match there.get(name) {
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

/// Taken by who applies: settings come to breakers in the order in which configurations were put in force.
pub(super) struct Turn(Mutex<()>);

impl Turn {
    pub(super) fn new() -> Self {
        Turn(Mutex::new(()))
    }

    /// Foreign code is not called meanwhile, but for the clocks of breakers that change, nor dropped.
    fn take<R>(&self, change: impl FnOnce() -> R) -> R {
        // A clock that panics leaves a configuration of which later breakers know nothing; the next apply brings them another.
        let _turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change()
    }
}
