//! The word of a retry budget, and what may be done with it.
//!
//! The balance is counted in millionths of a retry, so that a deposit of any ratio is a whole number.

use crate::sync::{AtomicU64, Ordering};

/// A retry.
pub(crate) const ONE: u64 = 1_000_000;
/// Exchanges that one call may lose, each to another caller's. After that a deposit is dropped or a retry refused: less
/// is retried than might be, never more. Arbitrary, and rarely more than one.
const LOSSES: u32 = 16;

pub(crate) struct Balance {
    /// At most the capacity: 2^32 retries in millionths, 52 bits.
    millionths: AtomicU64,
}

impl Balance {
    pub(crate) fn new(millionths: u64) -> Self {
        Balance { millionths: AtomicU64::new(millionths) }
    }

    pub(crate) fn load(&self) -> u64 {
        self.millionths.load(Ordering::Relaxed)
    }

    /// Adds to the balance, up to a capacity.
    #[inline]
    pub(crate) fn deposit(&self, millionths: u64, capacity: u64) {
        self.change(|balance| {
            let filled = (balance + millionths).min(capacity);
            // A full one is left alone: in good times no caller writes the word.
            (filled != balance).then_some(filled)
        });
    }

    /// Takes one retry, if there is one.
    pub(crate) fn withdraw(&self) -> bool {
        self.change(|balance| balance.checked_sub(ONE))
    }

    /// Whether the word was changed. Relaxed throughout: the balance carries nothing but itself.
    #[inline]
    fn change(&self, step: impl Fn(u64) -> Option<u64>) -> bool {
        let mut balance = self.load();
        for _ in 0..LOSSES {
            let Some(changed) = step(balance) else {
                return false;
            };
            match self.millionths.compare_exchange(
                balance,
                changed,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => balance = now,
            }
        }
        false
    }
}
