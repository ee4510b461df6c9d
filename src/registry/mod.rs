//! Names for primitives: who asks for the same name gets the same breaker, bulkhead or rate limit.
//!
//! Here are the faces. The map and its lock are in `shelves`, what is built and from what in `kinds`, a new configuration
//! in `apply`, health and checks in `watch`.
//! A lookup takes a lock: look up once, when the program starts, and keep the handle. Calls go through the handle and
//! never through here.

use core::fmt;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::bulkhead::Bulkhead;
use crate::clock::{Clock, DefaultClock};
use crate::config::{Config, InvalidConfig};
use crate::error::ConfigError;
use crate::event::Transition;
use crate::health::Checks;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimit;

mod apply;
mod kinds;
pub(crate) mod shelves;
mod watch;

use self::apply::Turn;
use self::kinds::{Item, Kind, Maker, Origin, Shelf, Stock};
use self::shelves::Shelves;

pub use self::apply::{Applied, Changes};

/// Named breakers, bulkheads and rate limits, built from templates and overrides when they are first asked for.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, Registry, State};
///
/// let registry = Registry::with_clock(ManualClock::new()); // `Registry::new()` reads the default clock
/// registry.on_transition(|name, t| println!("{name}: {} -> {}", t.from, t.to));
///
/// // Once, at the start: the handle is all that a call needs.
/// let payment = registry.breaker("payment")?;
/// payment.trip();
///
/// // Elsewhere: the same breaker.
/// assert_eq!(registry.breaker("payment")?.state(), State::Open);
/// assert_eq!(registry.health().http_status(), 503);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # Lookups and calls
///
/// A lookup takes the registry's lock for a moment, so it does not belong on the path of a call: a handle is an [`Arc`],
/// and its calls are as wait-free as without a registry. Nothing of the program runs under the lock: neither clocks nor
/// observers nor checks.
///
/// # Where settings come from
///
/// From the entry of that name in the [configuration](Registry::from_config), over the template that it names, over the
/// template `default`, over the defaults of [`Builder`](crate::Builder); with [totals](CircuitBreaker::totals) on, unless
/// they are switched off. A breaker whose name has no entry gets the default template. A bulkhead or rate limit needs an
/// entry, for neither has a default that would suit anybody.
///
/// # Progress
///
/// Every call here blocks while another thread holds the lock, which is for no longer than it takes to look up, copy or
/// check what is there. Exceptions are said where they are. No call of a breaker, a bulkhead or a rate limit comes here.
///
/// # Memory ordering
///
/// What happened before a thing was built or inserted happens before the return of the call that finds it.
pub struct Registry<C: Clock + Clone = DefaultClock> {
    clock: C,
    shelves: Shelves<Stock<C>>,
    /// Taken by whoever applies a configuration.
    turn: Turn,
    checks: Arc<Checks<C>>,
}

impl Registry {
    /// An empty registry, whose breakers read the default clock.
    pub fn new() -> Self {
        Registry::with_clock(DefaultClock::new())
    }

