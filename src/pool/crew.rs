//! The threads of a pool: who is one of them, how they are sent home, and when the last has gone.

use core::cell::Cell;
use core::time::Duration;
use std::sync::{Arc, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::sync::{Condvar, Mutex, RwLock};

thread_local! {
    /// The address of the roll of the crew that this thread is in; 0 in none. A thread keeps its roll alive, so while it
    /// lives no other crew has that address.
    static ROLL: Cell<usize> = const { Cell::new(0) };
}

pub(super) struct Crew {
    /// Read by every call, for a moment; written by the shutdown only.
    rayon: RwLock<Option<Arc<ThreadPool>>>,
    roll: Arc<Roll>,
}

struct Roll {
    /// Threads that have not ended.
    here: Mutex<u32>,
    all_gone: Condvar,
}

impl Crew {
    /// Starts the threads.
    pub(super) fn start(name: &str, threads: u32) -> Result<Self, ThreadPoolBuildError> {
        let roll = Arc::new(Roll { here: Mutex::new(threads), all_gone: Condvar::new() });
        let (begun, ended) = (Arc::clone(&roll), Arc::clone(&roll));
        let name = name.to_owned();
        let rayon = ThreadPoolBuilder::new()
            .num_threads(threads as usize)
            .thread_name(move |index| format!("{name}-{index}"))
            .start_handler(move |_| ROLL.set(begun.address()))
            .exit_handler(move |_| ended.strike_one())
            .build()?;
        Ok(Crew { rayon: RwLock::new(Some(Arc::new(rayon))), roll })
    }

    /// The pool, unless the crew has been dismissed. Its threads stay while somebody holds it.
    pub(super) fn rayon(&self) -> Option<Arc<ThreadPool>> {
        self.rayon.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the threads end once the work that has been given to them is done.
    pub(super) fn dismiss(&self) {
        let rayon = self.rayon.write().unwrap_or_else(PoisonError::into_inner).take();
        // Behind the lock: rayon's own shutdown begins here, unless a call is just handing over its work.
        drop(rayon);
    }

    pub(super) fn is_dismissed(&self) -> bool {
        self.rayon.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Whether the running thread is one of the crew.
    pub(super) fn is_inside(&self) -> bool {
        ROLL.get() == self.roll.address()
    }

    /// Waits until the last thread has ended, for so long at most; answers whether it has.
    pub(super) fn wait(&self, limit: Option<Duration>) -> bool {
        let here = self.roll.here.lock().unwrap_or_else(PoisonError::into_inner);
        let some = |here: &mut u32| *here > 0;
        let gone = &self.roll.all_gone;
        let here = match limit {
            None => *gone.wait_while(here, some).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let waited = gone.wait_timeout_while(here, limit, some);
                *waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        here == 0
    }
}

impl Roll {
    fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    fn strike_one(&self) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        *here -= 1;
        if *here == 0 {
            self.all_gone.notify_all();
        }
    }
}
