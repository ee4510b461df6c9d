//! How a thread waits: injected, so that tests wait without time passing.

use core::time::Duration;
use std::thread;

use crate::clock::ManualClock;

/// Something that lets time pass before a call goes on.
///
/// Every closure that takes a [`Duration`] is one, and so is a [`ManualClock`], which moves itself on instead of waiting:
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::{Clock, ManualClock}, Sleep};
///
/// let clock = ManualClock::new();
/// clock.sleep(Duration::from_secs(3)); // returns at once
/// assert_eq!(clock.now(), Duration::from_secs(3));
/// ```
pub trait Sleep: Send + Sync {
    /// Waits for about so long, rather longer than shorter.
    ///
    /// # Progress
    ///
    /// Blocks, that is what it is for.
    fn sleep(&self, time: Duration);
}

impl<F: Fn(Duration) + Send + Sync> Sleep for F {
    fn sleep(&self, time: Duration) {
        self(time);
    }
}

impl Sleep for ManualClock {
    fn sleep(&self, time: Duration) {
        self.advance(time);
    }
}

/// Puts the thread to sleep, by the standard library: what waits unless it is told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadSleep;

impl Sleep for ThreadSleep {
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}
