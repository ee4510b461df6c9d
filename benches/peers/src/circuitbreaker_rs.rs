//! `circuitbreaker-rs`: atomic counters since the last reset, and a mutex around the time of the last outcome.
//!
//! By `call`, with its default policy, its null metrics sink and no hooks. Its time-based and throughput policies are
//! left out: they hold windows that the breaker never feeds.

use circuitbreaker_rs::{BreakerError, CircuitBreaker, DefaultPolicy};

use crate::{Failed, Peer, OPEN_WAIT, RUN};

/// The breaker with its default policy: half of all calls since the last reset, or a run of failures.
pub struct CircuitBreakerRs(CircuitBreaker<DefaultPolicy, Failed>);

impl CircuitBreakerRs {
    /// As its builder makes it.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a bench has no use for it")]
    pub fn new() -> Self {
        let builder = CircuitBreaker::<DefaultPolicy, Failed>::builder();
        CircuitBreakerRs(builder.cooldown(OPEN_WAIT).consecutive_failures(u64::from(RUN)).build())
    }
}

impl Peer for CircuitBreakerRs {
    #[inline(always)]
    fn guard(&self, result: Result<(), Failed>) -> bool {
        !matches!(self.0.call(|| result), Err(BreakerError::Open))
    }
}
