//! The circuit breaker's face: it reads the clock, asks the engine, and tells the observers.
//!
//! The protocol is on the [architecture page](crate::docs::architecture); this file holds no step of it.

use core::cell::OnceCell;
use core::fmt;
use core::time::Duration;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::clock::{Clock, DefaultClock};
use crate::error::{CallError, Rejected};
use crate::event::{contain, Transition};
use crate::metrics::Snapshot;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::threads;
use crate::totals::{Count, Tally, Totals};
use crate::trace;
use crate::window::counts::Kind;

#[cfg(test)]
mod bounds;
pub(crate) mod cell;
pub(crate) mod choices;
pub(crate) mod config;
#[cfg(test)]
mod costs;
pub(crate) mod engine;
pub(crate) mod limits;
mod permit;
pub(crate) mod reconfigure;
pub(crate) mod rules;
mod settings;
pub(crate) mod state;

pub use self::choices::{HalfOpen, HalfOpenKind, OpenWait, OpenWaitKind, Window, WindowKind};
pub use self::config::Builder;
pub use self::permit::{OwnedPermit, Permit};
pub use self::settings::Settings;

use self::config::{Config, Observer};
use self::engine::{Change, Engine, Target};
use self::limits::{BUCKETED, TALLIED, TIMED, UNTIMED};
use self::rules::{back, since};
use self::settings::Built;
use self::state::Word;

/// What a permit remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// The generation in which it was granted, by name.
    name: Word,
    /// When, in nanoseconds of the clock, where calls are timed; otherwise one of the last three instants, of which
    /// no elapsed time comes.
    start: u64,
}

impl Grant {
    /// A grant whose outcome has been reported; no state has this name.
    pub(crate) const SETTLED: Grant = Grant { name: Word::from_bits(u64::MAX), start: UNTIMED };

    pub(crate) const fn is_settled(&self) -> bool {
        self.name.bits() == u64::MAX
    }
}

/// The answer of `acquire_slow`: a grant, or a refusal under a name that is none.
///
/// Two words come back in registers. A `Result` of the two would come back through memory, and whoever inlines the
/// hot half would make room for it at every call.
#[derive(Clone, Copy)]
struct Answer {
    name: Word,
    /// As in a grant, or the nanoseconds until the open time is over.
    start: u64,
}

impl Answer {
    fn granted(name: Word, start: u64) -> Self {
        Answer { name, start }
    }

    fn refused(rejected: Rejected) -> Self {
        let wait = rejected.retry_after().map_or(0, |wait| wait.as_nanos() as u64);
        Answer { name: Word::refusal(rejected.state()), start: wait }
    }

    #[inline]
    fn into_result(self) -> Result<Grant, Rejected> {
        match self.name.refused_by() {
            None => Ok(Grant { name: self.name, start: self.start }),
            Some(State::Open) => Err(Rejected::open(self.start)),
            Some(state) => Err(Rejected::by(state)),
        }
    }
}

/// A circuit breaker that any number of threads share without a lock.
///
/// Ask with [`try_acquire`](CircuitBreaker::try_acquire) before a call, report on the [`Permit`] after it; or let
/// [`call`](CircuitBreaker::call) do both.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, CircuitBreaker, OpenWait, State};
///
/// let clock = ManualClock::new(); // for the example; leave it out to use the CPU's counter
/// let breaker = CircuitBreaker::builder()
///     .name("payment")
///     .consecutive_failures(5)
///     .open_wait(OpenWait::fixed(Duration::from_secs(30)))
///     .clock(clock.clone())
///     .build()?;
///
/// for _ in 0..5 {
///     breaker.try_acquire().unwrap().failure(); // the dependency is down
/// }
/// assert_eq!(breaker.state(), State::Open);
/// let rejected = breaker.try_acquire().unwrap_err(); // refused at once: no call, no wait
/// let retry_after = rejected.retry_after().unwrap();
///
/// clock.advance(retry_after);
/// for _ in 0..3 {
///     breaker.try_acquire().unwrap().success(); // three good probes close it
/// }
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// How many bounded steps each call takes is on the [progress page](crate::docs::progress).
pub struct CircuitBreaker<C = DefaultClock> {
    engine: Engine,
    clock: C,
    /// The clock's reading at build: the engine's zero.
    zero: u64,
    name: String,
    warnings: Vec<String>,
    observers: Vec<Observer>,
    totals: Option<Box<Tally>>,
    /// What stays as it was built.
    built: Built,
}

