//! Where instants come from: a breaker reads time only through the [`Clock`] it was built with.
//!
//! | clock | a reading costs about | resolution | for |
//! |---|---|---|---|
//! | [`DefaultClock`] | 9 ns | 1 ns | nearly everybody |
//! | [`CoarseClock`] | under 1 ns | its thread's period | those who time every call and need no microseconds |
//! | [`StdClock`] | 21 ns | 1 ns | machines without an invariant CPU counter |
//! | [`ManualClock`] | 1 ns | exact | tests |
//!
//! Costs are from a 2-core x86-64 virtual machine.
//! Whatever the clock, a breaker takes differences with saturation: an instant that lies before another is treated
//! as the same instant, never as one in the far future.

use core::time::Duration;

mod coarse;
mod manual;
mod quanta;
mod system;

pub use self::coarse::{CoarseClock, CoarseClockError};
pub use self::manual::ManualClock;
pub use self::quanta::DefaultClock;
pub use self::system::StdClock;

/// A source of instants.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::Clock, CircuitBreaker};
///
/// /// A clock that a simulation drives.
/// struct Steps(std::sync::atomic::AtomicU64);
///
/// impl Clock for Steps {
///     fn now(&self) -> Duration {
///         Duration::from_millis(self.0.load(std::sync::atomic::Ordering::Relaxed))
///     }
/// }
///
/// let breaker = CircuitBreaker::builder().clock(Steps(0.into())).build()?;
/// assert!(breaker.try_acquire().is_ok());
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// A breaker tolerates any answer: the same instant for ever, one that lies before the last, one beyond `u64::MAX`
/// nanoseconds (which is cut to that).
pub trait Clock: Send + Sync + 'static {
    /// The time since this clock's own zero.
    ///
    /// # Progress
    ///
    /// The breaker's calls are as good as this: every clock here is wait-free.
    ///
    /// # Memory ordering
    ///
    /// None is needed: a breaker takes readings of different threads as they come.
    fn now(&self) -> Duration;

    /// The same in nanoseconds, cut to `u64::MAX`.
    ///
    /// Provided; clocks that count nanoseconds anyway override it.
    #[inline]
    fn now_nanos(&self) -> u64 {
        nanos(self.now())
    }
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn now_nanos(&self) -> u64 {
        (**self).now_nanos()
    }
}

/// A duration in nanoseconds, cut to `u64::MAX` (584 years).
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_beyond_the_field_are_cut() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::from_nanos(u64::MAX)), u64::MAX);
        assert_eq!(nanos(Duration::ZERO), 0);
    }

    #[test]
    fn the_provided_reading_and_the_shared_clock_say_what_the_clock_says() {
        struct Stopped;
        impl Clock for Stopped {
            fn now(&self) -> Duration {
                Duration::new(7, 5)
            }
        }
        assert_eq!(Stopped.now_nanos(), 7_000_000_005);
        let shared = std::sync::Arc::new(Stopped);
        assert_eq!((shared.now(), shared.now_nanos()), (Stopped.now(), Stopped.now_nanos()));
    }

    #[test]
    fn the_clocks_start_near_zero_and_move_on() {
        fn check(clock: &dyn Clock) {
            let first = clock.now_nanos();
            assert!(first < 60_000_000_000, "a fresh clock reads {first} ns");
            let spin = (0..200_000).fold(first, |last, _| last.max(clock.now_nanos()));
            assert!(spin >= first, "the clock never passed its first reading");
            assert!(clock.now() >= Duration::from_nanos(first));
        }
        check(&DefaultClock::new());
        check(&StdClock::new());
        check(&ManualClock::new());
        check(&std::sync::Arc::new(ManualClock::new()));
    }
}
