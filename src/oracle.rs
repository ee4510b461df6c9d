//! The mutex twin: the circuit breaker's semantics behind one lock, written to be read and believed.
//!
//! Property tests, fuzzing and benches compare [`CircuitBreaker`](crate::CircuitBreaker) with it, answer for answer.
//! It recounts its window after every outcome, keeps every number in a plain integer, and shares with the breaker
//! only the validated settings and the length of an open wait.
//! Nothing here is part of the crate's public face, and nothing here is fast.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::breaker::config::{Builder, Config, HalfOpenKind, WindowConfig, PPM};
use crate::breaker::rules::STEP_BACK_NS;
use crate::clock::{nanos, Clock};
use crate::error::{ConfigError, Rejected};
use crate::event::{Transition, TransitionCause};
use crate::metrics::Snapshot;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;

/// Deadlines of open periods are whole multiples of this many nanoseconds (1.05 ms), counted from the build.
const TICK_NS: u128 = 1 << 20;
/// The last deadline, in ticks: 36 years after the build.
const LAST_TICK: u128 = (1 << 40) - 1;

// ===== the face =====

/// A circuit breaker behind one mutex.
#[derive(Debug)]
pub struct Oracle<C: Clock> {
    clock: C,
    /// The clock's reading at the build; deadlines and leases count from here.
    epoch: u64,
    machine: Mutex<Machine>,
}

/// Permission for one call: plain data, which may be reported, kept or thrown away.
///
/// Nothing happens when it goes out of scope; a caller who mirrors a dropped [`Permit`](crate::Permit) reports
/// [`Outcome::Ignored`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OraclePermit {
    /// The generation in which it was granted.
    pub generation: u64,
    /// The clock's reading at the grant, in nanoseconds.
    pub start: u64,
}

impl<C: Clock> Oracle<C> {
    pub(crate) fn new(config: Config, clock: C) -> Self {
        Oracle { epoch: clock.now_nanos(), clock, machine: Mutex::new(Machine::new(config)) }
    }

    /// Asks for permission to make a call.
    ///
    /// # Errors
    ///
    /// A refusal by the state that holds now.
    pub fn try_acquire(&self) -> Result<OraclePermit, Rejected> {
        let now = self.now();
        self.lock().try_acquire(now)
    }

    /// Reports an outcome; the elapsed time is measured.
    pub fn record(&self, permit: OraclePermit, outcome: Outcome) -> Recorded {
        let now = self.now();
        let elapsed = now.absolute.saturating_sub(permit.start);
        self.lock().record(permit, outcome, elapsed, now)
    }

    /// Reports an outcome with the elapsed time of the call.
    pub fn record_timed(
        &self,
        permit: OraclePermit,
        outcome: Outcome,
        elapsed: Duration,
    ) -> Recorded {
        let now = self.now();
        self.lock().record(permit, outcome, nanos(elapsed), now)
    }

    /// As [`record`](Oracle::record) and [`record_timed`](Oracle::record_timed), but a trip of the closed state is left to
    /// [`open_by_rule`](Oracle::open_by_rule): where reports overlap, another one may be the first to commit it. Every
    /// rule that is reached is named, not the first alone.
    pub fn record_leaving_trip(
        &self,
        permit: OraclePermit,
        outcome: Outcome,
        elapsed: Option<Duration>,
    ) -> (Recorded, Vec<TransitionCause>) {
        let now = self.now();
        let elapsed = elapsed.map_or(now.absolute.saturating_sub(permit.start), nanos);
        self.lock().record_leaving_trip(permit, outcome, elapsed, now)
    }

    /// Commits a lease that ran out, as the call that notices it would at first.
    pub fn commit_lapse(&self) {
        let now = self.now();
        self.lock().commit_lapse(now);
    }

    /// Commits a trip that a report has named.
    pub fn open_by_rule(&self, cause: TransitionCause) {
        let now = self.now();
        self.lock().transition(State::Open, cause, now);
    }

    /// The state now.
    pub fn state(&self) -> State {
        let now = self.now();
        self.lock().shown(now).state
    }

