//! `failsafe`: a policy behind one `parking_lot` mutex, locked once to ask and once to report.
//!
//! By its permission protocol on the state machine itself (`is_call_permitted`, `on_success`, `on_error`), without an
//! instrument; `call` is the same three calls. The futures feature is off.

use core::time::Duration;

use failsafe::backoff::{constant, Constant};
use failsafe::failure_policy::{
    consecutive_failures, success_rate_over_time_window, ConsecutiveFailures, OrElse,
    SuccessRateOverTimeWindow,
};
use failsafe::{Config, FailurePolicy, StateMachine};

use crate::{Failed, Peer, OPEN_WAIT, RUN};

/// The breaker with one of its policies.
pub struct Failsafe<P>(StateMachine<P, ()>);

/// Its run of failures.
pub type Consecutive = ConsecutiveFailures<Constant>;
/// Its moving average.
pub type SuccessRate = SuccessRateOverTimeWindow<Constant>;

impl<P: FailurePolicy> Failsafe<P> {
    fn with(policy: P) -> Self {
        Failsafe(Config::new().failure_policy(policy).build())
    }
}

impl Failsafe<Consecutive> {
    /// A run of failures.
    #[must_use]
    pub fn consecutive() -> Self {
        Failsafe::with(run())
    }
}

impl Failsafe<SuccessRate> {
    /// A moving average over 10 s, half of it failures; it reads the clock three times a success.
    #[must_use]
    pub fn success_rate() -> Self {
        Failsafe::with(rate())
    }
}

impl Failsafe<OrElse<SuccessRate, Consecutive>> {
    /// Both, as its default configuration has it.
    #[must_use]
    pub fn both() -> Self {
        Failsafe::with(rate().or_else(run()))
    }
}

fn run() -> Consecutive {
    consecutive_failures(RUN, constant(OPEN_WAIT))
}

fn rate() -> SuccessRate {
    success_rate_over_time_window(0.5, 20, Duration::from_secs(10), constant(OPEN_WAIT))
}

impl<P: FailurePolicy + Send + 'static> Peer for Failsafe<P> {
    #[inline(always)]
    fn guard(&self, result: Result<(), Failed>) -> bool {
        if !self.0.is_call_permitted() {
            return false;
        }
        match result {
            Ok(()) => self.0.on_success(),
            Err(Failed) => self.0.on_error(),
        }
        true
    }
}
