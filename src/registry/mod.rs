//! Names for primitives: who asks for the same name gets the same breaker.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::clock::{Clock, DefaultClock};
use crate::config::Config;
use crate::error::ConfigError;
use crate::sync::RwLock;

/// Named breakers, built from templates and overrides when they are first asked for.
pub struct Registry<C: Clock + Clone = DefaultClock> {
    clock: C,
    config: RwLock<Config>,
    breakers: RwLock<BTreeMap<String, Arc<CircuitBreaker<C>>>>,
}

impl Registry {
    /// An empty registry, whose breakers read the default clock.
    pub fn new() -> Self {
        Registry::with_clock(DefaultClock::new())
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock + Clone> Registry<C> {
    /// An empty registry, whose breakers read this clock.
    pub fn with_clock(clock: C) -> Self {
        Registry { clock, config: RwLock::default(), breakers: RwLock::default() }
    }

    /// The breaker of this name, built at the first request.
    pub fn breaker(&self, name: &str) -> Result<Arc<CircuitBreaker<C>>, ConfigError> {
        let mut breakers = self.breakers.write().unwrap();
        if let Some(breaker) = breakers.get(name) {
            return Ok(breaker.clone());
        }
        let config = self.config.read().unwrap().breakers.get(name).cloned().unwrap_or_default();
        let breaker = config.to_builder().name(name).clock(self.clock.clone()).build()?;
        Ok(breakers.entry(name.to_owned()).or_insert(Arc::new(breaker)).clone())
    }

    /// All breakers, by name.
    pub fn breakers(&self) -> Vec<Arc<CircuitBreaker<C>>> {
        self.breakers.read().unwrap().values().cloned().collect()
    }
}
