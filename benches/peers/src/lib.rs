//! Other circuit breakers behind one face, each in its own idiom and its own best configuration.
//!
//! What "best" meant for each, and what was left out, stands at the head of its module. No limit here is ever reached
//! by the healthy loads: the consecutive ones are a thousand, which changes no instruction of a record.

use core::fmt;
use core::time::Duration;

pub mod circuitbreaker_rs;
pub mod failsafe;
pub mod governor;
pub mod nobreak;
pub mod recloser;
pub mod reliakit;
pub mod tower_resilience;

/// What all of them can do: guard a call whose result is known.
pub trait Peer: Send + Sync + 'static {
    /// Guards a call with this result, by permit or by closure as the crate has it; whether it was let through.
    fn guard(&self, result: Result<(), Failed>) -> bool;
}

/// A failed call; some breakers want a real error.
#[derive(Clone, Copy, Debug)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call failed")
    }
}

impl std::error::Error for Failed {}

/// Far more failures in a row than any load here makes.
pub(crate) const RUN: u32 = 1_000;
/// The window of the breakers that have one.
pub(crate) const WINDOW: usize = 100;
/// Longer than any run of a bench.
pub(crate) const OPEN_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Lets calls fail until the breaker is open.
///
/// # Panics
///
/// When a hundred thousand failures in a row are not enough.
pub fn opened<P: Peer>(peer: P) -> P {
    let opens = (0..100_000).any(|_| !peer.guard(Err(Failed)));
    assert!(opens, "nothing but failures must open a breaker");
    peer
}
