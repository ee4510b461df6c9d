//! The breaker without clock, name and observers: every operation is given the instant and says what it changed.
//!
//! Here the state word, the window and the half-open lease meet. The protocol, with its proof by cases, is on the
//! architecture page; the numbered edges are on the orderings page.

use crossbeam_utils::CachePadded;

use crate::bits::Field;
use crate::breaker::cell::{attempt_after, StateCell};
use crate::breaker::limits::{Head, Judged, Limits, Moving, Tail, TALLIED};
use crate::breaker::reconfigure::Changing;
use crate::breaker::rules::{Config, HalfOpenKind, Rules, WindowConfig, STEP_BACK_NS};
use crate::breaker::state::{deadline, Word};
use crate::error::Rejected;
use crate::event::TransitionCause;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::sync::{fence, AtomicU64, Ordering};
use crate::window::counts::{Counts, Kind};
use crate::window::{Judging, Record, Window};

/// Exchanges of the half-open word that one call may lose before it gives up.
///
/// Without give-backs a generation of `n` places sees at most `2 n` exchanges, 2,000, so none gives up. Only callers
/// that take and give back places without end can make another lose more often; see the progress page for what giving
/// up means.
const ATTEMPTS: u32 = 4_096;

/// Slow failures among a half-open generation's outcomes, and the low bits of the generation. For snapshots only.
const SLOW_FAILED: Field = Field::first(10);
const SLOW_FAILED_ERA: Field = SLOW_FAILED.then(54);

/// A committed change, without the instant's translation to the user's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) generation: u64,
    pub(crate) cause: TransitionCause,
    /// When, in nanoseconds since the engine's zero, if that was not the instant of the call that committed it: probes
    /// were lost when their lease ended, whenever that is noticed.
    pub(crate) lapsed_at: Option<u64>,
}

/// Where to a transition goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The open time runs from this instant.
    Open { from: u64 },
    /// With this many places taken at once.
    HalfOpen { granted: u64 },
    /// One of the states whose word holds nothing but its generation.
    Plain(State),
}

/// A reading; see `Snapshot` for what the fields mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) state: State,
    pub(crate) generation: u64,
    pub(crate) attempt: u32,
    pub(crate) counts: Counts,
    pub(crate) run: u64,
    /// Calls below which the rates are not judged; `None` where no rate is judged.
    pub(crate) min_calls: Option<u64>,
    /// The rules that say so.
    pub(crate) rules: Rules,
}

/// What a user sees of a state word at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    state: State,
    attempt: u32,
    /// Whether the word's own counts are what is shown.
    committed: bool,
}

pub(crate) struct Engine {
    /// Read by every call, written by transitions and in half-open only.
    pub(super) shared: CachePadded<Shared>,
    pub(super) window: Window,
    pub(super) changing: Changing,
}

/// Two pairs of cache lines, in the order that the calls want. On the first line is what a warm call reads here, and all
/// that a step in half-open reads and writes which decides nothing, so that threads in half-open pass one line between
/// them; on the second what verdicts and transitions need. Behind them stands what hardly anybody reads until the
/// settings are changed.
#[repr(C)]
pub(super) struct Shared {
    head: Head,
    /// The latest grant, report or give-back of any half-open generation.
    stamp: AtomicU64,
    /// Its third word is the first of the second line.
    pub(super) state: StateCell,
    moving: Moving,
    slow_failed: AtomicU64,
    tail: Tail,
}

// Two pairs of lines, and no word of the next; the tail is the second. In words, since those of the models are larger.
const _: () = assert!(size_of::<Shared>() == 32 * size_of::<AtomicU64>());
const _: () = assert!(core::mem::offset_of!(Shared, state) == 6 * size_of::<AtomicU64>());
const _: () = assert!(core::mem::offset_of!(Shared, tail) == 16 * size_of::<AtomicU64>());

impl Engine {
    pub(crate) fn new(config: &Config) -> Self {
        let stripes = config.stripes as usize;
        Engine {
            shared: CachePadded::new(Shared {
                head: Head::new(config),
                stamp: AtomicU64::new(0),
                state: StateCell::new(),
                moving: Moving::new(config),
                slow_failed: AtomicU64::new(0),
                tail: Tail::new(config),
            }),
            window: Window::new(config.window, &config.rules, stripes),
            changing: Changing::new(),
        }
    }

