//! Time windows: a few buckets a thread, each carrying the number of the stretch of time that it counts.
//!
//! A bucket turns stale by itself when its number falls out of the window; the first outcome of a new number replaces
//! it. As with the stripes of `window::stripes`, every word has one writer, and threads without a seat share words of
//! their own. The lowest bit of each count says that its latest outcome is not settled yet: its thread is still
//! judging, so it may be taken to stand before or after others that are not settled either.

use crossbeam_utils::CachePadded;

use crate::bits::Field;
use crate::breaker::rules::{reaches, Rules, STEP_BACK_NS};
use crate::breaker::state::Word;
use crate::event::TransitionCause;
use crate::sync::{fence, AtomicU64, Ordering};
use crate::window::counts::{Counts, Kind};

/// No generation's name and no bucket's number.
const NONE: u64 = u64::MAX;

/// In a count: its latest outcome is not settled.
const UNSETTLED: u64 = 1;
/// In a count: one outcome.
const ONE: u64 = 2;

/// In a shared count: outcomes, how many of them are not settled, and a hash of generation and bucket.
///
/// A hash and not low bits, so that no number of generations or buckets brings an old count back; the chance that one
/// does is 2^-27 each time an old count is met.
const COUNT: Field = Field::first(27);
const PENDING: Field = COUNT.then(10);
const HASH: Field = PENDING.last(27);
/// In the word of the newest shared bucket: its number, and the low bits of its generation.
const NEWEST: Field = Field::first(48);
const NEWEST_ERA: Field = NEWEST.then(16);

/// The geometry: how instants become bucket numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    length_ns: u64,
    buckets: u64,
}

impl Grid {
    pub(crate) fn new(length_ns: u64, buckets: u32) -> Self {
        Grid { length_ns, buckets: buckets.into() }
    }

    /// The number of the bucket that an instant lies in: bucket k covers `[k * length / b, (k + 1) * length / b)`.
    pub(crate) fn number(self, now: u64) -> u64 {
        let number = u128::from(now) * u128::from(self.buckets) / u128::from(self.length_ns);
        // No bucket is shorter than a nanosecond, so this fits; the very last number stands for none.
        (number as u64).min(NONE - 1)
    }

    /// The first instant of a bucket, cut to the end of time.
    fn start(self, number: u64) -> u64 {
        let start = (u128::from(number) * u128::from(self.length_ns)).div_ceil(self.buckets.into());
        u64::try_from(start).unwrap_or(u64::MAX)
    }

    fn slot(self, number: u64) -> usize {
        (number % self.buckets) as usize
    }

    /// Whether a slot that holds bucket `old` keeps it when `number` is to be counted there.
    ///
    /// A later bucket stays, unless it is so much later that the clock must have been wrong then: it would blind its
    /// slot for ever.
    fn keeps(self, old: u64, number: u64) -> bool {
        let far = self.number(STEP_BACK_NS).max(self.buckets);
        old > number && old - number <= far
    }

    /// Whether a bucket is in the window that ends with bucket `last`.
    fn holds(self, last: u64, number: u64) -> bool {
        number <= last && last - number < self.buckets
    }
}

/// One bucket of one thread.
#[repr(align(64))]
struct Bucket {
    number: AtomicU64,
    counts: [AtomicU64; 4],
}

/// The buckets of one thread.
struct Stripe {
    /// The name of the generation that the rest belongs to.
    generation: AtomicU64,
    /// The first instant of the bucket that is warm, its length (zero if none is), and its slot.
    start: AtomicU64,
    length: AtomicU64,
    slot: AtomicU64,
    buckets: Box<[Bucket]>,
}

/// One bucket of the threads without seats.
struct Shared {
    /// The newest bucket that was counted here, and the low bits of its generation: older ones come too late, and what
    /// is left of them is in no window.
    newest: AtomicU64,
    counts: [AtomicU64; 4],
}

pub(crate) struct Buckets {
    grid: Grid,
    stripes: Box<[CachePadded<Stripe>]>,
    shared: Box<[CachePadded<Shared>]>,
}

/// What a reader found in a window: outcomes that are settled, and outcomes whose threads are still judging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    settled: Counts,
    pending: Counts,
    /// Those of the pending ones that are in the last bucket of the window.
    latest: Counts,
    /// A sum of scattered numbers, one for each bucket that is in the window: the same twice if the same buckets were,
    /// but for a chance of 2^-64.
    members: u64,
}

impl Found {
    /// Adds outcomes of one bucket; `last`: of the one that the window ends with.
    fn add(&mut self, kind: Kind, settled: u64, pending: u64, last: bool) {
        self.settled.add(kind, settled);
        self.pending.add(kind, pending);
        if last {
            self.latest.add(kind, pending);
        }
    }

    fn add_member(&mut self, index: usize) {
        self.members = self.members.wrapping_add(scatter(index as u64 + 1, 0));
    }

