//! The counters behind [`Totals`]: a stripe of their own for each thread, and the words that transitions add to.
//!
//! They stand beside the breaker's protocol and decide nothing. A stripe has one writer, the thread that holds its seat,
//! as the window's stripes have: a load and a store count a call. Edges T1 and T2 are on the orderings page.

use core::time::Duration;

use crossbeam_utils::CachePadded;

use super::history::History;
use super::Totals;
use crate::event::{Transition, TransitionCause};
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::sync::{fence, AtomicU64, Ordering};

/// What a thread counts. In the order in which a reading must not take them: what comes later here is read first, so
/// that no part is seen without its whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Permitted,
    Refused,
    Succeeded,
    Failed,
    Ignored,
    Stale,
    Slow,
    ProbesSucceeded,
    ProbesFailed,
}

const COUNTS: usize = 9;
const STATES: usize = State::ALL.len();

/// How often a reading looks again for a moment at which no transition is being added. Arbitrary: adding one takes
/// some ten steps, so the second look nearly always finds it.
const READINGS: usize = 4;

type Stripe = CachePadded<[AtomicU64; COUNTS]>;

pub(crate) struct Tally {
    stripes: Box<[Stripe]>,
    /// Of the threads without a stripe.
    overflow: Stripe,
    changes: CachePadded<Changes>,
    history: History,
}

/// What transitions add up: each by the thread that has committed it, in any order.
struct Changes {
    /// Transitions whose adding has begun, and those whose adding is over.
    begun: AtomicU64,
    ended: AtomicU64,
    pairs: [[AtomicU64; STATES]; STATES],
    causes: [AtomicU64; TransitionCause::KINDS.len()],
    /// Nanoseconds of the instants at which a state was left, less those at which it was entered, modulo 2^64: so it does
    /// not matter in which order they are added.
    spent: [AtomicU64; STATES],
    /// The longest times that were ever shown: a clock that steps back takes nothing away.
    shown: [AtomicU64; STATES],
    probes_lost: AtomicU64,
    openings: AtomicU64,
    false_positives: AtomicU64,
    would_have_tripped: AtomicU64,
    /// Until when, had it tripped, a metrics-only breaker would be open; in nanoseconds since the breaker's zero.
    would_be_open_until: AtomicU64,
}

fn zeroes<const N: usize>() -> [AtomicU64; N] {
    core::array::from_fn(|_| AtomicU64::new(0))
}

impl Tally {
    pub(crate) fn new(stripes: usize) -> Self {
        let stripe = || CachePadded::new(zeroes());
        Tally {
            stripes: (0..stripes).map(|_| stripe()).collect(),
            overflow: stripe(),
            changes: CachePadded::new(Changes {
                begun: AtomicU64::new(0),
                ended: AtomicU64::new(0),
                pairs: core::array::from_fn(|_| zeroes()),
                causes: zeroes(),
                spent: zeroes(),
                shown: zeroes(),
                probes_lost: AtomicU64::new(0),
                openings: AtomicU64::new(0),
                false_positives: AtomicU64::new(0),
                would_have_tripped: AtomicU64::new(0),
                would_be_open_until: AtomicU64::new(0),
            }),
            history: History::new(),
        }
    }