    /// Lets permits know that they are counted; only before the breaker is shared.
    pub(crate) fn keep_totals(&self) {
        self.shared.head.keep_totals();
    }

    /// The settings in force, of a breaker of this window and so many stripes.
    pub(crate) fn in_force(&self, window: WindowConfig, stripes: u32) -> Config {
        self.limits().in_force(window, stripes)
    }

    /// The longest limit on runs that there is memory for.
    pub(crate) fn longest_run(&self) -> u32 {
        self.window.longest_run()
    }

    /// The settings.
    pub(crate) fn limits(&self) -> Limits<'_> {
        let Shared { head, moving, tail, .. } = &*self.shared;
        Limits { head, moving, tail }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        self.window.heap()
    }

    #[inline]
    pub(crate) fn load(&self) -> Word {
        self.shared.state.load()
    }

    /// The full generation of a word that was read just now.
    pub(crate) fn generation(&self, word: Word) -> u64 {
        self.shared.state.generation(word)
    }

    /// The limit beyond which a call is slow, if calls are timed.
    #[inline]
    pub(crate) fn slow_limit_ns(&self) -> Option<u64> {
        self.shared.head.slow_limit_ns()
    }

    /// What a permit remembers as its start; `TIMED` stands for the clock's reading.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.shared.head.start()
    }

    /// Whether closed outcomes need the instant at which they are recorded.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.window.is_timed()
    }

    // ===== the hot path =====

    /// Counts a success that can change no verdict, where nothing needs the time; `false`, and nothing is counted, when it
    /// might.
    #[inline]
    pub(crate) fn count_untimed(&self, seat: usize, name: Word) -> bool {
        self.load() == name && self.window.count_untimed(seat, name)
    }

    /// The same at an instant.
    #[inline]
    pub(crate) fn count_warm(&self, seat: usize, name: Word, now: u64) -> bool {
        self.load() == name && self.window.count_warm(seat, name, now)
    }

    // ===== acquiring, where the answer depends on the time =====

    /// Nanoseconds until the open time of a word that was read just now is over, if the word alone can tell.
    ///
    /// Most refusals end here; `acquire` answers the same, and everything else.
    #[inline]
    pub(crate) fn surely_open_for(&self, word: Word, now: u64) -> Option<u64> {
        match word.state() {
            State::Open => word.open_for(now).filter(|wait| *wait <= STEP_BACK_NS),
            _ => None,
        }
    }

    /// Asks for permission; grants the name of a generation.
    ///
    /// Wait-free while the state does not change: the one loop is counted. Each turn that a transition causes is
    /// another thread's progress.
    pub(crate) fn acquire(
        &self,
        now: u64,
        heard: &mut dyn FnMut(Change),
    ) -> Result<Word, Rejected> {
        let mut lost = 0;
        loop {
            let (word, half_open, lease) = self.limits().around(|| self.load());
            match word.state() {
                State::Closed | State::Disabled | State::MetricsOnly => return Ok(word),
                State::ForcedOpen => return Err(Rejected::by(State::ForcedOpen)),
                State::Open => {
                    if let Some(wait) = self.open_for(word, now) {
                        return Err(Rejected::open(wait));
                    }
                    // E10: before the place is taken, so that nobody sees the place with an older stamp.
                    self.touch(now);
                    let to = Target::HalfOpen { granted: 1 };
                    if let Some(change) = self.transit(word, to, TransitionCause::OpenTimeOver) {
                        heard(change);
                        return Ok(Word::name(State::HalfOpen, change.generation));
                    }
                }
                State::HalfOpen => {
                    if let Some(at) = self.lapsed_by(word, now, lease) {
                        // Committed by this thread or by a faster one, or undone by a sign of life: look again.
                        self.commit_lapse(word, at, heard);
                        lost += 1;
                        if lost < ATTEMPTS {
                            continue;
                        }
                    }
                    if word.probes().granted >= half_open.places.into() || lost >= ATTEMPTS {
                        // The stamp may have been that of a later generation, which has places of its own.
                        if lost < ATTEMPTS && self.load() != word {
                            lost += 1;
                            continue;
                        }
                        return Err(Rejected::by(State::HalfOpen));
                    }
                    // E10, as above.
                    self.touch(now);
                    // Before the exchange: a thread that slept after it might complete the word by a later generation.
                    let generation = self.shared.state.generation(word);
                    if self.shared.state.exchange(word, word.with_grant()) {
                        return Ok(Word::name(State::HalfOpen, generation));
                    }
                    lost += 1;
                }
            }
        }
    }

    // ===== reporting =====

    /// Records an outcome of a generation that counts in a window: closed or metrics-only. The second answer is whether it
    /// would have tripped a metrics-only breaker that keeps totals.
    ///
    /// `instants` reads the clock, on its own scale for buckets and since the engine's zero for deadlines.
    pub(crate) fn record(
        &self,
        seat: usize,
        name: Word,
        instants: &dyn Fn() -> (u64, u64),
        kind: Kind,
        heard: &mut dyn FnMut(Change),
    ) -> (Recorded, bool) {
        if self.load() != name {
            return (Recorded::Stale, false);
        }
        let trips = name.state() == State::Closed;
        let judges = trips || self.start() == TALLIED;
        let rules = self.limits().rules();
        let recorded = self.window.record(&Record {
            seat,
            name,
            now: if self.window.is_timed() { instants().0 } else { 0 },
            kind,
            rules: &rules,
            judging: if judges { Judging::Judge } else { Judging::CountOnly },
            still_current: &|| self.load() == name,
        });
        let Some(verdict) = recorded else {
            return (Recorded::Stale, false);
        };
        let change = verdict
            .cause
            .filter(|_| trips)
            .and_then(|cause| self.decide(name, Target::Open { from: instants().1 }, cause));
        self.window.settle(seat, name, &verdict);
        // Only now, with nothing half done, may an observer run.
        if let Some(change) = change {
            heard(change);
        }
        let generation = name.named_generation();
        let overtaken = || self.limits().overtaking(Judged::Window, generation).is_some();
        (Recorded::Counted, !trips && verdict.cause.is_some() && !overtaken())
    }

    /// How long the first open period after a generation would last, in nanoseconds.
    pub(crate) fn first_wait(&self, generation: u64) -> u64 {
        self.limits().wait_ns(1, generation + 1)
    }

    /// Records an outcome of a half-open generation.
    ///
    /// Wait-free while the state does not change, as `acquire`.
    pub(crate) fn report(
        &self,
        name: Word,
        outcome: Outcome,
        slow: bool,
        now: u64,
        heard: &mut dyn FnMut(Change),
    ) -> Recorded {
        for _ in 0..ATTEMPTS {
            let (word, rules, lease) = self.limits().around(|| self.load());
            if word.state() != State::HalfOpen
                || self.shared.state.generation(word) != name.named_generation()
            {
                return Recorded::Stale;
            }
            if let Some(at) = self.lapsed_by(word, now, lease) {
                self.commit_lapse(word, at, heard);
                continue;
            }
            // E10: before the report counts, so that nobody sees the report with an older stamp.
            self.touch(now);
            if outcome == Outcome::Ignored {
                if self.shared.state.exchange(word, word.with_give_back()) {
                    return Recorded::Counted;
                }
                continue;
            }
            let failed = outcome == Outcome::Failure;
            let next = word.with_report(failed, slow);
            let (to, cause) = match self.judge_probes(next, rules.kind, rules.decide_at, now) {
                Some(verdict) => verdict,
                None => {
                    if self.shared.state.exchange(word, next) {
                        if failed && slow {
                            self.count_slow_failed(name.named_generation());
                        }
                        return Recorded::Counted;
                    }
                    continue;
                }
            };
            if let Some(change) = self.decide(word, to, cause) {
                heard(change);
                return Recorded::Counted;
            }
        }
        // Given up: the place stays taken, and the lease ends the period.
        Recorded::Stale
    }

    /// What a half-open word with one more report decides, if it does.
    fn judge_probes(
        &self,
        next: Word,
        kind: HalfOpenKind,
        decide_at: u32,
        now: u64,
    ) -> Option<(Target, TransitionCause)> {
        let probes = next.probes();
        let again = Target::Open { from: now };
        if kind == HalfOpenKind::Probes {
            if probes.failed > 0 {
                return Some((again, TransitionCause::ProbeFailed));
            }
            if probes.slow > 0 {
                return Some((again, TransitionCause::ProbeSlow));
            }
        }
        if probes.finished < u64::from(decide_at) {
            return None;
        }
        let counts = Counts {
            calls: probes.finished,
            failures: probes.failed,
            slow: probes.slow,
            slow_failures: 0,
        };
        let by_rate = match kind {
            HalfOpenKind::Probes => None,
            HalfOpenKind::Rate => counts.judge_rates(&self.limits().rules()),
        };
        Some(match by_rate {
            Some(cause) => (again, cause),
            None => {
                let Counts { calls, failures, .. } = counts;
                let cause = TransitionCause::ProbesSucceeded { calls, failures };
                (Target::Plain(State::Closed), cause)
            }
        })
    }

    fn count_slow_failed(&self, generation: u64) {
        let era = SLOW_FAILED_ERA.put(generation);
        let word = &self.shared.slow_failed;
        let mut seen = word.load(Ordering::Relaxed);
        // Bounded: another slow failure gets in between, of this generation, which has at most a thousand, or of one before
        // it, which every other thread can be late with once.
        loop {
            let ahead = SLOW_FAILED_ERA.get(seen).wrapping_sub(generation) & SLOW_FAILED_ERA.max();
            let next = if ahead == 0 {
                seen + 1
            } else if ahead <= SLOW_FAILED_ERA.max() / 2 {
                return; // A later half-open generation counts here: this one is over.
            } else {
                era | 1
            };
            // E13: who reads this count and then the state reads this generation or a later one.
            match word.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    // ===== the lease =====

    /// Notes a sign of life of the half-open probes; only ever forwards, unless the clock was wrong.
    fn touch(&self, now: u64) {
        // E10: published by the exchange of the word that follows.
        let seen = self.shared.stamp.fetch_max(now, Ordering::Relaxed);
        if self.is_wild(seen, now) {
            let _ =
                self.shared.stamp.compare_exchange(seen, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Whether a stamp lies so far ahead that the clock must have been wrong when it was written.
    fn is_wild(&self, stamp: u64, now: u64) -> bool {
        stamp.saturating_sub(now) > STEP_BACK_NS
    }

    /// Nanoseconds until an open word's time is over; `None` once it is.
    fn open_for(&self, word: Word, now: u64) -> Option<u64> {
        let wait = word.open_for(now)?;
        if wait <= STEP_BACK_NS {
            return Some(wait);
        }
        // Either the wait is that long, or the clock was wrong when it began.
        let generation = self.shared.state.generation(word);
        let attempt = self.shared.state.attempt(generation, State::Open);
        let asked = self.limits().wait_ns(attempt, generation).max(self.changing.longest_ns());
        (wait - STEP_BACK_NS <= asked).then_some(wait)
    }

    /// The instant at which a half-open word's outstanding probes have lapsed, if they have.
    pub(super) fn lapsed(&self, word: Word, now: u64) -> Option<u64> {
        match word.probes().outstanding() {
            0 => None,
            _ => self.lapsed_by(word, now, self.limits().lease_ns()),
        }
    }

    /// The same for a lease that was read already.
    fn lapsed_by(&self, word: Word, now: u64, lease: u64) -> Option<u64> {
        if word.probes().outstanding() == 0 {
            return None;
        }
        // E10: the word was read before, so this is at least the stamp of its latest step.
        let stamp = self.shared.stamp.load(Ordering::Relaxed);
        if self.is_wild(stamp, now) {
            return Some(now);
        }
        (now.saturating_sub(stamp) >= lease).then(|| stamp.saturating_add(lease))
    }

    /// Opens again as of the instant at which the half-open probes lapsed, unless the word has changed meanwhile.
    pub(super) fn commit_lapse(&self, word: Word, at: u64, heard: &mut dyn FnMut(Change)) {
        let cause = TransitionCause::ProbesLost { outstanding: word.probes().outstanding() };
        if let Some(change) = self.transit(word, Target::Open { from: at }, cause) {
            heard(Change { lapsed_at: Some(at), ..change });
        }
    }

    // ===== transitions =====

    /// Moves on by a verdict of the rules, if the settings in force are the only ones that the generation has known;
    /// otherwise begins another one, which knows no others. `None` if somebody was faster.
    ///
    /// What a generation has counted was counted by the settings that its callers knew: a slow call is one by the limit
    /// of its time. So a verdict over it is one configuration's only if all of them knew the same.
    #[cold]
    fn decide(&self, word: Word, to: Target, cause: TransitionCause) -> Option<Change> {
        let judged = match word.state() {
            State::HalfOpen => Judged::Probes,
            _ => Judged::Window,
        };
        // Asked after what was counted has been read: who has counted by newer settings has shown them to this thread
        // (E17).
        match self.limits().overtaking(judged, self.shared.state.generation(word)) {
            None => self.transit(word, to, cause),
            Some(version) => self.renew(word, version),
        }
    }

    /// Begins a new generation in the state of a word, which all will know to be under this version of the settings or
    /// a later one.
    pub(super) fn renew(&self, word: Word, version: u64) -> Option<Change> {
        let to = match word.state() {
            State::HalfOpen => Target::HalfOpen { granted: 0 },
            state => Target::Plain(state),
        };
        let change = self.transit(word, to, TransitionCause::Reconfigured)?;
        self.limits().note_since(version, change.generation);
        Some(change)
    }

    /// Moves from a word to another state, if nobody was faster; `None` and no change otherwise.
    #[cold]
    fn transit(&self, word: Word, to: Target, cause: TransitionCause) -> Option<Change> {
        let state = &self.shared.state;
        let current = state.generation(word);
        // E12: the state word, read above, against the tickets of the generation before it; see `Window::record`.
        fence(Ordering::SeqCst);
        let ticket = self.window.next_ticket();
        if self.load() != word {
            return None; // The ticket may be of a later generation.
        }
        state.settle(current, word.state());
        self.window.prepare(current, ticket, &|| self.load() == word);
        let generation = current + 1;
        let next = match to {
            Target::Open { from } => {
                let attempt = attempt_after(state.attempt(current, word.state()), State::Open);
                let wait = self.limits().wait_ns(attempt, generation);
                Word::open(generation, deadline(from, wait))
            }
            Target::HalfOpen { granted } => Word::half_open(generation, granted),
            Target::Plain(state) => Word::name(state, generation),
        };
        let change =
            Change { from: word.state(), to: next.state(), generation, cause, lapsed_at: None };
        state.exchange(word, next).then_some(change)
    }

    /// A control call: always a new generation.
    ///
    /// Lock-free: an exchange fails only because another thread's has succeeded.
    pub(crate) fn control(&self, to: Target, now: u64, heard: &mut dyn FnMut(Change)) {
        self.control_from(&State::ALL, to, now, heard);
    }

    /// The same from some states only; answers whether the breaker was in one of them.
    pub(crate) fn control_from(
        &self,
        states: &[State],
        to: Target,
        now: u64,
        heard: &mut dyn FnMut(Change),
    ) -> bool {
        loop {
            let word = self.load();
            if word.state() == State::HalfOpen {
                if let Some(at) = self.lapsed(word, now) {
                    self.commit_lapse(word, at, heard);
                    continue;
                }
            }
            if !states.contains(&word.state()) {
                return false;
            }
            if let Some(change) = self.transit(word, to, TransitionCause::Control) {
                heard(change);
                return true;
            }
        }
    }

    // ===== readings =====

    pub(crate) fn state(&self, now: u64) -> State {
        self.see(self.load(), now).state
    }

    /// Nanoseconds until the open time is over that the state at an instant shows, if it shows one.
    pub(crate) fn open_left(&self, now: u64) -> Option<u64> {
        let word = self.load();
        match word.state() {
            State::Open => self.open_for(word, now),
            State::HalfOpen => {
                let at = self.lapsed(word, now)?;
                let generation = self.shared.state.generation(word);
                let attempt = self.shared.state.attempt(generation, State::HalfOpen);
                self.reopened(generation, attempt, at).open_for(now)
            }
            _ => None,
        }
    }

    /// The open period that the next call will commit, of a half-open generation whose probes lapsed at an instant.
    fn reopened(&self, generation: u64, attempt: u32, at: u64) -> Word {
        let attempt = attempt_after(attempt, State::Open);
        let wait = self.limits().wait_ns(attempt, generation + 1);
        Word::open(generation + 1, deadline(at, wait))
    }

    /// What a word shows at an instant.
    fn see(&self, word: Word, now: u64) -> Seen {
        let shown = word.state();
        let generation = self.shared.state.generation(word);
        let attempt = self.shared.state.attempt(generation, shown);
        match shown {
            State::Open => {
                let state = match self.open_for(word, now) {
                    Some(_) => State::Open,
                    None => State::HalfOpen,
                };
                Seen { state, attempt, committed: false }
            }
            State::HalfOpen => match self.lapsed(word, now) {
                None => Seen { state: shown, attempt, committed: true },
                Some(at) => {
                    let state = match self.reopened(generation, attempt, at).open_for(now) {
                        Some(_) => State::Open,
                        None => State::HalfOpen,
                    };
                    let attempt = attempt_after(attempt, State::Open);
                    Seen { state, attempt, committed: false }
                }
            },
            state => Seen { state, attempt, committed: true },
        }
    }

    /// A reading that never mixes two generations.
    ///
    /// Lock-free: it reads again only if the word has changed meanwhile.
    pub(crate) fn read(&self, now: u64, bucket_time: u64) -> Reading {
        loop {
            let word = self.load();
            let reading = self.read_word(word, now, bucket_time);
            // E13: if anything that was read is of a later generation, the state below is of a later one too.
            fence(Ordering::Acquire);
            if self.load() == word {
                return reading;
            }
        }
    }

    fn read_word(&self, word: Word, now: u64, bucket_time: u64) -> Reading {
        let Seen { state, attempt, committed } = self.see(word, now);
        let generation = self.shared.state.generation(word);
        let (rules, half_open) = self.limits().rules_and_half_open();
        let mut reading = Reading {
            state,
            generation,
            attempt,
            counts: Counts::default(),
            run: 0,
            min_calls: Some(rules.min_calls.into()),
            rules,
        };
        if !committed {
            return reading;
        }
        match state {
            State::Closed | State::MetricsOnly => {
                reading.counts = self.window.counts(word, bucket_time);
                if rules.run > 0 {
                    reading.run = self.window.run(word);
                }
            }
            State::HalfOpen => {
                let probes = word.probes();
                let slow_failed = self.shared.slow_failed.load(Ordering::Relaxed);
                let of_this = SLOW_FAILED.set(slow_failed, 0) == SLOW_FAILED_ERA.put(generation);
                reading.counts = Counts {
                    calls: probes.finished,
                    failures: probes.failed,
                    slow: probes.slow,
                    slow_failures: if of_this { SLOW_FAILED.get(slow_failed) } else { 0 },
                };
                reading.min_calls = match half_open.kind {
                    HalfOpenKind::Probes => None,
                    HalfOpenKind::Rate => Some(half_open.decide_at.into()),
                };
            }
            State::Open | State::ForcedOpen | State::Disabled => {}
        }
        reading
    }

    /// The lease of half-open probes, in nanoseconds.
    pub(crate) fn lease_ns(&self) -> u64 {
        self.limits().lease_ns()
    }
}

// By path, since `loom-tests` includes this file by its own.
#[cfg(test)]
#[path = "stopped.rs"]
mod stopped;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::{prove, prove_step};

    #[test]
    fn the_packing_of_the_slow_failures_is_proved_for_all_values() {
        prove(&[SLOW_FAILED, SLOW_FAILED_ERA], 0);
        // A generation has at most a thousand reports, and each adds one: never from the field's end.
        assert!(SLOW_FAILED.max() > 1_000);
        prove_step(SLOW_FAILED, &[], 0..SLOW_FAILED.max(), |seen| seen + 1, |count| count + 1);
    }
}
