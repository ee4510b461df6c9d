//! Metrics for Prometheus (feature `prometheus`): a collector that reads a [registry](crate::Registry) whenever it is scraped.
//!
//! Nothing is counted twice and nothing is pushed: a scrape reads the words that the breakers keep anyway, and a call
//! neither knows of it nor waits for it.
//!
//! ```
//! use core::time::Duration;
//! use std::sync::Arc;
//! use failfast::{clock::ManualClock, prometheus::{Collector, Format}, Registry};
//!
//! let clock = ManualClock::new(); // for the example; `Registry::new` uses the CPU's counter
//! let breakers = Arc::new(Registry::with_clock(clock.clone()));
//! let mut metrics = prometheus_client::registry::Registry::default();
//! metrics.register_collector(Box::new(Collector::new(breakers.clone())));
//!
//! breakers.breaker("payment")?.trip();
//! clock.advance(Duration::from_secs(12));
//! let text = Format::Text.encode(&metrics)?; // what `GET /metrics` answers
//! assert!(text.contains(r#"failfast_breaker_state{breaker="payment",state="open"} 1"#));
//! assert!(text.contains(r#"failfast_breaker_state{breaker="payment",state="closed"} 0"#));
//! assert!(text.contains(r#"failfast_breaker_state_code{breaker="payment"} 1"#));
//! assert!(text.contains(r#"failfast_open_remaining_seconds{breaker="payment"} 18.0"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Every breaker
//!
//! Each sample has the label `breaker`, the name.
//!
//! | metric | further labels | unit | meaning |
//! |---|---|---|---|
//! | `failfast_breaker_state` | `state` | 0 or 1 | 1 for the state that it is in: `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only` |
//! | `failfast_breaker_state_code` | | code | what a caller meets: 0 closed, 1 open, 2 half-open; see below |
//! | `failfast_open_remaining_seconds` | | seconds | time until the open time is over; 0 while not open |
//! | `failfast_window_calls` | | calls | outcomes in the window; the probes in half-open, 0 while open |
//! | `failfast_window_failed_calls` | | calls | failures among them |
//! | `failfast_window_slow_calls` | | calls | slow ones among them, failed or not |
//! | `failfast_consecutive_failures` | | calls | the present run of failures, where a rule counts it |
//! | `failfast_failure_ratio` | | 0 to 1 | failures per call in the window |
//! | `failfast_failure_limit_ratio` | | 0 to 1 | the share of failures that trips |
//! | `failfast_slow_ratio` | | 0 to 1 | slow calls per call in the window |
//! | `failfast_slow_limit_ratio` | | 0 to 1 | the share of slow calls that trips |
//! | `failfast_slow_call_limit_seconds` | | seconds | the time beyond which a call is slow |
//!
//! A limit is missing where there is no such rule. A ratio is missing there too, and while the window holds too few calls
//! for its rule: 0 would be untrue, and NaN would spoil an average over breakers.
//!
//! # Breakers with totals
//!
//! | metric | further labels | unit | meaning |
//! |---|---|---|---|
//! | `failfast_calls_total` | `outcome` | calls | permitted and reported: `success`, `failure`, `ignored`, `stale` |
//! | `failfast_calls_permitted_total` | | calls | permitted, probes among them |
//! | `failfast_calls_refused_total` | | calls | refused |
//! | `failfast_slow_calls_total` | | calls | slower than the limit, failed or not |
//! | `failfast_in_flight_calls` | | calls | permitted and not reported: under way, or leaked |
//! | `failfast_probes_total` | `result` | probes | half-open probes that are over: `success`, `failure`, `lost` |
//! | `failfast_transitions_total` | `from`, `to` | changes | changes of state, control calls among them |
//! | `failfast_transition_causes_total` | `cause` | changes | the same by [cause](crate::TransitionCause::name) |
//! | `failfast_openings_total` | | openings | times that a rule opened the closed breaker |
//! | `failfast_false_positive_openings_total` | | openings | of those, how many the first round of probes ended: an estimate of those that were not needed |
//! | `failfast_would_have_tripped_total` | | openings | times that it would have opened, had it not been metrics only |
//! | `failfast_state_seconds_total` | `state` | seconds | time spent in each state |
//!
//! A breaker that is built without [totals](crate::Builder::totals) is in the first table alone.
//! All series of a breaker are there from its first scrape on, with 0, so that a first increase is seen as one. The
//! exceptions are transitions that only a control call or new settings make: of the 36 pairs of states the four that rules
//! make are always there, each other one once it has happened.
//! A breaker that is removed from the registry takes its series along; one that is added again under its name begins at 0,
//! which Prometheus takes for a restart.
//!
//! # Bulkheads
//!
//! Each sample has the label `bulkhead`, the name in the registry.
//!
//! | metric | further labels | unit | meaning |
//! |---|---|---|---|
//! | `failfast_bulkhead_in_use` | | places | places that are taken |
//! | `failfast_bulkhead_max` | | places | places that there are |
//! | `failfast_bulkhead_waiting` | | callers | callers that wait for a place |
//!
//! Rate limits have nothing to read: what is left in a bucket is known to the next call alone.
//!
//! # The two forms of the state
//!
//! `failfast_breaker_state` is for rules and new dashboards: `failfast_breaker_state{state="open"} == 1`.
//! `failfast_breaker_state_code` is for the dashboards that people bring along, which know three numbers. There is no fourth:
//! such a dashboard would show a forced-open breaker as nothing, and an alert on 1 would miss it though it refuses every
//! call. So the code says what a caller meets: forced open is 1, disabled and metrics only, which permit everything, are 0.
//!
//! # What a scrape costs
//!
//! The calls: no instruction. Only the cache lines that the scrape has read have to come back to the cores that count on
//! them, once a scrape. The scraper: about 8 µs and 3 kB a breaker (November 2026, x86-64).
//!
//! A scrape takes the registry's lock for as long as it takes to clone the handles, and no call takes that lock; the breakers
//! are then read one after the other, without any lock, and written when all are read. What one breaker shows is read at one
//! time but not in one step: while calls are under way two of its numbers may be a moment apart. A counter never goes back.
//!
//! # One collector
//!
//! Register one collector of one registry. Two would write each family twice, which no scraper accepts.

