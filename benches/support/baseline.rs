//! The rival: a circuit breaker behind one `parking_lot::Mutex`, as fast as such a breaker can honestly be.
//!
//! Everything that a mutex breaker may do to be quick is done: the ring is allocated once and packed (two bits an
//! outcome, so that a window of 100 is half a cache line and one of 100,000 fits a first-level cache), a record is
//! constant work with running counts, a rule is asked only where its answer can have changed, a success in a full
//! window without failures touches only the lock's own cache line, a refusal reads the clock after it has let go of
//! the lock, and no clock is read where no rule needs one.
//!
//! It has no permits that act on drop, no observers and no probe lease, which only spares it work.
//! `tests/it/baseline.rs` holds its answers against the oracle's.

use core::time::Duration;

use crossbeam_utils::CachePadded;
use failfast::clock::Clock;
use failfast::{Outcome, Recorded, State};
use parking_lot::{Mutex, MutexGuard};

/// Parts per million: the unit of every rate.
const PPM: u64 = 1_000_000;
/// The open deadline is kept in ticks of 2^20 ns, as the contract's 1.1 ms allow and as the engine does.
const TICK_BITS: u32 = 20;
const LAST_TICK: u64 = (1 << 40) - 1;
/// Ring entries in a word, two bits each, and in a padded line of words.
const PER_WORD: usize = 32;
const WORDS_PER_LINE: usize = 16;
const PER_LINE: usize = PER_WORD * WORDS_PER_LINE;
/// The bits of a ring entry.
const FAILED: u64 = 0b01;
const SLOW: u64 = 0b10;

/// Which outcomes a closed breaker judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Count { size: u32 },
    Time { length: Duration, buckets: u32 },
    Consecutive,
}

/// The settings; they are not validated. A zero switches a rule off. `min_calls` is clamped to a count window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) span: Span,
    pub(crate) failure_ppm: u32,
    pub(crate) slow_ppm: u32,
    /// Slow is what takes longer; read only while `slow_ppm` is not zero.
    pub(crate) slow_limit: Duration,
    /// Consecutive failures.
    pub(crate) run: u32,
    pub(crate) min_calls: u32,
    pub(crate) open_wait: Duration,
    pub(crate) probes: u32,
}

impl Default for Settings {
    /// The defaults of `failfast::Builder`.
    fn default() -> Self {
        Settings {
            span: Span::Count { size: 100 },
            failure_ppm: 500_000,
            slow_ppm: 0,
            slow_limit: Duration::MAX,
            run: 0,
            min_calls: 20,
            open_wait: Duration::from_secs(30),
            probes: 3,
        }
    }
}

/// Permission for one call: the generation in which it was granted, and when, where a rule needs that.
#[derive(Clone, Copy, Debug)]
#[must_use = "a ticket must be recorded"]
pub(crate) struct Ticket {
    generation: u64,
    start_ns: u64,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) state: State,
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    #[inline]
    fn by(state: State) -> Self {
        Refused { state, retry_after: None }
    }
}

/// The window's running counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow_calls: u64,
    pub(crate) slow_failures: u64,
}

impl Counts {
    #[inline]
    fn add(&mut self, mark: u64) {
        self.failures += mark & FAILED;
        self.slow_calls += mark >> 1;
        self.slow_failures += mark & (mark >> 1);
    }

    #[inline]
    fn take(&mut self, mark: u64) {
        self.failures -= mark & FAILED;
        self.slow_calls -= mark >> 1;
        self.slow_failures -= mark & (mark >> 1);
    }

    fn add_all(&mut self, other: &Counts) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow_calls += other.slow_calls;
        self.slow_failures += other.slow_failures;
    }

    fn take_all(&mut self, other: &Counts) {
        self.calls -= other.calls;
        self.failures -= other.failures;
        self.slow_calls -= other.slow_calls;
        self.slow_failures -= other.slow_failures;
    }
}

