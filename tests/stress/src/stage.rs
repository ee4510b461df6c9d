//! What stands on a stage: a breaker on its own clock, what its observers heard, and what the sides leave behind.

use core::cell::Cell;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use failfast::clock::ManualClock;
use failfast::{Builder, CircuitBreaker, OpenWait, Outcome, OwnedPermit, Recorded, State};

pub(crate) type Breaker = CircuitBreaker<ManualClock>;
/// What a side begins with.
pub(crate) type Hand = Option<OwnedPermit<ManualClock>>;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Longer than any stage's clock goes, unless a race wants it.
pub(crate) const WAIT: Duration = Duration::from_secs(3_600);

/// What a side did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Counted,
    Stale,
    Granted,
    Refused(State),
    /// Something that gives no answer.
    Done,
    /// Found nothing to do.
    Nothing,
    /// Read generation, calls and failures.
    Read(u64, u64, u64),
}

/// Changes that observers heard: how many, and by whom the latest was made.
#[derive(Debug, Default)]
struct Heard {
    changes: AtomicU64,
    latest: AtomicU64,
}

pub(crate) struct Stage {
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) clock: ManualClock,
    heard: Arc<Heard>,
    /// Where one side leaves a permit for the other, and where granted ones are kept until the end.
    pub(crate) slot: Mutex<Vec<OwnedPermit<ManualClock>>>,
}

/// The left side; the right one is 1.
pub(crate) const LEFT: u64 = 0;

thread_local!(static SIDE: Cell<usize> = const { Cell::new(0) });

/// Says which side the running thread is from now on.
pub(crate) fn take_side(side: usize) {
    SIDE.set(side);
}

impl Stage {
    /// A closed breaker on a clock that stands at one second, with a stripe for each side.
    pub(crate) fn new(builder: Builder) -> Self {
        Stage::with_stripes(builder, 2)
    }

    pub(crate) fn with_stripes(builder: Builder, stripes: u32) -> Self {
        let clock = ManualClock::new();
        clock.set(SECOND);
        let heard = Arc::new(Heard::default());
        let breaker = builder
            .open_wait(OpenWait::fixed(WAIT))
            .probe_timeout(SECOND)
            .stripes(stripes)
            .clock(clock.clone())
            .on_transition({
                let heard = Arc::clone(&heard);
                move |change| {
                    heard.changes.fetch_add(1, Ordering::Relaxed);
                    let latest = change.generation << 1 | SIDE.get() as u64;
                    heard.latest.fetch_max(latest, Ordering::Relaxed);
                }
            })
            .build()
            .expect("the settings are allowed");
        Stage { breaker: Arc::new(breaker), clock, heard, slot: Mutex::new(Vec::new()) }
    }

    /// A permit, granted now.
    pub(crate) fn permit(&self) -> Hand {
        Some(self.breaker.try_acquire_owned().expect("this one is granted"))
    }

    /// One call, from acquiring to its end.
    pub(crate) fn call(&self, outcome: Outcome) -> Did {
        match self.breaker.try_acquire() {
            Ok(permit) => did(permit.record(outcome)),
            Err(rejected) => Did::Refused(rejected.state()),
        }
    }

    /// Acquires, and keeps what is granted.
    pub(crate) fn acquire(&self) -> Did {
        match self.breaker.try_acquire_owned() {
            Ok(permit) => {
                self.slot.lock().expect("no side panics").push(permit);
                Did::Granted
            }
            Err(rejected) => Did::Refused(rejected.state()),
        }
    }

    pub(crate) fn read(&self) -> Did {
        let found = self.breaker.snapshot();
        Did::Read(found.generation, found.calls, found.failures)
    }

    // ===== at rest =====

    /// The state and the generation, if observers heard of each generation.
    pub(crate) fn end(&self) -> Option<(State, u64)> {
        let found = self.breaker.snapshot();
        let heard = self.heard.changes.load(Ordering::Relaxed) == found.generation;
        heard.then_some((found.state, found.generation))
    }

    /// Calls and failures in the window.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let found = self.breaker.snapshot();
        (found.calls, found.failures)
    }

    /// Which side made the latest change.
    pub(crate) fn changed_by(&self) -> u64 {
        self.heard.latest.load(Ordering::Relaxed) & 1
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.breaker.snapshot(), self.heard)
    }
}

pub(crate) fn did(recorded: Recorded) -> Did {
    match recorded {
        Recorded::Counted => Did::Counted,
        Recorded::Stale => Did::Stale,
    }
}

/// A side that reports a success for the permit in its hand.
pub(crate) fn succeed(_: &Stage, hand: Hand) -> Did {
    did(hand.expect("a permit was dealt").success())
}

/// A side that reports a failure for the permit in its hand.
pub(crate) fn fail(_: &Stage, hand: Hand) -> Did {
    did(hand.expect("a permit was dealt").failure())
}
