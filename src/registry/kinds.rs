//! The kinds of things that a registry names, and how each is built from a configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::bulkhead::Bulkhead;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::ConfigError;
use crate::event::Transition;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimit;

/// An observer of all breakers, told their names.
pub(super) type Observer = Arc<dyn Fn(&str, &Transition) + Send + Sync>;

/// Everything that has a name, and what it is built from.
pub(super) struct Stock<C: Clock> {
    pub(super) config: Arc<Config>,
    pub(super) observers: Vec<Observer>,
    pub(super) breakers: Shelf<CircuitBreaker<C>>,
    pub(super) bulkheads: Shelf<Bulkhead>,
    #[cfg(feature = "rate-limit")]
    pub(super) rate_limits: Shelf<RateLimit<C>>,
}

pub(super) type Shelf<T> = BTreeMap<String, Item<T>>;

pub(super) struct Item<T> {
    pub(super) thing: Arc<T>,
    pub(super) origin: Origin,
    pub(super) maker: Maker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Registry,
    Program,
}

/// Where an item's settings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The default template: there has been no entry of its name.
    Default,
    /// An entry, which may be gone, or the program: a configuration without an entry leaves it as it is.
    Own,
}

impl<C: Clock> Stock<C> {
    pub(super) fn new() -> Self {
        Stock {
            config: Arc::default(),
            observers: Vec::new(),
            breakers: Shelf::new(),
            bulkheads: Shelf::new(),
            #[cfg(feature = "rate-limit")]
            rate_limits: Shelf::new(),
        }
    }

    pub(super) fn plan(&self) -> Plan {
        Plan { config: Arc::clone(&self.config), observers: self.observers.clone() }
    }
}

/// What a thing is built from.
pub(super) struct Plan {
    config: Arc<Config>,
    observers: Vec<Observer>,
}

/// A kind of thing that has a shelf of its own.
pub(super) trait Kind<C: Clock>: Sized {
    fn shelf(stock: &Stock<C>) -> &Shelf<Self>;
    fn shelf_mut(stock: &mut Stock<C>) -> &mut Shelf<Self>;
    fn build(name: &str, plan: &Plan, clock: &C) -> Result<Self, ConfigError>;

    /// Where the settings come from of one that was built from this configuration.
    fn origin(_name: &str, _config: &Config) -> Origin {
        Origin::Own
    }
}

impl Plan {
    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

impl<C: Clock + Clone> Kind<C> for CircuitBreaker<C> {
    fn shelf(stock: &Stock<C>) -> &Shelf<Self> {
        &stock.breakers
    }

    fn shelf_mut(stock: &mut Stock<C>) -> &mut Shelf<Self> {
        &mut stock.breakers
    }

    fn build(name: &str, plan: &Plan, clock: &C) -> Result<Self, ConfigError> {
        // Cannot fail: a registry takes no configuration that it has not validated.
        let settings = plan.config.breaker(name).map_err(|error| {
            ConfigError::new("breakers", error.given(), error.allowed().to_owned())
        })?;
        let mut builder = settings.to_builder().name(name).clock(clock.clone());
        for observer in &plan.observers {
            let (observer, name) = (Arc::clone(observer), name.to_owned());
            builder = builder.on_transition(move |transition| observer(&name, transition));
        }
        builder.build()
    }

    fn origin(name: &str, config: &Config) -> Origin {
        match config.breakers.contains_key(name) {
            true => Origin::Own,
            false => Origin::Default,
        }
    }
}

impl<C: Clock> Kind<C> for Bulkhead {
    fn shelf(stock: &Stock<C>) -> &Shelf<Self> {
        &stock.bulkheads
    }

    fn shelf_mut(stock: &mut Stock<C>) -> &mut Shelf<Self> {
        &mut stock.bulkheads
    }

    fn build(name: &str, plan: &Plan, _: &C) -> Result<Self, ConfigError> {
        match plan.config.bulkheads.get(name) {
            Some(settings) => Bulkhead::new(settings.max_concurrent),
            None => Err(ConfigError::new("bulkheads", format!("{name:?}"), KNOWN)),
        }
    }
}

#[cfg(feature = "rate-limit")]
impl<C: Clock + Clone> Kind<C> for RateLimit<C> {
    fn shelf(stock: &Stock<C>) -> &Shelf<Self> {
        &stock.rate_limits
    }

    fn shelf_mut(stock: &mut Stock<C>) -> &mut Shelf<Self> {
        &mut stock.rate_limits
    }

    fn build(name: &str, plan: &Plan, clock: &C) -> Result<Self, ConfigError> {
        match plan.config.rate_limits.get(name) {
            Some(settings) => rate_limit(settings, clock.clone()),
            None => Err(ConfigError::new("rate_limits", format!("{name:?}"), KNOWN)),
        }
    }
}

/// Of these there is no default.
const KNOWN: &str = "a name that the configuration has an entry for";

#[cfg(feature = "rate-limit")]
pub(super) fn rate_limit<C: Clock>(
    settings: &crate::config::RateLimitConfig,
    clock: C,
) -> Result<RateLimit<C>, ConfigError> {
    let limit = RateLimit::per(settings.per, settings.calls).clock(clock);
    match settings.burst {
        Some(burst) => limit.burst(burst).build(),
        None => limit.build(),
    }
}
