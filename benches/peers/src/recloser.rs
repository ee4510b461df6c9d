//! `recloser`: a ring of booleans behind a spin lock, its state behind an epoch pointer.
//!
//! By `call`, its only synchronous way in; its defaults but for the open time: a window of 100, half of it failures.

use crate::{Failed, Peer, OPEN_WAIT, WINDOW};

/// The breaker with a count window.
pub struct Recloser(recloser::Recloser);

impl Recloser {
    /// As its builder makes it.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a bench has no use for it")]
    pub fn new() -> Self {
        let builder = recloser::Recloser::custom().closed_len(WINDOW).open_wait(OPEN_WAIT);
        Recloser(builder.build())
    }
}

impl Peer for Recloser {
    #[inline(always)]
    fn guard(&self, result: Result<(), Failed>) -> bool {
        !matches!(self.0.call(|| result), Err(recloser::Error::Rejected))
    }
}
