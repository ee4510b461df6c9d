//! A reading of a breaker: plain numbers, no atomics.

use core::fmt;

use crate::phase::State;

/// A reading of a breaker's state and window.
///
/// It never mixes two generations. While other threads record it may be a moment old; at rest it is exact.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Snapshot {
    /// The state, as [`CircuitBreaker::state`](crate::CircuitBreaker::state) reads it.
    pub state: State,
    /// The last committed generation.
    pub generation: u64,
    /// Outcomes in the window.
    pub calls: u64,
    /// Failures in the window.
    pub failures: u64,
    /// Slow calls in the window, successful or not.
    pub slow_calls: u64,
    /// Slow failures in the window.
    pub slow_failures: u64,
    /// The current run of failures, where a consecutive rule or window is set; otherwise 0.
    pub consecutive_failures: u64,
    /// Failures per call, 0 to 1; `None` below the minimum of calls, and where no failure rate is set.
    pub failure_rate: Option<f64>,
    /// Slow calls per call, 0 to 1; `None` below the minimum of calls, and where no slow-call rule is set.
    pub slow_rate: Option<f64>,
    /// The number of the open period since the breaker was last closed, disabled or metrics-only; 0 when it was not
    /// open since.
    pub open_attempt: u32,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (generation {}): {} calls, {} failed, {} slow",
            self.state, self.generation, self.calls, self.failures, self.slow_calls
        )
    }
}
