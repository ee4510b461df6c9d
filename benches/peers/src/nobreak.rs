//! `nobreak`: consecutive failures behind the standard library's mutex.
//!
//! By `call`, its only synchronous way in.

use crate::{Failed, Peer, OPEN_WAIT, RUN};

/// The breaker, which knows consecutive failures only.
pub struct NoBreak(nobreak::CircuitBreaker);

impl NoBreak {
    /// As its builder makes it.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a bench has no use for it")]
    pub fn new() -> Self {
        let builder = nobreak::builder().with_failure_threshold(RUN as usize);
        NoBreak(builder.with_open_duration(OPEN_WAIT).build())
    }
}

impl Peer for NoBreak {
    #[inline(always)]
    fn guard(&self, result: Result<(), Failed>) -> bool {
        !matches!(self.0.call(|| result), Err(nobreak::CircuitError::Open))
    }
}
