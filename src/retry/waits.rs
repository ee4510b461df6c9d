//! How long to wait: backon's delays, and the jitter around them.
//!
//! The jitter is not backon's, which adds up to a whole delay on top of the cap.

use core::fmt;
use core::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use crossbeam_utils::CachePadded;

use crate::breaker::config::random_seed;
use crate::breaker::rules::{split_mix, PPM};
use crate::clock::nanos;
use crate::sync::{AtomicU64, Ordering};

/// How far a wait may lie from its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    None,
    Full,
    /// That many millionths of the delay, on either side.
    Millionths(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) delays: ExponentialBuilder,
    pub(super) max_ns: u64,
    pub(super) spread: Spread,
}

impl Backoff {
    /// The waits of one call, for ever.
    pub(super) fn waits<'a>(&'a self, draws: &'a Draws) -> Waits<'a> {
        Waits { backoff: self, delays: self.delays.build(), draws, state: None }
    }

    /// The shortest and the longest wait for a delay. The range itself ends at the cap: were waits cut to it after the
    /// draw, half of them would be the cap, and those who wait would come back together.
    pub(super) fn range(&self, delay_ns: u64) -> (u64, u64) {
        let delay = delay_ns.min(self.max_ns);
        match self.spread {
            Spread::None => (delay, delay),
            Spread::Full => (0, delay),
            Spread::Millionths(ppm) => {
                let part = u128::from(delay) * u128::from(ppm) / u128::from(PPM);
                let part = part as u64; // not above the delay
                (delay - part, delay.saturating_add(part).min(self.max_ns))
            }
        }
    }
}

/// What one call waits for, time after time.
pub(super) struct Waits<'a> {
    backoff: &'a Backoff,
    delays: <ExponentialBuilder as BackoffBuilder>::Backoff,
    draws: &'a Draws,
    /// Of the call's own generator, once it has drawn.
    state: Option<u64>,
}

impl Waits<'_> {
    /// The wait before the next attempt.
    pub(super) fn next_wait(&mut self) -> Duration {
        let delay_ns = self.delays.next().map_or(self.backoff.max_ns, nanos);
        let (shortest, longest) = self.backoff.range(delay_ns);
        let more = match longest - shortest {
            0 => 0,
            // A draw is a fraction of 2^64; the product is below 2^64 times the number of values.
            span => (u128::from(self.draw()) * (u128::from(span) + 1)) >> 64,
        };
        Duration::from_nanos(shortest + more as u64)
    }

    fn draw(&mut self) -> u64 {
        if let Draws::Given(source) = self.draws {
            return source();
        }
        let state = self.state.unwrap_or_else(|| self.draws.begin());
        self.state = Some(state.wrapping_add(GAMMA));
        split_mix(state)
    }
}

/// Where the randomness comes from.
pub(super) enum Draws {
    /// A seed of its own for each call, from its thread: no word that threads share.
    Own,
    /// The call's number is its seed: one addition a call that is retried. It begins again after 2^64 of them.
    Seeded {
        seed: u64,
        calls: CachePadded<AtomicU64>,
    },
    Given(Box<dyn Fn() -> u64 + Send + Sync>),
}

/// What SplitMix64 adds to its state for each draw: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draws {
    pub(super) fn seeded(seed: u64) -> Self {
        Draws::Seeded { seed, calls: CachePadded::new(AtomicU64::new(0)) }
    }

    /// The state in which a call's generator begins.
    fn begin(&self) -> u64 {
        match self {
            // Relaxed: the counter orders nothing, it only gives every call a number of its own.
            Draws::Seeded { seed, calls } => {
                split_mix(seed ^ split_mix(calls.fetch_add(1, Ordering::Relaxed)))
            }
            Draws::Own | Draws::Given(_) => random_seed(),
        }
    }
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Draws::Own => "Own",
            Draws::Seeded { .. } => "Seeded",
            Draws::Given(_) => "Given",
        })
    }
}
