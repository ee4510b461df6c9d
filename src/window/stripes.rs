//! Counts of plain successes, one cache line a thread: a load and a store to count, a sum to read.
//!
//! A stripe has one writer, the thread that holds its seat. Everything in it belongs to the generation that its
//! `generation` word names, so a thread that slept through a change of state can only spoil words that say of
//! themselves that they are stale. Threads without a seat of their own share one overflow word.

use crossbeam_utils::CachePadded;

use crate::bits::Field;
use crate::breaker::state::Word;
use crate::sync::{fence, AtomicU64, Ordering};

/// No generation's name: states have codes up to 5.
const NONE: u64 = u64::MAX;

/// In the overflow words: the count below, the generation's low bits above.
///
/// 2^42 successes of overflow threads in one generation (an hour at one a nanosecond) and the count runs into its
/// neighbour's bits, so it stops one short of that. 22 bits of generation suffice since every transition sweeps the
/// word: `Stripes::sweep`.
const COUNT: Field = Field::first(42);
const TAG: Field = COUNT.then(22);

/// In the overflow word of runs: its length, the low bits of the number of successes before it, and of the generation.
///
/// Two runs with a multiple of 2^16 successes between them, of overflow threads only, are added up.
const RUN: Field = Field::first(32);
const BEFORE: Field = RUN.then(16);
const RUN_TAG: Field = BEFORE.then(16);

/// The words of one thread.
pub(crate) struct Stripe {
    /// The name of the generation that the rest belongs to.
    generation: AtomicU64,
    /// The name of the latest generation in which this thread has seen the minimum of calls reached; only the owner
    /// reads it.
    ///
    /// A word beside the count and not a bit in it, so that the hot path asks one question for generation and minimum,
    /// and adds to the count where it lies.
    warm: AtomicU64,
    /// Plain successes.
    count: AtomicU64,
    /// Slow successes, where they leave marks and a limit on runs is set: they break a run as well.
    breaks: AtomicU64,
    /// How many plain and slow successes were counted before this thread's latest failure.
    run_before: AtomicU64,
    /// How many of this thread's failures saw just that many.
    run: AtomicU64,
}

pub(crate) struct Stripes {
    stripes: Box<[CachePadded<Stripe>]>,
    /// Boxed, so that its line is no neighbour of the pointers that every report reads.
    overflow: Box<CachePadded<Overflow>>,
}

struct Overflow {
    count: AtomicU64,
    breaks: AtomicU64,
    run: AtomicU64,
}

impl Stripe {
    fn new() -> Self {
        Stripe {
            generation: AtomicU64::new(NONE),
            warm: AtomicU64::new(NONE),
            count: AtomicU64::new(0),
            breaks: AtomicU64::new(0),
            run_before: AtomicU64::new(0),
            run: AtomicU64::new(0),
        }
    }

    /// Moves this stripe to a generation; only its owner calls this.
    fn enter(&self, name: Word) {
        if self.generation.load(Ordering::Relaxed) != name.bits() {
            // E13: who reads any store of this thread from here on, and then the state, reads this generation or a later
            // one.
            fence(Ordering::Release);
            self.count.store(0, Ordering::Relaxed);
            self.breaks.store(0, Ordering::Relaxed);
            self.run.store(0, Ordering::Relaxed);
            // E5: publishes the zeroes above to `Stripes::sum` and `Stripes::run_after`: who sees the new name sees
            // no count of the old generation under it.
            self.generation.store(name.bits(), Ordering::Release);
        }
    }
}