    fn total(&self) -> Counts {
        let Found { settled: a, pending: b, .. } = self;
        Counts {
            calls: a.calls + b.calls,
            failures: a.failures + b.failures,
            slow: a.slow + b.slow,
            slow_failures: a.slow_failures + b.slow_failures,
        }
    }

    /// The rates' verdict on the bad outcomes of one reading among the good ones of another, or of the same.
    ///
    /// Each rate is judged in the order of the pending outcomes that is most likely to reach it: the bad ones first, and
    /// of the good ones no more than the minimum lacks. That order exists. And if no thread finds that one trips, there
    /// is a single order in which none of the rules does, which would not follow if each were judged in the order that
    /// is mildest for it.
    fn judge_rates(bad: &Found, good: &Found, rules: &Rules) -> Option<TransitionCause> {
        let reached = |ppm: u32, part: fn(&Counts) -> u64| {
            let goods = |counts: &Counts| counts.calls - part(counts);
            let bads = part(&bad.settled) + part(&bad.pending);
            let least = bads + goods(&good.settled);
            let most = least + goods(&good.pending);
            // The window is what it is from the first outcome in its last bucket on; the settled ones there were judged
            // by their own threads, in windows that a clock that steps back may have changed since.
            let begun = part(&bad.latest) > 0;
            let calls = (least + u64::from(!begun)).min(most).max(rules.min_calls.into());
            (calls <= most && reaches(ppm.into(), bads, calls)).then_some((bads, calls))
        };
        if let Some((failures, calls)) = reached(rules.failure_ppm, |counts| counts.failures) {
            return Some(TransitionCause::FailureRate { failures, calls });
        }
        let (slow_calls, calls) = reached(rules.slow_ppm, |counts| counts.slow)?;
        Some(TransitionCause::SlowRate { slow_calls, calls })
    }
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Placed {
    /// It was counted, and is to be settled.
    Here(Counted),
    /// It is accepted and not kept: its bucket has been replaced by a later one, so it is in no window once time has
    /// caught up; or a shared count is at its end.
    Nowhere,
    /// Its generation was seen to be over.
    Over,
}

/// Where an outcome was counted, to settle it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    slot: usize,
    number: u64,
}

impl Stripe {
    fn new(buckets: u64) -> Self {
        Stripe {
            generation: AtomicU64::new(NONE),
            start: AtomicU64::new(0),
            length: AtomicU64::new(0),
            slot: AtomicU64::new(0),
            buckets: (0..buckets)
                .map(|_| Bucket {
                    number: AtomicU64::new(NONE),
                    counts: core::array::from_fn(|_| AtomicU64::new(0)),
                })
                .collect(),
        }
    }

    /// Moves this stripe to a generation; only its owner calls this. Its price is a store a bucket.
    fn enter(&self, name: Word) {
        if self.generation.load(Ordering::Relaxed) == name.bits() {
            return;
        }
        // E13: as in `stripes`.
        fence(Ordering::Release);
        self.generation.store(NONE, Ordering::Relaxed);
        self.length.store(0, Ordering::Relaxed);
        for bucket in &self.buckets {
            bucket.number.store(NONE, Ordering::Relaxed);
        }
        // E5: publishes the empty buckets to `Buckets::find`.
        self.generation.store(name.bits(), Ordering::Release);
    }
}

impl Bucket {
    /// Makes this bucket that of a number, unless it is that of a later one; only its owner calls this.
    fn turn_to(&self, number: u64, grid: Grid) -> bool {
        let old = self.number.load(Ordering::Relaxed);
        if old == number {
            return true;
        }
        if old != NONE && grid.keeps(old, number) {
            return false; // The clock stepped back: the later bucket stays, so that the window is right again later.
        }
        self.number.store(NONE, Ordering::Relaxed);
        for count in &self.counts {
            // E9: who reads this zero, or any later count, reads the number above as withdrawn or replaced.
            count.store(0, Ordering::Release);
        }
        // E9: who reads this number reads no count of the old one.
        self.number.store(number, Ordering::Release);
        true
    }
}

impl Shared {
    /// Moves on to a bucket.
    ///
    /// Lock-free: an exchange fails only because another thread moved on.
    fn advance(
        &self,
        grid: Grid,
        name: Word,
        number: u64,
        still_current: &dyn Fn() -> bool,
    ) -> Result<(), Placed> {
        let mine = newest_word(name, number);
        loop {
            // E6, as for the counts.
            let seen = self.newest.load(Ordering::Acquire);
            if !still_current() {
                return Err(Placed::Over);
            }
            let same_era = NEWEST.set(seen, 0) == NEWEST.set(mine, 0);
            if seen == mine {
                return Ok(());
            }
            if same_era && grid.keeps(NEWEST.get(seen), NEWEST.get(mine)) {
                return Err(Placed::Nowhere);
            }
            // E6: publishes the state that this thread has seen. The writer of `seen` was acquired above; if another
            // has stored an equal word since, the next load acquires that one through this exchange, as all of them
            // are one release sequence.
            if self
                .newest
                .compare_exchange(seen, mine, Ordering::Release, Ordering::Relaxed)
                .is_ok()
            {
                return Ok(());
            }
        }
    }
}

