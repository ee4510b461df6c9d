//! The settings of a pool.

use core::fmt;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::bulkhead::Bulkhead;
use crate::clock::{Clock, DefaultClock};
use crate::error::ConfigError;
use crate::pool::crew::Crew;
use crate::pool::IsolatedPool;

/// Most threads of a pool: a dependency that keeps more of them busy needs another way than a thread a call.
const MAX_THREADS: u32 = 1_024;
/// Most calls that may be queued: with the threads fewer than a bulkhead has places. Far above use.
const MAX_QUEUE: u32 = 1_000_000;

/// As Hystrix: 30 calls a second at 0.2 s each keep six threads busy, and there is some room; whoever comes when all are
/// busy is refused at once.
const DEFAULT_THREADS: u32 = 10;
const DEFAULT_QUEUE: u32 = 0;
const DEFAULT_NAME: &str = "isolated";

/// The settings of an [`IsolatedPool`]: see [`IsolatedPool::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct PoolBuilder<C = DefaultClock> {
    name: String,
    threads: u32,
    queue: u32,
    breaker: Option<Arc<CircuitBreaker<C>>>,
}

impl PoolBuilder<DefaultClock> {
    pub(super) fn new() -> Self {
        PoolBuilder {
            name: DEFAULT_NAME.to_owned(),
            threads: DEFAULT_THREADS,
            queue: DEFAULT_QUEUE,
            breaker: None,
        }
    }
}

impl<C> PoolBuilder<C> {
    /// A name for people, and with a number for each thread; no NUL in it. By default `isolated`.
    pub fn name(self, name: impl Into<String>) -> Self {
        PoolBuilder { name: name.into(), ..self }
    }

    /// How many calls run at once: 1 to 1,024, by default 10.
    pub fn threads(self, threads: u32) -> Self {
        PoolBuilder { threads, ..self }
    }

    /// How many calls may wait for a thread besides: 0 to 1,000,000, by default none.
    ///
    /// A queue smooths bursts, and a long one makes callers wait for what will have timed out when it is their turn.
    pub fn queue(self, queue: u32) -> Self {
        PoolBuilder { queue, ..self }
    }

    /// A breaker that every call asks and reports to. By default there is none.
    ///
    /// Results are reported by the pool's threads, timeouts by their callers: for the breaker these are threads like
    /// any other, see [`Builder::stripes`](crate::Builder::stripes).
    pub fn breaker<D>(self, breaker: Arc<CircuitBreaker<D>>) -> PoolBuilder<D> {
        let PoolBuilder { name, threads, queue, .. } = self;
        PoolBuilder { name, threads, queue, breaker: Some(breaker) }
    }
}

impl<C: Clock> PoolBuilder<C> {
    /// Starts the pool's threads.
    ///
    /// ```
    /// use failfast::IsolatedPool;
    ///
    /// let error = IsolatedPool::builder().threads(0).build().unwrap_err();
    /// assert_eq!(error.to_string(), "threads: given 0, allowed is 1 to 1024");
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the first setting that is not allowed; `threads`, if the system does not start that
    /// many.
    pub fn build(self) -> Result<IsolatedPool<C>, ConfigError> {
        let PoolBuilder { name, threads, queue, breaker } = self;
        if name.contains('\0') {
            return Err(ConfigError::new("name", format!("{name:?}"), "a text without NUL"));
        }
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(ConfigError::new("threads", threads.to_string(), "1 to 1024"));
        }
        if queue > MAX_QUEUE {
            return Err(ConfigError::new("queue", queue.to_string(), "0 to 1000000"));
        }
        let places = Arc::new(Bulkhead::new(threads + queue)?);
        let crew = Crew::start(&name, threads).map_err(|error| {
            ConfigError::new("threads", format!("{threads} ({error})"), "what the system starts")
        })?;
        Ok(IsolatedPool { name, threads, queue, breaker, places, crew })
    }
}

impl<C: Clock> fmt::Debug for PoolBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("name", &self.name)
            .field("threads", &self.threads)
            .field("queue", &self.queue)
            .field("breaker", &self.breaker.as_ref().map(|breaker| breaker.name()))
            .finish()
    }
}
