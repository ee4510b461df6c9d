//! Health: what an operator, a load balancer or a page asks of a program, as plain data.
//!
//! The [registry](crate::Registry::health) makes these from readings; nothing here is asked, run or waited for. The
//! checks that a program registers are in `checks`, their background thread in `runner`, times as JSON in `serial`.

use core::time::Duration;
use std::time::SystemTime;

use crate::breaker::CircuitBreaker;
use crate::bulkhead::Bulkhead;
use crate::clock::Clock;
use crate::event::Transition;
use crate::phase::State;

mod checks;
mod runner;
#[cfg(feature = "serde")]
mod serial;

pub(crate) use self::checks::Checks;
pub use self::runner::CheckRunner;

/// How a program's breakers, bulkheads and checks are, from [`Registry::health`](crate::Registry::health).
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, HealthStatus, Registry};
///
/// let clock = ManualClock::new();
/// let registry = Registry::with_clock(clock.clone());
/// registry.breaker("inventory")?;
/// registry.breaker("payment")?.trip();
/// clock.advance(Duration::from_secs(10));
///
/// let health = registry.health();
/// assert_eq!(health.status, HealthStatus::Degraded);
/// assert_eq!(health.http_status(), 503);
/// let payment = &health.breakers[1];
/// assert_eq!(payment.in_state_for, Some(Duration::from_secs(10)));
/// assert!(payment.open_for <= Some(Duration::from_millis(20_002)));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # As JSON
///
/// With the feature `serde` it is [`Serialize`](https://docs.rs/serde). Points in time are Unix seconds, spans are
/// seconds, both with a fraction. The names are fixed; more may be added. What is not known is `null`.
///
/// ```json
/// {
///   "status": "degraded",
///   "at": 1763707210.0,
///   "breakers": [
///     {
///       "name": "payment", "state": "open", "generation": 1,
///       "calls": 0, "failures": 0, "slow_calls": 0, "failure_rate": null, "slow_rate": null,
///       "since": 1763707200.0, "in_state_seconds": 10.0, "cause": "failure_rate",
///       "open_until": 1763707230.0, "open_for_seconds": 20.0
///     }
///   ],
///   "bulkheads": [{ "name": "payment", "in_use": 1, "max_concurrent": 10, "waiting": 0 }],
///   "checks": [
///     {
///       "name": "db", "status": "failed", "error": "connection refused",
///       "took_seconds": 0.25, "last_ran": 1763707206.0, "age_seconds": 4.0,
///       "time_limit_seconds": 2.0, "running": false
///     }
///   ]
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Health {
    /// All in all.
    pub status: HealthStatus,
    /// When it was read.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::time"))]
    pub at: SystemTime,
    /// The breakers, in the order of their names.
    pub breakers: Vec<BreakerHealth>,
    /// The bulkheads, in the order of their names.
    pub bulkheads: Vec<BulkheadHealth>,
    /// The checks, in the order of their names.
    pub checks: Vec<CheckHealth>,
}

/// All in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum HealthStatus {
    /// Neither of the below.
    Healthy,
    /// A breaker is open, forced open or half-open, or the last run of a check failed or timed out.
    Degraded,
}

impl Health {
    /// 200 if healthy, 503 if degraded.
    ///
    /// # What to answer whom
    ///
    /// - People, dashboards and alerts: this, with the rest as the body.
    /// - A **readiness** probe, or a load balancer: this only where another instance could do better. What one instance
    ///   sees of a shared dependency all see: they would leave the balancer together, and the fallbacks that still work
    ///   would go with them. Where there are fallbacks answer 200, and leave the degradation to the body.
    /// - A **liveness** probe: never this. It answers whether a restart would help, and no restart of the caller mends
    ///   what it calls; under load it makes things worse, for every restarted instance begins with closed breakers and
    ///   empty caches. Answer 200 from a handler that touches no dependency.
    ///
    /// The conventions: [503](https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4) is "unavailable for now". The expired
    /// draft [Health Check Response Format](https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06)
    /// asks for 4xx or 5xx where the status is "fail", and for 2xx or 3xx with a warning. Kubernetes
    /// [says](https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/) that
    /// a failed liveness probe must mean a failure beyond recovery, and that others cascade; its readiness probes may ask
    /// for every back end that is required. Spring Boot
    /// [keeps](https://docs.spring.io/spring-boot/reference/actuator/endpoints.html#actuator.endpoints.kubernetes-probes.external-state)
    /// external systems out of liveness, and for readiness leaves the choice to the application.
    ///
    /// ```
    /// use failfast::{Health, HealthStatus, Registry};
    ///
    /// /// The status lines of three handlers.
    /// fn answer(path: &str, health: &Health) -> u16 {
    ///     match path {
    ///         "/livez" => 200,
    ///         "/readyz" => 200, // every call here has a fallback
    ///         _ => health.http_status(),
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.breaker("payment")?.trip();
    /// let health = registry.health();
    /// assert_eq!(health.status, HealthStatus::Degraded);
    /// assert_eq!(["/livez", "/readyz", "/health"].map(|path| answer(path, &health)), [200, 200, 503]);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub const fn http_status(&self) -> u16 {
        match self.status {
            HealthStatus::Healthy => 200,
            HealthStatus::Degraded => 503,
        }
    }

    pub(crate) fn new(
        at: SystemTime,
        breakers: Vec<BreakerHealth>,
        bulkheads: Vec<BulkheadHealth>,
        checks: Vec<CheckHealth>,
    ) -> Self {
        let degraded = breakers.iter().any(BreakerHealth::is_degraded)
            || checks.iter().any(CheckHealth::is_degraded);
        let status = match degraded {
            true => HealthStatus::Degraded,
            false => HealthStatus::Healthy,
        };
        Health { status, at, breakers, bulkheads, checks }
    }
}

