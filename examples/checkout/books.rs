//! What became of the checkouts: for Prometheus since the start, for the page also the latencies of the last seconds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use serde_json::{json, Value};

/// How far the percentiles look back.
pub(crate) const LOOKS_BACK: Duration = Duration::from_secs(5);
/// More latencies than that are not kept: at higher rates the percentiles look back less far.
const KEPT: usize = 50_000;
/// From a refusal at the door to more than all time that a checkout has, in seconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.4, 1.0, 2.0];

/// What became of a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Confirmed,
    /// Confirmed, with warnings.
    Degraded,
    /// A circuit is open, or there is no room.
    Refused,
    /// Any other error.
    Failed,
}

/// How many ended how, in the order of [`Ended`].
pub(crate) type Counts = [u64; 4];

pub(crate) struct Books {
    counters: [Counter; 4],
    histogram: Histogram,
    recent: Mutex<VecDeque<(Instant, Duration)>>,
}

impl Books {
    /// Registers what they count.
    pub(crate) fn open(metrics: &mut Registry) -> Books {
        let family = Family::<[(&str, &str); 1], Counter>::default();
        let histogram = Histogram::new(BUCKETS);
        let counters = ["confirmed", "degraded", "refused", "failed"]
            .map(|result| family.get_or_create(&[("result", result)]).clone());
        metrics.register("checkouts", "Checkouts by what became of them", family);
        let help = "From the request to its answer";
        metrics.register_with_unit("checkout", help, Unit::Seconds, histogram.clone());
        Books { counters, histogram, recent: Mutex::default() }
    }

    pub(crate) fn enter(&self, ended: Ended, latency: Duration) {
        self.counters[ended as usize].inc();
        self.histogram.observe(latency.as_secs_f64());
        let mut recent = self.recent();
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back((Instant::now(), latency));
    }

    pub(crate) fn counts(&self) -> Counts {
        [0, 1, 2, 3].map(|at: usize| self.counters[at].get())
    }

    /// Percentiles in milliseconds; `null` if nothing has ended lately.
    pub(crate) fn latencies(&self) -> Value {
        let mut recent = self.recent();
        while recent.front().is_some_and(|(at, _)| at.elapsed() > LOOKS_BACK) {
            recent.pop_front();
        }
        let mut latencies: Vec<_> = recent.iter().map(|&(_, latency)| latency).collect();
        drop(recent);
        latencies.sort_unstable();
        let at = |share| percentile(&latencies, share).map(milliseconds);
        match latencies.last() {
            None => Value::Null,
            Some(&max) => json!({
                "count": latencies.len(),
                "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": milliseconds(max),
            }),
        }
    }

    /// No holder can leave it half changed.
    fn recent(&self) -> MutexGuard<'_, VecDeque<(Instant, Duration)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value that this share of the values does not exceed; `sorted` is.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// To a microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
