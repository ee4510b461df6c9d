//! The word of a bulkhead: places held, the limit, and how many wait.

use core::fmt;

use crate::bits::Field;

const HELD: Field = Field::first(22);
const LIMIT: Field = HELD.then(21);
const WAITING: Field = LIMIT.last(21);

/// Most places of a bulkhead. Attempts that are about to be refused count as held for a moment; the field has room
/// for three million of them beside these.
pub(crate) const MAX_PLACES: u32 = 1 << 20;
/// Most callers that may wait.
pub(crate) const MAX_WAITING: u32 = 1 << 20;

/// A reading of the word.
///
/// | bits | field | |
/// |---|---|---|
/// | 0 to 21 | held | permits granted, and attempts that have not yet seen that they are refused |
/// | 22 to 42 | limit | at most [`MAX_PLACES`] |
/// | 43 to 63 | waiting | callers in the queue; changed under its lock only |
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    /// To add or to take back one place.
    pub(crate) const ONE_HELD: u64 = HELD.put(1);
    /// To add or to take back one waiter.
    pub(crate) const ONE_WAITING: u64 = WAITING.put(1);

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Word(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Nothing held, nobody waiting.
    pub(crate) const fn with_limit(limit: u32) -> Self {
        Word(LIMIT.put(limit as u64))
    }

    pub(crate) const fn resized(self, limit: u32) -> Self {
        Word(LIMIT.set(self.0, limit as u64))
    }

    pub(crate) const fn held(self) -> u32 {
        HELD.get(self.0) as u32
    }

    pub(crate) const fn limit(self) -> u32 {
        LIMIT.get(self.0) as u32
    }

    pub(crate) const fn waiting(self) -> u32 {
        WAITING.get(self.0) as u32
    }

    /// Whether a caller that has not waited may take a place: one is free, and nobody is overtaken.
    pub(crate) const fn is_open(self) -> bool {
        self.waiting() == 0 && self.held() < self.limit()
    }

    /// Whether the first in the queue may take a place.
    pub(crate) const fn owes(self) -> bool {
        self.waiting() > 0 && self.held() < self.limit()
    }

    /// The first in the queue has taken a place; only of a word that [owes](Word::owes) it.
    pub(crate) const fn served(self) -> Self {
        Word(self.0 + Self::ONE_HELD - Self::ONE_WAITING)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word")
            .field("bits", &format_args!("{:#018x}", self.0))
            .field("held", &self.held())
            .field("limit", &self.limit())
            .field("waiting", &self.waiting())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_apart() {
        let word = Word::with_limit(MAX_PLACES);
        assert_eq!((word.held(), word.limit(), word.waiting()), (0, MAX_PLACES, 0));
        let busy = Word::from_bits(word.bits() + 3 * Word::ONE_HELD + 2 * Word::ONE_WAITING);
        assert_eq!((busy.held(), busy.limit(), busy.waiting()), (3, MAX_PLACES, 2));
        let served = busy.served();
        assert_eq!((served.held(), served.limit(), served.waiting()), (4, MAX_PLACES, 1));
        let small = busy.resized(1);
        assert_eq!((small.held(), small.limit(), small.waiting()), (3, 1, 2));
        assert!(!small.owes() && !small.is_open() && busy.owes());
        assert!(u64::from(MAX_WAITING) <= WAITING.max() && u64::from(MAX_PLACES) <= LIMIT.max());
    }
}