// ===== breakers =====

/// How a breaker is.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, Registry, State};
///
/// let clock = ManualClock::new();
/// let registry = Registry::with_clock(clock.clone());
/// let payment = registry.breaker("payment")?;
/// for _ in 0..20 {
///     payment.try_acquire().unwrap().failure();
/// }
/// clock.advance(Duration::from_secs(12));
/// let health = &registry.health().breakers[0];
/// assert_eq!((health.state, health.cause), (State::Open, Some("failure_rate")));
/// assert_eq!(health.in_state_for, Some(Duration::from_secs(12)));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BreakerHealth {
    /// Its name.
    pub name: String,
    /// As [`CircuitBreaker::state`] reads it.
    pub state: State,
    /// As [`Snapshot::generation`](crate::Snapshot::generation).
    pub generation: u64,
    /// Outcomes in the window.
    pub calls: u64,
    /// Failures in the window.
    pub failures: u64,
    /// Slow calls in the window.
    pub slow_calls: u64,
    /// As [`Snapshot::failure_rate`](crate::Snapshot::failure_rate).
    pub failure_rate: Option<f64>,
    /// As [`Snapshot::slow_rate`](crate::Snapshot::slow_rate).
    pub slow_rate: Option<f64>,
    /// Since when it has been in this state.
    ///
    /// `None` where it keeps no [totals](crate::Builder::totals); where the state follows from the time alone, and no call
    /// has come since to commit it; and where the state is older than the
    /// [transitions that are kept](CircuitBreaker::history).
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::time_if_known"))]
    pub since: Option<SystemTime>,
    /// How long it has been in this state, by its own clock; known where [`since`](BreakerHealth::since) is.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "in_state_seconds", serialize_with = "serial::span_if_known")
    )]
    pub in_state_for: Option<Duration>,
    /// [What](crate::TransitionCause::name) caused its last transition; `None` before the first, and without totals.
    pub cause: Option<&'static str>,
    /// When the open time will be over, while it is open.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::time_if_known"))]
    pub open_until: Option<SystemTime>,
    /// How long until the open time is over, while it is open.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "open_for_seconds", serialize_with = "serial::span_if_known")
    )]
    pub open_for: Option<Duration>,
}

impl BreakerHealth {
    /// Reads a breaker at an instant of the wall's clock.
    pub(crate) fn read<C: Clock>(breaker: &CircuitBreaker<C>, wall: SystemTime) -> Self {
        let snapshot = breaker.snapshot();
        let history = breaker.history();
        // Of another generation than the one in the snapshot it would say something else.
        let last = history.last().filter(|last| last.generation == snapshot.generation);
        let in_state_for = match (last, entered(&history)) {
            (None, _) if snapshot.generation == 0 => counted_time(breaker),
            (None, _) => None,
            (Some(last), _) if last.to != snapshot.state => None,
            (Some(_), Entered::At(at)) => Some(breaker.clock_now().saturating_sub(at)),
            (Some(_), Entered::WhenBuilt) => counted_time(breaker),
            (Some(_), Entered::BeforeWhatIsKept) => None,
        };
        let open_for = match snapshot.state {
            State::Open => breaker.open_for(),
            _ => None,
        };
        BreakerHealth {
            name: breaker.name().to_owned(),
            state: snapshot.state,
            generation: snapshot.generation,
            calls: snapshot.calls,
            failures: snapshot.failures,
            slow_calls: snapshot.slow_calls,
            failure_rate: snapshot.failure_rate,
            slow_rate: snapshot.slow_rate,
            since: in_state_for.and_then(|span| wall.checked_sub(span)),
            in_state_for,
            cause: last.map(|last| last.cause.name()),
            open_until: open_for.and_then(|span| wall.checked_add(span)),
            open_for,
        }
    }