/// The mutex breaker.
pub(crate) struct Baseline<C> {
    /// What nobody writes lies apart from the line that everybody writes.
    settings: Settings,
    clock: C,
    /// The clock's reading at construction: open deadlines count from it.
    zero_ns: u64,
    slow_limit_ns: u64,
    times_calls: bool,
    reads_clock_at_end: bool,
    inner: CachePadded<Mutex<Inner>>,
}

/// In this order the lock's byte (parking_lot puts it first) and the fields down to `size` make up one cache line:
/// all that a call on a count or consecutive window writes, but for the ring's own words.
#[repr(C)]
struct Inner {
    state: State,
    run: u32,
    generation: u64,
    counts: Counts,
    next: u32,
    size: u32,
    /// Lines of its own: what stands beside it on the heap must not slow it down.
    ring: Box<[CachePadded<[u64; WORDS_PER_LINE]>]>,
    buckets: Buckets,
    deadline_ns: u64,
    granted: u32,
    succeeded: u32,
}

impl<C: Clock> Baseline<C> {
    pub(crate) fn new(mut settings: Settings, clock: C) -> Self {
        let size = match settings.span {
            Span::Count { size } => {
                settings.min_calls = settings.min_calls.min(size);
                size
            }
            _ => 0,
        };
        let buckets = match settings.span {
            Span::Time { length, buckets } => Buckets::new(nanos(length), buckets),
            _ => Buckets::new(1, 0),
        };
        let times_calls = settings.slow_ppm > 0;
        let inner = Inner {
            state: State::Closed,
            run: 0,
            generation: 0,
            counts: Counts::default(),
            next: 0,
            size,
            ring: vec![CachePadded::default(); (size as usize).div_ceil(PER_LINE)].into(),
            buckets,
            deadline_ns: 0,
            granted: 0,
            succeeded: 0,
        };
        Baseline {
            zero_ns: clock.now_nanos(),
            slow_limit_ns: if times_calls { nanos(settings.slow_limit) } else { u64::MAX },
            times_calls,
            reads_clock_at_end: times_calls || matches!(settings.span, Span::Time { .. }),
            settings,
            clock,
            inner: CachePadded::new(Mutex::new(inner)),
        }
    }

    /// Asks for permission.
    #[inline]
    pub(crate) fn try_acquire(&self) -> Result<Ticket, Refused> {
        let start_ns = if self.times_calls { self.clock.now_nanos() } else { 0 };
        let inner = self.inner.lock();
        match inner.state {
            State::Closed => Ok(Ticket { generation: inner.generation, start_ns }),
            State::ForcedOpen => Err(Refused::by(State::ForcedOpen)),
            State::Open => {
                let deadline_ns = inner.deadline_ns;
                drop(inner);
                // Nobody waits while this thread reads the clock.
                let now_ns = if self.times_calls { start_ns } else { self.clock.now_nanos() };
                match self.until(deadline_ns, now_ns) {
                    Some(refused) => Err(refused),
                    None => self.acquire_probe(self.inner.lock(), now_ns),
                }
            }
            _ => {
                let now_ns = if self.times_calls { start_ns } else { self.clock.now_nanos() };
                self.acquire_probe(inner, now_ns)
            }
        }
    }

    #[inline]
    fn until(&self, deadline_ns: u64, now_ns: u64) -> Option<Refused> {
        let now_ns = now_ns.saturating_sub(self.zero_ns);
        (now_ns < deadline_ns).then(|| Refused {
            state: State::Open,
            retry_after: Some(Duration::from_nanos(deadline_ns - now_ns)),
        })
    }