    /// A reading of the state and the window.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.now();
        self.lock().snapshot(now)
    }

    /// Opens, as a tripped rule would.
    pub fn trip(&self) {
        self.control(State::Open);
    }

    /// Ends an open time; the next acquires are probes.
    pub fn half_open(&self) {
        self.control(State::HalfOpen);
    }

    /// Closes with an empty window.
    pub fn reset(&self) {
        self.control(State::Closed);
    }

    /// Refuses everything until another control call.
    pub fn force_open(&self) {
        self.control(State::ForcedOpen);
    }

    /// Permits everything and counts nothing until another control call.
    pub fn disable(&self) {
        self.control(State::Disabled);
    }

    /// Permits and counts everything and never trips, until another control call.
    pub fn metrics_only(&self) {
        self.control(State::MetricsOnly);
    }

    /// Replaces the limits. Only what `build` refuses is refused: window and stripes stay, whatever the builder says.
    ///
    /// # Errors
    ///
    /// As `build`.
    pub fn reconfigure<D: Clock>(&self, builder: &Builder<D>) -> Result<(), ConfigError> {
        let next = builder.validate()?;
        let now = self.now();
        self.lock().reconfigure(next, builder.given_seed(), now);
        Ok(())
    }

    /// A second oracle that goes its own way from here, on a clone of the clock.
    pub fn fork(&self) -> Self
    where
        C: Clone,
    {
        let machine = Mutex::new(self.lock().clone());
        Oracle { clock: self.clock.clone(), epoch: self.epoch, machine }
    }

    /// Feeds a hasher with all that later answers depend on, among oracles of the same settings.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        let machine = self.lock();
        (machine.state, machine.generation, machine.open_attempt).hash(hasher);
        (machine.deadline, machine.stamp, machine.probes, machine.run).hash(hasher);
        machine.window.hash(hasher);
    }

    /// The last committed generation.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// The transitions committed since the last call, oldest first.
    pub fn take_transitions(&self) -> Vec<Transition> {
        core::mem::take(&mut self.lock().transitions)
    }

    fn control(&self, to: State) {
        let now = self.now();
        self.lock().control(to, now);
    }

    fn now(&self) -> Now {
        let absolute = self.clock.now_nanos();
        let relative = if absolute == u64::MAX {
            // A clock that has come to its end has passed every deadline.
            u64::MAX
        } else if absolute >= self.epoch {
            absolute - self.epoch
        } else if self.epoch - absolute <= STEP_BACK_NS {
            0
        } else {
            // The clock was wrong at the build: time runs on far ahead, within the range of deadlines.
            let range = TICK_NS * (LAST_TICK + 1);
            ((u128::from(absolute) + (1 << 64) - u128::from(self.epoch)) % range) as u64
        };
        Now { absolute, relative, epoch: self.epoch }
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reading of the clock.
#[derive(Clone, Copy, Debug)]
struct Now {
    /// Nanoseconds since the clock's own zero: buckets, elapsed times and what observers see.
    absolute: u64,
    /// Nanoseconds since the build, 0 where the clock stepped back behind it: deadlines and leases.
    relative: u64,
    /// The clock's reading at the build.
    epoch: u64,
}

impl Now {
    /// The clock's own time of an earlier relative instant.
    fn at(&self, earlier: u64) -> u64 {
        if self.absolute >= self.epoch {
            self.epoch.saturating_add(earlier)
        } else {
            self.absolute.saturating_sub(self.relative.saturating_sub(earlier))
        }
    }
}

// ===== the state machine =====

#[derive(Clone, Debug)]
struct Machine {
    config: Config,
    /// The longest wait that earlier settings could ask for.
    longest_ns: u64,
    state: State,
    generation: u64,
    open_attempt: u32,
    /// When the open time is over, relative; read only while open.
    deadline: u64,
    /// The last grant, report or give-back of any half-open generation, relative.
    stamp: u64,
    probes: Probes,
    window: Window,
    /// The current run of failures.
    run: u64,
    transitions: Vec<Transition>,
}

/// The probes of one half-open generation.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Probes {
    /// Places taken: permits granted less those given back.
    granted: u64,
    /// The outcomes that came in.
    finished: Counts,
}

impl Probes {
    fn outstanding(&self) -> u64 {
        self.granted - self.finished.calls
    }
}

/// What a reader sees of the state: the stored one, seen at an instant.
struct Shown {
    state: State,
    open_attempt: u32,
}

