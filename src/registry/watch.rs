//! The registry's face to operators: its health, and the checks that belong to it.

use core::fmt::Display;
use core::time::Duration;
use std::io;
use std::time::SystemTime;

use super::Registry;
use crate::breaker::config::validate_time;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::health::{BreakerHealth, BulkheadHealth, CheckHealth, CheckRunner, Health};

impl<C: Clock + Clone> Registry<C> {
    /// How everything is that has a name here: a reading, which runs no check and waits for nothing.
    ///
    /// ```
    /// use failfast::{HealthStatus, Registry};
    ///
    /// let registry = Registry::new();
    /// let payment = registry.breaker("payment")?;
    /// assert_eq!(registry.health().status, HealthStatus::Healthy);
    /// payment.force_open();
    /// assert_eq!(registry.health().status, HealthStatus::Degraded);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// Each breaker is read in turn: it is a reading of all of them at one time only if nobody calls meanwhile.
    pub fn health(&self) -> Health {
        self.health_at(SystemTime::now())
    }

    /// As [`health`](Registry::health), for a wall that shows this time; for tests, and for programs with a time of their
    /// own.
    ///
    /// ```
    /// use core::time::Duration;
    /// use std::time::SystemTime;
    /// use failfast::{clock::ManualClock, Registry};
    ///
    /// let registry = Registry::with_clock(ManualClock::new());
    /// registry.breaker("payment")?.trip();
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_726_400);
    /// assert_eq!(registry.health_at(noon).breakers[0].since, Some(noon));
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn health_at(&self, wall: SystemTime) -> Health {
        let breakers = self.breakers();
        let breakers = breakers.iter().map(|breaker| BreakerHealth::read(breaker, wall)).collect();
        let bulkheads = self.bulkheads().into_iter();
        let bulkheads = bulkheads.map(|(name, it)| BulkheadHealth::read(name, &it)).collect();
        Health::new(wall, breakers, bulkheads, self.checks.read(wall))
    }

    // ===== checks =====

    /// Registers the program's own check of a dependency, with the longest time that it may take.
    ///
    /// It runs when [`run_checks`](Registry::run_checks) or a [background runner](Registry::run_checks_every) runs it, on a
    /// thread of its own; one run at a time. A panic fails it. What it last said is part of the
    /// [health](Registry::health). No thread can be ended from outside: a check that never returns keeps its own, and is
    /// reported as timed out for good. So give the check's own calls timeouts too.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{CheckStatus, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.check("db", Duration::from_secs(2), || Err("connection refused"))?;
    /// assert_eq!(registry.health().checks[0].status, CheckStatus::NeverRan);
    /// let db = &registry.run_checks()[0];
    /// assert_eq!((db.status, db.error.as_deref()), (CheckStatus::Failed, Some("connection refused")));
    /// assert_eq!(registry.health().http_status(), 503);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Recovering early
    ///
    /// A breaker that was opened for long need not wait for that time to be over when a check knows better. The check ends
    /// the open time, and the breaker's own probes decide:
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{Registry, State};
    ///
    /// let registry = Registry::new();
    /// let payment = registry.breaker("payment")?;
    /// let handle = payment.clone();
    /// registry.check("payment", Duration::from_secs(2), move || {
    ///     // Ask the dependency here, and leave with its error if there is one.
    ///     handle.try_half_open();
    ///     Ok::<(), String>(())
    /// })?;
    ///
    /// payment.trip(); // for 30 s, but:
    /// registry.run_checks();
    /// assert_eq!(payment.state(), State::HalfOpen);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// [`try_half_open`](crate::CircuitBreaker::try_half_open) leaves a breaker alone that is not open: what an operator has forced
    /// stays so. [`half_open`](crate::CircuitBreaker::half_open) would undo it.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for `name`, if it is empty or another check has it ([remove](Registry::remove_check) that first: a
    /// check that silently took another's place would leave a dependency unwatched); for `time_limit`, if it is not 1 ns
    /// to 366 days.
    pub fn check<E: Display>(
        &self,
        name: &str,
        time_limit: Duration,
        check: impl Fn() -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<(), ConfigError> {
        super::checked(name)?;
        validate_time("time_limit", time_limit)?;
        match self.checks.add(name, time_limit, check) {
            true => Ok(()),
            false => Err(super::taken(name)),
        }
    }

    /// Takes a check out; false if there is none of that name.
    ///
    /// A run of it that is under way goes on to its end, and what it says is noted nowhere.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::Registry;
    ///
    /// let registry = Registry::new();
    /// registry.check("db", Duration::from_secs(2), || Err("connection refused"))?;
    /// registry.run_checks();
    /// assert_eq!(registry.health().http_status(), 503);
    /// registry.remove_check("db"); // the program does without it from now on
    /// assert_eq!(registry.health().http_status(), 200);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn remove_check(&self, name: &str) -> bool {
        self.checks.remove(name)
    }

    /// Runs every check, all at the same time, and returns when each has answered or overrun its limit.
    ///
    /// One that is running already, for another caller, is waited for and not started again; one that has overrun its limit
    /// is not even waited for. The answer is how all checks are now, in the order of their names.
    ///
    /// Called by a check of this registry, on its thread, it starts none and waits for none, for it would wait for itself: the
    /// answer is how they are now, the caller's own still running. On another thread that a check waits for, or through a
    /// check of another registry, that can't be seen: such a call waits for the limit of the check that waits for it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use std::sync::mpsc;
    /// use failfast::{CheckStatus, Registry};
    ///
    /// let registry = Registry::new();
    /// let (_never, answer) = mpsc::channel::<()>();
    /// let answer = std::sync::Mutex::new(answer);
    /// registry.check("hangs", Duration::from_millis(1), move || answer.lock().unwrap().recv())?;
    /// assert_eq!(registry.run_checks()[0].status, CheckStatus::TimedOut);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Progress
    ///
    /// Blocks, for at most the longest limit and what the scheduler adds; on the thread of a check not at all. Starts a thread
    /// for every check.
    pub fn run_checks(&self) -> Vec<CheckHealth> {
        self.checks.run_all(SystemTime::now())
    }

    /// Runs every check once a period, in the background, from now on until the answer is dropped.
    ///
    /// The period is from the beginning of a round to that of the next, which begins at once where a round took longer. It
    /// holds the checks and not the registry: should that be dropped first, they go on to be run.
    ///
    /// ```
    /// use core::time::Duration;
    /// use std::sync::mpsc;
    /// use failfast::Registry;
    ///
    /// let registry = Registry::new();
    /// let (tell, told) = mpsc::sync_channel(0);
    /// registry.check("db", Duration::from_secs(60), move || tell.send("asked"))?;
    /// let runner = registry.run_checks_every(Duration::from_millis(1))?;
    /// assert_eq!(told.recv(), Ok("asked"));
    /// assert_eq!(told.recv(), Ok("asked"));
    /// drop(runner);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the thread can't be started; of the kind [`InvalidInput`](io::ErrorKind::InvalidInput), with a
    /// [`ConfigError`], when the period is not 1 ns to 366 days.
    pub fn run_checks_every(&self, period: Duration) -> io::Result<CheckRunner<C>> {
        validate_time("period", period)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        CheckRunner::start(&self.checks, period)
    }
}
