//! Bulkheads: at most so many calls of a kind at once, so that one hung dependency can't take every thread.
//!
//! This file holds the faces; the protocol is in `places`, its word in `word`.

use core::fmt;
use core::time::Duration;
use std::error::Error;
use std::sync::Arc;
use std::thread;

use crossbeam_utils::CachePadded;

use crate::clock::{nanos, Clock, StdClock};
use crate::error::ConfigError;

pub(crate) mod places;
pub(crate) mod word;

use self::places::{Places, Refusal, TURNS};
use self::word::MAX_PLACES;

/// A semaphore that bounds how many calls are under way at once.
///
/// [`try_acquire`](Bulkhead::try_acquire) refuses at once when every place is taken; that is the call for code that
/// must fail fast. [`acquire_timeout`](Bulkhead::acquire_timeout) waits in order, for a bounded time.
/// Permits give their place back when they are dropped, in a panic too.
///
/// ```
/// use failfast::Bulkhead;
///
/// let payment = Bulkhead::new(2)?;
/// let first = payment.try_acquire().unwrap();
/// let second = payment.try_acquire().unwrap();
/// let refused = payment.try_acquire().unwrap_err(); // the third would wait for the others
/// assert_eq!(refused.to_string(), "bulkhead is full: 2 of 2 places are taken");
/// drop(first);
/// assert!(payment.try_acquire().is_ok());
/// # drop(second);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # How exact it is
///
/// Never more permits are out than there were places when the last of them was granted, under any schedule.
/// `try_acquire` grants exactly when a place is free and nobody waits, with one exception: while another attempt that
/// will be refused is under way, it may be refused too though a place has just become free.
pub struct Bulkhead {
    places: CachePadded<Places>,
}

/// The places a bulkhead may have, for people.
const ALLOWED: &str = "1 to 1048576";

impl Bulkhead {
    /// A bulkhead with so many places; 1 to 1,048,576.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the field `max_concurrent`.
    pub fn new(max_concurrent: u32) -> Result<Self, ConfigError> {
        let limit = checked(max_concurrent)?;
        Ok(Bulkhead { places: CachePadded::new(Places::new(limit, TURNS)) })
    }

    /// Takes a place if one is free and nobody waits for one.
    ///
    /// # Errors
    ///
    /// A [`BulkheadFull`] that says why not.
    ///
    /// # Progress
    ///
    /// Wait-free: a load; if that shows a place, one addition; and if another was quicker, a subtraction. Should somebody
    /// have begun to wait between those two, the free places are offered to the queue, in a bounded number of steps.
    ///
    /// # Memory ordering
    ///
    /// What happened before a permit was given back happens before the return of the call that takes its place.
    #[inline]
    pub fn try_acquire(&self) -> Result<BulkheadPermit<'_>, BulkheadFull> {
        match self.places.try_take() {
            Ok(()) => Ok(BulkheadPermit { bulkhead: self }),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// As [`try_acquire`](Bulkhead::try_acquire), with a permit that keeps the bulkhead alive and may go to another thread.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Bulkhead::try_acquire).
    ///
    /// # Progress
    ///
    /// As [`try_acquire`](Bulkhead::try_acquire), and one addition to the count of owners.
    ///
    /// # Memory ordering
    ///
    /// As [`try_acquire`](Bulkhead::try_acquire).
    #[inline]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedBulkheadPermit, BulkheadFull> {
        match self.places.try_take() {
            Ok(()) => Ok(OwnedBulkheadPermit { bulkhead: Arc::clone(self) }),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Takes a place, waiting for at most `timeout`, behind those who came before.
    ///
    /// The thread sleeps meanwhile. A timeout of zero is a [`try_acquire`](Bulkhead::try_acquire) that may join the queue
    /// for a moment.
    ///
    /// # Errors
    ///
    /// A [`BulkheadFull`] whose reason is the timeout; or at once, if more than a million callers wait already.
    ///
    /// # Progress
    ///
    /// Blocks, for at most the timeout and what the scheduler adds. Allocates if it has to wait.
    ///
    /// # Memory ordering
    ///
    /// As [`try_acquire`](Bulkhead::try_acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<BulkheadPermit<'_>, BulkheadFull> {
        self.wait(timeout)?;
        Ok(BulkheadPermit { bulkhead: self })
    }

    /// As [`acquire_timeout`](Bulkhead::acquire_timeout), with a permit that keeps the bulkhead alive and may go to
    /// another thread.
    ///
    /// # Errors
    ///
    /// As [`acquire_timeout`](Bulkhead::acquire_timeout).
    ///
    /// # Progress
    ///
    /// As [`acquire_timeout`](Bulkhead::acquire_timeout).
    ///
    /// # Memory ordering
    ///
    /// As [`try_acquire`](Bulkhead::try_acquire).
    pub fn acquire_timeout_owned(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<OwnedBulkheadPermit, BulkheadFull> {
        self.wait(timeout)?;
        Ok(OwnedBulkheadPermit { bulkhead: Arc::clone(self) })
    }

    fn wait(&self, timeout: Duration) -> Result<(), BulkheadFull> {
        // Threads sleep by the system's time, whatever clock a breaker has.
        let clock = StdClock::new();
        let end = clock.now_nanos().saturating_add(nanos(timeout));
        let taken = self.places.take_waiting(|| {
            let left = end.saturating_sub(clock.now_nanos());
            thread::park_timeout(Duration::from_nanos(left));
            left > 0
        });
        taken.map_err(BulkheadFull::from)
    }

    /// Changes the number of places; 1 to 1,048,576. Never waits.
    ///
    /// After growing, those who wait are granted the new places at once. After shrinking, permits that are out stay
    /// valid, and none is granted until enough of them have come back.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the field `max_concurrent`; nothing has changed then.
    ///
    /// # Progress
    ///
    /// Lock-free.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn resize(&self, max_concurrent: u32) -> Result<(), ConfigError> {
        self.places.resize(checked(max_concurrent)?);
        Ok(())
    }

    /// The number of places.
    ///
    /// # Progress
    ///
    /// Wait-free: one load, as [`in_use`](Bulkhead::in_use), [`available`](Bulkhead::available) and
    /// [`waiting`](Bulkhead::waiting).
    ///
    /// # Memory ordering
    ///
    /// None, as theirs.
    pub fn max_concurrent(&self) -> u32 {
        self.places.load().limit()
    }

    /// Permits that are out; for a moment also attempts that are about to be refused. Exact at rest.
    pub fn in_use(&self) -> u32 {
        self.places.load().held()
    }

    /// Places that are free; zero if more permits are out than there are places, after shrinking.
    pub fn available(&self) -> u32 {
        let word = self.places.load();
        word.limit().saturating_sub(word.held())
    }

    /// Callers that wait in the queue.
    pub fn waiting(&self) -> u32 {
        self.places.load().waiting()
    }
}

fn checked(max_concurrent: u32) -> Result<u32, ConfigError> {
    match max_concurrent {
        1..=MAX_PLACES => Ok(max_concurrent),
        _ => Err(ConfigError::new("max_concurrent", max_concurrent.to_string(), ALLOWED)),
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.places.load();
        f.debug_struct("Bulkhead")
            .field("max_concurrent", &word.limit())
            .field("in_use", &word.held())
            .field("waiting", &word.waiting())
            .finish()
    }
}

// ===== permits =====

/// A place in a [`Bulkhead`], given back when this is dropped.
///
/// # Progress
///
/// Giving back is wait-free while nobody waits: one subtraction. Otherwise the place is offered to the queue: lock-free,
/// and the thread of the first in it is woken, which is a system call.
#[must_use = "a permit that is dropped at once guards nothing"]
pub struct BulkheadPermit<'a> {
    bulkhead: &'a Bulkhead,
}