    /// Decides under the lock, in whatever state the breaker is by now.
    #[cold]
    fn acquire_probe(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        now_ns: u64,
    ) -> Result<Ticket, Refused> {
        match inner.state {
            State::Closed => {}
            State::Open => {
                if let Some(refused) = self.until(inner.deadline_ns, now_ns) {
                    return Err(refused);
                }
                inner.enter(State::HalfOpen);
                inner.granted = 1;
            }
            State::HalfOpen if inner.granted < self.settings.probes => inner.granted += 1,
            refusing => return Err(Refused::by(refusing)),
        }
        Ok(Ticket {
            generation: inner.generation,
            start_ns: if self.times_calls { now_ns } else { 0 },
        })
    }

    /// Reports how the call ended.
    #[inline]
    pub(crate) fn record(&self, ticket: Ticket, outcome: Outcome) -> Recorded {
        let now_ns = if self.reads_clock_at_end { self.clock.now_nanos() } else { 0 };
        let elapsed_ns = now_ns.saturating_sub(ticket.start_ns);
        self.settle(ticket, outcome, now_ns, elapsed_ns)
    }

    /// Reports how the call ended and how long it took.
    #[inline]
    pub(crate) fn record_timed(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        elapsed: Duration,
    ) -> Recorded {
        let now_ns = match self.settings.span {
            Span::Time { .. } => self.clock.now_nanos(),
            _ => 0,
        };
        self.settle(ticket, outcome, now_ns, nanos(elapsed))
    }

    #[inline]
    fn settle(&self, ticket: Ticket, outcome: Outcome, now_ns: u64, elapsed_ns: u64) -> Recorded {
        let slow = elapsed_ns > self.slow_limit_ns;
        let failed = outcome == Outcome::Failure;
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.generation != ticket.generation {
            return Recorded::Stale;
        }
        if inner.state != State::Closed {
            self.settle_probe(inner, outcome, slow);
            return Recorded::Counted;
        }
        if outcome == Outcome::Ignored {
            return Recorded::Counted;
        }
        inner.run = if failed { inner.run.saturating_add(1) } else { 0 };
        let mark = u64::from(failed) | u64::from(slow) << 1;
        let tripped = match self.settings.span {
            Span::Count { .. } => {
                let grew = inner.push(mark);
                // An outcome without a mark can't raise a rate; it can only complete the minimum.
                let may_trip =
                    mark != 0 || grew && inner.counts.calls == u64::from(self.settings.min_calls);
                may_trip && self.trips(&inner.counts, inner.run)
            }
            Span::Consecutive => failed && self.trips(&Counts::default(), inner.run),
            Span::Time { .. } => self.record_at(inner, mark, now_ns),
        };
        if tripped {
            self.open(inner);
        }
        Recorded::Counted
    }

    /// Whether the rules open a closed breaker.
    #[inline]
    fn trips(&self, counts: &Counts, run: u32) -> bool {
        let settings = &self.settings;
        let reaches =
            |marked: u64, ppm: u32| ppm > 0 && marked * PPM >= u64::from(ppm) * counts.calls;
        let rates = counts.calls >= u64::from(settings.min_calls)
            && (reaches(counts.failures, settings.failure_ppm)
                || reaches(counts.slow_calls, settings.slow_ppm));
        rates || settings.run > 0 && run >= settings.run
    }

    #[inline]
    fn record_at(&self, inner: &mut Inner, mark: u64, now_ns: u64) -> bool {
        let buckets = &mut inner.buckets;
        if buckets.start_ns <= now_ns && now_ns < buckets.end_ns {
            buckets.add_to_current(&mut inner.counts, mark);
            let may_trip = mark != 0
                || buckets.disturbed
                || inner.counts.calls == u64::from(self.settings.min_calls);
            buckets.disturbed = false;
            return may_trip && self.trips(&inner.counts, inner.run);
        }
        let counts = buckets.record_elsewhere(&mut inner.counts, mark, now_ns);
        self.trips(&counts, inner.run)
    }

    #[cold]
    fn settle_probe(&self, inner: &mut Inner, outcome: Outcome, slow: bool) {
        match outcome {
            Outcome::Ignored => inner.granted -= 1,
            Outcome::Failure => self.open(inner),
            Outcome::Success if slow => self.open(inner),
            Outcome::Success => {
                inner.succeeded += 1;
                if inner.succeeded == self.settings.probes {
                    inner.enter(State::Closed);
                }
            }
        }
    }