impl Stripes {
    pub(crate) fn new(stripes: usize) -> Self {
        Stripes {
            stripes: (0..stripes).map(|_| CachePadded::new(Stripe::new())).collect(),
            overflow: Box::new(CachePadded::new(Overflow {
                count: AtomicU64::new(0),
                breaks: AtomicU64::new(0),
                run: AtomicU64::new(0),
            })),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        size_of_val(&*self.stripes) + size_of_val(&*self.overflow)
    }

    /// Counts a success that can change no verdict: the whole hot path of a count or consecutive window.
    ///
    /// `false`, with nothing counted, when the thread has no stripe of its own, has not yet recorded in this
    /// generation, or has not yet seen the minimum reached.
    ///
    /// Wait-free: two loads and a store, no locked instruction, no line that another thread's success touches.
    #[inline]
    pub(crate) fn count_warm(&self, seat: usize, name: Word) -> bool {
        let Some(stripe) = self.stripes.get(seat) else {
            return false;
        };
        // Warm in this generation, so the count is this generation's too.
        if stripe.warm.load(Ordering::Relaxed) != name.bits() {
            return false;
        }
        stripe.count.store(stripe.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        true
    }

    /// Counts a success of a thread that may have to judge afterwards; `false` if the generation was seen to be over.
    pub(crate) fn count(&self, seat: usize, name: Word, still_current: &dyn Fn() -> bool) -> bool {
        match self.stripes.get(seat) {
            Some(stripe) => {
                stripe.enter(name);
                let count = stripe.count.load(Ordering::Relaxed);
                stripe.count.store(count.wrapping_add(1), Ordering::Relaxed);
                true
            }
            None => {
                let tag = TAG.put(name.named_generation());
                count_shared(&self.overflow.count, COUNT, tag, still_current)
            }
        }
    }

    /// Notes that this thread, which has counted in this generation, has seen the minimum reached.
    pub(crate) fn set_warm(&self, seat: usize, name: Word) {
        if let Some(stripe) = self.stripes.get(seat) {
            stripe.warm.store(name.bits(), Ordering::Relaxed);
        }
    }

    /// Clears overflow words of any generation but `current`, so that their few bits never meet twice.
    ///
    /// Every transition does this before it leaves `current`. One that slept may find the words of a later generation:
    /// they stay.
    pub(crate) fn sweep(&self, current: u64, still_current: &dyn Fn() -> bool) {
        let Overflow { count, breaks, run } = &**self.overflow;
        for (word, tag) in [(count, TAG), (breaks, TAG), (run, RUN_TAG)] {
            // E6: acquires the state that the last writer saw: if that was a later one, the question is answered so.
            let seen = word.load(Ordering::Acquire);
            if seen != 0 && tag.get(seen) != current & tag.max() && still_current() {
                // A lost race means that somebody has just written the word afresh.
                let _ = word.compare_exchange(seen, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }

    /// The plain successes of a generation.
    ///
    /// It counts at least those that happen before the call, and none that the call happens before.
    #[inline]
    pub(crate) fn sum(&self, name: Word) -> u64 {
        let mut sum = shared_count(&self.overflow.count, name);
        for stripe in &self.stripes {
            // E5: acquires the zeroes that `Stripe::enter` stored before this name.
            if stripe.generation.load(Ordering::Acquire) == name.bits() {
                // If the owner has moved on since, its count is of a later generation: then the caller's is over, and
                // whatever it concludes meets a state word that has changed.
                sum += stripe.count.load(Ordering::Relaxed);
            }
        }
        sum
    }

    // ===== long runs of failures =====

    /// Counts a slow success that has left a mark.
    pub(crate) fn count_break(&self, seat: usize, name: Word, still_current: &dyn Fn() -> bool) {
        match self.stripes.get(seat) {
            Some(stripe) => {
                stripe.enter(name);
                let breaks = stripe.breaks.load(Ordering::Relaxed);
                stripe.breaks.store(breaks.wrapping_add(1), Ordering::Relaxed);
            }
            None => {
                let tag = TAG.put(name.named_generation());
                count_shared(&self.overflow.breaks, COUNT, tag, still_current);
            }
        }
    }

    /// Everything that breaks runs: `successes` plain ones, and the slow ones that have left marks.
    pub(crate) fn breaks(&self, name: Word, successes: u64) -> u64 {
        let mut sum = successes + shared_count(&self.overflow.breaks, name);
        for stripe in &self.stripes {
            // E5, as in `sum`.
            if stripe.generation.load(Ordering::Acquire) == name.bits() {
                sum += stripe.breaks.load(Ordering::Relaxed);
            }
        }
        sum
    }

    /// Counts a failure that saw `before` successes before it.
    ///
    /// The ring of positions holds every run that a limit can trip on; these words are for runs that outgrow it.
    pub(crate) fn count_failure(
        &self,
        seat: usize,
        name: Word,
        before: u64,
        still_current: &dyn Fn() -> bool,
    ) {
        match self.stripes.get(seat) {
            Some(stripe) => {
                stripe.enter(name);
                let mut run = stripe.run.load(Ordering::Relaxed);
                if stripe.run_before.load(Ordering::Relaxed) != before {
                    // The length is zero while the two words disagree.
                    run = 0;
                    stripe.run.store(0, Ordering::Relaxed);
                    // E11: who sees the new number sees no length of the old run.
                    stripe.run_before.store(before, Ordering::Release);
                }
                // E11: who sees a length of the new run sees the new number.
                stripe.run.store(run.saturating_add(1), Ordering::Release);
            }
            None => {
                let tag = RUN_TAG.put(name.named_generation()) | BEFORE.put(before);
                count_shared(&self.overflow.run, RUN, tag, still_current);
            }
        }
    }

    /// How many failures saw exactly `before` successes before them: at rest, the length of the run.
    pub(crate) fn run_after(&self, name: Word, before: u64) -> u64 {
        let shared = self.overflow.run.load(Ordering::Relaxed);
        let tag = RUN_TAG.put(name.named_generation()) | BEFORE.put(before);
        let mut sum = if RUN.set(shared, 0) == tag { RUN.get(shared) } else { 0 };
        for stripe in &self.stripes {
            // E5 as in `sum`; E11 with `count_failure`, both ways.
            if stripe.generation.load(Ordering::Acquire) == name.bits()
                && stripe.run_before.load(Ordering::Acquire) == before
            {
                let run = stripe.run.load(Ordering::Acquire);
                if stripe.run_before.load(Ordering::Relaxed) == before {
                    sum += run;
                }
            }
        }
        sum
    }
}

/// What a shared word has counted of a generation.
fn shared_count(word: &AtomicU64, name: Word) -> u64 {
    let word = word.load(Ordering::Relaxed);
    if TAG.get(word) == name.named_generation() & TAG.max() {
        COUNT.get(word)
    } else {
        0
    }
}

/// Adds one to the lowest field of a shared word whose other fields are `tag`; with another tag it starts afresh.
///
/// `false`, and nothing is changed, if the generation was seen to be over.
///
/// Lock-free: an exchange fails only because another overflow thread's, or a transition's sweep, has succeeded.
#[cold]
fn count_shared(
    word: &AtomicU64,
    count: Field,
    tag: u64,
    still_current: &dyn Fn() -> bool,
) -> bool {
    // E6: acquires the state that the last writer saw, so that the question below is answered no older than that: who
    // overwrites a later generation's count here would have been told that its own is over.
    let mut seen = word.load(Ordering::Acquire);
    loop {
        if !still_current() {
            return false;
        }
        let next = if count.set(seen, 0) != tag {
            tag | 1
        } else if count.get(seen) == count.max() {
            return true;
        } else {
            seen + 1
        };
        // E6: publishes the state that this thread has seen.
        match word.compare_exchange(seen, next, Ordering::Release, Ordering::Acquire) {
            Ok(_) => return true,
            Err(now) => seen = now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;
    use crate::phase::State;

    /// Beyond the few bits that shared words keep of a generation.
    const LATE: u64 = (5 << 22) + 3;
    /// No stripe of anybody's.
    const NO_SEAT: usize = 9;

    fn name(generation: u64) -> Word {
        Word::name(State::Closed, generation)
    }

    fn count(stripes: &Stripes, seat: usize, generation: u64) {
        assert!(stripes.count(seat, name(generation), &|| true));
    }

    #[test]
    fn successes_are_summed_over_the_stripes_of_one_generation() {
        let stripes = Stripes::new(3);
        for generation in [0, 1, LATE] {
            assert_eq!(stripes.sum(name(generation)), 0);
            for (seat, times) in [(0, 2), (2, 3), (NO_SEAT, 4)] {
                (0..times).for_each(|_| count(&stripes, seat, generation));
            }
            assert_eq!(stripes.sum(name(generation)), 9);
            assert_eq!(stripes.sum(name(generation + 1)), 0);
        }
    }

    #[test]
    fn a_stripe_is_warm_in_the_generation_in_which_its_owner_said_so() {
        let stripes = Stripes::new(2);
        for generation in [0, 1, LATE] {
            count(&stripes, 0, generation);
            assert!(!stripes.count_warm(0, name(generation)));
            stripes.set_warm(0, name(generation));
            assert!(stripes.count_warm(0, name(generation)));
            let others = [(1, generation), (NO_SEAT, generation), (0, generation + 1)];
            assert!(others.iter().all(|(seat, other)| !stripes.count_warm(*seat, name(*other))));
            assert_eq!(stripes.sum(name(generation)), 2);
        }
    }

    #[test]
    fn breaks_are_plain_successes_and_slow_ones() {
        let stripes = Stripes::new(3);
        for generation in [0, LATE] {
            for (seat, times) in [(0, 2), (2, 3), (NO_SEAT, 4)] {
                for _ in 0..times {
                    stripes.count_break(seat, name(generation), &|| true);
                }
            }
            assert_eq!(stripes.breaks(name(generation), 100), 109);
            assert_eq!(stripes.breaks(name(generation + 1), 100), 100);
            assert_eq!(stripes.sum(name(generation)), 0);
        }
    }

    #[test]
    fn a_run_is_what_all_threads_counted_behind_the_same_success() {
        let stripes = Stripes::new(3);
        for generation in [0, LATE] {
            let fail = |seat, before, times| {
                for _ in 0..times {
                    stripes.count_failure(seat, name(generation), before, &|| true);
                }
            };
            let runs = || [6, 7, 8].map(|before| stripes.run_after(name(generation), before));
            assert_eq!(runs(), [0; 3]);
            fail(0, 7, 2);
            fail(2, 7, 3);
            fail(1, 6, 9);
            fail(NO_SEAT, 7, 4);
            assert_eq!(runs(), [9, 9, 0]);
            fail(0, 8, 1);
            fail(NO_SEAT, 8, 1);
            assert_eq!(runs(), [9, 3, 2]);
            assert_eq!(stripes.run_after(name(generation + 1), 8), 0);
        }
    }

    #[test]
    fn shared_words_stop_at_their_end_and_are_left_to_later_generations() {
        let stripes = Stripes::new(0);
        count(&stripes, NO_SEAT, LATE);
        let word = &stripes.overflow.count;
        assert_eq!(COUNT.get(word.load(Ordering::Relaxed)), 1);
        assert!(!stripes.count(NO_SEAT, name(LATE - 1), &|| false), "its generation is over");
        assert_eq!(stripes.sum(name(LATE)), 1);
        word.store(COUNT.set(word.load(Ordering::Relaxed), COUNT.max() - 1), Ordering::Relaxed);
        for _ in 0..2 {
            count(&stripes, NO_SEAT, LATE);
            assert_eq!(stripes.sum(name(LATE)), COUNT.max());
        }
    }

    #[test]
    fn a_transition_sweeps_shared_words_of_earlier_generations_only() {
        for generation in [3, LATE] {
            let stripes = Stripes::new(0);
            count(&stripes, NO_SEAT, generation);
            stripes.count_break(NO_SEAT, name(generation), &|| true);
            stripes.count_failure(NO_SEAT, name(generation), 0, &|| true);
            let held = || {
                let Overflow { count, breaks, run } = &**stripes.overflow;
                [count, breaks, run].map(|word| word.load(Ordering::Relaxed) != 0)
            };
            stripes.sweep(generation, &|| true);
            stripes.sweep(generation + 1, &|| false);
            assert_eq!(held(), [true; 3]);
            stripes.sweep(generation + 1, &|| true);
            assert_eq!(held(), [false; 3]);
        }
    }

    #[test]
    fn an_empty_word_is_left_alone() {
        let stripes = Stripes::new(0);
        let tally = crate::sync::tally::of(|| stripes.sweep(1, &|| panic!("nothing to ask for")));
        assert_eq!((tally.loads, tally.changes), (3, 0));
    }

    #[test]
    fn the_heap_is_a_line_pair_a_stripe_and_one_for_the_shared_words() {
        let pair = size_of::<CachePadded<u64>>();
        assert_eq!([0, 1, 5].map(|count| Stripes::new(count).heap()), [pair, 2 * pair, 6 * pair]);
    }

    #[test]
    fn the_packing_of_the_overflow_words_is_proved_for_all_values() {
        prove(&[COUNT, TAG], 0);
        prove(&[RUN, BEFORE, RUN_TAG], 0);
    }

    #[test]
    fn an_overflow_word_never_carries_out_of_its_count() {
        for (count, tag) in [(COUNT, 0x3a_5a5a), (COUNT, TAG.max()), (RUN, 0xffff_a5a5)] {
            // The tag is all that lies above.
            let tag = tag << count.width();
            for (before, after) in [
                (0, 1),
                (1, 2),
                (count.max() / 2, count.max() / 2 + 1),
                (count.max() - 1, count.max()),
                (count.max(), count.max()),
            ] {
                let word = AtomicU64::new(tag | before);
                assert!(count_shared(&word, count, tag, &|| true));
                assert_eq!(word.load(Ordering::Relaxed), tag | after);
            }
            let word = AtomicU64::new(u64::MAX >> 1);
            assert!(count_shared(&word, count, tag, &|| true));
            assert_eq!(word.load(Ordering::Relaxed), tag | 1, "another tag: from the start");
        }
        // From any count below the end the word is one more, and the end is left alone: no other case is in the code.
    }

    #[test]
    fn an_overflow_run_says_whose_it_is() {
        let stripes = Stripes::new(0);
        let name = Word::name(State::Closed, RUN_TAG.max());
        stripes.count_failure(NO_SEAT, name, BEFORE.max(), &|| true);
        assert_eq!(stripes.run_after(name, BEFORE.max()), 1);
        assert_eq!(stripes.run_after(name, 0), 0);
        assert_eq!(stripes.run_after(Word::name(State::Closed, 0), BEFORE.max()), 0);
    }
}