impl CircuitBreaker<DefaultClock> {
    /// Starts a builder with the default settings.
    ///
    /// # Progress
    ///
    /// Wait-free: no atomic is read.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn builder() -> Builder<DefaultClock> {
        Builder::new()
    }
}

impl<C: Clock> CircuitBreaker<C> {
    pub(crate) fn new(
        name: String,
        config: Config,
        warnings: Vec<String>,
        clock: C,
        observers: Vec<Observer>,
        totals: Option<Box<Tally>>,
    ) -> Self {
        let zero = clock.now_nanos();
        let engine = Engine::new(&config);
        let built = Built { window: config.window, stripes: config.stripes };
        if totals.is_some() {
            engine.keep_totals();
        }
        CircuitBreaker { engine, clock, zero, name, warnings, observers, totals, built }
    }

    /// The name given to the builder.
    ///
    /// # Progress
    ///
    /// Wait-free: no atomic is read.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Settings that are legal and idle, in words; empty for most.
    ///
    /// # Progress
    ///
    /// Wait-free: no atomic is read.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Bytes that this breaker takes, those on the heap included.
    ///
    /// What the allocator adds and what closures of observers own is not counted, nor is the clock's heap. The
    /// [performance page](crate::docs::performance) has a table over windows and cores, and the way to trade memory for
    /// speed.
    ///
    /// ```
    /// use failfast::CircuitBreaker;
    ///
    /// let lean = CircuitBreaker::builder().stripes(1).build()?;
    /// assert!(lean.memory_footprint() < 3 * 1024);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Progress
    ///
    /// Wait-free: nothing that it reads is ever written.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn memory_footprint(&self) -> usize {
        let observers: usize = self.observers.iter().map(|observer| size_of_val(&**observer)).sum();
        let warnings: usize = self.warnings.iter().map(String::capacity).sum();
        size_of::<Self>()
            + self.engine.heap()
            + self.name.capacity()
            + self.warnings.capacity() * size_of::<String>()
            + warnings
            + self.observers.capacity() * size_of::<Observer>()
            + observers
            + self.totals.as_ref().map_or(0, |totals| totals.footprint())
    }

    /// The lease of half-open probes, as it was set.
    pub(crate) fn probe_timeout(&self) -> Duration {
        Duration::from_nanos(self.engine.lease_ns())
    }

    pub(crate) fn keeps_totals(&self) -> bool {
        self.totals.is_some()
    }

    /// The clock's reading, which instants of [`history`](CircuitBreaker::history) compare with.
    pub(crate) fn clock_now(&self) -> Duration {
        Duration::from_nanos(self.clock.now_nanos())
    }

    // ===== acquiring =====

    /// Asks for permission to make one call; never blocks and never allocates.
    ///
    /// # Errors
    ///
    /// [`Rejected`] while open, forced open, or half-open with every place taken.
    ///
    /// # Progress
    ///
    /// Wait-free while the state does not change. The first call after the open time, which changes it, is lock-free.
    ///
    /// # Memory ordering
    ///
    /// What happened before the transition into the present state happens before what follows this call.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_, C>, Rejected> {
        match self.acquire() {
            Ok(grant) => Ok(Permit::new(self, grant)),
            Err(rejected) => Err(rejected),
        }
    }

    /// As [`try_acquire`](CircuitBreaker::try_acquire), for a permit that keeps the breaker alive and may be sent to a
    /// pool thread; costs the [`Arc`]'s reference count on top.
    ///
    /// # Errors
    ///
    /// As `try_acquire`.
    ///
    /// # Progress
    ///
    /// As `try_acquire`.
    ///
    /// # Memory ordering
    ///
    /// As `try_acquire`.
    #[inline]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit<C>, Rejected> {
        match self.acquire() {
            Ok(grant) => Ok(OwnedPermit::new(Arc::clone(self), grant)),
            Err(rejected) => Err(rejected),
        }
    }

    #[inline]
    fn acquire(&self) -> Result<Grant, Rejected> {
        let word = self.engine.load();
        if word.is_closed() {
            // Asked in this order, so that a report in the same function need not ask again.
            let start = self.engine.start();
            if start == UNTIMED {
                return Ok(Grant { name: word, start: UNTIMED });
            }
            if start == TIMED {
                return Ok(Grant { name: word, start: self.clock.now_nanos() });
            }
            if start == BUCKETED {
                return Ok(Grant { name: word, start: BUCKETED });
            }
            // Totals are kept: out of line.
        }
        self.acquire_slow(word).into_result()
    }

    #[cold]
    #[inline(never)]
    fn acquire_slow(&self, word: Word) -> Answer {
        if self.totals.is_some() {
            return match word.is_closed() {
                true => self.acquire_counted(word),
                false => self.acquire_heard(word),
            };
        }
        if trace::hears_refusals() {
            return self.acquire_heard(word);
        }
        self.answer(word)
    }

    /// The permit of a closed breaker that keeps totals: short for threads with a stripe.
    #[inline(never)]
    fn acquire_counted(&self, word: Word) -> Answer {
        // Before it is counted: a clock that panics grants nothing.
        let start = self.start();
        match &self.totals {
            Some(totals) if totals.add_own(threads::seat_if_known(), Count::Permitted) => {
                Answer::granted(word, start)
            }
            _ => self.count_granted(word, start),
        }
    }

    /// The same for a thread without a stripe, or whose seat is not known yet.
    #[cold]
    #[inline(never)]
    fn count_granted(&self, word: Word, start: u64) -> Answer {
        self.tally(Count::Permitted);
        Answer::granted(word, start)
    }

    /// The same where it is counted or told.
    #[inline(never)]
    fn acquire_heard(&self, word: Word) -> Answer {
        let answer = self.answer(word);
        let refused = answer.into_result().err();
        self.tally(if refused.is_some() { Count::Refused } else { Count::Permitted });
        if let Some(rejected) = refused {
            trace::refused(&self.name, &rejected);
        }
        answer
    }

    #[inline]
    fn answer(&self, word: Word) -> Answer {
        match word.state() {
            State::ForcedOpen => Answer::refused(Rejected::by(State::ForcedOpen)),
            State::Disabled => Answer::granted(word, UNTIMED),
            State::Closed | State::MetricsOnly => Answer::granted(word, self.start()),
            State::Open | State::HalfOpen => {
                let now = self.clock.now_nanos();
                if let Some(wait) = self.engine.surely_open_for(word, self.since_zero(now)) {
                    return Answer::refused(Rejected::open(wait));
                }
                let mut heard = |change| self.publish(&change, now);
                match self.engine.acquire(self.since_zero(now), &mut heard) {
                    // Closed meanwhile: as in `start`, the last instant must not pass for `UNTIMED`.
                    Ok(name) => Answer::granted(name, now.min(BUCKETED)),
                    Err(rejected) => Answer::refused(rejected),
                }
            }
        }
    }

    /// What a permit remembers as its start; reads the clock only where calls are timed.
    fn start(&self) -> u64 {
        match self.engine.start() {
            TIMED => self.clock.now_nanos(),
            // The clock's last instant is `UNTIMED`, whose successes are not tallied. A nanosecond more makes none slow.
            TALLIED if self.engine.slow_limit_ns().is_some() => {
                self.clock.now_nanos().min(BUCKETED)
            }
            start => start,
        }
    }

    // ===== guarding a call =====

    /// Guards a call: `Ok` is a success, `Err` a failure, a panic a failure that goes on.
    ///
    /// ```
    /// use failfast::{CallError, CircuitBreaker};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let answer: Result<u32, CallError<std::io::Error>> = breaker.call(|| Ok(42));
    /// assert_eq!(answer.unwrap(), 42);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the breaker refused, [`CallError::Inner`] with the call's own error.
    ///
    /// # Panics
    ///
    /// When `f` does; it was counted as a failure.
    ///
    /// # Progress
    ///
    /// As [`try_acquire`](CircuitBreaker::try_acquire) and [`Permit`], plus what `f` takes.
    ///
    /// # Memory ordering
    ///
    /// As `try_acquire` and `Permit`.
    #[inline]
    pub fn call<T, E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        let permit = self.try_acquire()?;
        match f() {
            Ok(value) => {
                permit.success();
                Ok(value)
            }
            Err(error) => {
                permit.failure();
                Err(CallError::Inner(error))
            }
        }
    }

    /// Guards a call whose result `classify` judges.
    ///
    /// ```
    /// use failfast::{CircuitBreaker, Outcome};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// // A caller's mistake says nothing about the dependency.
    /// let status = breaker.call_with(
    ///     |answer: &Result<u16, ()>| match answer {
    ///         Ok(400..=499) => Outcome::Ignored,
    ///         Ok(500..) | Err(()) => Outcome::Failure,
    ///         Ok(_) => Outcome::Success,
    ///     },
    ///     || Ok(404),
    /// );
    /// assert_eq!(status.unwrap(), 404);
    /// assert_eq!(breaker.snapshot().calls, 0);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call`](CircuitBreaker::call).
    ///
    /// # Panics
    ///
    /// When `f` or `classify` does; either was counted as a failure.
    ///
    /// # Progress
    ///
    /// As `call`, plus what `classify` takes.
    ///
    /// # Memory ordering
    ///
    /// As `call`.
    #[inline]
    pub fn call_with<T, E>(
        &self,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
        f: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        let permit = self.try_acquire()?;
        let result = f();
        let outcome = classify(&result);
        permit.record(outcome);
        result.map_err(CallError::Inner)
    }

    // ===== reading =====

    /// The state now: once the open time is over this reads half-open, and once the probes' lease is over, open, though
    /// nobody may have committed it yet.
    ///
    /// # Progress
    ///
    /// Wait-free.
    ///
    /// # Memory ordering
    ///
    /// As [`try_acquire`](CircuitBreaker::try_acquire).
    pub fn state(&self) -> State {
        match self.engine.load().state() {
            // Time matters to these two only; no other needs the clock.
            State::Open | State::HalfOpen => {
                self.engine.state(self.since_zero(self.clock.now_nanos()))
            }
            state => state,
        }
    }

    /// A reading of state and window.
    ///
    /// # Progress
    ///
    /// Lock-free: it reads again if the state changed meanwhile. It walks the marked outcomes of a count window, or
    /// the buckets of a time window.
    ///
    /// # Memory ordering
    ///
    /// Exact when every recorder happens before it; otherwise it may be a moment old.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock.now_nanos();
        let reading = self.engine.read(self.since_zero(now), now);
        let rules = &reading.rules;
        let rate = |ppm: u32, part: u64| match reading.min_calls {
            Some(min) if ppm > 0 && reading.counts.calls >= min => {
                Some(part as f64 / reading.counts.calls as f64)
            }
            _ => None,
        };
        Snapshot {
            state: reading.state,
            generation: reading.generation,
            calls: reading.counts.calls,
            failures: reading.counts.failures,
            slow_calls: reading.counts.slow,
            slow_failures: reading.counts.slow_failures,
            consecutive_failures: reading.run,
            failure_rate: rate(rules.failure_ppm, reading.counts.failures),
            slow_rate: rate(rules.slow_ppm, reading.counts.slow),
            open_attempt: reading.attempt,
        }
    }

    /// What this breaker has done since it was built; `None` unless [`Builder::totals`] asked for it.
    ///
    /// # Progress
    ///
    /// Wait-free.
    ///
    /// # Memory ordering
    ///
    /// Exact when every caller happens before it; otherwise each number may be a moment old.
    pub fn totals(&self) -> Option<Totals> {
        let totals = self.totals.as_ref()?;
        let now = self.clock.now_nanos().wrapping_sub(self.zero);
        Some(totals.read(now, &|| {
            let word = self.engine.load();
            (self.engine.generation(word), word.state())
        }))
    }

    /// The last transitions, oldest first: at most 16; empty unless [`Builder::totals`] asked for them.
    ///
    /// # Progress
    ///
    /// Wait-free. Allocates.
    ///
    /// # Memory ordering
    ///
    /// As `totals`.
    pub fn history(&self) -> Vec<Transition> {
        self.totals.as_ref().map_or_else(Vec::new, |totals| totals.history())
    }

    /// Time until the open time is over; `None` unless the breaker is [open](State::Open).
    ///
    /// # Progress
    ///
    /// Wait-free.
    ///
    /// # Memory ordering
    ///
    /// As [`try_acquire`](CircuitBreaker::try_acquire).
    pub fn open_for(&self) -> Option<Duration> {
        self.engine.open_left(self.since_zero(self.clock.now_nanos())).map(Duration::from_nanos)
    }

    // ===== control =====

    /// Opens, as a tripped rule would; while open it renews the wait and counts as another open period.
    ///
    /// # Progress
    ///
    /// Lock-free, as every control call: it is tried again only if another thread changed the state or, in half-open, a
    /// probe was granted, reported or given back meanwhile.
    ///
    /// # Memory ordering
    ///
    /// What happened before this call happens before what follows any call that sees the new state; so for every
    /// control call.
    pub fn trip(&self) {
        let now = self.clock.now_nanos();
        self.control(Target::Open { from: self.since_zero(now) }, now);
    }

    /// Ends an open time at once: the next calls are probes.
    ///
    /// # Progress
    ///
    /// Lock-free, as [`trip`](CircuitBreaker::trip).
    ///
    /// # Memory ordering
    ///
    /// As `trip`.
    pub fn half_open(&self) {
        self.control(Target::HalfOpen { granted: 0 }, self.clock.now_nanos());
    }

    /// Ends an open time at once, if there is one: only an open breaker becomes half-open. Answers whether this call did it.
    ///
    /// For health checks and other automata: unlike [`half_open`](CircuitBreaker::half_open) it neither undoes what an
    /// operator has forced nor opens a breaker that is closed to probes alone.
    ///
    /// ```
    /// use failfast::{CircuitBreaker, State};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// assert!(!breaker.try_half_open(), "it is closed");
    /// breaker.trip();
    /// assert!(breaker.try_half_open());
    /// breaker.force_open(); // by hand, for a migration
    /// assert!(!breaker.try_half_open());
    /// assert_eq!(breaker.state(), State::ForcedOpen);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Progress
    ///
    /// Lock-free, as [`trip`](CircuitBreaker::trip).
    ///
    /// # Memory ordering
    ///
    /// As `trip` if it answers that it did; otherwise as [`state`](CircuitBreaker::state).
    pub fn try_half_open(&self) -> bool {
        let now = self.clock.now_nanos();
        let mut heard = |change| self.publish(&change, now);
        let to = Target::HalfOpen { granted: 0 };
        self.engine.control_from(&[State::Open], to, self.since_zero(now), &mut heard)
    }

    /// Closes, with an empty window.
    ///
    /// # Progress
    ///
    /// Lock-free, as [`trip`](CircuitBreaker::trip).
    ///
    /// # Memory ordering
    ///
    /// As `trip`.
    pub fn reset(&self) {
        self.control_plain(State::Closed);
    }

    /// Refuses every call until another control call.
    ///
    /// # Progress
    ///
    /// Lock-free, as [`trip`](CircuitBreaker::trip).
    ///
    /// # Memory ordering
    ///
    /// As `trip`.
    pub fn force_open(&self) {
        self.control_plain(State::ForcedOpen);
    }

    /// Permits every call and counts nothing until another control call.
    ///
    /// # Progress
    ///
    /// Lock-free, as [`trip`](CircuitBreaker::trip).
    ///
    /// # Memory ordering
    ///
    /// As `trip`.
    pub fn disable(&self) {
        self.control_plain(State::Disabled);
    }

    /// Permits and counts every call and never trips, until another control call.
    ///
    /// # Progress
    ///
    /// Lock-free, as [`trip`](CircuitBreaker::trip).
    ///
    /// # Memory ordering
    ///
    /// As `trip`.
    pub fn metrics_only(&self) {
        self.control_plain(State::MetricsOnly);
    }

    fn control_plain(&self, state: State) {
        self.control(Target::Plain(state), self.clock.now_nanos());
    }

    fn control(&self, to: Target, now: u64) {
        let mut heard = |change| self.publish(&change, now);
        self.engine.control(to, self.since_zero(now), &mut heard);
    }

    // ===== settling permits =====

    /// Reports a success: the hot path.
    #[inline]
    pub(crate) fn settle_success(&self, grant: Grant) -> Recorded {
        if grant.start == UNTIMED {
            if self.engine.count_untimed(threads::seat_if_known(), grant.name) {
                return Recorded::Counted;
            }
            return self.settle_success_slow(grant.name);
        }
        self.settle_success_timed(grant)
    }

    /// The cold half of a success that needs no time; few arguments, so that the hot half may jump here.
    #[cold]
    #[inline(never)]
    fn settle_success_slow(&self, name: Word) -> Recorded {
        self.settle_slow(Grant { name, start: UNTIMED }, Outcome::Success, None, None)
    }

    /// The hot path where a bucket or a slow-call limit needs the time; apart, so that the other stays small.
    #[inline(never)]
    fn settle_success_timed(&self, grant: Grant) -> Recorded {
        if self.totals.is_some() {
            return self.settle_success_counted(grant);
        }
        let now = self.clock.now_nanos();
        let elapsed = now.saturating_sub(grant.start);
        // Where only the bucket needs the time no call is slow.
        if (grant.start == BUCKETED || !self.is_slow(elapsed))
            && self.engine.count_warm(threads::seat_if_known(), grant.name, now)
        {
            return Recorded::Counted;
        }
        self.settle_slow(grant, Outcome::Success, Some(elapsed), Some(now))
    }

    /// The same where totals are kept, which hear of every outcome.
    #[inline(never)]
    fn settle_success_counted(&self, grant: Grant) -> Recorded {
        let seat = threads::seat_if_known();
        let (elapsed, now) = if grant.start == TALLIED && !self.engine.is_timed() {
            if self.engine.count_untimed(seat, grant.name) {
                return self.counted_warm(seat);
            }
            (None, None)
        } else {
            let now = self.clock.now_nanos();
            let elapsed = now.saturating_sub(grant.start);
            if !self.is_slow(elapsed) && self.engine.count_warm(seat, grant.name, now) {
                return self.counted_warm(seat);
            }
            (Some(elapsed), Some(now))
        };
        self.settle_slow(grant, Outcome::Success, elapsed, now)
    }

    /// Reports an outcome whose elapsed time is measured.
    #[inline]
    pub(crate) fn settle(&self, grant: Grant, outcome: Outcome) -> Recorded {
        match outcome {
            Outcome::Success => self.settle_success(grant),
            _ => self.settle_slow(grant, outcome, None, None),
        }
    }

    /// Reports what a drop means: a failure while the thread is panicking, otherwise ignored.
    #[cold]
    #[inline(never)]
    pub(crate) fn settle_dropped(&self, grant: Grant) {
        let outcome = match std::thread::panicking() {
            true => Outcome::Failure,
            false => Outcome::Ignored,
        };
        self.settle(grant, outcome);
    }

    /// Reports an outcome whose elapsed time is given, in nanoseconds.
    #[inline]
    pub(crate) fn settle_timed(&self, grant: Grant, outcome: Outcome, elapsed: u64) -> Recorded {
        if outcome == Outcome::Success && !self.is_slow(elapsed) {
            let now = if self.engine.is_timed() { Some(self.clock.now_nanos()) } else { None };
            let seat = threads::seat_if_known();
            if self.engine.count_warm(seat, grant.name, now.unwrap_or(0)) {
                return self.counted_warm(seat);
            }
            return self.settle_slow(grant, outcome, Some(elapsed), now);
        }
        self.settle_slow(grant, outcome, Some(elapsed), None)
    }

    /// Whether a call that took this many nanoseconds is slow.
    #[inline]
    fn is_slow(&self, elapsed: u64) -> bool {
        self.engine.slow_limit_ns().is_some_and(|limit| elapsed > limit)
    }

    /// Everything but the hot path. `elapsed` and `now` are taken over where they are known.
    #[cold]
    #[inline(never)]
    fn settle_slow(
        &self,
        grant: Grant,
        outcome: Outcome,
        elapsed: Option<u64>,
        now: Option<u64>,
    ) -> Recorded {
        let name = grant.name;
        let state = name.state();
        if state == State::Disabled || (outcome == Outcome::Ignored && state != State::HalfOpen) {
            let recorded = match self.engine.load() == name {
                true => Recorded::Counted,
                false => Recorded::Stale,
            };
            self.tally_settled(state, outcome, false, recorded);
            return recorded;
        }
        let times_calls = outcome != Outcome::Ignored
            && elapsed.is_none()
            && self.engine.slow_limit_ns().is_some();
        let now = match now {
            None if times_calls || state == State::HalfOpen => Some(self.clock.now_nanos()),
            known => known,
        };
        let elapsed = elapsed.or(now.map(|now| now.saturating_sub(grant.start))).unwrap_or(0);
        let slow = self.is_slow(elapsed);
        // Read at most once, and only if a bucket or a deadline needs it.
        let read = OnceCell::new();
        let now = || *read.get_or_init(|| now.unwrap_or_else(|| self.clock.now_nanos()));
        let recorded = self.report(name, outcome, slow, now);
        self.tally_settled(state, outcome, slow, recorded);
        recorded
    }

    /// Hands an outcome that may change the state to the engine.
    #[inline]
    fn report(&self, name: Word, outcome: Outcome, slow: bool, now: impl Fn() -> u64) -> Recorded {
        let mut heard = |change| self.publish(&change, now());
        if name.state() == State::HalfOpen {
            return self.engine.report(name, outcome, slow, self.since_zero(now()), &mut heard);
        }
        let kind = Kind::new(outcome == Outcome::Failure, slow);
        let instants = || (now(), self.since_zero(now()));
        let (recorded, would_trip) =
            self.engine.record(threads::seat(), name, &instants, kind, &mut heard);
        if let (true, Some(totals)) = (would_trip, &self.totals) {
            let wait = self.engine.first_wait(name.named_generation());
            totals.would_trip(instants().1, wait);
        }
        recorded
    }

    // ===== totals =====

    /// Counts a warm success: only a thread with a stripe has one.
    #[inline]
    fn counted_warm(&self, seat: usize) -> Recorded {
        if let Some(totals) = &self.totals {
            totals.add_own(seat, Count::Succeeded);
        }
        Recorded::Counted
    }

    fn tally(&self, count: Count) {
        if let Some(totals) = &self.totals {
            totals.add(threads::seat(), count);
        }
    }

    fn tally_settled(&self, state: State, outcome: Outcome, slow: bool, recorded: Recorded) {
        if let Some(totals) = &self.totals {
            totals.settled(threads::seat(), state, outcome, slow, recorded);
        }
    }

    // ===== time and observers =====

    /// An instant of the clock, in nanoseconds since this breaker was built.
    fn since_zero(&self, now: u64) -> u64 {
        since(self.zero, now)
    }

    /// Notes a change and tells the observers.
    ///
    /// `now` is the reading of the call that committed the change.
    #[cold]
    fn publish(&self, change: &Change, now: u64) {
        if self.observers.is_empty() && self.totals.is_none() && trace::IS_OFF {
            return;
        }
        self.tell(&self.note(change, now));
    }

    /// Enters a change into the totals.
    pub(crate) fn note(&self, change: &Change, now: u64) -> Transition {
        let Change { from, to, generation, cause, lapsed_at } = *change;
        let instant = lapsed_at.map_or(now, |lapse| back(self.zero, now, lapse));
        let at = Duration::from_nanos(instant);
        let transition = Transition { from, to, generation, cause, at };
        if let Some(totals) = &self.totals {
            // The clock's own time: the engine's runs on where the clock was wrong at the build, and has an end.
            totals.publish(&transition, instant.wrapping_sub(self.zero));
        }
        transition
    }

    /// Tells the observers; what one panics with is dropped.
    pub(crate) fn tell(&self, transition: &Transition) {
        trace::changed(&self.name, transition);
        for observer in &self.observers {
            contain(|| observer(transition));
        }
    }
}

// No panic, of a guarded call, a classifier, an observer or a clock, leaves a step half done: user code runs between steps
// only. So a breaker that was in use when a thread unwound is as good as before.
impl<C> UnwindSafe for CircuitBreaker<C> {}
impl<C> RefUnwindSafe for CircuitBreaker<C> {}

impl<C: Clock> fmt::Debug for CircuitBreaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("word", &self.engine.load())
            .finish_non_exhaustive()
    }
}
