//! What became of the checkouts: totals, and the latencies of the last seconds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

/// How far the percentiles look back.
pub(crate) const LOOKS_BACK: Duration = Duration::from_secs(5);
/// More latencies than that are not kept: at higher rates the percentiles look back less far.
const KEPT: usize = 50_000;

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

#[derive(Default)]
pub(crate) struct Books {
    page: Mutex<Page>,
}

#[derive(Default)]
struct Page {
    counts: Counts,
    recent: VecDeque<(Instant, Duration)>,
}

impl Books {
    pub(crate) fn enter(&self, ended: Ended, latency: Duration) {
        let mut page = self.page();
        page.counts[ended as usize] += 1;
        if page.recent.len() == KEPT {
            page.recent.pop_front();
        }
        page.recent.push_back((Instant::now(), latency));
    }

    pub(crate) fn counts(&self) -> Counts {
        self.page().counts
    }

    /// Percentiles in milliseconds; `null` if nothing has ended lately.
    pub(crate) fn latencies(&self) -> Value {
        let mut page = self.page();
        while page.recent.front().is_some_and(|(at, _)| at.elapsed() > LOOKS_BACK) {
            page.recent.pop_front();
        }
        let mut latencies: Vec<_> = page.recent.iter().map(|&(_, latency)| latency).collect();
        drop(page);
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
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
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