impl Buckets {
    pub(crate) fn new(grid: Grid, stripes: usize) -> Self {
        Buckets {
            grid,
            stripes: (0..stripes).map(|_| CachePadded::new(Stripe::new(grid.buckets))).collect(),
            shared: (0..grid.buckets)
                .map(|_| {
                    CachePadded::new(Shared {
                        newest: AtomicU64::new(0),
                        counts: core::array::from_fn(|_| AtomicU64::new(0)),
                    })
                })
                .collect(),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        let each =
            |stripe: &CachePadded<Stripe>| size_of_val(stripe) + size_of_val(&*stripe.buckets);
        self.stripes.iter().map(each).sum::<usize>() + size_of_val(&*self.shared)
    }

    /// Counts a success that can change no verdict: the whole hot path of a time window.
    ///
    /// `false`, with nothing counted, when it is the thread's first outcome in this bucket, or the minimum was not
    /// reached when it last looked. `before` is called right before the count.
    ///
    /// Wait-free: five loads and a store, no locked instruction, no line that another thread's success touches.
    #[inline]
    pub(crate) fn count_warm(
        &self,
        seat: usize,
        name: Word,
        now: u64,
        before: impl FnOnce(),
    ) -> bool {
        let Some(stripe) = self.stripes.get(seat) else {
            return false;
        };
        let since = now.wrapping_sub(stripe.start.load(Ordering::Relaxed));
        if stripe.generation.load(Ordering::Relaxed) != name.bits()
            || since >= stripe.length.load(Ordering::Relaxed)
        {
            return false;
        }
        let slot = stripe.slot.load(Ordering::Relaxed) as usize;
        let Some(bucket) = stripe.buckets.get(slot) else {
            return false;
        };
        before();
        let count = &bucket.counts[Kind::Plain as usize];
        let next = count.load(Ordering::Relaxed).wrapping_add(ONE);
        // E9: as in `turn_to`.
        count.store(next, Ordering::Release);
        true
    }

    /// Counts an outcome, not settled yet.
    pub(crate) fn count(
        &self,
        seat: usize,
        name: Word,
        now: u64,
        kind: Kind,
        still_current: &dyn Fn() -> bool,
    ) -> Placed {
        let number = self.grid.number(now);
        let slot = self.grid.slot(number);
        let Some(stripe) = self.stripes.get(seat) else {
            return self.count_shared(name, slot, number, kind, still_current);
        };
        stripe.enter(name);
        let bucket = &stripe.buckets[slot];
        if !bucket.turn_to(number, self.grid) {
            return Placed::Nowhere;
        }
        let count = &bucket.counts[kind as usize];
        // E9: as in `turn_to`; and who counts this one finds in a second reading what happens before it.
        count.store((count.load(Ordering::Relaxed) + ONE) | UNSETTLED, Ordering::Release);
        Placed::Here(Counted { slot, number })
    }

    /// Settles an outcome: its thread has judged. `warm`: further successes in this bucket need not.
    pub(crate) fn settle(&self, seat: usize, name: Word, at: Counted, kind: Kind, warm: bool) {
        let Some(stripe) = self.stripes.get(seat) else {
            return self.settle_shared(name, at, kind);
        };
        let count = &stripe.buckets[at.slot].counts[kind as usize];
        // E9: as in `turn_to`; and who finds this one settled finds what its thread did until now: it has judged, and
        // has its place among the runs.
        count.store(count.load(Ordering::Relaxed) & !UNSETTLED, Ordering::Release);
        let start = self.grid.start(at.number);
        let length = if warm { self.grid.start(at.number + 1) - start } else { 0 };
        stripe.start.store(start, Ordering::Relaxed);
        stripe.slot.store(at.slot as u64, Ordering::Relaxed);
        stripe.length.store(length, Ordering::Relaxed);
    }

    /// What the window is after an outcome at an instant, and whether the minimum is reached.
    ///
    /// An outcome that was not kept is judged too: its window may hold buckets that no judgement has seen together, if
    /// the clock stepped back when they were filled.
    pub(crate) fn judge(
        &self,
        seat: usize,
        name: Word,
        now: u64,
        rules: &Rules,
    ) -> (bool, Option<TransitionCause>) {
        let number = self.grid.number(now);
        // E1: of two outcomes that together make a verdict, each counts itself before its fence and reads the other
        // after it: at least one of them sees both.
        fence(Ordering::SeqCst);
        let (found, newest) = self.find(name, number, Some(seat));
        // Its own outcome, and those that were judged before: whoever counts a success that is warm for this finds them.
        let reached = found.settled.calls + 1 >= u64::from(rules.min_calls);
        let cause = self.confirm(name, number, found, rules);
        if cause.is_some() || newest <= number || !self.grid.holds(newest, number) {
            return (reached, cause);
        }
        // Others have moved on to a later bucket meanwhile, perhaps without seeing this outcome.
        let (found, _) = self.find(name, newest, None);
        (reached, self.confirm(name, newest, found, rules))
    }

    /// The verdict on the window that ends with bucket `last`, of which one reading has found this.
    ///
    /// That reading may have passed by a success, and have met a failure that came after it: a rate that no order
    /// reaches. So what trips is read again, and the bad outcomes of the first reading are judged among the good ones
    /// of the second, in which no success is missing that happens before one of them (E9). A bucket that was replaced
    /// in between, with its failures in the one reading and its successes in neither, begins this anew.
    ///
    /// So does a second reading that does not bear the first one out. It mixes two moments: an outcome may be pending in
    /// the one, and settled, with a success of the same thread behind it, in the other. Only a reading that trips by
    /// itself nowhere says that some order doesn't.
    ///
    /// Wait-free: in a window that ends with one bucket every bucket appears once at most, and goes once at most. A turn
    /// without that takes a success of another thread that lowers the rate below its limit, and for the next one a failure
    /// that raises it again; only that, without end, or a clock that leaps to and fro by more than `STEP_BACK_NS` all the
    /// while, uses the turns up.
    fn confirm(
        &self,
        name: Word,
        last: u64,
        found: Found,
        rules: &Rules,
    ) -> Option<TransitionCause> {
        let mut bad = found;
        for _ in 0..=2 * (self.stripes.len() + 1) * self.shared.len() {
            if Found::judge_rates(&bad, &bad, rules).is_none() {
                break;
            }
            let (good, _) = self.find(name, last, None);
            if good.members == bad.members {
                if let Some(cause) = Found::judge_rates(&bad, &good, rules) {
                    return Some(cause);
                }
            }
            bad = good;
        }
        found.total().judge_count(rules)
    }

    /// The window as it stands; exact at rest.
    pub(crate) fn counts(&self, name: Word, now: u64) -> Counts {
        self.find(name, self.grid.number(now), None).0.total()
    }

    /// The window that ends with bucket `last`, and the newest bucket that another thread than `seat`'s has counted in.
    ///
    /// If the thread of `seat` itself has counted in a later bucket, the clock has stepped back, and `last` is the
    /// answer.
    fn find(&self, name: Word, last: u64, seat: Option<usize>) -> (Found, u64) {
        let mut found = Found::default();
        let mut newest = last;
        let mut stepped_back = false;
        for (index, stripe) in self.stripes.iter().enumerate() {
            // E5, reading end.
            if stripe.generation.load(Ordering::Acquire) != name.bits() {
                continue;
            }
            for (slot, bucket) in stripe.buckets.iter().enumerate() {
                // E9, reading end, of the number and of each count.
                let number = bucket.number.load(Ordering::Acquire);
                if number == NONE {
                    continue;
                }
                if number > last {
                    newest = newest.max(number);
                    stepped_back |= seat == Some(index);
                    continue;
                }
                if !self.grid.holds(last, number) {
                    continue;
                }
                // E9, reading end.
                let counts = bucket.counts.each_ref().map(|count| count.load(Ordering::Acquire));
                if bucket.number.load(Ordering::Relaxed) != number {
                    continue; // Replaced meanwhile, by a bucket that this window does not hold.
                }
                found.add_member(index * stripe.buckets.len() + slot);
                for (kind, count) in Kind::ALL.into_iter().zip(counts) {
                    let pending = count & UNSETTLED;
                    found.add(kind, count / ONE - pending, pending, number == last);
                }
            }
        }
        self.find_shared(name, last, &mut found);
        (found, if stepped_back { last } else { newest })
    }

    // ===== threads without a seat =====

    /// Lock-free: an exchange fails only because another thread's outcome was counted or settled, or a later bucket
    /// begun.
    #[cold]
    fn count_shared(
        &self,
        name: Word,
        slot: usize,
        number: u64,
        kind: Kind,
        still_current: &dyn Fn() -> bool,
    ) -> Placed {
        let shared = &self.shared[slot];
        let word = &shared.counts[kind as usize];
        let hash = hash(name, number);
        loop {
            // E6: acquires what the last writer saw, so that state and newest bucket are asked for no older than that:
            // who would overwrite a later generation's or a later bucket's count here is told.
            let seen = word.load(Ordering::Acquire);
            if let Err(placed) = shared.advance(self.grid, name, number, still_current) {
                return placed;
            }
            let same = if HASH.get(seen) == hash { seen } else { HASH.put(hash) };
            if COUNT.get(same) == COUNT.max() || PENDING.get(same) == PENDING.max() {
                return Placed::Nowhere;
            }
            let next = PENDING.set(same, PENDING.get(same) + 1) + 1;
            // E6: publishes the state and the bucket that this thread has seen.
            if word.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed).is_ok() {
                return Placed::Here(Counted { slot, number });
            }
        }
    }