/// A lease that ran out: what the transition that commits it will say.
struct Lapse {
    outstanding: u64,
    /// The moment at which the probes failed, relative.
    at: u64,
}

impl Machine {
    fn new(config: Config) -> Self {
        Machine {
            longest_ns: 0,
            state: State::Closed,
            generation: 0,
            open_attempt: 0,
            deadline: 0,
            stamp: 0,
            probes: Probes::default(),
            window: Window::new(config.window),
            run: 0,
            transitions: Vec::new(),
            config,
        }
    }

    fn try_acquire(&mut self, now: Now) -> Result<OraclePermit, Rejected> {
        self.commit_lapse(now);
        if self.state == State::Open {
            if !self.is_over(self.deadline, self.open_attempt, self.generation, now) {
                return Err(Rejected::open(self.deadline - now.relative));
            }
            self.transition(State::HalfOpen, TransitionCause::OpenTimeOver, now);
        }
        match self.state {
            State::ForcedOpen => return Err(Rejected::by(State::ForcedOpen)),
            State::HalfOpen => {
                if self.probes.granted == u64::from(self.config.half_open.places) {
                    return Err(Rejected::by(State::HalfOpen));
                }
                self.probes.granted += 1;
                self.touch(now);
            }
            State::Closed | State::Disabled | State::MetricsOnly | State::Open => {}
        }
        Ok(OraclePermit { generation: self.generation, start: now.absolute })
    }

    fn record(
        &mut self,
        permit: OraclePermit,
        outcome: Outcome,
        elapsed: u64,
        now: Now,
    ) -> Recorded {
        let (recorded, trip) = self.record_leaving_trip(permit, outcome, elapsed, now);
        if let Some(cause) = trip.first() {
            self.transition(State::Open, *cause, now);
        }
        recorded
    }

    fn record_leaving_trip(
        &mut self,
        permit: OraclePermit,
        outcome: Outcome,
        elapsed: u64,
        now: Now,
    ) -> (Recorded, Vec<TransitionCause>) {
        if permit.generation != self.generation {
            return (Recorded::Stale, Vec::new());
        }
        self.commit_lapse(now);
        if permit.generation != self.generation {
            return (Recorded::Stale, Vec::new());
        }
        let counted = match outcome {
            Outcome::Success => Some(false),
            Outcome::Failure => Some(true),
            Outcome::Ignored => None,
        }
        .map(|failed| Counted { failed, slow: elapsed > self.config.rules.slow_limit_ns });
        let trip = match (self.state, counted) {
            (State::HalfOpen, _) => {
                self.record_probe(counted, now);
                Vec::new()
            }
            (State::Closed | State::MetricsOnly, Some(counted)) => {
                self.record_in_window(counted, now)
            }
            // Disabled counts nothing; the two open states grant nothing, so no permit is of their generation.
            _ => Vec::new(),
        };
        (Recorded::Counted, trip)
    }

    fn record_in_window(&mut self, counted: Counted, now: Now) -> Vec<TransitionCause> {
        self.window.push(counted, now.absolute);
        self.run = if counted.failed { self.run + 1 } else { 0 };
        match self.state {
            State::Closed => self.judge(now),
            _ => Vec::new(),
        }
    }

    /// The rules of a closed breaker that are reached, in the order in which they are asked: the first decides.
    fn judge(&self, now: Now) -> Vec<TransitionCause> {
        let rules = &self.config.rules;
        let counts = self.window.counts(now.absolute);
        let mut reached = Vec::new();
        if counts.calls >= u64::from(rules.min_calls) {
            reached.extend(self.judge_rates(counts));
        }
        if rules.failure_count > 0 && counts.failures >= u64::from(rules.failure_count) {
            reached.push(TransitionCause::FailureCount { failures: counts.failures });
        }
        if rules.run > 0 && self.run >= u64::from(rules.run) {
            reached.push(TransitionCause::ConsecutiveFailures { failures: self.run });
        }
        reached
    }