    /// Whether it refuses calls. Disabled and metrics-only are what an operator asked for, and refuse none.
    fn is_degraded(&self) -> bool {
        matches!(self.state, State::Open | State::HalfOpen | State::ForcedOpen)
    }
}

/// When the state that the last transition left was entered.
enum Entered {
    At(Duration),
    WhenBuilt,
    BeforeWhatIsKept,
}

/// Goes back through the changes that left the state as it was: control calls and new settings. The history may have
/// gaps, and beyond one nothing is known.
fn entered(history: &[Transition]) -> Entered {
    let mut generation = history.last().map_or(0, |last| last.generation);
    for change in history.iter().rev() {
        if change.generation != generation {
            return Entered::BeforeWhatIsKept;
        }
        if change.from != change.to {
            return Entered::At(change.at);
        }
        generation -= 1;
    }
    match generation {
        0 => Entered::WhenBuilt,
        _ => Entered::BeforeWhatIsKept,
    }
}

/// All the time that a breaker has counted: since it was built.
fn counted_time<C: Clock>(breaker: &CircuitBreaker<C>) -> Option<Duration> {
    let totals = breaker.totals()?;
    Some(State::ALL.iter().map(|state| totals.time_in(*state)).sum())
}

// ===== bulkheads =====

/// How a bulkhead is. A full one is no degradation: that is what it is there for.
///
/// ```
/// use std::sync::Arc;
/// use failfast::{Bulkhead, HealthStatus, Registry};
///
/// let registry = Registry::new();
/// let payment = Arc::new(Bulkhead::new(1)?);
/// registry.insert_bulkhead("payment", payment.clone())?;
/// let _permit = payment.try_acquire().unwrap();
/// let health = registry.health();
/// assert_eq!((health.bulkheads[0].in_use, health.bulkheads[0].max_concurrent), (1, 1));
/// assert_eq!(health.status, HealthStatus::Healthy);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BulkheadHealth {
    /// Its name.
    pub name: String,
    /// As [`Bulkhead::in_use`].
    pub in_use: u32,
    /// As [`Bulkhead::max_concurrent`].
    pub max_concurrent: u32,
    /// As [`Bulkhead::waiting`].
    pub waiting: u32,
}

impl BulkheadHealth {
    pub(crate) fn read(name: String, bulkhead: &Bulkhead) -> Self {
        BulkheadHealth {
            name,
            in_use: bulkhead.in_use(),
            max_concurrent: bulkhead.max_concurrent(),
            waiting: bulkhead.waiting(),
        }
    }
}

// ===== checks =====

/// How the last run of a [check](crate::Registry::check) went.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, CheckStatus, Registry};
///
/// let clock = ManualClock::new();
/// let registry = Registry::with_clock(clock.clone());
/// registry.check("db", Duration::from_secs(2), || -> Result<(), String> { panic!("no such host") })?;
/// registry.run_checks();
/// clock.advance(Duration::from_secs(30)); // a result may be old: how old, it says
/// let db = &registry.health().checks[0];
/// assert_eq!((db.status, db.age), (CheckStatus::Failed, Some(Duration::from_secs(30))));
/// assert_eq!(db.error.as_deref(), Some("panicked: no such host"));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CheckHealth {
    /// Its name.
    pub name: String,
    /// How it went.
    pub status: CheckStatus,
    /// What went wrong, in words: the check's own error, the message of its panic, the limit that it overran.
    pub error: Option<String>,
    /// How long the run took, by the registry's clock; up to now, if it has overrun its limit and still hangs.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "took_seconds", serialize_with = "serial::span_if_known")
    )]
    pub took: Option<Duration>,
    /// When the run began.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::time_if_known"))]
    pub last_ran: Option<SystemTime>,
    /// How long ago the run began, by the registry's clock.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "age_seconds", serialize_with = "serial::span_if_known")
    )]
    pub age: Option<Duration>,
    /// Its time limit.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "time_limit_seconds", serialize_with = "serial::span")
    )]
    pub time_limit: Duration,
    /// Whether it is running now. It is not started again meanwhile, even beyond its limit.
    pub running: bool,
}

/// How a run of a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CheckStatus {
    /// It answered `Ok` within its limit.
    Passed,
    /// It answered `Err`, or panicked.
    Failed,
    /// It did not answer within its limit.
    TimedOut,
    /// No run of it has ended yet.
    NeverRan,
}

impl CheckHealth {
    fn is_degraded(&self) -> bool {
        matches!(self.status, CheckStatus::Failed | CheckStatus::TimedOut)
    }
}