    /// Lock-free, as `count_shared`.
    #[cold]
    fn settle_shared(&self, name: Word, at: Counted, kind: Kind) {
        let word = &self.shared[at.slot].counts[kind as usize];
        let hash = hash(name, at.number);
        let mut seen = word.load(Ordering::Relaxed);
        while HASH.get(seen) == hash && PENDING.get(seen) > 0 {
            let next = PENDING.set(seen, PENDING.get(seen) - 1);
            // E9: as in `settle`.
            match word.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    fn find_shared(&self, name: Word, last: u64, found: &mut Found) {
        for (slot, shared) in self.shared.iter().enumerate() {
            // The one bucket of the window that can be in this slot.
            let back =
                (self.grid.slot(last) as u64 + self.grid.buckets - slot as u64) % self.grid.buckets;
            let Some(number) = last.checked_sub(back) else {
                continue;
            };
            let newest = newest_word(name, number);
            if shared.newest.load(Ordering::Relaxed) != newest {
                continue; // Nothing of this bucket, or no more; the reads below are saved.
            }
            // E9, reading end.
            let words = shared.counts.each_ref().map(|word| word.load(Ordering::Acquire));
            if shared.newest.load(Ordering::Relaxed) != newest {
                continue; // Replaced meanwhile, perhaps one count of it and not yet another.
            }
            found.add_member(self.stripes.len() * self.shared.len() + slot);
            let hash = hash(name, number);
            for (kind, word) in Kind::ALL.into_iter().zip(words) {
                if word != 0 && HASH.get(word) == hash {
                    let pending = PENDING.get(word);
                    found.add(kind, COUNT.get(word) - pending, pending, number == last);
                }
            }
        }
    }
}

/// What `Shared::newest` is for a bucket.
///
/// Numbers too large for the field (1 µs buckets reach them after nine years) are one to it: from then on a late writer
/// may replace a newer bucket, and a reader may find one in part.
fn newest_word(name: Word, number: u64) -> u64 {
    NEWEST_ERA.put(name.named_generation()) | NEWEST.put(number.min(NEWEST.max()))
}

/// Scatters a generation and a bucket over the hash's bits.
fn hash(name: Word, number: u64) -> u64 {
    scatter(name.bits(), number) >> (u64::BITS - HASH.width())
}

/// Scatters two numbers over 64 bits, the upper ones best.
fn scatter(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29) ^ b).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;
    use crate::phase::State;