use core::fmt;
use std::sync::Arc;

use prometheus_client::collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::clock::{Clock, DefaultClock};
use crate::registry::Registry;

mod families;
mod format;

pub use self::format::Format;

use self::families::{BreakerReading, BulkheadReading, BREAKER, BULKHEAD};

/// Reads the breakers and bulkheads of a registry whenever the client's registry is encoded.
///
/// The [module's page](self) has the metrics and an example.
pub struct Collector<C: Clock + Clone = DefaultClock> {
    registry: Arc<Registry<C>>,
}

impl<C: Clock + Clone> Collector<C> {
    /// A collector of what is in the registry at each scrape, breakers that are added later among it.
    pub fn new(registry: Arc<Registry<C>>) -> Self {
        Collector { registry }
    }
}

impl<C: Clock + Clone> collector::Collector for Collector<C> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Everything is read before anything is written: the writer may be slow.
        let breakers = self.registry.breakers();
        let breakers: Vec<_> = breakers
            .iter()
            .map(|breaker| (breaker.name().to_owned(), BreakerReading::of(breaker)))
            .collect();
        let bulkheads = self.registry.bulkheads().into_iter();
        let bulkheads: Vec<_> =
            bulkheads.map(|(name, bulkhead)| (name, BulkheadReading::of(&bulkhead))).collect();
        families::write(&mut encoder, BREAKER, "breaker", &breakers)?;
        families::write(&mut encoder, BULKHEAD, "bulkhead", &bulkheads)
    }
}

impl<C: Clock + Clone> fmt::Debug for Collector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}
