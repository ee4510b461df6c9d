//! What an observer is told when a breaker changes its state.

use core::time::Duration;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::phase::State;

/// A committed change of state.
///
/// Observers run on the thread whose action committed the change, after the commit. Several changes may be
/// observed out of order by different threads; [`generation`](Transition::generation) puts them in order: it grows
/// by one a change, without gaps.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
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
    #[cfg_attr(feature = "serde", serde(with = "crate::config::time"))]
    pub at: Duration,
}

/// Why a breaker changed its state, with the numbers that decided where a rule did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
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
    /// New settings, which judge a generation of their own: the state stays the same.
    Reconfigured,
}

impl TransitionCause {
    /// The names of all kinds, in the order of their numbers.
    pub(crate) const KINDS: [&'static str; 11] = [
        "failure_rate",
        "slow_rate",
        "failure_count",
        "consecutive_failures",
        "open_time_over",
        "probe_failed",
        "probe_slow",
        "probes_succeeded",
        "probes_lost",
        "control",
        "reconfigured",
    ];

    /// The kind of this cause in snake case, without its numbers: for labels and logs.
    ///
    /// ```
    /// use failfast::TransitionCause;
    ///
    /// assert_eq!(TransitionCause::FailureRate { failures: 10, calls: 20 }.name(), "failure_rate");
    /// ```
    pub const fn name(&self) -> &'static str {
        TransitionCause::KINDS[self.kind()]
    }

    /// The number of this kind.
    pub(crate) const fn kind(&self) -> usize {
        match self {
            TransitionCause::FailureRate { .. } => 0,
            TransitionCause::SlowRate { .. } => 1,
            TransitionCause::FailureCount { .. } => 2,
            TransitionCause::ConsecutiveFailures { .. } => 3,
            TransitionCause::OpenTimeOver => 4,
            TransitionCause::ProbeFailed => 5,
            TransitionCause::ProbeSlow => 6,
            TransitionCause::ProbesSucceeded { .. } => 7,
            TransitionCause::ProbesLost { .. } => 8,
            TransitionCause::Control => 9,
            TransitionCause::Reconfigured => 10,
        }
    }

    /// Whether a rule has judged the window.
    pub(crate) const fn is_rule(&self) -> bool {
        self.kind() <= 3
    }

    /// The numbers that decided, zeroes where there are fewer.
    pub(crate) const fn numbers(&self) -> (u64, u64) {
        match *self {
            TransitionCause::FailureRate { failures, calls } => (failures, calls),
            TransitionCause::SlowRate { slow_calls, calls } => (slow_calls, calls),
            TransitionCause::FailureCount { failures }
            | TransitionCause::ConsecutiveFailures { failures } => (failures, 0),
            TransitionCause::ProbesSucceeded { calls, failures } => (calls, failures),
            TransitionCause::ProbesLost { outstanding } => (outstanding, 0),
            TransitionCause::OpenTimeOver
            | TransitionCause::ProbeFailed
            | TransitionCause::ProbeSlow
            | TransitionCause::Control
            | TransitionCause::Reconfigured => (0, 0),
        }
    }

    /// The cause of a kind with its numbers, as [`kind`](Self::kind) and [`numbers`](Self::numbers) gave them.
    pub(crate) const fn of(kind: usize, first: u64, second: u64) -> Self {
        match kind {
            0 => TransitionCause::FailureRate { failures: first, calls: second },
            1 => TransitionCause::SlowRate { slow_calls: first, calls: second },
            2 => TransitionCause::FailureCount { failures: first },
            3 => TransitionCause::ConsecutiveFailures { failures: first },
            4 => TransitionCause::OpenTimeOver,
            5 => TransitionCause::ProbeFailed,
            6 => TransitionCause::ProbeSlow,
            7 => TransitionCause::ProbesSucceeded { calls: first, failures: second },
            8 => TransitionCause::ProbesLost { outstanding: first },
            9 => TransitionCause::Control,
            _ => TransitionCause::Reconfigured,
        }
    }
}

/// Tells somebody who must do no harm: what it panics with is dropped.
pub(crate) fn contain(told: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(told)) {
        // What was thrown may throw again when it is dropped.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        if let Err(payload) = dropped {
            core::mem::forget(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_comes_back_from_its_number_and_its_numbers() {
        for kind in 0..TransitionCause::KINDS.len() {
            let cause = TransitionCause::of(kind, 7, 9);
            assert_eq!(cause.kind(), kind);
            assert_eq!(cause.name(), TransitionCause::KINDS[kind]);
            let (first, second) = cause.numbers();
            assert_eq!(TransitionCause::of(kind, first, second), cause);
        }
    }
}