    /// A registry with these templates and entries, whose breakers read the default clock.
    ///
    /// ```
    /// use failfast::config::{BreakerConfig, Config};
    /// use failfast::Registry;
    ///
    /// // Or from a file: `Config::load("circuits.toml")?`.
    /// let config = Config::default()
    ///     .with_template("default", BreakerConfig::default().min_calls(10))
    ///     .with_breaker("payment", BreakerConfig::default().consecutive_failures(5))
    ///     .with_bulkhead("payment", 8);
    /// let registry = Registry::from_config(config)?;
    /// assert_eq!(registry.breaker("payment")?.settings().consecutive_failures, Some(5));
    /// assert_eq!(registry.breaker("search")?.settings().min_calls, 10);
    /// assert_eq!(registry.bulkhead("payment")?.max_concurrent(), 8);
    /// assert!(registry.bulkhead("search").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// On another clock: [`with_clock`](Registry::with_clock), and [`apply`](Registry::apply).
    ///
    /// # Errors
    ///
    /// An [`InvalidConfig`] for the first setting of the whole configuration that is not allowed.
    pub fn from_config(config: Config) -> Result<Self, InvalidConfig> {
        config.validate()?;
        let registry = Registry::new();
        registry.shelves.replan(|stock| stock.config = Arc::new(config));
        Ok(registry)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock + Clone> Registry<C> {
    /// An empty registry, whose breakers and rate limits read clones of this clock.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{clock::ManualClock, Registry, State};
    ///
    /// let clock = ManualClock::new();
    /// let registry = Registry::with_clock(clock.clone());
    /// let payment = registry.breaker("payment")?;
    /// payment.trip();
    /// clock.advance(Duration::from_secs(31));
    /// assert_eq!(payment.state(), State::HalfOpen);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn with_clock(clock: C) -> Self {
        let checks = Arc::new(Checks::new(clock.clone()));
        Registry { clock, shelves: Shelves::new(Stock::new()), turn: Turn::new(), checks }
    }

    /// The clock that its breakers and rate limits read; [`Transition::at`] is in its time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{clock::{Clock, ManualClock}, Registry};
    ///
    /// let clock = ManualClock::new();
    /// let registry = Registry::with_clock(clock.clone());
    /// let payment = registry.breaker("payment")?;
    /// payment.trip();
    /// clock.advance(Duration::from_secs(3));
    /// let ago = registry.clock().now() - payment.history()[0].at;
    /// assert_eq!(ago, Duration::from_secs(3));
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The configuration in force; to change a part of it, [apply](Registry::apply) it with that part changed.
    ///
    /// ```
    /// use failfast::config::BreakerConfig;
    /// use failfast::Registry;
    ///
    /// let registry = Registry::new();
    /// let payment = registry.breaker("payment")?;
    /// registry.apply(registry.config().with_breaker("payment", BreakerConfig::default().min_calls(5)))?;
    /// assert_eq!(payment.settings().min_calls, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn config(&self) -> Config {
        let config = self.shelves.read(|stock| Arc::clone(&stock.config));
        (*config).clone()
    }

    // ===== breakers =====

    /// The breaker of this name, built at the first request.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use failfast::Registry;
    ///
    /// let registry = Registry::new();
    /// let payment = registry.breaker("payment")?;
    /// assert!(Arc::ptr_eq(&payment, &registry.breaker("payment")?));
    /// assert!(payment.totals().is_some());
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// Do not build one for every name that a request brings along: each stays until it is
    /// [removed](Registry::remove_breaker). [`find_breaker`](Registry::find_breaker) builds nothing.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] if the name is empty, or for settings that are not allowed.
    pub fn breaker(&self, name: &str) -> Result<Arc<CircuitBreaker<C>>, ConfigError> {
        self.find_or_build(name)
    }

    /// The breaker of this name if there is one; builds nothing.
    ///
    /// ```
    /// use failfast::Registry;
    ///
    /// let registry = Registry::new();
    /// registry.breaker("payment")?;
    /// // An operator's request names a breaker, or none.
    /// assert!(registry.find_breaker("paymnet").is_none());
    /// registry.find_breaker("payment").unwrap().force_open();
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn find_breaker(&self, name: &str) -> Option<Arc<CircuitBreaker<C>>> {
        self.find(name)
    }

    /// Takes up a breaker that the program has built, under its own name.
    ///
    /// The registry's observers do not hear of it; give it its own.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use failfast::{CircuitBreaker, Registry};
    ///
    /// let registry = Registry::new();
    /// let payment = Arc::new(CircuitBreaker::builder().name("payment").totals(true).build()?);
    /// registry.insert_breaker(Arc::clone(&payment))?;
    /// assert!(Arc::ptr_eq(&payment, &registry.breaker("payment")?));
    /// let error = registry.insert_breaker(payment).unwrap_err();
    /// assert_eq!(error.to_string(), "name: given \"payment\", allowed is a name that is not taken");
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for `name`, if the breaker has none or one that is taken.
    pub fn insert_breaker(&self, breaker: Arc<CircuitBreaker<C>>) -> Result<(), ConfigError> {
        let name = breaker.name().to_owned();
        self.insert(&name, breaker)
    }