    const RULES: Rules = Rules {
        failure_ppm: 400_000,
        slow_ppm: 0,
        slow_limit_ns: u64::MAX,
        failure_count: 0,
        run: 0,
        min_calls: 2,
    };

    fn name(generation: u64) -> Word {
        Word::name(State::Closed, generation)
    }

    fn record(buckets: &Buckets, seat: usize, now: u64, kind: Kind) {
        if let Placed::Here(at) = buckets.count(seat, name(0), now, kind, &|| true) {
            buckets.settle(seat, name(0), at, kind, false);
        }
    }

    #[test]
    fn bucket_numbers_follow_exact_fractions() {
        let grid = Grid::new(7, 3); // Buckets begin at 0, 7/3, 14/3, 7, ...
        let numbers: Vec<u64> = (0..10).map(|now| grid.number(now)).collect();
        assert_eq!(numbers, [0, 0, 0, 1, 1, 2, 2, 3, 3, 3]);
        for number in 0..100 {
            assert_eq!(grid.number(grid.start(number)), number);
            assert_eq!(grid.number(grid.start(number + 1) - 1), number);
        }
        assert_eq!(Grid::new(5, 5).number(u64::MAX), NONE - 1, "the last number stands for none");
    }

    #[test]
    fn outcomes_leave_with_their_bucket_and_idle_time_empties_the_window() {
        for seat in [0, 9] {
            let buckets = Buckets::new(Grid::new(30, 3), 1);
            for now in [5, 15, 25] {
                record(&buckets, seat, now, Kind::Failure);
            }
            let failures = |now| buckets.counts(name(0), now).failures;
            assert_eq!([29, 30, 39, 40, 50, 1_000].map(failures), [3, 2, 2, 1, 0, 0]);
        }
    }

    #[test]
    fn a_clock_that_steps_back_spoils_nothing_for_later() {
        for seat in [0, 9] {
            let buckets = Buckets::new(Grid::new(30, 3), 1);
            record(&buckets, seat, 95, Kind::Failure);
            record(&buckets, seat, 5, Kind::Failure); // The same slot, three windows ago.
            assert_eq!(buckets.counts(name(0), 5).failures, 0, "not shown");
            assert_eq!(buckets.counts(name(0), 95).failures, 1, "right again");
            record(&buckets, seat, 85, Kind::Failure);
            assert_eq!(
                buckets.counts(name(0), 95).failures,
                2,
                "a step within the window loses nothing"
            );
        }
    }

    #[test]
    fn a_bucket_is_replaced_as_a_whole() {
        for seat in [0, 9] {
            let buckets = Buckets::new(Grid::new(20, 2), 1);
            for kind in [Kind::Plain, Kind::Failure, Kind::Slow] {
                record(&buckets, seat, 5, kind);
            }
            record(&buckets, seat, 25, Kind::Plain); // The same slot.
            let left = buckets.counts(name(0), 15);
            assert_eq!(left, Counts::default(), "no kind of outcome stays behind");
        }
    }