    #[cold]
    fn open(&self, inner: &mut Inner) {
        let now_ns = self.clock.now_nanos().saturating_sub(self.zero_ns);
        let over_ns = now_ns.saturating_add(nanos(self.settings.open_wait));
        inner.enter(State::Open);
        inner.deadline_ns = over_ns.div_ceil(1 << TICK_BITS).min(LAST_TICK) << TICK_BITS;
    }

    pub(crate) fn trip(&self) {
        self.open(&mut self.inner.lock());
    }

    pub(crate) fn half_open(&self) {
        self.inner.lock().enter(State::HalfOpen);
    }

    pub(crate) fn reset(&self) {
        self.inner.lock().enter(State::Closed);
    }

    pub(crate) fn force_open(&self) {
        self.inner.lock().enter(State::ForcedOpen);
    }

    /// The state now: half-open once the open time is over.
    pub(crate) fn state(&self) -> State {
        let inner = self.inner.lock();
        match inner.state {
            State::Open if self.open_time_over(&inner) => State::HalfOpen,
            state => state,
        }
    }

    fn open_time_over(&self, inner: &Inner) -> bool {
        self.until(inner.deadline_ns, self.clock.now_nanos()).is_none()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.inner.lock().generation
    }

    /// The window now, or the half-open probes.
    pub(crate) fn counts(&self) -> Counts {
        let inner = self.inner.lock();
        match (inner.state, self.settings.span) {
            (State::Closed, Span::Time { .. }) => inner.buckets.window_at(self.clock.now_nanos()),
            (State::Closed, _) => inner.counts,
            (State::HalfOpen, _) => {
                Counts { calls: u64::from(inner.succeeded), ..Counts::default() }
            }
            _ => Counts::default(),
        }
    }

    /// The run of consecutive failures, where a rule wants it.
    pub(crate) fn consecutive_failures(&self) -> u64 {
        let inner = self.inner.lock();
        match inner.state {
            State::Closed if self.settings.run > 0 => u64::from(inner.run),
            _ => 0,
        }
    }
}

impl Inner {
    /// Begins a generation. The ring needs no clearing: entries are only read once the window is full again.
    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.run = 0;
        self.counts = Counts::default();
        self.next = 0;
        self.buckets.clear();
        self.granted = 0;
        self.succeeded = 0;
    }

    /// Puts an outcome in the place of the oldest one; whether the window grew.
    #[inline]
    fn push(&mut self, mark: u64) -> bool {
        let place = self.next as usize;
        self.next = if self.next + 1 == self.size { 0 } else { self.next + 1 };
        let grew = self.counts.calls < u64::from(self.size);
        if !grew && mark == 0 && self.counts.failures + self.counts.slow_calls == 0 {
            // Every entry is plain already: the ring's line can stay where it is.
            return false;
        }
        let word = &mut self.ring[place / PER_LINE][place / PER_WORD % WORDS_PER_LINE];
        let shift = place % PER_WORD * 2;
        let old = *word >> shift & (FAILED | SLOW);
        *word ^= (old ^ mark) << shift;
        if grew {
            self.counts.calls += 1;
            self.counts.add(mark);
        } else if old != mark {
            self.counts.take(old);
            self.counts.add(mark);
        }
        grew
    }
}

/// The buckets of a time window; the sum over those that the newest instant sees is kept by the caller.
struct Buckets {
    length_ns: u64,
    slots: Box<[Bucket]>,
    /// The newest bucket recorded in, by its number and the instants that it covers; no instant before the first.
    current: u64,
    start_ns: u64,
    end_ns: u64,
    slot: usize,
    /// An outcome went into an older bucket, after the clock had stepped back: the sum moved unjudged.
    disturbed: bool,
}

