//! What a breaker has done since it was built, in numbers that only grow.

use core::time::Duration;

use crate::phase::State;

/// A reading of everything that a breaker has done since it was built.
///
/// Every number only grows. At rest all are exact; while other threads call, each may be a moment old, and
/// [`permitted`](Totals::permitted) is never below the outcomes that are shown beside it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Totals {
    /// Permits granted, probes among them.
    pub permitted: u64,
    /// Calls refused.
    pub refused: u64,
    /// Successes that counted.
    pub succeeded: u64,
    /// Failures that counted.
    pub failed: u64,
    /// Slow calls among the two, where a slow-call rule is set.
    pub slow: u64,
    /// Ignored outcomes, dropped permits among them.
    pub ignored: u64,
    /// Outcomes that came after their generation had ended.
    pub stale: u64,
    /// Half-open probes that succeeded, slow ones too.
    pub probes_succeeded: u64,
    /// Half-open probes that failed.
    pub probes_failed: u64,
    /// Half-open probes that had not reported when their lease was over.
    pub probes_lost: u64,
    /// How often a metrics-only breaker would have tripped: at most once in an open time.
    pub would_have_tripped: u64,
    /// Times that a rule has opened a closed breaker.
    pub openings: u64,
    /// Of those, how many the first round of probes ended: an estimate of the openings that were not needed.
    pub false_positives: u64,
    pub(crate) transitions: [[u64; 6]; 6],
    pub(crate) causes: [u64; 11],
    pub(crate) time_in: [Duration; 6],
}

impl Totals {
    /// Changes from one state to another.
    pub fn transitions(&self, from: State, to: State) -> u64 {
        self.transitions[from.code() as usize][to.code() as usize]
    }

    /// Time spent in a state, up to this reading.
    pub fn time_in(&self, state: State) -> Duration {
        self.time_in[state.code() as usize]
    }

    /// Calls that were permitted and have not reported: under way, or leaked.
    pub fn in_flight(&self) -> u64 {
        let reported = self.succeeded + self.failed + self.ignored + self.stale;
        self.permitted.saturating_sub(reported)
    }

    /// Probes that succeeded among those that are over; `None` before the first.
    pub fn probe_success_rate(&self) -> Option<f64> {
        let over = self.probes_succeeded + self.probes_failed + self.probes_lost;
        (over > 0).then(|| self.probes_succeeded as f64 / over as f64)
    }
}