    #[test]
    fn a_late_settling_leaves_the_bucket_alone_that_came_after() {
        let buckets = Buckets::new(Grid::new(20, 2), 1);
        let count = |now| match buckets.count(9, name(0), now, Kind::Plain, &|| true) {
            Placed::Here(at) => at,
            other => panic!("{other:?}"),
        };
        let (early, late) = (count(5), count(25)); // The same slot.
        let pending = || buckets.find(name(0), late.number, None).0.pending.calls;
        buckets.settle(9, name(0), early, Kind::Plain, false);
        assert_eq!(pending(), 1, "the later one is still being judged");
        buckets.settle(9, name(0), late, Kind::Plain, false);
        assert_eq!(pending(), 0);
    }

    #[test]
    fn one_wild_reading_of_the_clock_blinds_no_slot() {
        for seat in [0, 9] {
            let buckets = Buckets::new(Grid::new(30_000_000_000, 3), 1);
            record(&buckets, seat, u64::MAX, Kind::Failure);
            for now in [5, 10_000_000_005, 20_000_000_005] {
                record(&buckets, seat, now, Kind::Failure);
            }
            assert_eq!(buckets.counts(name(0), 20_000_000_005).failures, 3);
        }
    }

    #[test]
    fn another_generation_sees_nothing() {
        for seat in [0, 9] {
            let buckets = Buckets::new(Grid::new(30, 3), 1);
            record(&buckets, seat, 5, Kind::Failure);
            assert_eq!(buckets.counts(name(1), 5), Counts::default());
        }
    }

    #[test]
    fn overlapping_outcomes_are_judged_in_the_order_that_trips_if_one_does() {
        let judge = |settled: [u64; 2], pending: [u64; 2]| {
            let mut found = Found::default();
            found.add(Kind::Plain, settled[0], pending[0], true);
            found.add(Kind::Failure, settled[1], pending[1], true);
            Found::judge_rates(&found, &found, &RULES)
        };
        // One failure, then three overlapping successes: each order trips at one of two.
        let cause = TransitionCause::FailureRate { failures: 1, calls: 2 };
        assert_eq!(judge([0, 1], [3, 0]), Some(cause));
        // The successes were first and are done: no order trips.
        assert_eq!(judge([3, 0], [0, 1]), None);
        assert_eq!(judge([3, 1], [1, 0]), None);
        // A failure that overlaps four successes may come first.
        assert_eq!(judge([0, 0], [4, 1]), Some(cause));
        let cause = TransitionCause::FailureRate { failures: 2, calls: 2 };
        assert_eq!(judge([0, 0], [3, 2]), Some(cause));
    }

    #[test]
    fn shared_words_count_like_owned_ones() {
        let buckets = Buckets::new(Grid::new(30, 3), 0);
        let Placed::Here(at) = buckets.count(0, name(0), 5, Kind::Slow, &|| true) else {
            panic!("nothing stands in the way");
        };
        let (found, _) = buckets.find(name(0), 0, None);
        assert_eq!((found.settled.calls, found.pending.slow), (0, 1));
        buckets.settle(0, name(0), at, Kind::Slow, true);
        let (found, _) = buckets.find(name(0), 0, None);
        assert_eq!((found.settled.slow, found.pending.calls), (1, 0));
    }

    #[test]
    fn a_slot_keeps_a_later_bucket_unless_the_clock_must_have_been_wrong() {
        let tens = Grid::new(30, 3);
        let far = STEP_BACK_NS / 10;
        let kept = [(7, 7), (8, 7), (7, 8), (7 + far, 7), (8 + far, 7)];
        let keeps = kept.map(|(old, number)| tens.keeps(old, number));
        assert_eq!(keeps, [false, true, false, true, false]);
        // In buckets of days a step of hours is none; then it is a window.
        let days = Grid::new(7 * 86_400_000_000_000, 7);
        assert_eq!([16, 17].map(|old| days.keeps(old, 9)), [true, false]);
    }

    #[test]
    fn a_window_holds_as_many_buckets_as_it_has_and_none_to_come() {
        let grid = Grid::new(30, 3);
        let held: Vec<u64> = (0..20).filter(|number| grid.holds(9, *number)).collect();
        assert_eq!(held, [7, 8, 9]);
        let held: Vec<u64> = (0..20).filter(|number| grid.holds(1, *number)).collect();
        assert_eq!(held, [0, 1]);
    }