    /// The two rates, without their minimum of calls.
    fn judge_rates(&self, counts: Counts) -> impl Iterator<Item = TransitionCause> {
        let Counts { calls, failures, slow_calls, .. } = counts;
        let rules = &self.config.rules;
        let failed = reached(failures, calls, rules.failure_ppm)
            .then_some(TransitionCause::FailureRate { failures, calls });
        let slow = reached(slow_calls, calls, rules.slow_ppm)
            .then_some(TransitionCause::SlowRate { slow_calls, calls });
        failed.into_iter().chain(slow)
    }

    fn record_probe(&mut self, counted: Option<Counted>, now: Now) {
        self.touch(now);
        let Some(counted) = counted else {
            self.probes.granted -= 1;
            return;
        };
        self.probes.finished.add(counted);
        let finished = self.probes.finished;
        let all_in = finished.calls == u64::from(self.config.half_open.decide_at);
        let slow_rule = self.config.rules.slow_ppm > 0;
        let failed = match self.config.half_open.kind {
            HalfOpenKind::Probes if counted.failed => Some(TransitionCause::ProbeFailed),
            HalfOpenKind::Probes if slow_rule && counted.slow => Some(TransitionCause::ProbeSlow),
            HalfOpenKind::Rate if all_in => self.judge_rates(finished).next(),
            HalfOpenKind::Probes | HalfOpenKind::Rate => None,
        };
        if let Some(cause) = failed {
            self.transition(State::Open, cause, now);
        } else if all_in {
            let cause = TransitionCause::ProbesSucceeded {
                calls: finished.calls,
                failures: finished.failures,
            };
            self.transition(State::Closed, cause, now);
        }
    }

    fn control(&mut self, to: State, now: Now) {
        self.commit_lapse(now);
        self.transition(to, TransitionCause::Control, now);
    }

    fn reconfigure(&mut self, next: Config, seed: Option<u64>, now: Now) {
        let old = self.config.clone();
        let mut next = Config { window: old.window, stripes: old.stripes, ..next };
        next.wait.seed = seed.unwrap_or(old.wait.seed);
        if next == old {
            return;
        }
        // By the old lease, as a control call; and by the new one.
        self.commit_lapse(now);
        self.longest_ns = self.longest_ns.max(old.wait.longest_ns());
        self.config = next;
        self.commit_lapse(now);
        let next = &self.config;
        let (a, b) = (&old.rules, &next.rules);
        let rates = (a.failure_ppm, a.slow_ppm) != (b.failure_ppm, b.slow_ppm);
        let slow = a.slow_limit_ns != b.slow_limit_ns;
        let counts = (a.failure_count, a.run, a.min_calls) != (b.failure_count, b.run, b.min_calls);
        let judged_otherwise = match (self.state, old.half_open.kind) {
            (State::Closed | State::MetricsOnly, _) => rates || slow || counts,
            (State::HalfOpen, HalfOpenKind::Probes) => slow || old.half_open != next.half_open,
            (State::HalfOpen, HalfOpenKind::Rate) => {
                rates || slow || old.half_open != next.half_open
            }
            (State::Open | State::ForcedOpen | State::Disabled, _) => false,
        };
        if judged_otherwise {
            self.transition(self.state, TransitionCause::Reconfigured, now);
        }
    }

    /// Whether probes that are still out have used up their lease.
    fn lapse(&self, now: Now) -> Option<Lapse> {
        let outstanding = self.probes.outstanding();
        if self.state != State::HalfOpen || outstanding == 0 {
            return None;
        }
        if self.stamp.saturating_sub(now.relative) > STEP_BACK_NS {
            // The clock was wrong at the last sign of life: nobody knows when it was.
            return Some(Lapse { outstanding, at: now.relative });
        }
        let idle = now.relative.saturating_sub(self.stamp);
        (idle >= self.config.lease_ns)
            .then(|| Lapse { outstanding, at: self.stamp + self.config.lease_ns })
    }

    /// Notes a sign of life: only ever forwards, unless the clock was wrong at the last one.
    fn touch(&mut self, now: Now) {
        self.stamp = if self.stamp.saturating_sub(now.relative) > STEP_BACK_NS {
            now.relative
        } else {
            self.stamp.max(now.relative)
        };
    }