impl Drop for BulkheadPermit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.bulkhead.places.give_back();
    }
}

impl fmt::Debug for BulkheadPermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadPermit").finish_non_exhaustive()
    }
}

/// A place in a [`Bulkhead`] that keeps it alive: `Send + 'static`, for pool threads. Given back when this is dropped.
///
/// # Progress
///
/// As [`BulkheadPermit`], and one subtraction from the count of owners.
#[must_use = "a permit that is dropped at once guards nothing"]
pub struct OwnedBulkheadPermit {
    bulkhead: Arc<Bulkhead>,
}

impl Drop for OwnedBulkheadPermit {
    #[inline]
    fn drop(&mut self) {
        self.bulkhead.places.give_back();
    }
}

impl fmt::Debug for OwnedBulkheadPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedBulkheadPermit").finish_non_exhaustive()
    }
}

// ===== refusals =====

/// Returned when a [`Bulkhead`] has no place for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadFull {
    reason: BulkheadReason,
    in_use: u32,
    max_concurrent: u32,
    waiting: u32,
}

/// Why a [`Bulkhead`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkheadReason {
    /// Every place is taken.
    NoPlace,
    /// A place is free or about to be, and others wait for it.
    OthersWait,
    /// No place came free for this caller within its timeout.
    TimedOut,
    /// More callers wait already than may.
    QueueFull,
}

impl BulkheadFull {
    /// Why.
    pub const fn reason(&self) -> BulkheadReason {
        self.reason
    }

    /// Places that were taken.
    pub const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Places that there were.
    pub const fn max_concurrent(&self) -> u32 {
        self.max_concurrent
    }

    /// Callers that waited.
    pub const fn waiting(&self) -> u32 {
        self.waiting
    }
}

impl From<Refusal> for BulkheadFull {
    fn from(refusal: Refusal) -> Self {
        let (reason, word) = match refusal {
            Refusal::Busy(word) if word.waiting() > 0 => (BulkheadReason::OthersWait, word),
            Refusal::Busy(word) => (BulkheadReason::NoPlace, word),
            Refusal::Crowded(word) => (BulkheadReason::QueueFull, word),
            Refusal::Late(word) => (BulkheadReason::TimedOut, word),
        };
        BulkheadFull {
            reason,
            in_use: word.held(),
            max_concurrent: word.limit(),
            waiting: word.waiting(),
        }
    }
}

impl fmt::Display for BulkheadFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BulkheadFull { in_use, max_concurrent, waiting, .. } = self;
        match self.reason {
            BulkheadReason::NoPlace => {
                write!(f, "bulkhead is full: {in_use} of {max_concurrent} places are taken")
            }
            BulkheadReason::OthersWait => write!(f, "bulkhead has {waiting} callers waiting"),
            BulkheadReason::TimedOut => {
                write!(f, "bulkhead had no place in time: {in_use} of {max_concurrent} are taken")
            }
            BulkheadReason::QueueFull => {
                write!(f, "bulkhead has too many callers waiting: {waiting}")
            }
        }
    }
}

impl Error for BulkheadFull {}
