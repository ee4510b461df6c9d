//! How long to wait: backon's delays, and the jitter around them.
//!
//! The jitter is not backon's, which adds up to a whole delay on top of the cap.

use core::fmt;
use core::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use crossbeam_utils::CachePadded;

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
    /// The delays of one call: exponential, and for ever.
    pub(super) fn delays(&self) -> impl Iterator<Item = Duration> {
        self.delays.build()
    }

    /// The wait before the next attempt.
    pub(super) fn wait(
        &self,
        delays: &mut impl Iterator<Item = Duration>,
        draws: &Draws,
    ) -> Duration {
        let (shortest, longest) = self.range(delays.next().map_or(self.max_ns, nanos));
        let more = match longest - shortest {
            0 => 0,
            // A draw is a fraction of 2^64; the product is below 2^64 times the number of values.
            span => (u128::from(draws.draw()) * (u128::from(span) + 1)) >> 64,
        };
        Duration::from_nanos(shortest + more as u64)
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

/// Where the randomness comes from.
pub(super) enum Draws {
    /// The hash of a counter: each draw is one addition. Wrapping after 2^64 draws it begins again.
    Seeded {
        seed: u64,
        drawn: CachePadded<AtomicU64>,
    },
    Given(Box<dyn Fn() -> u64 + Send + Sync>),
}

impl Draws {
    pub(super) fn seeded(seed: u64) -> Self {
        Draws::Seeded { seed, drawn: CachePadded::new(AtomicU64::new(0)) }
    }

    fn draw(&self) -> u64 {
        match self {
            // Relaxed: the counter orders nothing, it only gives every draw a number of its own.
            Draws::Seeded { seed, drawn } => {
                split_mix(seed ^ split_mix(drawn.fetch_add(1, Ordering::Relaxed)))
            }
            Draws::Given(source) => source(),
        }
    }
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Draws::Seeded { .. } => "Seeded",
            Draws::Given(_) => "Given",
        })
    }
}
