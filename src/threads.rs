//! The seat of the running thread.
//!
//! Two thread-locals: a plain number without destructor, which the hot path reads with one load, and a guard whose
//! destructor hands the seat back.

use core::cell::Cell;

use crate::seats::{Seats, WORDS};
use crate::sync::AtomicU64;

static SEATS: Seats = Seats::over([const { AtomicU64::new(0) }; WORDS]);

/// No seat yet. Like `NONE` it is no index of any stripe, so that the hot path's bounds check covers both.
const UNSET: usize = usize::MAX - 1;
/// No seat to be had: the shared words.
const NONE: usize = usize::MAX;

thread_local! {
    static SEAT: Cell<usize> = const { Cell::new(UNSET) };
    static GUARD: Guard = Guard::claim();
}

/// The number of this thread if it has one; otherwise a number that is no index of anything.
#[inline]
pub(crate) fn seat_if_known() -> usize {
    SEAT.get()
}

/// The number of this thread; claims one at the thread's first call.
///
/// The first call registers a thread-local destructor, which may allocate in the standard library; it is the one
/// exception to the bounds of the progress page.
pub(crate) fn seat() -> usize {
    match SEAT.get() {
        // A thread whose locals are already gone uses the shared words.
        UNSET => GUARD.try_with(|guard| guard.seat).unwrap_or(NONE),
        known => known,
    }
}

struct Guard {
    seat: usize,
}

impl Guard {
    #[cold]
    fn claim() -> Self {
        let seat = SEATS.claim().unwrap_or(NONE);
        SEAT.set(seat);
        Guard { seat }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // From here on this thread's destructors use the shared words: the seat may have a new owner at once.
        SEAT.set(NONE);
        if self.seat != NONE {
            SEATS.release(self.seat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Barrier;

    #[test]
    fn living_threads_have_distinct_seats_and_dead_ones_hand_theirs_back() {
        let barrier = Barrier::new(8);
        for _ in 0..200 {
            let seats: HashSet<usize> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            let mine = seat();
                            barrier.wait();
                            assert_eq!(seat(), mine);
                            assert_eq!(seat_if_known(), mine);
                            mine
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(seats.len(), 8, "two living threads shared a seat");
        }
        // 1,600 threads have come and gone: without handing back the seats would have run out.
        assert_ne!(seat(), NONE);
    }

    #[test]
    fn a_thread_whose_locals_are_gone_uses_the_shared_words() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                // Locals are dropped in an order that nobody promises: the seat is either still ours or NONE.
                let seat = seat();
                assert!(seat == NONE || seat < 1_024);
            }
        }
        thread_local!(static LATE: Late = const { Late });
        std::thread::spawn(|| {
            LATE.with(|_| ());
            seat();
        })
        .join()
        .unwrap();
    }
}
