//! The state word: one `u64` that says in which state and generation a breaker is, with what that state must agree on.
//!
//! Here are the pure parts, the packed word and the questions it answers; the cell that holds it and moves it is in
//! `breaker::cell`. The protocol is on the architecture page.

use core::fmt;

use crate::bits::{widen, Field};
use crate::phase::State;

/// Nanoseconds of a deadline tick as a power of two: 2^20 ns are 1.05 ms, 2^40 of them 36 years.
const TICK_SHIFT: u32 = 20;

const STATE: Field = Field::first(3);
/// Closed, forced open, disabled and metrics-only have nothing to say but their generation: it never wraps.
const GENERATION: Field = STATE.last(61);

/// In the place of a state's code: this is no state word but a refusal on its way to the caller.
const REFUSAL: u64 = 6;

const OPEN_GENERATION: Field = STATE.then(21);
const OPEN_DEADLINE: Field = OPEN_GENERATION.last(40);

const GRANTED: Field = STATE.then(10);
const FINISHED: Field = GRANTED.then(10);
const FAILED: Field = FINISHED.then(10);
const SLOW: Field = FAILED.then(10);
/// Counts give-backs, modulo 16: without it a grant and its give-back would restore the word bit for bit, and a lease
/// that was judged before both could be committed after them.
const TOUCHED: Field = SLOW.then(4);
const HALF_OPEN_GENERATION: Field = TOUCHED.last(17);

/// A copy of the state word.
///
/// ```text
/// bits      closed, forced open, disabled, metrics only     open                 half-open
///  0..3     state                                           state                state
///  3..13    generation, all of it                           generation, low 21   granted
/// 13..23      "                                               "                  finished
/// 23..33      "                                             (24..64) deadline    failed
/// 33..43      "                                               in ticks           slow
/// 43..47      "                                               "                  give-backs modulo 16
/// 47..64      "                                               "                  generation, low 17
/// ```
///
/// Impossible, and what forbids it: `finished > granted` (a report exchanges both at once, and only a granted place
/// reports), `granted > places` (a grant exchanges against the word that it has compared), `failed > finished`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

/// The counts of a half-open generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probes {
    pub(crate) granted: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
}

impl Probes {
    /// Places that are taken and have not reported.
    pub(crate) fn outstanding(self) -> u64 {
        self.granted.saturating_sub(self.finished)
    }
}

/// The instant, in ticks, at which an open period that starts at `from` and lasts `wait` nanoseconds is over.
///
/// Rounded up, so that the real wait is the one asked for and less than a tick more; saturates at the field's end.
pub(crate) fn deadline(from: u64, wait: u64) -> u64 {
    let ticks = from.saturating_add(wait).div_ceil(1 << TICK_SHIFT);
    ticks.min(OPEN_DEADLINE.max())
}

