//! The face of the library's `clock` module, as far as the breaker needs it.

use core::time::Duration;

pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Duration;

    fn now_nanos(&self) -> u64 {
        nanos(self.now())
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that stands: the builder's default, which no schedule uses.
pub struct DefaultClock;

impl DefaultClock {
    pub fn new() -> Self {
        DefaultClock
    }
}

impl Clock for DefaultClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}
