//! The last transitions, in a fixed ring that nobody waits for.
//!
//! The slot of a transition follows from its generation. Its words are written between two marks in the slot's sequence
//! word; a reader that finds the marks unequal, or the slot being written, sees nothing there. A writer never waits: where
//! a slower one still holds the slot, the younger transition goes unnoted. Edge T3 is on the orderings page.

use core::time::Duration;

use crate::bits::Field;
use crate::event::{Transition, TransitionCause};
use crate::phase::State;
use crate::sync::{fence, AtomicU64, Ordering};

/// Transitions that are kept: some five openings with what ended them. Arbitrary otherwise.
pub(crate) const SLOTS: u64 = 16;

/// In a slot's first word: from where to where, and the kind of cause.
const FROM: Field = Field::first(3);
const TO: Field = FROM.then(3);
const KIND: Field = TO.then(5);

/// The sequence word of a slot: twice the generation, and one more while it is being written. Zero: never written, since
/// the first transition begins generation 1.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sequence(u64);

impl Sequence {
    fn written(generation: u64) -> Self {
        Sequence(generation << 1)
    }

    fn writing(generation: u64) -> Self {
        Sequence(generation << 1 | 1)
    }

    fn is_being_written(self) -> bool {
        self.0 & 1 == 1
    }

    fn generation(self) -> u64 {
        self.0 >> 1
    }
}

struct Slot {
    sequence: AtomicU64,
    /// Kind, instant, and the two numbers of the cause.
    words: [AtomicU64; 4],
}

pub(crate) struct History {
    slots: [Slot; SLOTS as usize],
}

impl History {
    pub(crate) fn new() -> Self {
        let slot = || Slot { sequence: AtomicU64::new(0), words: [0; 4].map(AtomicU64::new) };
        History { slots: core::array::from_fn(|_| slot()) }
    }

    fn slot(&self, generation: u64) -> &Slot {
        &self.slots[(generation % SLOTS) as usize]
    }

    /// Notes a transition, unless its slot holds a younger one or is being written.
    ///
    /// Wait-free: one exchange.
    pub(crate) fn write(&self, transition: &Transition) {
        let Transition { from, to, generation, cause, at } = *transition;
        let Slot { sequence, words } = self.slot(generation);
        let seen = Sequence(sequence.load(Ordering::Relaxed));
        if seen.is_being_written() || seen.generation() >= generation {
            return;
        }
        // T3: acquires the words of whoever wrote this slot last, so that the words below come after them.
        let claimed = sequence.compare_exchange(
            seen.0,
            Sequence::writing(generation).0,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if claimed.is_err() {
            return;
        }
        // T3: who reads one of the words below sees that the slot is being written.
        fence(Ordering::Release);
        let kind = FROM.put(from.code()) | TO.put(to.code()) | KIND.put(cause.kind() as u64);
        let (first, second) = cause.numbers();
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        for (word, value) in words.iter().zip([kind, at, first, second]) {
            word.store(value, Ordering::Relaxed);
        }
        // T3: who sees the slot written sees its words.
        sequence.store(Sequence::written(generation).0, Ordering::Release);
    }

    /// The transition that began a generation, if it is still there.
    pub(crate) fn read(&self, generation: u64) -> Option<Transition> {
        self.look(generation).filter(|transition| transition.generation == generation)
    }

    /// All that are there, oldest first.
    pub(crate) fn all(&self) -> Vec<Transition> {
        let mut all: Vec<_> = (0..SLOTS).filter_map(|slot| self.look(slot)).collect();
        all.sort_by_key(|transition| transition.generation);
        all
    }

    /// Whatever stands in the slot of a generation.
    pub(crate) fn look(&self, generation: u64) -> Option<Transition> {
        let Slot { sequence, words } = self.slot(generation);
        // T3: with `write`'s last store, then with its fence.
        let seen = Sequence(sequence.load(Ordering::Acquire));
        let [kind, at, first, second] = words.each_ref().map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        if seen.0 == 0 || seen.is_being_written() || sequence.load(Ordering::Relaxed) != seen.0 {
            return None;
        }
        Some(Transition {
            from: State::ALL[FROM.get(kind) as usize],
            to: State::ALL[TO.get(kind) as usize],
            generation: seen.generation(),
            cause: TransitionCause::of(KIND.get(kind) as usize, first, second),
            at: Duration::from_nanos(at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;

    fn transition(generation: u64) -> Transition {
        Transition {
            from: State::HalfOpen,
            to: State::MetricsOnly,
            generation,
            cause: TransitionCause::SlowRate { slow_calls: generation, calls: u64::MAX },
            at: Duration::from_nanos(generation * 3),
        }
    }

    #[test]
    fn the_last_ones_are_kept_in_order_and_whole() {
        let history = History::new();
        assert_eq!(history.all(), []);
        for generation in 1..=100 {
            history.write(&transition(generation));
            let first = generation.saturating_sub(SLOTS - 1).max(1);
            let kept: Vec<_> = (first..=generation).map(transition).collect();
            assert_eq!(history.all(), kept);
            assert_eq!(history.read(first), Some(transition(first)));
            assert_eq!(history.read(generation + 1), None);
        }
    }

    #[test]
    fn who_comes_late_overwrites_nothing_younger() {
        let history = History::new();
        history.write(&transition(SLOTS + 1));
        history.write(&transition(1));
        assert_eq!(history.all(), [transition(SLOTS + 1)]);
    }

    #[test]
    fn a_writer_that_never_returns_costs_its_slot_and_nobody_else() {
        let history = History::new();
        history.write(&transition(1));
        history.slot(2).sequence.store(Sequence::writing(2).0, Ordering::Relaxed);
        for generation in 3..=2 * SLOTS {
            history.write(&transition(generation));
        }
        let kept: Vec<_> = history.all().iter().map(|transition| transition.generation).collect();
        let lost = SLOTS + 2;
        assert_eq!(kept, (SLOTS + 1..=2 * SLOTS).filter(|g| *g != lost).collect::<Vec<_>>());
    }

    #[test]
    fn the_packing_of_a_slot_is_proved_for_all_values() {
        prove(&[FROM, TO, KIND], 53);
        assert!(KIND.max() as usize >= TransitionCause::KINDS.len() - 1);
        assert!(FROM.max() as usize >= State::ALL.len() - 1);
    }
}
