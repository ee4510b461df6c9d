//! The one place that names atomics.
//!
//! Every other file takes them from here, so that the models in `loom-tests` see all of them: there a module of the
//! same name puts loom's atomics behind the same face. In unit tests the face counts what passes through it.

use core::sync::atomic as core_atomic;

pub(crate) use core_atomic::Ordering;
// For callers that wait, and for them alone: see `bulkhead::places`.
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread::{current, Thread};
// For the registry, off every call path.
pub(crate) use std::sync::RwLock;
// For those who wait for checks, and for the threads of an isolated pool: see `health::checks` and `pool::crew`.
pub(crate) use std::sync::Condvar;

/// A word that holds a `u64`.
#[cfg(not(test))]
pub(crate) type AtomicU64 = atomic::Atomic<u64>;
#[cfg(test)]
pub(crate) use self::tally::AtomicU64;

/// A fence. Each names its edge; a `SeqCst` one the two words that it keeps apart.
#[inline]
pub(crate) fn fence(order: Ordering) {
    #[cfg(test)]
    tally::note(tally::Step::Fence(order));
    core_atomic::fence(order);
}

/// Counts, for one thread at a time, what it does to shared words and to which lines.
#[cfg(test)]
pub(crate) mod tally {
    use core::cell::{Cell, RefCell};
    use std::collections::BTreeSet;

    use super::Ordering;

    /// A cache line of most processors.
    const LINE: usize = 64;

    /// One access.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Step {
        Load(usize),
        Store(usize),
        /// A read-modify-write, whether it changed anything or not.
        Change(usize),
        Fence(Ordering),
    }

    /// What a thread did.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Tally {
        pub(crate) loads: usize,
        pub(crate) stores: usize,
        pub(crate) changes: usize,
        /// Sequentially consistent ones; the others are no instructions on x86-64.
        pub(crate) fences: usize,
        /// Lines that were read and not written.
        pub(crate) lines_read: usize,
        pub(crate) lines_written: usize,
    }

    /// Another thread, as far as the one that is being counted can tell.
    type Adversary = Box<dyn FnMut(Step)>;

    thread_local! {
        static STEPS: RefCell<Option<Vec<Step>>> = const { RefCell::new(None) };
        static COUNT: Cell<usize> = const { Cell::new(0) };
        static ADVERSARY: RefCell<Option<Adversary>> = const { RefCell::new(None) };
    }

    pub(super) fn note(step: Step) {
        // A thread whose locals are gone is not being counted.
        let _ = STEPS.try_with(|steps| {
            if let Some(steps) = steps.borrow_mut().as_mut() {
                steps.push(step);
            }
        });
        COUNT.set(COUNT.get() + 1);
        let adversary = ADVERSARY.try_with(RefCell::take).ok().flatten();
        if let Some(mut act) = adversary {
            // What it does is not counted, and it has no adversary of its own.
            let count = COUNT.get();
            act(step);
            COUNT.set(count);
            ADVERSARY.set(Some(act));
        }
    }

    /// Runs a closure and says how many steps it took on this thread, fences of every ordering included.
    pub(crate) fn steps<T>(act: impl FnOnce() -> T) -> usize {
        let before = COUNT.get();
        act();
        COUNT.get() - before
    }

    /// The same with an adversary: right before each step of `act` it is told of the step and may take any number of its
    /// own, as a thread would that runs while this one stands.
    pub(crate) fn steps_against<T>(
        adversary: impl FnMut(Step) + 'static,
        act: impl FnOnce() -> T,
    ) -> usize {
        ADVERSARY.set(Some(Box::new(adversary)));
        let steps = steps(act);
        ADVERSARY.set(None);
        steps
    }

    /// Runs a closure and says what it did on this thread.
    pub(crate) fn of(act: impl FnOnce()) -> Tally {
        STEPS.set(Some(Vec::new()));
        act();
        let steps = STEPS.take().unwrap_or_default();
        let mut tally = Tally::default();
        let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Load(address) => {
                    tally.loads += 1;
                    read.insert(address / LINE);
                }
                Step::Store(address) => {
                    tally.stores += 1;
                    written.insert(address / LINE);
                }
                Step::Change(address) => {
                    tally.changes += 1;
                    written.insert(address / LINE);
                }
                Step::Fence(Ordering::SeqCst) => tally.fences += 1,
                Step::Fence(_) => {}
            }
        }
        tally.lines_read = read.difference(&written).count();
        tally.lines_written = written.len();
        tally
    }

    /// The word of the library, counting.
    #[derive(Debug)]
    pub(crate) struct AtomicU64(atomic::Atomic<u64>);

    impl AtomicU64 {
        pub(crate) const fn new(value: u64) -> Self {
            AtomicU64(atomic::Atomic::new(value))
        }

        fn address(&self) -> usize {
            core::ptr::from_ref(self).addr()
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            note(Step::Load(self.address()));
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: u64, order: Ordering) {
            note(Step::Store(self.address()));
            self.0.store(value, order);
        }

        pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            note(Step::Change(self.address()));
            self.0.fetch_add(value, order)
        }

        pub(crate) fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
            note(Step::Change(self.address()));
            self.0.fetch_sub(value, order)
        }

        pub(crate) fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
            note(Step::Change(self.address()));
            self.0.fetch_and(value, order)
        }

        pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
            note(Step::Change(self.address()));
            self.0.fetch_or(value, order)
        }

        pub(crate) fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
            note(Step::Change(self.address()));
            self.0.fetch_max(value, order)
        }

        pub(crate) fn compare_exchange(
            &self,
            current: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            note(Step::Change(self.address()));
            self.0.compare_exchange(current, new, success, failure)
        }

        pub(crate) fn compare_exchange_weak(
            &self,
            current: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            note(Step::Change(self.address()));
            self.0.compare_exchange_weak(current, new, success, failure)
        }
    }
}
