//! A circuit breaker for latency-critical synchronous code: wait-free, exact, and cheap enough to leave in.
//!
//! ```
//! use failfast::{CallError, CircuitBreaker};
//!
//! let breaker = CircuitBreaker::builder().name("payment").consecutive_failures(5).build()?;
//!
//! match breaker.call(|| std::fs::read_to_string("Cargo.toml")) {
//!     Ok(text) => println!("{} bytes", text.len()),
//!     Err(CallError::Rejected(rejected)) => println!("not even tried: {rejected}"),
//!     Err(CallError::Inner(error)) => println!("tried, and failed: {error}"),
//! }
//! # Ok::<(), failfast::ConfigError>(())
//! ```
//!
//! - [`CircuitBreaker`] is shared by reference or [`Arc`](std::sync::Arc), with no lock anywhere.
//! - [`Builder`] sets it up; [`Window`], [`OpenWait`] and [`HalfOpen`] are its three larger settings.
//! - [`Permit`] and [`OwnedPermit`] are what a granted call holds and consumes when it reports.
//! - [`clock`] has the sources of time, [`ManualClock`](clock::ManualClock) for your tests among them.
//! - [`docs`] has the design: architecture, memory orderings, progress, proof, performance, patterns, operations,
//!   comparison with others.
//!
//! # Around the breaker
//!
//! - [`Bulkhead`] bounds how many calls are under way at once; `IsolatedPool` (feature `pool`) runs them on
//!   threads of their own, which callers can walk away from.
//! - [`Deadline`] is one absolute end that all attempts share.
//! - `Retry` (feature `retry`) tries again, within attempts, a deadline and a shared [`RetryBudget`]; `RateLimit` (feature
//!   `rate-limit`) is a token bucket.
//! - [`Fallback`] answers by what failed; [`Policy`] puts all of them around one call, in a fixed order.
//! - [`Faults`] fails, delays and hangs on purpose, for drills.
//!
//! # In production
//!
//! - [`Registry`] names breakers, bulkheads and rate limits, builds them from a [`config`], and applies a new one in use.
//! - [`CircuitBreaker::totals`] and [`CircuitBreaker::history`] say what a breaker has done; [`Registry::health`] how all
//!   are now, with checks of your own.
//! - `prometheus` (feature of that name) is a collector for metrics; with the feature `tracing` transitions and refusals
//!   are events.
//! - The [operations page](docs::operations) says what to watch, how to read a trip and how to roll out.
//!
//! # Features
//!
//! | feature | brings | costs |
//! |---|---|---|
//! | `pool` | `IsolatedPool` | rayon |
//! | `retry` | `Retry` | backon and fastrand |
//! | `rate-limit` | `RateLimit` | governor: some twenty small crates |
//! | `serde` | settings, readings and events as data | serde |
//! | `prometheus` | [a collector](https://docs.rs/failfast/latest/failfast/prometheus/) for a registry's metrics | prometheus-client |
//! | `tracing` | events | tracing |
//! | `toml`, `json`, `yaml` | [configuration files](config) | `serde` and a parser each: toml, serde_json, saphyr-parser |
//!
//! None is on by default.
//!
//! # States
//!
//! *Closed*: every call is granted and its outcome judged by the rules. A rule that is reached *opens* the breaker:
//! calls are refused until the open time is over. Then a few probes are granted (*half-open*), and they decide whether
//! to close or to open again. Besides there are *forced open*, *disabled* and *metrics only*, by control calls.
//!
//! # Settings that people bring along
//!
//! Hystrix: half of at least 20 calls in 10 s, then 5 s and one probe.
//!
//! ```
//! # use core::time::Duration;
//! # use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
//! # let secs = Duration::from_secs;
//! let hystrix = CircuitBreaker::builder()
//!     .window(Window::time(secs(10)))
//!     .failure_rate(0.5)
//!     .min_calls(20)
//!     .open_wait(OpenWait::fixed(secs(5)))
//!     .half_open(HalfOpen::probes(1))
//!     .build()?;
//! # Ok::<(), failfast::ConfigError>(())
//! ```
//!
//! An API gateway: half of at least 100 requests, 30 s.
//!
//! ```
//! # use core::time::Duration;
//! # use failfast::{CircuitBreaker, OpenWait, Window};
//! let gateway = CircuitBreaker::builder()
//!     .window(Window::count(100))
//!     .failure_rate(0.5)
//!     .min_calls(100)
//!     .open_wait(OpenWait::fixed(Duration::from_secs(30)))
//!     .build()?;
//! # Ok::<(), failfast::ConfigError>(())
//! ```
//!
//! pybreaker: five in a row, 60 s, one good call closes.
//!
//! ```
//! # use core::time::Duration;
//! # use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
//! let pybreaker = CircuitBreaker::builder()
//!     .window(Window::consecutive(5))
//!     .open_wait(OpenWait::fixed(Duration::from_secs(60)))
//!     .half_open(HalfOpen::probes(1))
//!     .build()?;
//! # Ok::<(), failfast::ConfigError>(())
//! ```
//!
//! gobreaker: more than five in a row, three probes, 30 s.
//!
//! ```
//! # use core::time::Duration;
//! # use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
//! let gobreaker = CircuitBreaker::builder()
//!     .window(Window::consecutive(6))
//!     .open_wait(OpenWait::fixed(Duration::from_secs(30)))
//!     .half_open(HalfOpen::probes(3))
//!     .build()?;
//! # Ok::<(), failfast::ConfigError>(())
//! ```
//!
//! resilience4j: half of the last 100, at least 100; calls over 60 s are slow, and all slow trips; 60 s; ten probes
//! decide by their rate.
//!
//! ```
//! # use core::time::Duration;
//! # use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
//! # let secs = Duration::from_secs;
//! let resilience4j = CircuitBreaker::builder()
//!     .window(Window::count(100))
//!     .failure_rate(0.5)
//!     .slow_call(secs(60), 1.0)
//!     .min_calls(100)
//!     .open_wait(OpenWait::fixed(secs(60)))
//!     .half_open(HalfOpen::rate(10))
//!     .build()?;
//! # Ok::<(), failfast::ConfigError>(())
//! ```
//!
//! Polly: a tenth of at least 100 in 30 s, then 5 s and one probe.
//!
//! ```
//! # use core::time::Duration;
//! # use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
//! # let secs = Duration::from_secs;
//! let polly = CircuitBreaker::builder()
//!     .window(Window::time(secs(30)))
//!     .failure_rate(0.1)
//!     .min_calls(100)
//!     .open_wait(OpenWait::fixed(secs(5)))
//!     .half_open(HalfOpen::probes(1))
//!     .build()?;
//! # Ok::<(), failfast::ConfigError>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bits;
mod breaker;
mod budget;
mod bulkhead;
pub mod clock;
pub mod config;
mod deadline;
pub mod docs;
mod error;
mod event;
mod fallback;
mod faults;
mod health;
mod metrics;
mod outcome;
mod phase;
pub mod policy;
#[cfg(feature = "pool")]
mod pool;
#[cfg(feature = "prometheus")]
#[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
pub mod prometheus;
mod rate_limit;
mod registry;
mod retry;
mod seats;
mod sleep;
mod sync;
mod threads;
mod totals;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod trace;
#[cfg(not(feature = "tracing"))]
mod trace;
mod window;

