//! What an observer is told when a breaker changes its state.

use core::time::Duration;

use crate::phase::State;

/// A committed change of state.
///
/// Observers run on the thread whose action committed the change, after the commit. Several changes may be
/// observed out of order by different threads; [`generation`](Transition::generation) puts them in order: it grows
/// by one a change, without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The generation that this change began; the first generation of a breaker is 0.
    pub generation: u64,
    /// Why.
    pub cause: TransitionCause,
    /// When, since the clock's zero.
    pub at: Duration,
}

/// Why a breaker changed its state, with the numbers that decided where a rule did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TransitionCause {
    /// The failure rate of the window reached its limit.
    FailureRate {
        /// Failures in the window that decided.
        failures: u64,
        /// Calls in the window that decided.
        calls: u64,
    },
    /// The slow-call rate of the window reached its limit.
    SlowRate {
        /// Slow calls in the window that decided.
        slow_calls: u64,
        /// Calls in the window that decided.
        calls: u64,
    },
    /// The number of failures in the window reached its limit.
    FailureCount {
        /// Failures in the window that decided.
        failures: u64,
    },
    /// The run of consecutive failures reached its limit.
    ConsecutiveFailures {
        /// Length of the run that decided.
        failures: u64,
    },
    /// The open time is over and a first probe was asked for.
    OpenTimeOver,
    /// A half-open probe failed.
    ProbeFailed,
    /// A half-open probe was slow.
    ProbeSlow,
    /// The half-open probes decided for closing.
    ProbesSucceeded {
        /// Outcomes that decided.
        calls: u64,
        /// Failures among them.
        failures: u64,
    },
    /// Half-open probes did not report in time.
    ProbesLost {
        /// Places that were still taken.
        outstanding: u64,
    },
    /// A control call: `trip`, `half_open`, `reset`, `force_open`, `disable`, `metrics_only`.
    Control,
}