impl Word {
    /// Generation 0, closed.
    pub(crate) const START: Word = Word(0);

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Word(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// A state whose word holds nothing but its generation.
    ///
    /// For open and half-open this is no state word but the name of a generation, as permits carry it.
    pub(crate) const fn name(state: State, generation: u64) -> Self {
        Word(STATE.put(state.code()) | GENERATION.put(generation))
    }

    pub(crate) const fn open(generation: u64, deadline: u64) -> Self {
        let state = STATE.put(State::Open.code());
        Word(state | OPEN_GENERATION.put(generation) | OPEN_DEADLINE.put(deadline))
    }

    pub(crate) const fn half_open(generation: u64, granted: u64) -> Self {
        let state = STATE.put(State::HalfOpen.code());
        Word(state | HALF_OPEN_GENERATION.put(generation) | GRANTED.put(granted))
    }

    /// The state as committed; what a user sees also depends on the time.
    #[inline]
    pub(crate) const fn state(self) -> State {
        match STATE.get(self.0) {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::ForcedOpen,
            4 => State::Disabled,
            _ => State::MetricsOnly,
        }
    }

    /// Whether this is the closed state: the one question of the hot path.
    #[inline]
    pub(crate) const fn is_closed(self) -> bool {
        STATE.get(self.0) == State::Closed.code()
    }

    /// The generation in the name that a permit carries.
    #[inline]
    pub(crate) const fn named_generation(self) -> u64 {
        GENERATION.get(self.0)
    }

    /// The generation, completed from one that is at most 2^16 away.
    #[inline]
    pub(crate) const fn generation_near(self, near: u64) -> u64 {
        match self.state() {
            State::Open => widen(OPEN_GENERATION.get(self.0), OPEN_GENERATION.width(), near),
            State::HalfOpen => {
                widen(HALF_OPEN_GENERATION.get(self.0), HALF_OPEN_GENERATION.width(), near)
            }
            _ => GENERATION.get(self.0),
        }
    }

    // ===== refusals =====

    /// Stands in the place of a name where a state has refused; no state has this code.
    pub(crate) const fn refusal(by: State) -> Self {
        Word(STATE.put(REFUSAL) | GENERATION.put(by.code()))
    }

    /// The state that refused, if this is no name.
    #[inline]
    pub(crate) const fn refused_by(self) -> Option<State> {
        if STATE.get(self.0) != REFUSAL {
            return None;
        }
        Some(match GENERATION.get(self.0) {
            1 => State::Open,
            2 => State::HalfOpen,
            _ => State::ForcedOpen,
        })
    }

    // ===== open =====

    /// Nanoseconds until the open time is over; `None` once it is.
    #[inline]
    pub(crate) const fn open_for(self, now: u64) -> Option<u64> {
        let end = OPEN_DEADLINE.get(self.0) << TICK_SHIFT;
        match end.checked_sub(now) {
            None | Some(0) => None,
            Some(wait) => Some(wait),
        }
    }

    // ===== half-open =====

    pub(crate) const fn probes(self) -> Probes {
        Probes {
            granted: GRANTED.get(self.0),
            finished: FINISHED.get(self.0),
            failed: FAILED.get(self.0),
            slow: SLOW.get(self.0),
        }
    }

    /// One more place taken.
    pub(crate) const fn with_grant(self) -> Self {
        Word(GRANTED.set(self.0, GRANTED.get(self.0) + 1))
    }

    /// One place given back.
    pub(crate) const fn with_give_back(self) -> Self {
        let word = GRANTED.set(self.0, GRANTED.get(self.0) - 1);
        Word(TOUCHED.set(word, TOUCHED.get(self.0) + 1))
    }

    /// One more outcome in.
    pub(crate) fn with_report(self, failed: bool, slow: bool) -> Self {
        let word = FINISHED.set(self.0, FINISHED.get(self.0) + 1);
        let word = FAILED.set(word, FAILED.get(word) + u64::from(failed));
        Word(SLOW.set(word, SLOW.get(word) + u64::from(slow)))
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x} {}", self.0, self.state())?;
        match self.state() {
            State::Open => {
                let generation = OPEN_GENERATION.get(self.0);
                write!(f, " generation ..{generation} until tick {}", OPEN_DEADLINE.get(self.0))
            }
            State::HalfOpen => {
                let generation = HALF_OPEN_GENERATION.get(self.0);
                write!(f, " generation ..{generation} {:?}", self.probes())
            }
            _ => write!(f, " generation {}", GENERATION.get(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::{around, prove, prove_step};

    #[test]
    fn every_state_comes_back_with_its_fields_at_zero_one_and_maximum() {
        for generation in [0, 1, GENERATION.max()] {
            for state in State::ALL {
                let word = Word::name(state, generation);
                assert_eq!((word.state(), word.named_generation()), (state, generation));
                assert_eq!(word.is_closed(), state == State::Closed);
            }
            for end in [0, 1, OPEN_DEADLINE.max()] {
                let word = Word::open(generation, end);
                assert_eq!(word.state(), State::Open);
                assert_eq!(
                    word.generation_near(generation) & OPEN_GENERATION.max(),
                    generation & OPEN_GENERATION.max()
                );
                assert_eq!(word.open_for(0).unwrap_or(0), end << TICK_SHIFT);
            }
            for granted in [0, 1, 1_000] {
                let word = Word::half_open(generation, granted);
                assert_eq!(word.state(), State::HalfOpen);
                assert_eq!(word.probes(), Probes { granted, ..Probes::default() });
            }
        }
    }

    #[test]
    fn a_refusal_is_no_name_and_says_who_refused() {
        for state in [State::Open, State::HalfOpen, State::ForcedOpen] {
            assert_eq!(Word::refusal(state).refused_by(), Some(state));
        }
        for state in State::ALL {
            assert_eq!(Word::name(state, GENERATION.max()).refused_by(), None);
            assert!(state.code() < REFUSAL);
        }
    }

    #[test]
    fn half_open_steps_change_their_own_fields_only() {
        let mut word = Word::half_open(77, 0);
        for taken in 1..=1_000 {
            word = word.with_grant();
            assert_eq!(word.probes().granted, taken);
        }
        for done in 1..=1_000 {
            word = word.with_report(done % 2 == 0, done % 5 == 0);
        }
        let full = Probes { granted: 1_000, finished: 1_000, failed: 500, slow: 200 };
        assert_eq!(word.probes(), full);
        assert_eq!(word.generation_near(70), 77);
        assert_eq!(full.outstanding(), 0);
    }

    #[test]
    fn a_grant_and_its_give_back_leave_another_word() {
        let before = Word::half_open(1, 2);
        let mut word = before;
        for _ in 1..16 {
            word = word.with_grant().with_give_back();
            assert_ne!(word, before);
            assert_eq!(word.probes(), before.probes());
            assert_eq!(word.generation_near(1), 1);
        }
        assert_eq!(word.with_grant().with_give_back(), before, "modulo 16, as stated");
    }

    #[test]
    fn the_open_time_is_never_shorter_and_less_than_a_tick_longer() {
        for from in [0, 1, (1 << 20) - 1, 1 << 20, 123_456_789_012_345] {
            for wait in [1, 1_000_000, 30_000_000_000, 366 * 86_400 * 1_000_000_000] {
                let word = Word::open(0, deadline(from, wait));
                assert!(word.open_for(from + wait - 1).is_some(), "over too early");
                assert_eq!(word.open_for(from + wait + (1 << 20)), None, "over too late");
            }
        }
    }

    #[test]
    fn at_the_end_of_time_the_open_time_is_over() {
        let word = Word::open(0, deadline(u64::MAX, u64::MAX));
        assert_eq!(word.open_for(u64::MAX), None);
    }

    const HALF_OPEN: [Field; 7] =
        [STATE, GRANTED, FINISHED, FAILED, SLOW, TOUCHED, HALF_OPEN_GENERATION];

    #[test]
    fn the_packing_of_the_state_word_is_proved_for_all_values() {
        prove(&[STATE, GENERATION], 0);
        prove(&[STATE, OPEN_GENERATION, OPEN_DEADLINE], 0);
        prove(&HALF_OPEN, 0);
        // The questions ask for the fields that they should: bit by bit, the other bits at zero and at one.
        for around in around() {
            let word = Word::from_bits(around);
            assert_eq!(word.bits(), around);
            assert_eq!(word.named_generation(), GENERATION.get(around));
            assert_eq!(word.is_closed(), around & 7 == 0);
            assert_eq!(word.state().code(), (around & 7).min(5), "the codes without a state");
            assert_eq!(word.open_for(0).unwrap_or(0), OPEN_DEADLINE.get(around) << TICK_SHIFT);
            let Probes { granted, finished, failed, slow } = word.probes();
            let rest = TOUCHED.put(TOUCHED.get(around)) | around >> 47 << 47 | around & 7;
            let put = GRANTED.put(granted) | FINISHED.put(finished);
            assert_eq!(put | FAILED.put(failed) | SLOW.put(slow) | rest, around);
            // And what is made of parts has them.
            let (name, open) = (Word::name(State::Closed, around), Word::open(around, around));
            assert_eq!(name.named_generation(), around & GENERATION.max());
            assert_eq!(OPEN_GENERATION.get(open.bits()), around & OPEN_GENERATION.max());
            assert_eq!(OPEN_DEADLINE.get(open.bits()), around & OPEN_DEADLINE.max());
            let half_open = Word::half_open(around, around).bits();
            assert_eq!(HALF_OPEN_GENERATION.get(half_open), around & HALF_OPEN_GENERATION.max());
            assert_eq!(GRANTED.get(half_open), around & GRANTED.max());
            let others = HALF_OPEN_GENERATION.set(GRANTED.set(half_open, 0), 0);
            assert_eq!(others, State::HalfOpen.code());
        }
    }

    #[test]
    fn no_step_of_half_open_carries_into_a_neighbour_from_any_value() {
        let word = |step: fn(Word) -> Word| move |bits| step(Word::from_bits(bits)).bits();
        let all = |field: Field| 0..=field.max();
        // At the end of a field it starts again at zero; places, at most 1,000, end before.
        let next = |field: Field| move |value| (value + 1) & field.max();
        prove_step(GRANTED, &[], all(GRANTED), word(Word::with_grant), next(GRANTED));
        let give_back = word(Word::with_give_back);
        // Only who has a place gives one back.
        prove_step(GRANTED, &[TOUCHED], 1..=GRANTED.max(), give_back, |value| value - 1);
        let had_one = |bits| GRANTED.set(bits, GRANTED.get(bits).max(1));
        let touch = |bits| give_back(had_one(bits));
        prove_step(TOUCHED, &[GRANTED], all(TOUCHED), touch, next(TOUCHED));
        for (failed, slow) in [(false, false), (true, false), (false, true), (true, true)] {
            let report = |bits| Word::from_bits(bits).with_report(failed, slow).bits();
            let to =
                |field: Field, counts: bool| move |value| (value + u64::from(counts)) & field.max();
            prove_step(FINISHED, &[FAILED, SLOW], all(FINISHED), report, to(FINISHED, true));
            prove_step(FAILED, &[FINISHED, SLOW], all(FAILED), report, to(FAILED, failed));
            prove_step(SLOW, &[FINISHED, FAILED], all(SLOW), report, to(SLOW, slow));
        }
    }

    #[test]
    fn a_deadline_fits_its_field_whatever_it_comes_from() {
        // It grows with both, so its ends are its largest values; and it is cut there.
        assert_eq!(deadline(0, 0), 0);
        assert_eq!(deadline(u64::MAX, 0), OPEN_DEADLINE.max());
        assert_eq!(deadline(0, u64::MAX), OPEN_DEADLINE.max());
        assert_eq!(deadline(u64::MAX, u64::MAX), OPEN_DEADLINE.max());
        assert_eq!(deadline(u64::MAX, 1), OPEN_DEADLINE.max(), "no sum wraps");
        let end = OPEN_DEADLINE.max() << TICK_SHIFT;
        for (from, ticks) in [(end, 0), (end - 1, 0), (end - (1 << TICK_SHIFT), 1), (end + 1, 0)] {
            assert_eq!(deadline(from, 0), OPEN_DEADLINE.max() - ticks);
        }
    }

    #[test]
    fn a_word_describes_itself() {
        assert_eq!(format!("{:?}", Word::START), "0x0000000000000000 closed generation 0");
        assert!(format!("{:?}", Word::open(3, 9)).ends_with("open generation ..3 until tick 9"));
        assert!(format!("{:?}", Word::half_open(3, 9)).contains("granted: 9"));
    }
}
