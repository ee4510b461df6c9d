//! Small numbers for threads, each held by one living thread at a time.
//!
//! A thread that holds seat `i` is the only writer of stripe `i` of every breaker, so it counts with a load and a
//! store. The number is kept in a thread-local, and handed back when the thread ends.
//! Edge E7 (orderings page): what the old owner wrote into its stripes is visible to the next owner.

use crate::sync::{AtomicU64, Ordering};

/// Seats that are handed out; threads beyond that share the overflow words of each breaker.
/// Arbitrary: 16 words, well above the number of threads that synchronous services run.
const SEATS: usize = 1_024;
pub(crate) const WORDS: usize = SEATS / u64::BITS as usize;

/// Which seats are taken: one bit each.
pub(crate) struct Seats {
    taken: [AtomicU64; WORDS],
}

impl Seats {
    /// Seats over words that are all zero: no seat is taken.
    pub(crate) const fn over(taken: [AtomicU64; WORDS]) -> Self {
        Seats { taken }
    }

    /// Takes a free seat, the lowest ones first; `None` when all seem taken.
    ///
    /// Wait-free: at most one attempt a bit.
    pub(crate) fn claim(&self) -> Option<usize> {
        for (index, word) in self.taken.iter().enumerate() {
            let mut seen = word.load(Ordering::Relaxed);
            while seen != u64::MAX {
                // Bounded: each turn of this loop tries a bit that no turn before has tried, since every bit seen
                // taken is added to `seen` and never leaves it.
                let bit = seen.trailing_ones();
                // E7: acquires the stripes that the last owner of this seat has written, from `release`.
                let before = word.fetch_or(1 << bit, Ordering::Acquire);
                if before & (1 << bit) == 0 {
                    return Some(index * u64::BITS as usize + bit as usize);
                }
                seen |= before;
            }
        }
        None
    }

    /// Hands a seat back.
    pub(crate) fn release(&self, seat: usize) {
        let bit = 1 << (seat % u64::BITS as usize);
        // E7: publishes this owner's stripes to the next, in `claim`.
        self.taken[seat / u64::BITS as usize].fetch_and(!bit, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_that_nobody_else_wants_is_taken_at_the_first_attempt() {
        let seats = Seats::over([0; WORDS].map(AtomicU64::new));
        for _ in 0..100 {
            assert_eq!(crate::sync::tally::of(|| assert!(seats.claim().is_some())).changes, 1);
        }
    }

    #[test]
    fn every_seat_is_a_bit_of_its_own() {
        let seats = Seats::over([0; WORDS].map(AtomicU64::new));
        for seat in 0..SEATS {
            assert_eq!(seats.claim(), Some(seat));
        }
        assert_eq!(seats.claim(), None);
        for seat in 0..SEATS {
            seats.release(seat);
            assert_eq!(seats.claim(), Some(seat), "the only one that is free");
        }
        for seat in 0..SEATS {
            let bits = || seats.taken.iter().map(|word| word.load(Ordering::Relaxed).count_ones());
            assert_eq!(bits().sum::<u32>() as usize, SEATS - seat);
            seats.release(seat);
        }
    }
}