    /// Takes a breaker out. Handles that are out stay valid, and the next request for the name builds a new one.
    ///
    /// ```
    /// use failfast::{Registry, State};
    ///
    /// let registry = Registry::new();
    /// registry.breaker("payment")?.trip();
    /// let old = registry.remove_breaker("payment").unwrap();
    /// assert_eq!(registry.breaker("payment")?.state(), State::Closed);
    /// assert_eq!(old.state(), State::Open);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn remove_breaker(&self, name: &str) -> Option<Arc<CircuitBreaker<C>>> {
        self.remove(name)
    }

    /// All breakers, in the order of their names.
    ///
    /// ```
    /// use failfast::Registry;
    ///
    /// let registry = Registry::new();
    /// registry.breaker("shipping")?;
    /// registry.breaker("payment")?;
    /// let names: Vec<_> = registry.breakers().iter().map(|b| b.name().to_owned()).collect();
    /// assert_eq!(names, ["payment", "shipping"]);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn breakers(&self) -> Vec<Arc<CircuitBreaker<C>>> {
        self.shelves.read(|stock| stock.breakers.values().map(|item| item.thing.clone()).collect())
    }

    /// Adds an observer of all breakers that are built from now on, with their names.
    ///
    /// Register observers before the first breaker is asked for: those that there are already do not get it, nor do
    /// [inserted](Registry::insert_breaker) ones. It runs under no lock of a registry and may call any. Otherwise it is as
    /// [`Builder::on_transition`](crate::Builder::on_transition).
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use failfast::{Registry, State};
    ///
    /// let registry = Registry::new();
    /// let (tell, told) = mpsc::channel();
    /// registry.on_transition(move |name, t| tell.send((name.to_owned(), t.to)).unwrap());
    /// registry.breaker("payment")?.trip();
    /// assert_eq!(told.recv(), Ok(("payment".to_owned(), State::Open)));
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn on_transition(&self, observer: impl Fn(&str, &Transition) + Send + Sync + 'static) {
        let observer = Arc::new(observer);
        self.shelves.replan(|stock| stock.observers.push(observer));
    }

    // ===== bulkheads =====

    /// The bulkhead of this name, built from its entry at the first request.
    ///
    /// ```
    /// use failfast::{config::Config, Registry};
    ///
    /// let registry = Registry::from_config(Config::default().with_bulkhead("payment", 8))?;
    /// let payment = registry.bulkhead("payment")?; // once; then
    /// assert!(payment.try_acquire().is_ok());
    /// assert!(registry.bulkhead("paymnet").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] if the name is empty, is neither inserted nor in the configuration, or for a size that is not
    /// allowed.
    pub fn bulkhead(&self, name: &str) -> Result<Arc<Bulkhead>, ConfigError> {
        self.find_or_build(name)
    }

    /// The bulkhead of this name if there is one; builds nothing.
    ///
    /// ```
    /// use failfast::{config::Config, Registry};
    ///
    /// let registry = Registry::from_config(Config::default().with_bulkhead("payment", 8))?;
    /// assert!(registry.find_bulkhead("payment").is_none()); // nobody has asked for it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find_bulkhead(&self, name: &str) -> Option<Arc<Bulkhead>> {
        self.find(name)
    }

    /// Takes up a bulkhead that the program has built.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use failfast::{Bulkhead, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.insert_bulkhead("payment", Arc::new(Bulkhead::new(10)?))?;
    /// assert_eq!(registry.bulkhead("payment")?.max_concurrent(), 10);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for `name`, if it is empty or taken.
    pub fn insert_bulkhead(&self, name: &str, bulkhead: Arc<Bulkhead>) -> Result<(), ConfigError> {
        self.insert(name, bulkhead)
    }

    /// Takes a bulkhead out, as [`remove_breaker`](Registry::remove_breaker) a breaker.
    ///
    /// ```
    /// use failfast::{config::Config, Registry};
    ///
    /// let registry = Registry::from_config(Config::default().with_bulkhead("payment", 1))?;
    /// let old = registry.bulkhead("payment")?;
    /// let _permit = old.try_acquire().unwrap(); // leaked, say
    /// registry.remove_bulkhead("payment");
    /// assert!(registry.bulkhead("payment")?.try_acquire().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove_bulkhead(&self, name: &str) -> Option<Arc<Bulkhead>> {
        self.remove(name)
    }

    /// All bulkheads with their names, in the order of these.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use failfast::{Bulkhead, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.insert_bulkhead("shipping", Arc::new(Bulkhead::new(2)?))?;
    /// registry.insert_bulkhead("payment", Arc::new(Bulkhead::new(8)?))?;
    /// for (name, bulkhead) in registry.bulkheads() {
    ///     println!("{name}: {} of {} places are taken", bulkhead.in_use(), bulkhead.max_concurrent());
    /// }
    /// # assert_eq!(registry.bulkheads()[0].0, "payment");
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn bulkheads(&self) -> Vec<(String, Arc<Bulkhead>)> {
        self.all()
    }

    // ===== rate limits =====

    /// The rate limit of this name, built from its entry at the first request.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::config::{Config, RateLimitConfig};
    /// use failfast::Registry;
    ///
    /// let search = RateLimitConfig { calls: 100, per: Duration::from_secs(1), burst: Some(2) };
    /// let registry = Registry::from_config(Config::default().with_rate_limit("search", search))?;
    /// let search = registry.rate_limit("search")?; // once; then
    /// assert!(search.try_acquire_many(2).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] if the name is empty, is neither inserted nor in the configuration, or for settings that are not
    /// allowed.
    #[cfg(feature = "rate-limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
    pub fn rate_limit(&self, name: &str) -> Result<Arc<RateLimit<C>>, ConfigError> {
        self.find_or_build(name)
    }

    /// The rate limit of this name if there is one; builds nothing.
    ///
    /// ```
    /// assert!(failfast::Registry::new().find_rate_limit("search").is_none());
    /// ```
    #[cfg(feature = "rate-limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
    pub fn find_rate_limit(&self, name: &str) -> Option<Arc<RateLimit<C>>> {
        self.find(name)
    }

    /// Takes up a rate limit that the program has built.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use failfast::{RateLimit, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.insert_rate_limit("mail", Arc::new(RateLimit::per_second(5).build()?))?;
    /// assert_eq!(registry.rate_limit("mail")?.burst(), 5);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for `name`, if it is empty or taken.
    #[cfg(feature = "rate-limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
    pub fn insert_rate_limit(
        &self,
        name: &str,
        limit: Arc<RateLimit<C>>,
    ) -> Result<(), ConfigError> {
        self.insert(name, limit)
    }

    /// Takes a rate limit out, as [`remove_breaker`](Registry::remove_breaker) a breaker: the way to another rate.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::config::{Config, RateLimitConfig};
    /// use failfast::Registry;
    ///
    /// let search = |calls| {
    ///     let limit = RateLimitConfig { calls, per: Duration::from_secs(1), burst: None };
    ///     Config::default().with_rate_limit("search", limit)
    /// };
    /// let registry = Registry::from_config(search(100))?;
    /// registry.rate_limit("search")?;
    /// assert!(registry.apply(search(200)).is_err());
    /// registry.remove_rate_limit("search");
    /// registry.apply(search(200))?;
    /// assert_eq!(registry.rate_limit("search")?.burst(), 200); // and hand it to those who have the old one
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rate-limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
    pub fn remove_rate_limit(&self, name: &str) -> Option<Arc<RateLimit<C>>> {
        self.remove(name)
    }

    /// All rate limits with their names, in the order of these.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use failfast::{RateLimit, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.insert_rate_limit("mail", Arc::new(RateLimit::per_second(5).build()?))?;
    /// assert_eq!(registry.rate_limits()[0].0, "mail");
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    #[cfg(feature = "rate-limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
    pub fn rate_limits(&self) -> Vec<(String, Arc<RateLimit<C>>)> {
        self.all()
    }

    // ===== any kind =====

    fn find<T: Kind<C>>(&self, name: &str) -> Option<Arc<T>> {
        self.shelves.read(|stock| on(T::shelf(stock), name))
    }

    fn find_or_build<T: Kind<C>>(&self, name: &str) -> Result<Arc<T>, ConfigError> {
        checked(name)?;
        self.shelves.find_or_build(
            |stock| on(T::shelf(stock), name),
            Stock::plan,
            |plan| T::build(name, plan, &self.clock),
            |stock, plan, thing| {
                let origin = T::origin(name, plan.config());
                let item = Item { thing, origin, maker: Maker::Registry };
                T::shelf_mut(stock).insert(name.to_owned(), item);
            },
        )
    }

    fn insert<T: Kind<C>>(&self, name: &str, thing: Arc<T>) -> Result<(), ConfigError> {
        checked(name)?;
        // A clone stays here, so that nothing is dropped under the lock.
        let item = Item { thing: Arc::clone(&thing), origin: Origin::Own, maker: Maker::Program };
        let is_free = self.shelves.change(|stock| {
            let shelf = T::shelf_mut(stock);
            let is_free = !shelf.contains_key(name);
            if is_free {
                shelf.insert(name.to_owned(), item);
            }
            is_free
        });
        match is_free {
            true => Ok(()),
            false => Err(taken(name)),
        }
    }

    fn remove<T: Kind<C>>(&self, name: &str) -> Option<Arc<T>> {
        self.shelves.change(|stock| T::shelf_mut(stock).remove(name)).map(|item| item.thing)
    }

    fn all<T: Kind<C>>(&self) -> Vec<(String, Arc<T>)> {
        self.shelves.read(|stock| {
            T::shelf(stock).iter().map(|(name, item)| (name.clone(), item.thing.clone())).collect()
        })
    }
}

