//! The cell that holds the state word, and the two words beside it that complete it.
//!
//! Every change of state is one exchange of the word. Before it, whoever makes it brings the words beside it up to
//! date; so they are never more than one generation behind, and a reader can complete what they lack.

use crate::bits::Field;
use crate::breaker::state::Word;
use crate::phase::State;
use crate::sync::{AtomicU64, Ordering};

/// The number of the open period, and the low bits of the generation for which it holds.
const ATTEMPT: Field = Field::first(32);
const ATTEMPT_ERA: Field = ATTEMPT.then(32);

#[repr(C)]
pub(crate) struct StateCell {
    word: AtomicU64,
    /// The generation, in full: the current one or the one before.
    generation: AtomicU64,
    /// The number of the open period: of the current generation or of the one before.
    attempt: AtomicU64,
}

/// The number of the open period after a generation of state `to` begins, if it was `before`.
pub(crate) fn attempt_after(before: u32, to: State) -> u32 {
    match to {
        State::Open => before.saturating_add(1),
        State::HalfOpen | State::ForcedOpen => before,
        State::Closed | State::Disabled | State::MetricsOnly => 0,
    }
}

impl StateCell {
    pub(crate) fn new() -> Self {
        StateCell {
            word: AtomicU64::new(Word::START.bits()),
            generation: AtomicU64::new(0),
            attempt: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> Word {
        // E2: acquires what was noted before this state began (bases, stamps, the words below), and what happened
        // before the report that caused it.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// The full generation of a word that was read just now.
    pub(crate) fn generation(&self, word: Word) -> u64 {
        // Relaxed: `load`, which read the word, has acquired all that was noted before it (E2), so this is at most one
        // generation behind it. It may be ahead if the word is over; then the exchange that the caller is up to fails.
        word.generation_near(self.generation.load(Ordering::Relaxed))
    }

    /// The number of the open period in a generation that was read just now.
    pub(crate) fn attempt(&self, generation: u64, state: State) -> u32 {
        // Relaxed, as for the generation.
        let word = self.attempt.load(Ordering::Relaxed);
        let attempt = ATTEMPT.get(word) as u32;
        if ATTEMPT_ERA.get(word) == generation & ATTEMPT_ERA.max() {
            attempt
        } else {
            attempt_after(attempt, state)
        }
    }

    /// Brings the words beside the state up to the current generation, before anybody leaves it.
    pub(crate) fn settle(&self, generation: u64, state: State) {
        // Only ever forwards: a thread that slept takes nothing back. All of it relaxed: the exchange that follows publishes
        // what this thread has written or read here (E2).
        self.generation.fetch_max(generation, Ordering::Relaxed);
        let seen = self.attempt.load(Ordering::Relaxed);
        if ATTEMPT_ERA.get(seen) == generation.wrapping_sub(1) & ATTEMPT_ERA.max() {
            let attempt = attempt_after(ATTEMPT.get(seen) as u32, state);
            let next = ATTEMPT_ERA.put(generation) | ATTEMPT.put(attempt.into());
            // A lost race means that another thread has written the same value.
            let _ = self.attempt.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Replaces the word, if it is still the one given. The one step by which anything becomes another state.
    pub(crate) fn exchange(&self, from: Word, to: Word) -> bool {
        // E2: publishes what was noted for the new word, to `load`; and what happened before the exchange before, since
        // `load` has acquired that with `from`.
        self.word
            .compare_exchange(from.bits(), to.bits(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;

    #[test]
    fn open_periods_are_numbered_since_the_breaker_was_last_without_one() {
        for before in [0, 1, 7] {
            assert_eq!(attempt_after(before, State::Open), before + 1);
            for state in [State::HalfOpen, State::ForcedOpen] {
                assert_eq!(attempt_after(before, state), before);
            }
            for state in [State::Closed, State::Disabled, State::MetricsOnly] {
                assert_eq!(attempt_after(before, state), 0);
            }
        }
        assert_eq!(attempt_after(u32::MAX, State::Open), u32::MAX);
    }

    fn word(state: State, generation: u64) -> Word {
        match state {
            State::Open => Word::open(generation, 9),
            State::HalfOpen => Word::half_open(generation, 1),
            _ => Word::name(state, generation),
        }
    }

    /// Before and after the words beside the state are brought up to date, and across the ends of their low bits.
    #[test]
    fn generation_and_open_period_are_complete_while_the_words_beside_lag_by_one() {
        let states = [State::Closed, State::Open, State::HalfOpen, State::Open, State::ForcedOpen];
        let attempts = [0, 1, 1, 2, 2];
        for first in [0, (1 << 17) - 5, (1 << 21) - 5, (1 << 32) - 5, (5 << 32) - 5] {
            let cell = StateCell {
                word: AtomicU64::new(Word::name(State::Closed, first).bits()),
                generation: AtomicU64::new(first),
                attempt: AtomicU64::new(ATTEMPT_ERA.put(first)),
            };
            let around = states.into_iter().zip(attempts).cycle();
            for ((state, attempt), generation) in around.zip(first..first + 20) {
                let now = cell.load();
                assert_eq!(now, word(state, generation));
                for _ in 0..2 {
                    assert_eq!(cell.generation(now), generation);
                    assert_eq!(cell.attempt(generation, state), attempt);
                    cell.settle(generation, state);
                }
                let next = states[(generation + 1 - first) as usize % states.len()];
                assert!(!cell.exchange(word(next, generation), word(next, generation + 1)));
                assert_eq!(cell.load(), now, "a lost exchange changes nothing");
                assert!(cell.exchange(now, word(next, generation + 1)));
            }
        }
    }

    #[test]
    fn who_slept_takes_nothing_back() {
        let cell = StateCell::new();
        assert_eq!(cell.load(), Word::START);
        cell.settle(1, State::Open);
        cell.settle(2, State::HalfOpen);
        cell.settle(0, State::Closed);
        cell.settle(1, State::Open);
        assert_eq!((cell.generation(Word::open(2, 0)), cell.attempt(2, State::HalfOpen)), (2, 1));
        assert_eq!(cell.generation.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn the_packing_of_the_attempt_is_proved_for_all_values() {
        prove(&[ATTEMPT, ATTEMPT_ERA], 0);
        // The number of the open period stays within its field: it stops at the end.
        assert_eq!(ATTEMPT.max(), u64::from(u32::MAX));
        for to in State::ALL {
            assert!(attempt_after(u32::MAX, to) == u32::MAX || attempt_after(u32::MAX, to) == 0);
        }
    }
}