    /// Commits a lease that ran out, as of the moment at which it did.
    fn commit_lapse(&mut self, now: Now) {
        if let Some(lapse) = self.lapse(now) {
            let then = Now { absolute: now.at(lapse.at), relative: lapse.at, ..now };
            let cause = TransitionCause::ProbesLost { outstanding: lapse.outstanding };
            self.transition(State::Open, cause, then);
        }
    }

    /// Begins a new generation, with everything empty.
    fn transition(&mut self, to: State, cause: TransitionCause, now: Now) {
        let from = self.state;
        self.state = to;
        self.generation += 1;
        self.probes = Probes::default();
        self.window = Window::new(self.config.window);
        self.run = 0;
        match to {
            State::Open => {
                self.open_attempt = self.open_attempt.saturating_add(1);
                self.deadline = self.deadline(self.open_attempt, self.generation, now.relative);
            }
            State::Closed | State::Disabled | State::MetricsOnly => self.open_attempt = 0,
            State::HalfOpen | State::ForcedOpen => {}
        }
        self.transitions.push(Transition {
            from,
            to,
            generation: self.generation,
            cause,
            at: Duration::from_nanos(now.absolute),
        });
    }

    /// When the open period that begins at `from` is over: the wait, rounded up to the next tick. Relative.
    fn deadline(&self, attempt: u32, generation: u64, from: u64) -> u64 {
        let wait = self.config.wait.nanos(attempt, generation);
        let end = u128::from(from.saturating_add(wait));
        let tick = end.div_ceil(TICK_NS).min(LAST_TICK);
        (tick * TICK_NS) as u64
    }

    /// Whether an open period is over: at its deadline, or when so much is left of it that the clock was wrong when it
    /// began.
    fn is_over(&self, deadline: u64, attempt: u32, generation: u64, now: Now) -> bool {
        let left = deadline.saturating_sub(now.relative);
        let asked = self.config.wait.nanos(attempt, generation).max(self.longest_ns);
        left == 0 || left > asked.saturating_add(STEP_BACK_NS)
    }

    fn shown(&self, now: Now) -> Shown {
        let (state, open_attempt, generation, deadline) = match self.lapse(now) {
            Some(lapse) => {
                let (attempt, generation) =
                    (self.open_attempt.saturating_add(1), self.generation + 1);
                let deadline = self.deadline(attempt, generation, lapse.at);
                (State::Open, attempt, generation, deadline)
            }
            None => (self.state, self.open_attempt, self.generation, self.deadline),
        };
        let over = state == State::Open && self.is_over(deadline, open_attempt, generation, now);
        Shown { state: if over { State::HalfOpen } else { state }, open_attempt }
    }

    fn snapshot(&self, now: Now) -> Snapshot {
        let shown = self.shown(now);
        let rules = &self.config.rules;
        let windowed = matches!(self.state, State::Closed | State::MetricsOnly);
        let counts = match self.state {
            State::Closed | State::MetricsOnly => self.window.counts(now.absolute),
            State::HalfOpen if self.lapse(now).is_none() => self.probes.finished,
            _ => Counts::default(),
        };
        // The calls that a rate needs before it says anything; `None` where no rate is asked at all.
        let needed = match (shown.state, self.config.half_open.kind) {
            (State::Closed | State::MetricsOnly, _) => match self.config.window {
                WindowConfig::Consecutive => None,
                WindowConfig::Count { .. } | WindowConfig::Time { .. } => Some(rules.min_calls),
            },
            (State::HalfOpen, HalfOpenKind::Rate) => Some(self.config.half_open.decide_at),
            _ => None,
        };
        let rate = |part: u64, ppm: u32| {
            let known = needed.is_some_and(|needed| counts.calls >= u64::from(needed));
            (known && ppm > 0).then(|| part as f64 / counts.calls as f64)
        };
        Snapshot {
            state: shown.state,
            generation: self.generation,
            calls: counts.calls,
            failures: counts.failures,
            slow_calls: counts.slow_calls,
            slow_failures: counts.slow_failures,
            consecutive_failures: if windowed && rules.run > 0 { self.run } else { 0 },
            failure_rate: rate(counts.failures, rules.failure_ppm),
            slow_rate: rate(counts.slow_calls, rules.slow_ppm),
            open_attempt: shown.open_attempt,
        }
    }
}