    /// Bytes that this takes.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.stripes)
    }

    // ===== calls =====

    /// Counts one; `seat` is the running thread's.
    ///
    /// Wait-free: a load and a store, or one addition by a thread without a stripe.
    #[inline]
    pub(crate) fn add(&self, seat: usize, count: Count) {
        if !self.add_own(seat, count) {
            // T1, as below.
            self.overflow[count as usize].fetch_add(1, Ordering::Release);
        }
    }

    /// The same for a thread with a stripe; `false`, and nothing is counted, if it has none.
    #[inline]
    pub(crate) fn add_own(&self, seat: usize, count: Count) -> bool {
        let Some(stripe) = self.stripes.get(seat) else {
            return false;
        };
        let word = &stripe[count as usize];
        // T1, all of it release: who reads this count sees what the thread had counted before, and what was counted before
        // the permit was handed to it: the permit itself.
        word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        true
    }

    /// Counts how a permit of a state ended.
    pub(crate) fn settled(
        &self,
        seat: usize,
        state: State,
        outcome: Outcome,
        slow: bool,
        recorded: Recorded,
    ) {
        let (count, probe) = match (recorded, outcome) {
            (Recorded::Stale, _) => return self.add(seat, Count::Stale),
            (Recorded::Counted, Outcome::Ignored) => return self.add(seat, Count::Ignored),
            (Recorded::Counted, Outcome::Success) => (Count::Succeeded, Count::ProbesSucceeded),
            (Recorded::Counted, Outcome::Failure) => (Count::Failed, Count::ProbesFailed),
        };
        self.add(seat, count);
        if slow {
            self.add(seat, Count::Slow);
        }
        if state == State::HalfOpen {
            self.add(seat, probe);
        }
    }

    // ===== transitions =====

    /// Adds a transition that this thread has committed at `at` nanoseconds of the clock since the build, modulo 2^64.
    ///
    /// Wait-free: a fixed number of additions.
    pub(crate) fn publish(&self, transition: &Transition, at: u64) {
        let Changes { begun, ended, pairs, causes, spent, .. } = &*self.changes;
        let Transition { from, to, cause, .. } = *transition;
        begun.fetch_add(1, Ordering::Relaxed);
        // T2: who reads anything of what follows sees that it has begun.
        fence(Ordering::Release);
        let (left, entered) = (from.code() as usize, to.code() as usize);
        pairs[left][entered].fetch_add(1, Ordering::Relaxed);
        causes[cause.kind()].fetch_add(1, Ordering::Relaxed);
        if from != to {
            spent[left].fetch_add(at, Ordering::Relaxed);
            spent[entered].fetch_sub(at, Ordering::Relaxed);
        }
        self.count_what_it_means(transition);
        // T2: who sees that it has ended sees all of it.
        ended.fetch_add(1, Ordering::Release);
        self.history.write(transition);
    }

    fn count_what_it_means(&self, transition: &Transition) {
        let changes = &*self.changes;
        let Transition { from, to, generation, cause, .. } = *transition;
        let one_more = |word: &AtomicU64| word.fetch_add(1, Ordering::Relaxed);
        if let TransitionCause::ProbesLost { outstanding } = cause {
            changes.probes_lost.fetch_add(outstanding, Ordering::Relaxed);
        }
        if to == State::MetricsOnly {
            changes.would_be_open_until.store(0, Ordering::Relaxed);
        }
        if from == State::Closed && cause.is_rule() {
            one_more(&changes.openings);
        }
        if matches!(cause, TransitionCause::ProbesSucceeded { .. }) {
            // Closed again: was it open for one period only, and by a rule? If a slower thread has not noted that yet, this
            // opening is not counted among the false ones.
            let opened = generation.checked_sub(2).and_then(|opened| self.history.read(opened));
            if opened.is_some_and(|opened| opened.from == State::Closed && opened.cause.is_rule()) {
                one_more(&changes.false_positives);
            }
        }
    }

    /// Notes that a metrics-only breaker would have tripped at `now`, to be open for `wait` nanoseconds; answers whether
    /// that counted.
    ///
    /// Wait-free: one exchange; who loses it was told by a thread that noted the same.
    pub(crate) fn would_trip(&self, now: u64, wait: u64) -> bool {
        let Changes { would_have_tripped, would_be_open_until, .. } = &*self.changes;
        let until = would_be_open_until.load(Ordering::Relaxed);
        // Neither while it would be open, nor held by a clock that was wrong once.
        if now < until && until - now <= wait {
            return false;
        }
        let next = now.saturating_add(wait);
        let order = Ordering::Relaxed;
        let counts = would_be_open_until.compare_exchange(until, next, order, order).is_ok();
        if counts {
            would_have_tripped.fetch_add(1, order);
        }
        counts
    }

    // ===== readings =====

    /// The last transitions, oldest first.
    pub(crate) fn history(&self) -> Vec<Transition> {
        self.history.all()
    }

    /// A reading at `now` nanoseconds of the clock since the build, modulo 2^64; `current` reads the generation and its
    /// state.
    ///
    /// Wait-free: it looks again a bounded number of times.
    pub(crate) fn read(&self, now: u64, current: &dyn Fn() -> (u64, State)) -> Totals {
        let mut totals = self.read_calls();
        let mut spent = None;
        for _ in 0..READINGS {
            spent = self.read_changes(&mut totals, now, current);
            if spent.is_some() {
                break;
            }
        }
        for (state, time) in totals.time_in.iter_mut().enumerate() {
            let shown = &self.changes.shown[state];
            let before = match &spent {
                Some(spent) => shown.fetch_max(spent[state], Ordering::Relaxed).max(spent[state]),
                // A transition has been committed and is still being added: as it was last seen.
                None => shown.load(Ordering::Relaxed),
            };
            *time = Duration::from_nanos(before);
        }
        totals
    }

    /// What the threads have counted, without what transitions have added.
    pub(crate) fn read_calls(&self) -> Totals {
        let mut totals = Totals::default();
        for (count, to) in [
            (Count::ProbesFailed, &mut totals.probes_failed),
            (Count::ProbesSucceeded, &mut totals.probes_succeeded),
            (Count::Slow, &mut totals.slow),
            (Count::Stale, &mut totals.stale),
            (Count::Ignored, &mut totals.ignored),
            (Count::Failed, &mut totals.failed),
            (Count::Succeeded, &mut totals.succeeded),
            (Count::Refused, &mut totals.refused),
            (Count::Permitted, &mut totals.permitted),
        ] {
            *to = self.sum(count);
        }
        totals
    }

    fn sum(&self, count: Count) -> u64 {
        // T1, all of it acquire: what is read after this counts everything that was counted before it.
        let words = self.stripes.iter().chain([&self.overflow]);
        words
            .fold(0, |sum, stripe| sum.wrapping_add(stripe[count as usize].load(Ordering::Acquire)))
    }

    /// Reads what the transitions have added; the times only if every transition was there, and none half.
    fn read_changes(
        &self,
        totals: &mut Totals,
        now: u64,
        current: &dyn Fn() -> (u64, State),
    ) -> Option<[u64; STATES]> {
        let changes = &*self.changes;
        let get = |word: &AtomicU64| word.load(Ordering::Relaxed);
        // T2: everything that the transitions which have ended have added.
        let ended = changes.ended.load(Ordering::Acquire);
        totals.transitions =
            core::array::from_fn(|from| core::array::from_fn(|to| get(&changes.pairs[from][to])));
        totals.causes = core::array::from_fn(|kind| get(&changes.causes[kind]));
        totals.probes_lost = get(&changes.probes_lost);
        totals.openings = get(&changes.openings);
        totals.false_positives = get(&changes.false_positives);
        totals.would_have_tripped = get(&changes.would_have_tripped);
        let spent: [u64; STATES] = core::array::from_fn(|state| get(&changes.spent[state]));
        // T2: of whatever has added anything that was read, the beginning is seen.
        fence(Ordering::Acquire);
        // Every transition begins a generation: as many have ended as there were.
        let (generation, state) = current();
        if changes.begun.load(Ordering::Relaxed) != ended || generation != ended {
            return None;
        }
        let current = state.code() as usize;
        Some(core::array::from_fn(|state| {
            // As if the present state were left now.
            let spent = spent[state].wrapping_add(if state == current { now } else { 0 });
            // Less than nothing on a clock that has stepped back, or more than 292 years.
            u64::try_from(spent as i64).unwrap_or(0)
        }))
    }
}
