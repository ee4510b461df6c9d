//! The default clock: the CPU's own counter.

use core::time::Duration;

use super::Clock;

/// The CPU's counter, calibrated against the system's monotonic clock; about 9 ns a reading.
///
/// Zero is the moment of its creation.
/// The first one of a process calibrates for up to a few hundred milliseconds, at creation, never at a reading.
/// Where the CPU has no invariant counter it falls back to the system's monotonic clock.
///
/// Readings of different cores may disagree by some nanoseconds.
/// They are never forced into one order (that would take a word that every thread writes): who takes a difference
/// saturates.
#[derive(Clone, Debug)]
pub struct DefaultClock {
    counter: quanta::Clock,
    zero: u64,
}

impl DefaultClock {
    /// Creates a clock whose zero is now.
    pub fn new() -> Self {
        let counter = quanta::Clock::new();
        let zero = counter.raw();
        DefaultClock { counter, zero }
    }
}

impl Default for DefaultClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for DefaultClock {
    #[inline]
    fn now(&self) -> Duration {
        Duration::from_nanos(self.now_nanos())
    }

    #[inline]
    fn now_nanos(&self) -> u64 {
        // `delta_as_nanos` answers 0 where the raw reading lies before the zero.
        self.counter.delta_as_nanos(self.zero, self.counter.raw())
    }
}
