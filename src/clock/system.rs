//! The standard library's monotonic clock.

use core::time::Duration;
use std::time::Instant;

use super::Clock;

/// [`std::time::Instant`]; about 21 ns a reading, no calibration.
///
/// Zero is the moment of its creation.
#[derive(Clone, Copy, Debug)]
pub struct StdClock {
    zero: Instant,
}

impl StdClock {
    /// Creates a clock whose zero is now.
    pub fn new() -> Self {
        StdClock { zero: Instant::now() }
    }
}

impl Default for StdClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for StdClock {
    #[inline]
    fn now(&self) -> Duration {
        self.zero.elapsed()
    }
}
