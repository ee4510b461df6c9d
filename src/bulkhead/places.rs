//! The places of a bulkhead and the queue for them: the protocol, without clocks and permits.
//!
//! One word says everything that a caller who does not wait needs: it adds itself, and takes itself back if it should
//! not have. Callers that wait stand in a queue behind a mutex. That mutex is waited for only by them; whoever frees a
//! place tries it once, and if somebody holds it, that one looks again after letting go.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use crate::bulkhead::word::{Word, MAX_WAITING};
use crate::sync::{current, fence, AtomicU64, Mutex, MutexGuard, Ordering, Thread};

/// Exchanges of the word that one turn at the queue may lose. Each is lost to another thread's step; after that the
/// first in the queue is woken and goes on with it. Arbitrary, and rarely more than one.
const LOSSES: u32 = 8;
/// Turns at the queue that a caller takes before it wakes the first in it and leaves the rest to that one. A second turn
/// is rarely needed, a third hardly ever.
pub(crate) const TURNS: u32 = 2;

pub(crate) struct Places {
    word: AtomicU64,
    queue: Mutex<Queue>,
    /// [`TURNS`], but for models: those can't come to a second one.
    turns: u32,
}

type Queue = VecDeque<Arc<Waiter>>;

/// One who waits.
pub(crate) struct Waiter {
    /// 1 once a place is this waiter's.
    granted: AtomicU64,
    thread: Thread,
}

impl Waiter {
    fn new() -> Arc<Self> {
        Arc::new(Waiter { granted: AtomicU64::new(0), thread: current() })
    }

    fn grant(&self) {
        // B2, release: with what the word's exchange has acquired from those who gave places back.
        self.granted.store(1, Ordering::Release);
        self.thread.unpark();
    }

    fn is_granted(&self) -> bool {
        // B2, acquire.
        self.granted.load(Ordering::Acquire) == 1
    }
}

/// Why a caller got no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Seen in this word: every place is taken, or others wait for one.
    Busy(Word),
    /// As many callers wait as may.
    Crowded(Word),
    /// The caller has waited for as long as it would.
    Late(Word),
}

impl Places {
    pub(crate) fn new(limit: u32, turns: u32) -> Self {
        Places {
            word: AtomicU64::new(Word::with_limit(limit).bits()),
            queue: Mutex::new(Queue::new()),
            turns,
        }
    }

    /// The word as it stands.
    pub(crate) fn load(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Relaxed))
    }

    /// Takes a place if one is free and nobody waits: at most two changes of the word, and what it owes the queue.
    #[inline]
    pub(crate) fn try_take(&self) -> Result<(), Refusal> {
        let seen = self.load();
        if !seen.is_open() {
            return Err(Refusal::Busy(seen));
        }
        // B1, acquire: of those who gave a place back.
        let seen = self.word.fetch_add(Word::ONE_HELD, Ordering::Acquire);
        let seen = Word::from_bits(seen);
        if seen.is_open() {
            return Ok(());
        }
        self.take_back();
        Err(Refusal::Busy(seen))
    }

    /// Another was quicker. Who came to wait meanwhile may have taken the attempt for a place held.
    #[cold]
    fn take_back(&self) {
        // Relaxed: the attempt has done nothing; what others have released stays in the word's release sequence.
        let seen = self.word.fetch_sub(Word::ONE_HELD, Ordering::Relaxed);
        if Word::from_bits(seen).waiting() > 0 {
            self.hand_on();
        }
    }

    /// Gives a place back.
    #[inline]
    pub(crate) fn give_back(&self) {
        // B1, release: to whoever takes the place next.
        let seen = self.word.fetch_sub(Word::ONE_HELD, Ordering::Release);
        if Word::from_bits(seen).waiting() > 0 {
            self.hand_on();
        }
    }

    /// Changes the number of places; those held stay held.
    pub(crate) fn resize(&self, limit: u32) {
        let mut seen = self.load();
        // Lock-free: an exchange is lost to another thread's step only.
        loop {
            let resized = seen.resized(limit);
            // Relaxed: the number of places carries nothing else.
            match self.word.compare_exchange(
                seen.bits(),
                resized.bits(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) if resized.owes() => return self.hand_on(),
                Ok(_) => return,
                Err(now) => seen = Word::from_bits(now),
            }
        }
    }

    /// Takes a place, waiting in the queue if need be. `park` sleeps until the thread is woken, perhaps for no reason,
    /// and answers whether the caller goes on waiting.
    pub(crate) fn take_waiting(&self, mut park: impl FnMut() -> bool) -> Result<(), Refusal> {
        if self.try_take().is_ok() {
            return Ok(());
        }
        let waiter = Waiter::new();
        self.with_queue(|queue| {
            let seen = self.load();
            if seen.waiting() >= MAX_WAITING {
                return Err(Refusal::Crowded(seen));
            }
            queue.push_back(Arc::clone(&waiter));
            // Acquire and release are the queue's; an attempt or a give-back that this misses sees the waiter.
            self.word.fetch_add(Word::ONE_WAITING, Ordering::Relaxed);
            Ok(())
        })?;
        loop {
            if waiter.is_granted() {
                return Ok(());
            }
            if !park() {
                return self.leave(&waiter);
            }
            if !waiter.is_granted() {
                // Perhaps woken to go on where another has left off: who woke us may still hold the queue, and what others
                // left to it meanwhile can't be seen from outside.
                self.with_queue(|_| ());
            }
        }
    }

    /// Leaves the queue, unless a place was granted at the last moment.
    fn leave(&self, waiter: &Arc<Waiter>) -> Result<(), Refusal> {
        self.with_queue(|queue| {
            let Some(index) = queue.iter().position(|other| Arc::ptr_eq(other, waiter)) else {
                debug_assert!(waiter.is_granted(), "only a grant takes a waiter out");
                return Ok(());
            };
            queue.remove(index);
            let seen = self.word.fetch_sub(Word::ONE_WAITING, Ordering::Relaxed);
            Err(Refusal::Late(Word::from_bits(seen)))
        })
    }

    /// Waits for the queue, acts on it, and looks whether it is owed a place.
    fn with_queue<T>(&self, act: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut queue);
        drop(queue);
        self.hand_on();
        done
    }

    /// Sees to it that a place which is free is offered to the queue.
    #[cold]
    fn hand_on(&self) {
        for turn in 1..=self.turns {
            // B3: the word was changed, or the queue was let go of; then this fence; then the other of the two is read.
            // So a change of the word that finds the queue locked is seen by the one who has locked it.
            fence(Ordering::SeqCst);
            if !self.load().owes() {
                return;
            }
            let Ok(mut queue) = self.queue.try_lock() else {
                return;
            };
            self.serve(&mut queue);
            if turn == self.turns {
                // What others leave to us from here on, the first in the queue finds when it gets the lock.
                wake_first(&queue);
            }
        }
    }

    /// Grants free places to the first in the queue.
    fn serve(&self, queue: &mut MutexGuard<'_, Queue>) {
        let mut losses = 0;
        let mut seen = self.load();
        while seen.owes() {
            // B1, acquire: of those who gave a place back; B2 carries it to the waiter.
            match self.word.compare_exchange(
                seen.bits(),
                seen.served().bits(),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let first = queue.pop_front().expect("the word counts the queue");
                    first.grant();
                    seen = seen.served();
                }
                Err(now) => {
                    seen = Word::from_bits(now);
                    losses += 1;
                    if losses == LOSSES {
                        return wake_first(queue);
                    }
                }
            }
        }
    }
}

fn wake_first(queue: &Queue) {
    if let Some(first) = queue.front() {
        first.thread.unpark();
    }
}