    #[test]
    fn what_some_order_of_the_pending_outcomes_demands_is_found_and_nothing_else() {
        /// Whether some prefix trips, in some order of so many good and bad outcomes behind those that are settled.
        fn sometimes(good: u64, bad: u64, calls: u64, failures: u64, rules: &Rules) -> bool {
            let trips = |calls, failures| {
                calls >= u64::from(rules.min_calls)
                    && reaches(rules.failure_ppm.into(), failures, calls)
            };
            let then = |good, bad, failed: u64| {
                let (calls, failures) = (calls + 1, failures + failed);
                trips(calls, failures) || sometimes(good, bad, calls, failures, rules)
            };
            (good > 0 && then(good - 1, bad, 0)) || (bad > 0 && then(good, bad - 1, 1))
        }
        for (failure_ppm, min_calls) in [(400_000, 1), (400_000, 4), (500_000, 6), (1_000_000, 2)] {
            let rules = Rules { failure_ppm, min_calls, ..RULES };
            let slow = Rules { failure_ppm: 0, slow_ppm: failure_ppm, min_calls, ..RULES };
            for case in 0..5 * 5 * 4 * 4_u64 {
                let (good, bad) = (case % 5, case / 5 % 5);
                let (pending_good, pending_bad) = (case / 25 % 4, case / 100);
                if pending_good + pending_bad == 0 {
                    continue;
                }
                let expected = sometimes(pending_good, pending_bad, good + bad, bad, &rules);
                let mut found = Found::default();
                found.add(Kind::Plain, good, pending_good, true);
                found.add(Kind::Failure, bad, pending_bad, true);
                let cause = Found::judge_rates(&found, &found, &rules);
                assert_eq!(cause.is_some(), expected, "{found:?} {rules:?}");
                if let Some(TransitionCause::FailureRate { failures, calls }) = cause {
                    assert!(calls >= min_calls.into() && calls <= found.total().calls);
                    assert!(reaches(failure_ppm.into(), failures, calls));
                }
                let mut found = Found::default();
                found.add(Kind::Plain, good, pending_good, true);
                found.add(Kind::Slow, bad, pending_bad, true);
                let cause = Found::judge_rates(&found, &found, &slow);
                assert_eq!(cause.is_some(), expected, "{found:?} {slow:?}");
            }
        }
        let total = Counts { calls: 14, failures: 6, slow: 10, slow_failures: 2 };
        let mut found = Found::default();
        found.add(Kind::Slow, 3, 5, true);
        found.add(Kind::Failure, 1, 3, true);
        found.add(Kind::SlowFailure, 2, 0, true);
        assert_eq!(found.total(), total);
    }

    #[test]
    fn who_finds_others_ahead_judges_their_window_too_unless_they_are_out_of_sight() {
        let both = Some(TransitionCause::FailureRate { failures: 2, calls: 2 });
        for (ahead, cause) in [(9, both), (15, both), (25, both), (35, None)] {
            let buckets = Buckets::new(Grid::new(30, 3), 2);
            record(&buckets, 1, ahead, Kind::Failure);
            record(&buckets, 0, 5, Kind::Failure);
            assert_eq!(buckets.judge(0, name(0), 5, &RULES).1, cause, "{ahead}");
        }
        // The first one was slower than a bucket, and is judged as of its own.
        let buckets = Buckets::new(Grid::new(30, 3), 2);
        record(&buckets, 1, 5, Kind::Failure);
        record(&buckets, 0, 25, Kind::Failure);
        assert_eq!(buckets.judge(0, name(0), 25, &RULES), (true, both));
    }

    #[test]
    fn a_clock_that_steps_back_judges_the_window_that_it_shows() {
        let buckets = Buckets::new(Grid::new(30, 3), 2);
        record(&buckets, 0, 15, Kind::Failure);
        record(&buckets, 0, 5, Kind::Failure);
        assert_eq!(buckets.judge(0, name(0), 5, &RULES).1, None, "one call of two");
        record(&buckets, 1, 15, Kind::Plain);
        assert_eq!(buckets.judge(0, name(0), 5, &RULES).1, None);
        assert!(buckets.judge(9, name(0), 5, &RULES).1.is_some(), "to others it is ahead");
    }

    #[test]
    fn an_outcome_behind_one_that_was_never_settled_is_not_settled_either() {
        let buckets = Buckets::new(Grid::new(30, 3), 1);
        for outcomes in 1..=3 {
            let placed = buckets.count(0, name(0), 5, Kind::Failure, &|| true);
            assert!(matches!(placed, Placed::Here(_)));
            let (found, _) = buckets.find(name(0), 0, None);
            assert_eq!((found.settled.failures, found.pending.failures), (outcomes - 1, 1));
        }
    }

    #[test]
    fn settling_leaves_alone_what_is_not_its_own() {
        let buckets = Buckets::new(Grid::new(30, 3), 0);
        let count = |now| match buckets.count(0, name(0), now, Kind::Failure, &|| true) {
            Placed::Here(at) => at,
            placed => panic!("{placed:?}"),
        };
        let old = count(5);
        let new = count(95); // The same slot, three windows on.
        let found = || {
            let (found, _) = buckets.find(name(0), 9, None);
            (found.settled.failures, found.pending.failures)
        };
        assert_eq!(found(), (0, 1));
        buckets.settle(0, name(0), old, Kind::Failure, true);
        assert_eq!(found(), (0, 1));
        for _ in 0..2 {
            buckets.settle(0, name(0), new, Kind::Failure, true);
            assert_eq!(found(), (1, 0));
        }
    }