#[cfg(feature = "oracle")]
#[doc(hidden)]
pub mod oracle;

pub use breaker::{
    Builder, CircuitBreaker, HalfOpen, HalfOpenKind, OpenWait, OpenWaitKind, OwnedPermit, Permit,
    Settings, Window, WindowKind,
};
pub use budget::RetryBudget;
pub use bulkhead::{Bulkhead, BulkheadFull, BulkheadPermit, BulkheadReason, OwnedBulkheadPermit};
pub use deadline::Deadline;
pub use error::{CallError, ConfigError, Rejected};
pub use event::{Transition, TransitionCause};
pub use fallback::{Failed, Failure, Fallback, FallbackError, Refusal, TimedOut};
pub use faults::{Fault, Faults, FaultsBuilder};
pub use health::{
    BreakerHealth, BulkheadHealth, CheckHealth, CheckRunner, CheckStatus, Health, HealthStatus,
};
pub use metrics::Snapshot;
pub use outcome::{Outcome, Recorded};
pub use phase::State;
pub use policy::{Policy, PolicyBuilder, PolicyError};
#[cfg(feature = "pool")]
#[cfg_attr(docsrs, doc(cfg(feature = "pool")))]
pub use pool::{IsolatedPool, PoolBuilder, PoolError, PoolTimeout, Shutdown, StillRunning};
pub use rate_limit::RateLimited;
#[cfg(feature = "rate-limit")]
pub use rate_limit::{RateLimit, RateLimitBuilder};
pub use registry::{Applied, Changes, Registry};
pub use retry::{Again, RetryError, RetryStop};
#[cfg(feature = "retry")]
pub use retry::{Jitter, Retry, RetryBuilder};
pub use sleep::{Sleep, ThreadSleep};
pub use totals::Totals;

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
