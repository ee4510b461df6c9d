//! A clock that a thread of its own keeps up to date: under a nanosecond to read, as coarse as its period.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Clock;

/// The thread that keeps the coarse time, while any clock holds it.
static KEEPER: Mutex<Weak<quanta::Handle>> = Mutex::new(Weak::new());

/// A clock that is read with one load; a background thread moves it on once a period.
///
/// There is one such thread in a process.
/// It starts with the first clock, keeps the first clock's period, and ends with the last clone of the last clock.
/// If the program runs quanta's own upkeep thread already, that one is used.
///
/// Deadlines, buckets and slow-call limits are then as coarse as the period: choose it well under the shortest of
/// them. One to ten milliseconds suit most.
#[derive(Clone)]
pub struct CoarseClock {
    counter: quanta::Clock,
    zero: quanta::Instant,
    _keeper: Option<Arc<quanta::Handle>>,
}

impl CoarseClock {
    /// Creates a clock whose zero is now, and starts the thread if none is running.
    ///
    /// # Errors
    ///
    /// When `period` is zero (the thread would spin) or the thread can't be spawned.
    pub fn start(period: Duration) -> Result<Self, CoarseClockError> {
        if period.is_zero() {
            return Err(CoarseClockError { reason: "the period must not be zero".to_owned() });
        }
        let mut running = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
        let keeper = match running.upgrade() {
            Some(keeper) => Some(keeper),
            None => match quanta::Upkeep::new(period).start() {
                Ok(handle) => {
                    let keeper = Arc::new(handle);
                    *running = Arc::downgrade(&keeper);
                    Some(keeper)
                }
                Err(quanta::Error::UpkeepRunning) => None,
                Err(other) => return Err(CoarseClockError { reason: other.to_string() }),
            },
        };
        let counter = quanta::Clock::new();
        let zero = counter.recent();
        Ok(CoarseClock { counter, zero, _keeper: keeper })
    }
}

impl Clock for CoarseClock {
    #[inline]
    fn now(&self) -> Duration {
        self.counter.recent().saturating_duration_since(self.zero)
    }
}

impl fmt::Debug for CoarseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoarseClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// The coarse clock's thread could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoarseClockError {
    reason: String,
}

impl fmt::Display for CoarseClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "coarse clock: {}", self.reason)
    }
}

impl std::error::Error for CoarseClockError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_period_is_refused() {
        let error = CoarseClock::start(Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "coarse clock: the period must not be zero");
    }

    #[test]
    fn clocks_share_one_thread_and_move_on() {
        let first = CoarseClock::start(Duration::from_micros(200)).unwrap();
        let second = CoarseClock::start(Duration::from_micros(200)).unwrap();
        let start = first.now_nanos();
        while first.now_nanos() == start {
            std::thread::yield_now();
        }
        drop(first);
        let start = second.now_nanos();
        while second.now_nanos() == start {
            std::thread::yield_now();
        }
        assert!(format!("{second:?}").starts_with("CoarseClock"));
    }
}
