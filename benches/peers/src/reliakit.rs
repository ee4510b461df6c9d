//! `reliakit-circuit`: plain structs that are told the time, behind a mutex of ours, as its page says to share them.
//!
//! The lock is `parking_lot`'s, held to ask and again to report; the time is the CPU's counter, read outside of it.
//! It has to be told the time at every question, so a success here pays a reading that the breaker does not use.

use parking_lot::Mutex;
use reliakit_circuit::{CircuitBreaker, RollingBreaker};

use crate::{Failed, Peer, OPEN_WAIT, RUN, WINDOW};

/// One of its breakers, the lock and the clock.
pub struct Reliakit<B> {
    breaker: Mutex<B>,
    clock: quanta::Clock,
    zero: quanta::Instant,
}

impl<B> Reliakit<B> {
    fn around(breaker: B) -> Self {
        let clock = quanta::Clock::new();
        Reliakit { breaker: Mutex::new(breaker), zero: clock.now(), clock }
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        self.clock.now().duration_since(self.zero).as_nanos() as u64
    }
}

impl Reliakit<CircuitBreaker> {
    /// Consecutive failures.
    #[must_use]
    pub fn consecutive() -> Self {
        Reliakit::around(CircuitBreaker::new(RUN, OPEN_WAIT.as_nanos() as u64))
    }
}

impl Reliakit<RollingBreaker<WINDOW>> {
    /// Half of the last 100 calls.
    #[must_use]
    pub fn rolling() -> Self {
        let failures = WINDOW as u32 / 2;
        Reliakit::around(RollingBreaker::new(failures, OPEN_WAIT.as_nanos() as u64))
    }
}

macro_rules! guard_by_mutex {
    ($breaker:ty) => {
        impl Peer for Reliakit<$breaker> {
            #[inline(always)]
            fn guard(&self, result: Result<(), Failed>) -> bool {
                let now = self.now();
                if !self.breaker.lock().allow(now) {
                    return false;
                }
                match result {
                    Ok(()) => self.breaker.lock().on_success(),
                    Err(Failed) => {
                        let now = self.now();
                        self.breaker.lock().on_failure(now);
                    }
                }
                true
            }
        }
    };
}

guard_by_mutex!(CircuitBreaker);
guard_by_mutex!(RollingBreaker<WINDOW>);
