//! The face of the library's `sync` module, with loom's atomics behind it.
//!
//! loom 0.7 remembers only the last access of a word. A thread that reads a word and then writes it no longer sees that
//! another one had read it before, and the schedule in which the other reads the new value is never tried. So each
//! word has beside it a flag for every thread: who reads the word stores its own, who writes the word stores all
//! others'. No flag is ever read; they only tell loom which accesses do not commute.

use std::cell::Cell;
use std::sync::Arc;

use loom::sync::Notify;

pub(crate) use loom::sync::atomic::{fence, Ordering};
pub(crate) use loom::sync::{Mutex, MutexGuard, RwLock};

// Clippy looks at the unit tests of the included sources too; they count accesses.
#[cfg(test)]
#[path = "../../src/sync.rs"]
mod counting;
#[cfg(test)]
pub(crate) use counting::tally;

/// Threads of the largest race.
const THREADS: usize = 3;

loom::lazy_static! {
    /// Not zero: the next weak exchange fails, though the word is as expected.
    static ref COIN: loom::sync::atomic::AtomicU64 = loom::sync::atomic::AtomicU64::new(0);
}

/// Lets one weak exchange fail, the next one of any thread. loom itself lets none fail; a thread of the model that
/// does this at any moment makes it try both.
pub(crate) fn throw_coin() {
    COIN.store(1, Ordering::Relaxed);
}

loom::thread_local! {
    static NUMBER: Cell<usize> = Cell::new(0);
}

/// Gives the running thread its number; the thread that a model begins with has number 0.
pub(crate) fn set_number(number: usize) {
    NUMBER.with(|mine| mine.set(number));
}

/// A word that holds a `u64`.
#[derive(Debug)]
pub(crate) struct AtomicU64 {
    word: loom::sync::atomic::AtomicU64,
    readers: [loom::sync::atomic::AtomicU64; THREADS],
}

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        let new = loom::sync::atomic::AtomicU64::new;
        AtomicU64 { word: new(value), readers: [0; THREADS].map(new) }
    }

    fn note_read(&self) {
        self.readers[NUMBER.with(Cell::get)].store(0, Ordering::Relaxed);
    }

    fn note_write(&self) {
        let mine = NUMBER.with(Cell::get);
        for (_, flag) in self.readers.iter().enumerate().filter(|(number, _)| *number != mine) {
            flag.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.note_read();
        self.word.load(order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.note_write();
        self.word.store(value, order);
    }

    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.note_write();
        self.word.fetch_add(value, order)
    }

    pub(crate) fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.note_write();
        self.word.fetch_sub(value, order)
    }

    pub(crate) fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        self.note_write();
        self.word.fetch_max(value, order)
    }

    pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        self.note_write();
        self.word.fetch_or(value, order)
    }

    pub(crate) fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
        self.note_write();
        self.word.fetch_and(value, order)
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.note_write();
        self.word.compare_exchange(current, new, success, failure)
    }

    /// Fails spuriously wherever the coin was thrown before.
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        if COIN.swap(0, Ordering::Relaxed) != 0 {
            return Err(self.load(failure));
        }
        self.compare_exchange(current, new, success, failure)
    }

    // ===== for planted bugs =====

    /// An exchange that has lost its check.
    pub(crate) fn exchange_unchecked(
        &self,
        _current: u64,
        new: u64,
        success: Ordering,
        _failure: Ordering,
    ) -> Result<u64, u64> {
        Ok(self.swap(new, success))
    }

    /// A maximum that has lost its check.
    pub(crate) fn swap(&self, new: u64, order: Ordering) -> u64 {
        self.note_write();
        self.word.swap(new, order)
    }

    /// An addition in two steps; the orderings stay.
    pub(crate) fn fetch_add_torn(&self, value: u64, order: Ordering) -> u64 {
        self.torn(order, |old| old.wrapping_add(value))
    }

    pub(crate) fn fetch_or_torn(&self, value: u64, order: Ordering) -> u64 {
        self.torn(order, |old| old | value)
    }

    pub(crate) fn fetch_and_torn(&self, value: u64, order: Ordering) -> u64 {
        self.torn(order, |old| old & value)
    }

    fn torn(&self, order: Ordering, change: impl FnOnce(u64) -> u64) -> u64 {
        let (load, store) = match order {
            Ordering::Relaxed => (order, order),
            Ordering::Acquire => (order, Ordering::Relaxed),
            Ordering::Release => (Ordering::Relaxed, order),
            _ => (Ordering::Acquire, Ordering::Release),
        };
        let old = self.load(load);
        self.store(change(old), store);
        old
    }
}

/// A thread that can be woken.
///
/// Not loom's own, whose wake-up also lets a thread go on that waits for a mutex, and has the woken one see what the
/// waker has done before it looks.
#[derive(Clone)]
pub(crate) struct Thread(Arc<Notify>);

loom::thread_local! {
    static THREAD: Thread = Thread(Arc::new(Notify::new()));
}

/// The running thread.
pub(crate) fn current() -> Thread {
    THREAD.with(Thread::clone)
}

/// Sleeps until woken, or until loom has it wake for no reason.
pub(crate) fn park() {
    current().0.wait();
}

impl Thread {
    pub(crate) fn unpark(&self) {
        self.0.notify();
    }
}