fn on<T>(shelf: &Shelf<T>, name: &str) -> Option<Arc<T>> {
    shelf.get(name).map(|item| Arc::clone(&item.thing))
}

/// Names stand in reports and labels, where an empty one says nothing.
fn checked(name: &str) -> Result<(), ConfigError> {
    match name {
        "" => Err(ConfigError::new("name", "\"\"", "a name that is not empty")),
        _ => Ok(()),
    }
}

fn taken(name: &str) -> ConfigError {
    ConfigError::new("name", format!("{name:?}"), "a name that is not taken")
}

impl<C: Clock + Clone> fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct States<C: Clock>(Vec<Arc<CircuitBreaker<C>>>);
        impl<C: Clock> fmt::Debug for States<C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_map().entries(self.0.iter().map(|b| (b.name(), b.state()))).finish()
            }
        }
        let mut registry = f.debug_struct("Registry");
        registry.field("breakers", &States(self.breakers())).field("bulkheads", &self.bulkheads());
        #[cfg(feature = "rate-limit")]
        registry.field("rate_limits", &self.rate_limits());
        registry.field("checks", &self.checks.names()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, AssertUnwindSafe};

    use super::*;
    use crate::clock::ManualClock;

    /// No foreign code runs under the locks, so this takes an allocation that fails, or a mistake of ours.
    #[test]
    fn a_thread_that_panicked_under_a_lock_takes_nobody_with_it() {
        let registry = Registry::with_clock(ManualClock::new());
        let payment = registry.breaker("payment").unwrap();
        let shelves = || registry.shelves.change(|_| panic!("under the lock of the shelves"));
        assert!(catch_unwind(AssertUnwindSafe(shelves)).is_err());
        let checks = || registry.checks.announce(|_| panic!("under the lock of the checks"));
        assert!(catch_unwind(AssertUnwindSafe(checks)).is_err());
        assert!(Arc::ptr_eq(&payment, &registry.breaker("payment").unwrap()));
        registry.breaker("search").unwrap();
        registry.remove_breaker("search");
        registry.apply(Config::default().with_bulkhead("payment", 3)).unwrap();
        registry.check("db", core::time::Duration::from_secs(60), || Ok::<(), String>(())).unwrap();
        assert_eq!(registry.run_checks().len(), 1);
        assert_eq!(registry.health().breakers.len(), 1);
    }
}
