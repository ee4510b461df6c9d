//! A clock that moves when it is told to.

use core::time::Duration;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::{nanos, Clock};
use crate::sync::{AtomicU64, Ordering};

/// A clock for tests: it starts at zero and moves only when told to.
///
/// Clones share the time.
///
/// ```
/// use core::time::Duration;
/// use failfast::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let same = clock.clone();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(same.now(), Duration::from_secs(30));
/// same.set(Duration::from_secs(10)); // clocks do step back
/// assert_eq!(clock.now(), Duration::from_secs(10));
/// ```
///
/// Time is kept in nanoseconds in 64 bits and saturates there, after 584 years.
#[derive(Clone, Debug)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Creates a clock that stands at zero.
    pub fn new() -> Self {
        ManualClock { nanos: Arc::new(AtomicU64::new(0)) }
    }

    /// Moves the clock forward; saturates.
    ///
    /// # Progress
    ///
    /// Lock-free: another thread may move the clock at the same time.
    ///
    /// # Memory ordering
    ///
    /// Relaxed: it orders nothing but the clock's own readings.
    pub fn advance(&self, by: Duration) {
        let by = nanos(by);
        let mut now = self.nanos.load(Ordering::Relaxed);
        // Lock-free: an exchange that fails means that another thread has moved the clock.
        while let Err(seen) = self.nanos.compare_exchange_weak(
            now,
            now.saturating_add(by),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            now = seen;
        }
    }

    /// Puts the clock to an instant, forward or back; saturates.
    ///
    /// # Progress
    ///
    /// Wait-free.
    ///
    /// # Memory ordering
    ///
    /// Relaxed, as [`advance`](ManualClock::advance).
    pub fn set(&self, to: Duration) {
        self.nanos.store(nanos(to), Ordering::Relaxed);
    }
}

// One word: no panic can leave it half written.
impl UnwindSafe for ManualClock {}
impl RefUnwindSafe for ManualClock {}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    #[inline]
    fn now(&self) -> Duration {
        Duration::from_nanos(self.now_nanos())
    }

    #[inline]
    fn now_nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_time_which_moves_as_told_and_stops_at_the_end() {
        let clock = ManualClock::new();
        let same = clock.clone();
        clock.advance(Duration::from_nanos(3));
        clock.advance(Duration::from_nanos(4));
        assert_eq!((same.now_nanos(), same.now()), (7, Duration::from_nanos(7)));
        same.set(Duration::from_nanos(2));
        assert_eq!(clock.now_nanos(), 2);
        clock.advance(Duration::MAX);
        assert_eq!(same.now_nanos(), u64::MAX);
        same.set(Duration::MAX);
        clock.advance(Duration::from_nanos(1));
        assert_eq!(clock.now_nanos(), u64::MAX);
    }
}