    #[test]
    fn a_generation_that_is_over_is_told_to_who_shares_words() {
        let buckets = Buckets::new(Grid::new(30, 3), 0);
        let placed = buckets.count(0, name(0), 5, Kind::Failure, &|| false);
        assert!(matches!(placed, Placed::Over));
        assert_eq!(buckets.counts(name(0), 5), Counts::default());
    }

    #[test]
    fn neighbouring_generations_and_buckets_have_hashes_of_their_own() {
        let mut seen = std::collections::BTreeSet::new();
        // At the beginning, and where the bits of both meet.
        for shift in [0, 29] {
            for generation in 0..48_u64 {
                for number in 0..48 {
                    let hash = hash(name(generation << shift), number);
                    assert!(hash <= HASH.max());
                    assert!(seen.insert((shift, hash)), "{generation} << {shift}, {number}");
                }
            }
        }
    }

    #[test]
    fn the_packing_of_the_shared_bucket_is_proved_for_all_values() {
        prove(&[COUNT, PENDING, HASH], 0);
        prove(&[NEWEST, NEWEST_ERA], 0);
        for bit in 0..u64::BITS {
            assert!(hash(Word::from_bits(1 << bit), 1 << bit) <= HASH.max(), "cut nowhere");
        }
        assert_eq!(HASH.max(), u64::MAX >> (u64::BITS - HASH.width()), "nor for any other");
    }

    #[test]
    fn a_shared_count_never_carries_out_of_its_fields() {
        let buckets = Buckets::new(Grid::new(30, 3), 0);
        let word = &buckets.shared[0].counts[Kind::Failure as usize];
        let hash = HASH.put(hash(name(0), 0));
        let put = |count, pending| hash | COUNT.put(count) | PENDING.put(pending);
        // Every number of pending outcomes, with counts at both ends.
        for pending in 0..=PENDING.max() {
            for count in [pending, COUNT.max() - 1, COUNT.max()] {
                word.store(put(count, pending), Ordering::Relaxed);
                let placed = buckets.count(0, name(0), 5, Kind::Failure, &|| true);
                let full = count == COUNT.max() || pending == PENDING.max();
                let Placed::Here(at) = placed else {
                    assert!(full && matches!(placed, Placed::Nowhere));
                    assert_eq!(word.load(Ordering::Relaxed), put(count, pending), "left alone");
                    continue;
                };
                assert!(!full);
                assert_eq!(word.load(Ordering::Relaxed), put(count + 1, pending + 1));
                buckets.settle(0, name(0), at, Kind::Failure, true);
                assert_eq!(word.load(Ordering::Relaxed), put(count + 1, pending));
            }
        }
    }

    #[test]
    fn every_bucket_is_a_member_of_its_own() {
        let member = |index| {
            let mut found = Found::default();
            found.add_member(index);
            found.members
        };
        let mut seen = std::collections::BTreeSet::from([0]);
        assert!((0..10_000).all(|index| seen.insert(member(index))));
        let mut both = Found::default();
        both.add_member(3);
        both.add_member(4);
        assert_eq!(both.members, member(3).wrapping_add(member(4)));
        // And so are those of a reading: of three threads, and of those that share words.
        let mut seen = std::collections::BTreeSet::from([0]);
        for seat in [0, 1, 2, 9] {
            for now in [5, 15, 25] {
                let buckets = Buckets::new(Grid::new(30, 3), 3);
                let placed = buckets.count(seat, name(1), now, Kind::Plain, &|| true);
                assert!(matches!(placed, Placed::Here(_)));
                let (found, _) = buckets.find(name(1), 2, None);
                assert!(seen.insert(found.members), "thread {seat} at {now}");
            }
        }
    }

    #[test]
    fn the_heap_is_that_of_every_stripe_and_of_the_shared_words() {
        let stripe = size_of::<CachePadded<Stripe>>() + 3 * size_of::<Bucket>();
        let shared = 3 * size_of::<CachePadded<Shared>>();
        let heap = [0, 1, 5].map(|stripes| Buckets::new(Grid::new(30, 3), stripes).heap());
        assert_eq!(heap, [shared, stripe + shared, 5 * stripe + shared]);
    }

    #[test]
    fn a_bucket_of_ones_own_settles_its_lowest_bit_only() {
        let buckets = Buckets::new(Grid::new(30, 3), 1);
        for times in 1..=300 {
            let placed = buckets.count(0, name(0), 5, Kind::Failure, &|| true);
            let word = &buckets.stripes[0].buckets[0].counts[Kind::Failure as usize];
            assert_eq!(word.load(Ordering::Relaxed), times * ONE + UNSETTLED);
            let Placed::Here(at) = placed else {
                panic!("nothing stands in the way");
            };
            buckets.settle(0, name(0), at, Kind::Failure, true);
            assert_eq!(word.load(Ordering::Relaxed), times * ONE);
        }
    }
}