/// Whether `part` of `calls` reaches a rate; a rate of 0 is a rule that is off, and no calls reach none.
fn reached(part: u64, calls: u64, ppm: u32) -> bool {
    ppm > 0
        && calls > 0
        && u128::from(part) * u128::from(PPM) >= u128::from(ppm) * u128::from(calls)
}

// ===== the windows =====

/// One outcome that counts.
#[derive(Clone, Copy, Debug, Hash)]
struct Counted {
    failed: bool,
    slow: bool,
}

/// How many outcomes of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Counts {
    calls: u64,
    failures: u64,
    slow_calls: u64,
    slow_failures: u64,
}

impl Counts {
    fn add(&mut self, counted: Counted) {
        self.calls += 1;
        self.failures += u64::from(counted.failed);
        self.slow_calls += u64::from(counted.slow);
        self.slow_failures += u64::from(counted.failed && counted.slow);
    }
}

#[derive(Clone, Debug, Hash)]
enum Window {
    /// The last `size` outcomes, oldest first.
    Count { size: usize, outcomes: VecDeque<Counted> },
    /// Slot `k mod b` holds bucket `k`, or an older or newer one that lives there too.
    Time { length_ns: u64, slots: Vec<Option<Bucket>> },
    /// The run alone, which is kept beside the window.
    Consecutive,
}

#[derive(Clone, Copy, Debug, Hash)]
struct Bucket {
    number: u64,
    counts: Counts,
}

impl Window {
    fn new(config: WindowConfig) -> Self {
        match config {
            WindowConfig::Count { size } => {
                Window::Count { size: size as usize, outcomes: VecDeque::new() }
            }
            WindowConfig::Time { length_ns, buckets } => {
                Window::Time { length_ns, slots: vec![None; buckets as usize] }
            }
            WindowConfig::Consecutive => Window::Consecutive,
        }
    }

    fn push(&mut self, counted: Counted, now: u64) {
        match self {
            Window::Count { size, outcomes } => {
                outcomes.push_back(counted);
                if outcomes.len() > *size {
                    outcomes.pop_front();
                }
            }
            Window::Time { length_ns, slots } => {
                let buckets = slots.len() as u64;
                let number = bucket_at(now, *length_ns, buckets);
                let slot = &mut slots[(number % buckets) as usize];
                // A clock that stepped back may find a newer bucket here: it is kept, and the outcome is left out; unless
                // it is so much newer that the clock was wrong then.
                let far = bucket_at(STEP_BACK_NS, *length_ns, buckets).max(buckets);
                let replaced =
                    |bucket: Bucket| bucket.number < number || bucket.number - number > far;
                if slot.is_none_or(replaced) {
                    *slot = Some(Bucket { number, counts: Counts::default() });
                }
                if let Some(bucket) = slot.as_mut().filter(|bucket| bucket.number == number) {
                    bucket.counts.add(counted);
                }
            }
            Window::Consecutive => {}
        }
    }

    /// What the window holds at `now`.
    fn counts(&self, now: u64) -> Counts {
        let mut sum = Counts::default();
        match self {
            Window::Count { outcomes, .. } => {
                for counted in outcomes {
                    sum.add(*counted);
                }
            }
            Window::Time { length_ns, slots } => {
                let buckets = slots.len() as u64;
                let newest = bucket_at(now, *length_ns, buckets);
                for bucket in slots.iter().flatten() {
                    if bucket.number <= newest && newest - bucket.number < buckets {
                        sum.calls += bucket.counts.calls;
                        sum.failures += bucket.counts.failures;
                        sum.slow_calls += bucket.counts.slow_calls;
                        sum.slow_failures += bucket.counts.slow_failures;
                    }
                }
            }
            Window::Consecutive => {}
        }
        sum
    }
}

/// The bucket of an instant: `k` where `k * length / buckets <= now < (k + 1) * length / buckets`.
fn bucket_at(now: u64, length_ns: u64, buckets: u64) -> u64 {
    // No bucket is shorter than 1 ns, so the quotient is at most `now`.
    let number = u128::from(now) * u128::from(buckets) / u128::from(length_ns);
    // The very last bucket, of one nanosecond at the end of time, is one with the bucket before it.
    (number as u64).min(u64::MAX - 1)
}

#[cfg(test)]
mod tests;