/// Counts that say of which bucket they are: one that is out of the window turns stale by itself.
#[derive(Clone, Copy, Default)]
struct Bucket {
    /// The number of the bucket and one; zero while nothing was recorded.
    tag: u64,
    counts: Counts,
}

impl Buckets {
    fn new(length_ns: u64, buckets: u32) -> Self {
        Buckets {
            length_ns,
            slots: vec![Bucket::default(); buckets as usize].into_boxed_slice(),
            current: 0,
            start_ns: 0,
            end_ns: 0,
            slot: 0,
            disturbed: false,
        }
    }

    fn clear(&mut self) {
        self.slots.fill(Bucket::default());
        self.current = 0;
        self.start_ns = 0;
        self.end_ns = 0;
        self.disturbed = false;
    }

    #[inline]
    fn add_to_current(&mut self, sum: &mut Counts, mark: u64) {
        let counts = &mut self.slots[self.slot].counts;
        counts.calls += 1;
        sum.calls += 1;
        if mark != 0 {
            counts.add(mark);
            sum.add(mark);
        }
    }

    /// Records where the instant lies outside the newest bucket; the window that must be judged.
    #[cold]
    fn record_elsewhere(&mut self, sum: &mut Counts, mark: u64, now_ns: u64) -> Counts {
        let number = self.number_at(now_ns);
        if self.end_ns == 0 || number > self.current {
            self.advance_to(number, sum);
            self.add_to_current(sum, mark);
            return *sum;
        }
        let count = self.slots.len() as u64;
        let bucket = &mut self.slots[(number % count) as usize];
        if bucket.tag <= number + 1 {
            if bucket.tag != number + 1 {
                *bucket = Bucket { tag: number + 1, counts: Counts::default() };
            }
            bucket.counts.calls += 1;
            bucket.counts.add(mark);
            if number + count > self.current {
                sum.calls += 1;
                sum.add(mark);
                self.disturbed = true;
            }
        }
        self.window_at(now_ns)
    }

    /// Makes `number` the newest bucket and takes what left the window out of the sum.
    fn advance_to(&mut self, number: u64, sum: &mut Counts) {
        let count = self.slots.len() as u64;
        // The bucket with the oldest number that the window still sees, and at most one lap of slots to look at.
        let first_gone = (self.current + 1).saturating_sub(count);
        let last_gone = (number + 1).saturating_sub(count).min(self.current + 1);
        for gone in first_gone..last_gone {
            let bucket = &self.slots[(gone % count) as usize];
            if bucket.tag == gone + 1 {
                sum.take_all(&bucket.counts);
            }
        }
        self.current = number;
        self.slot = (number % count) as usize;
        self.slots[self.slot] = Bucket { tag: number + 1, counts: Counts::default() };
        self.start_ns = self.starts_at(number);
        self.end_ns = self.starts_at(number + 1);
    }

    fn window_at(&self, now_ns: u64) -> Counts {
        let newest = self.number_at(now_ns);
        let count = self.slots.len() as u64;
        let mut sum = Counts::default();
        for bucket in &self.slots {
            // The tag is the number and one: number in (newest - count, newest].
            if bucket.tag != 0 && bucket.tag <= newest + 1 && bucket.tag + count > newest + 1 {
                sum.add_all(&bucket.counts);
            }
        }
        sum
    }

    /// Bucket `k` covers `[k * length / buckets, (k + 1) * length / buckets)`.
    fn number_at(&self, now_ns: u64) -> u64 {
        (u128::from(now_ns) * self.slots.len() as u128 / u128::from(self.length_ns)) as u64
    }

    /// The first whole nanosecond of a bucket.
    fn starts_at(&self, number: u64) -> u64 {
        let start =
            (u128::from(number) * u128::from(self.length_ns)).div_ceil(self.slots.len() as u128);
        u64::try_from(start).unwrap_or(u64::MAX)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
