//! Looks for an order of a history's calls in which the oracle gives every answer.
//!
//! A search in depth over all orders that respect happens-before, as Wing and Gong's for linearizability, with Lowe's memo
//! of what has been tried: the set of calls that are done, with the oracle's state after them. Calls are ordered by
//! happens-before and not by the wall, and an answer need not be the oracle's to the letter where the contract says so:
//!
//! - *Trips*: a trip by a rule of the closed state is an event of its own within the report that committed it, after its
//!   outcome. It says the numbers of a report in the order, so far, that demands it; and it overlaps every report that
//!   does, or is part of it: none that demands a trip returns without one, and none comes undemanded.
//! - *By time*: a time window keeps no order of its outcomes; each verdict is taken for the mildest order of what is on
//!   its way then, and two verdicts may take two orders. So its trips need not say an order's numbers, and may be committed
//!   by a report that overlaps one that overlaps the one that demands.
//! - *Late*: an outcome of a window may be answered `Counted` after its generation has ended, and then changes nothing, if
//!   nothing that happens before the report has seen a later generation. Half-open is exact: there none is late.
//! - *Moving*: a snapshot that overlaps a report shows a state, a generation and an open period that were there together;
//!   its counts may be a moment old, and only have to be possible.
//!
//! Whatever has seen a generation, by its answer or by beginning it, is followed by calls that see it or a later one.

use std::collections::hash_map::DefaultHasher;
use std::collections::HashSet;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::oracle::{Oracle, OraclePermit};
use failfast::{Outcome, Recorded, Snapshot, State, Transition, TransitionCause};

use crate::configure;
use crate::generations;
use crate::history::{Answer, At, Call, Control, History, Ordered, Part, PartOf, Set};
use crate::plan::Window;

/// Calls tried before the search gives up: some seconds. A history that can be explained takes few more than it has.
const PATIENCE: usize = 2_000_000;

/// An order that explains a history.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    pub order: Vec<At>,
    /// Outcomes that were answered `Counted` after the end of their generation.
    pub late: usize,
    /// Trips that were committed by another report than the one whose numbers they say, or after calls that came later.
    pub noticed: usize,
    /// Calls that were tried.
    pub tried: usize,
}

/// Why a history is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Explains a history by an order of its calls.
///
/// # Errors
///
/// When there is none: with the longest order that goes well, and what is wrong with each call that might come next.
pub fn check(history: &History) -> Result<Explained, Refused> {
    let ordered = Ordered::new(history);
    let changes = changes(&ordered).map_err(|reason| Refused { reason })?;
    assert!(changes.len() < 128, "a history of more than 128 generations");
    let ends = changes.iter().map(|heard| heard.change.to);
    let states: Vec<State> = std::iter::once(State::Closed).chain(ends).collect();
    let may = generations::possible(&ordered, &states).map_err(|id| {
        let Part { op, at, .. } = ordered.ops[id];
        Refused { reason: format!("no generation fits {at}: {op}") }
    })?;
    let clock = ManualClock::new();
    let builder = configure!(failfast, &history.settings, clock.clone());
    let oracle = builder.build_oracle().expect("settings that fit");
    let count = ordered.ops.len();
    let mut search = Search {
        ordered,
        changes,
        states,
        may,
        by_time: matches!(history.settings.window, Window::Time(..)),
        clock,
        tried: HashSet::new(),
        calls: 0,
        so_far: SoFar { seen: vec![0; count], permits: vec![None; count], ..SoFar::default() },
        deepest: None,
    };
    let fresh = search.so_far.clone();
    if search.explain(0, 0, &oracle) {
        let SoFar { path, late, noticed, .. } = search.so_far;
        let order = path.iter().map(|id| search.ordered.ops[*id].at).collect();
        return Ok(Explained { order, late, noticed, tried: search.calls });
    }
    if search.calls >= PATIENCE {
        return Err(Refused { reason: format!("no order found among {PATIENCE} calls tried") });
    }
    // Once more, to see how far it gets.
    search.tried.clear();
    search.calls = 0;
    search.so_far = fresh.clone();
    search.deepest = Some((fresh, 0, oracle.fork()));
    search.explain(0, 0, &oracle);
    Err(Refused { reason: search.tell() })
}

/// A change of state as it was heard: generation `g` is at index `g - 1`.
struct Heard<'a> {
    by: usize,
    change: &'a Transition,
}

/// The changes of a history in the order of their generations, each of which begins exactly once.
fn changes<'a>(ordered: &Ordered<'a>) -> Result<Vec<Heard<'a>>, String> {
    let mut all: Vec<Heard<'a>> = Vec::new();
    for (by, part) in ordered.ops.iter().enumerate() {
        all.extend(part.heard.iter().map(|change| Heard { by, change }));
    }
    all.sort_by_key(|heard| heard.change.generation);
    let mut state = State::Closed;
    for (heard, generation) in all.iter().zip(1..) {
        let change = heard.change;
        let at = ordered.ops[heard.by].at;
        if change.generation != generation {
            return Err(format!(
                "generation {generation} does not begin exactly once: {at} began {}",
                change.generation
            ));
        }
        if change.from != state {
            return Err(format!("{at} left {} and the state was {state}", change.from));
        }
        state = change.to;
    }
    Ok(all)
}

struct Search<'a> {
    ordered: Ordered<'a>,
    changes: Vec<Heard<'a>>,
    /// The state of each generation.
    states: Vec<State>,
    /// The generations that each call can have seen.
    may: Vec<Set>,
    /// Whether the window is one of time, whose trips are held to less.
    by_time: bool,
    /// The oracles' clock: put to the reading of each call before it is made.
    clock: ManualClock,
    tried: HashSet<u64>,
    calls: usize,
    so_far: SoFar,
    /// The longest order in which every call fits, with the calls that are done and the oracle after them; kept in a
    /// second search, for the message.
    deepest: Option<(SoFar, Set, Oracle<ManualClock>)>,
}

/// What the search knows of the calls that it has put in order.
#[derive(Clone, Default)]
struct SoFar {
    path: Vec<usize>,
    /// The latest generation that each call, or one that happens before it, has seen.
    seen: Vec<u64>,
    permits: Vec<Option<OraclePermit>>,
    /// The report that demanded the trip that ends the present generation, with the numbers that the trip says.
    demanded: Option<usize>,
    late: usize,
    noticed: usize,
}

/// How a call fits into an order, with the generation that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// As the oracle has it.
    Exact(u64),
    /// The same, and it demands the trip that ends its generation, with the numbers that this says.
    Demands(u64),
    /// Counted after the end of its generation: the oracle does not hear of it.
    Late(u64),
}

/// A call that fits next in the order.
struct Fitting {
    id: usize,
    fit: Fit,
    /// What the oracle granted.
    permit: Option<OraclePermit>,
    /// The oracle after it, if it has heard of it.
    after: Oracle<ManualClock>,
}

impl Search<'_> {
    /// Whether the calls that are not done can be ordered, after those that are.
    ///
    /// `asleep` are calls that have been tried here or a little earlier, and change nothing: until the generation ends,
    /// any place is as bad for them as the one that was tried.
    fn explain(&mut self, done: Set, mut asleep: Set, oracle: &Oracle<ManualClock>) -> bool {
        let generation = oracle.generation();
        let count = self.ordered.ops.len();
        if self.so_far.path.len() == count && generation == self.changes.len() as u64 {
            return true;
        }
        if self.calls >= PATIENCE || !self.is_new(done, asleep, oracle) {
            return false;
        }
        if self.is_too_late(done, generation) {
            return false;
        }
        if let Some(deepest) = &mut self.deepest {
            if self.so_far.path.len() >= deepest.0.path.len() {
                *deepest = (self.so_far.clone(), done, oracle.fork());
            }
        }
        if let Some((opened, noticed)) = self.trip(done, oracle) {
            let demanded = self.so_far.demanded.take();
            self.so_far.noticed += usize::from(noticed);
            if self.explain(done, 0, &opened) {
                return true;
            }
            self.so_far.noticed -= usize::from(noticed);
            self.so_far.demanded = demanded;
        }
        let mut fitting = Vec::new();
        for id in 0..count {
            if self.may_come(id, done, generation) {
                self.calls += 1;
                let fork = oracle.fork();
                if let Ok((fit, permit)) = self.fit(id, generation, &fork) {
                    let (Fit::Exact(seen) | Fit::Demands(seen) | Fit::Late(seen)) = fit;
                    let heard = self.ordered.ops[id].heard;
                    if heard.is_empty() && self.may[id] >> seen & 1 == 0 {
                        continue;
                    }

                    fitting.push(Fitting { id, fit, permit, after: fork });
                }
            }
        }
        // A call that fits for good and tells no other anything comes at once; there is no better place for it.
        if let Some(index) = fitting.iter().position(|one| self.is_settled(one, generation)) {
            let sure = fitting.swap_remove(index);
            fitting.clear();
            asleep &= !(1 << sure.id);
            fitting.push(sure);
        }
        fitting.retain(|one| asleep >> one.id & 1 == 0);
        // As on the wall first: mostly that is an order already.
        fitting.sort_by_key(|one| self.ordered.ops[one.id].op.wall.1);
        for one in fitting {
            let id = one.id;
            let (late, demanded) = (self.so_far.late, self.so_far.demanded);
            self.place(&one);
            let after = if matches!(one.fit, Fit::Late(_)) { oracle } else { &one.after };
            let asleep_after = if after.generation() == generation { asleep } else { 0 };
            if self.explain(done | 1 << id, asleep_after, after) {
                return true;
            }
            self.so_far.path.pop();
            (self.so_far.late, self.so_far.demanded) = (late, demanded);
            asleep |= Set::from(self.is_neutral(&one, generation)) << id;
        }
        false
    }

    /// Whether a call is left that must have been in an earlier generation; reports may come late.
    fn is_too_late(&self, done: Set, generation: u64) -> bool {
        let left = |id: &usize| done >> id & 1 == 0;
        (0..self.ordered.ops.len()).filter(left).any(|id| {
            let report = matches!(self.ordered.ops[id].op.call, Call::Report { .. });
            !report && self.may[id] >> generation == 0
        })
    }

    /// Whether a call fits here as well as at any other place that is left to it: it changes nothing, and leaves nothing
    /// that depends on the place. What follows it can only gain by its having seen an earlier generation.
    fn is_settled(&self, one: &Fitting, generation: u64) -> bool {
        let Part { op, heard, .. } = self.ordered.ops[one.id];
        let only_here = self.may[one.id] >> generation == 1;
        let reads = match op.call {
            Call::Acquire => matches!(op.answer, Answer::Refused { .. }),
            Call::Report { .. } => op.answer == Answer::Recorded(Recorded::Stale),
            Call::State | Call::Snapshot | Call::Advance(_) => true,
            Call::Control(_) => false,
        };
        matches!(one.fit, Fit::Late(_))
            || (reads && heard.is_empty())
            || (only_here && self.is_neutral(one, generation))
    }

    /// Whether a call fits alike at any place in this generation, and what follows does not depend on which.
    fn is_neutral(&self, one: &Fitting, generation: u64) -> bool {
        let Part { op, heard, .. } = self.ordered.ops[one.id];
        self.states[generation as usize] != State::HalfOpen
            && heard.is_empty()
            && matches!(one.fit, Fit::Exact(_))
            && match op.call {
                // A snapshot that no report overlaps has none to be moved against.
                Call::Acquire | Call::State | Call::Snapshot | Call::Advance(_) => true,
                Call::Report { outcome, .. } => outcome == Outcome::Ignored,
                Call::Control(_) => false,
            }
    }

    /// Whether a call may be the next: all that happens before it is done, and has seen no later generation.
    fn may_come(&self, id: usize, done: Set, generation: u64) -> bool {
        done >> id & 1 == 0
            && self.ordered.before[id] & !done == 0
            && self.seen_before(id) <= generation
    }

    /// Puts a call next in the order.
    fn place(&mut self, one: &Fitting) {
        let (Fit::Exact(seen) | Fit::Demands(seen) | Fit::Late(seen)) = one.fit;
        // Who begins a generation has seen it, wherever the order puts the call.
        let began = self.ordered.ops[one.id].heard.iter().map(|change| change.generation).max();
        let seen = seen.max(self.seen_before(one.id)).max(began.unwrap_or(0));
        let so_far = &mut self.so_far;
        so_far.seen[one.id] = seen;
        so_far.permits[one.id] = one.permit;
        so_far.path.push(one.id);
        match one.fit {
            Fit::Exact(_) => {}
            Fit::Demands(_) => so_far.demanded = Some(one.id),
            Fit::Late(_) => so_far.late += 1,
        }
    }

    /// The oracle after the trip that ends its generation, if that may come now; and whether it comes otherwise than
    /// with the report that demands it.
    fn trip(&self, done: Set, oracle: &Oracle<ManualClock>) -> Option<(Oracle<ManualClock>, bool)> {
        let demanded = self.so_far.demanded;
        demanded?;
        let next = self.next_change(oracle.generation()).filter(|next| by_rule(next.change))?;
        if done >> next.by & 1 == 0 {
            return None;
        }
        let opened = oracle.fork();
        self.clock.set(self.ordered.ops[next.by].op.now?);
        opened.open_by_rule(next.change.cause);
        let as_said = opened.take_transitions().as_slice() == std::slice::from_ref(next.change);
        let at_once = Some(next.by) == demanded && self.so_far.path.last() == demanded.as_ref();
        as_said.then_some((opened, !at_once))
    }

    /// The change that ends a generation.
    fn next_change(&self, generation: u64) -> Option<&Heard<'_>> {
        self.changes.get(generation as usize)
    }

    /// Notes where the search is; `false` when it has been there before.
    fn is_new(&mut self, done: Set, asleep: Set, oracle: &Oracle<ManualClock>) -> bool {
        let mut hasher = DefaultHasher::new();
        (done, asleep).hash(&mut hasher);
        oracle.fingerprint(&mut hasher);
        self.so_far.demanded.is_some().hash(&mut hasher);
        for id in 0..self.ordered.ops.len() {
            if done >> id & 1 == 1 {
                continue;
            }
            // What a call that is not done can still tell of those that are: its permit, and what it has seen.
            if let Call::Report { permit, .. } = self.ordered.ops[id].op.call {
                let permit = self.ordered.number(permit);
                if done >> permit & 1 == 1 {
                    let held =
                        self.so_far.permits[permit].map(|held| (held.generation, held.start));
                    (id, held).hash(&mut hasher);
                }
            }
            let direct = self.ordered.direct(id).into_iter();
            let seen = direct.filter(|of| done >> of & 1 == 1).map(|of| self.so_far.seen[of]).max();
            seen.hash(&mut hasher);
        }
        self.tried.insert(hasher.finish())
    }

    /// The latest generation that was seen before a call.
    fn seen_before(&self, id: usize) -> u64 {
        self.ordered.direct(id).into_iter().map(|of| self.so_far.seen[of]).max().unwrap_or(0)
    }

    // ===== one call =====

    /// Makes a call of the oracle and compares.
    fn fit(
        &self,
        id: usize,
        generation: u64,
        oracle: &Oracle<ManualClock>,
    ) -> Result<(Fit, Option<OraclePermit>), String> {
        let Part { op, heard, step, .. } = self.ordered.ops[id];
        // A call that reads no clock is answered the same at any time.
        self.clock.set(op.now.unwrap_or(Duration::ZERO));
        if step == PartOf::Lapse {
            oracle.commit_lapse();
            same("the end of the lease", &oracle.take_transitions().as_slice(), &heard)?;
            return Ok((Fit::Exact(oracle.generation()), None));
        }
        if let Call::Report { permit, outcome, elapsed } = op.call {
            let permit =
                self.so_far.permits[self.ordered.number(permit)].ok_or("nobody granted it")?;
            if op.answer == Answer::Recorded(Recorded::Counted) && permit.generation < generation {
                return Ok((self.fit_late(id, permit, outcome)?, None));
            }
            return Ok((self.fit_report(id, permit, outcome, elapsed, oracle)?, None));
        }
        let mut granted = None;
        let answer = match op.call {
            Call::Acquire => match oracle.try_acquire() {
                Ok(permit) => {
                    granted = Some(permit);
                    Answer::Granted
                }
                Err(refusal) => {
                    Answer::Refused { state: refusal.state(), retry_after: refusal.retry_after() }
                }
            },
            Call::Control(control) => {
                match control {
                    Control::Trip => oracle.trip(),
                    Control::HalfOpen => oracle.half_open(),
                    Control::Reset => oracle.reset(),
                    Control::ForceOpen => oracle.force_open(),
                    Control::Disable => oracle.disable(),
                    Control::MetricsOnly => oracle.metrics_only(),
                }
                Answer::Nothing
            }
            Call::State => Answer::State(oracle.state()),
            Call::Snapshot => Answer::Snapshot(oracle.snapshot()),
            Call::Advance(_) => return Ok((Fit::Exact(oracle.generation()), None)),
            Call::Report { .. } => unreachable!("see above"),
        };
        match (&answer, &op.answer) {
            (Answer::Snapshot(exact), Answer::Snapshot(shown)) if self.is_moving(id) => {
                possible(exact, shown)?;
            }
            _ => same("the answer", &answer, &op.answer)?,
        }
        same("what it changed", &oracle.take_transitions().as_slice(), &heard)?;
        Ok((Fit::Exact(oracle.generation()), granted))
    }

    /// A report of a generation that lives, or one that is answered `Stale`.
    fn fit_report(
        &self,
        id: usize,
        permit: OraclePermit,
        outcome: Outcome,
        elapsed: Option<Duration>,
        oracle: &Oracle<ManualClock>,
    ) -> Result<Fit, String> {
        let Part { op, heard, .. } = self.ordered.ops[id];
        let (recorded, demanded) = oracle.record_leaving_trip(permit, outcome, elapsed);
        same("the answer", &Answer::Recorded(recorded), &op.answer)?;
        let changed = oracle.take_transitions();
        let Some(next) = self.next_change(permit.generation).filter(|next| by_rule(next.change))
        else {
            if let Some(cause) = demanded.first() {
                return Err(format!("{cause:?} demands a trip, and there is none"));
            }
            same("what it changed", &changed.as_slice(), &heard)?;
            return Ok(Fit::Exact(oracle.generation()));
        };
        if let Some(cause) = demanded.first() {
            if !self.may_commit_for(id, next.by) {
                return Err(format!(
                    "{cause:?} demands a trip, and none that overlaps commits one"
                ));
            }
        }
        let as_said = demanded.contains(&next.change.cause);
        Ok(match as_said || (self.by_time && !demanded.is_empty()) {
            true => Fit::Demands(permit.generation),
            false => Fit::Exact(oracle.generation()),
        })
    }

    /// Whether a trip that one report demands may be committed by another.
    fn may_commit_for(&self, demands: usize, commits: usize) -> bool {
        let overlap = |one, other| self.ordered.overlap(one, other);
        let between = |of: &usize| {
            let report = matches!(self.ordered.ops[*of].op.call, Call::Report { .. });
            report && overlap(demands, *of) && overlap(*of, commits)
        };
        demands == commits
            || overlap(demands, commits)
            || (self.by_time && (0..self.ordered.ops.len()).any(|of| between(&of)))
    }

    /// A report that was answered `Counted` though, in this order, its generation is over.
    fn fit_late(&self, id: usize, permit: OraclePermit, outcome: Outcome) -> Result<Fit, String> {
        let generation = permit.generation;
        let counts_in = self.states[generation as usize];
        if !matches!(counts_in, State::Closed | State::MetricsOnly) || outcome == Outcome::Ignored {
            return Err(format!("counted after generation {generation}, {counts_in}, was over"));
        }
        if self.seen_before(id) > generation {
            return Err(format!(
                "counted in generation {generation}, which it had seen the end of"
            ));
        }
        match self.ordered.ops[id].heard {
            [] => Ok(Fit::Late(generation)),
            heard => Err(format!("it came too late to commit {heard:?}")),
        }
    }

    /// Whether reports overlap a reading.
    fn is_moving(&self, id: usize) -> bool {
        let reports = |of: &Part<'_>| matches!(of.op.call, Call::Report { .. });
        (0..self.ordered.ops.len())
            .any(|other| reports(&self.ordered.ops[other]) && self.ordered.overlap(id, other))
    }

    // ===== telling =====

    /// The longest order that goes well, and what is wrong with each call that might come next.
    fn tell(mut self) -> String {
        let mut text = String::from("no order explains it; the longest that goes well:\n ");
        let Some((so_far, done, oracle)) = self.deepest.take() else { return text };
        self.so_far = so_far;
        for id in &self.so_far.path {
            let _ = write!(text, " {}", self.ordered.ops[*id].at);
        }
        let _ = writeln!(text, "\n  then the oracle: {}; and next", oracle.snapshot());
        if let Some(next) = self.next_change(oracle.generation()) {
            let by = self.ordered.ops[next.by].at;
            let _ = writeln!(
                text,
                "    (the next change, {:?}, was committed by {by})",
                next.change.cause
            );
        }
        let generation = oracle.generation();
        if self.so_far.path.len() == self.ordered.ops.len() {
            text.push_str("    no call is left to demand it\n");
        }
        for id in (0..self.ordered.ops.len()).filter(|id| done >> id & 1 == 0) {
            let reason = if self.ordered.before[id] & !done != 0 {
                continue;
            } else if self.seen_before(id) > generation {
                "it has seen a later generation".to_owned()
            } else {
                match self.fit(id, generation, &oracle.fork()) {
                    Ok(_) => "it fits, and what follows does not".to_owned(),
                    Err(reason) => reason,
                }
            };
            let _ = writeln!(text, "    {}: {reason}", self.ordered.ops[id].at);
        }
        text
    }
}

/// Whether a rule of the closed state made a change; all others are made by one exchange of the word that says it all.
fn by_rule(change: &Transition) -> bool {
    use TransitionCause as Cause;
    change.from == State::Closed
        && matches!(
            change.cause,
            Cause::FailureRate { .. }
                | Cause::SlowRate { .. }
                | Cause::FailureCount { .. }
                | Cause::ConsecutiveFailures { .. }
        )
}

fn same<T: PartialEq + fmt::Debug>(what: &str, oracle: &T, breaker: &T) -> Result<(), String> {
    if oracle == breaker {
        return Ok(());
    }
    Err(format!("{what} is {breaker:?}, and the oracle's {oracle:?}"))
}

/// Whether a reading amid reports may be: exact but for the window, which half-open has in its one word.
fn possible(exact: &Snapshot, shown: &Snapshot) -> Result<(), String> {
    let of = |s: &Snapshot| (s.state, s.generation, s.open_attempt);
    same("the reading", &of(exact), &of(shown))?;
    if shown.state == State::HalfOpen {
        let of = |s: &Snapshot| (s.calls, s.failures, s.slow_calls);
        same("the reading of the probes", &of(exact), &of(shown))?;
    }
    let Snapshot { calls, failures, slow_calls, slow_failures, .. } = *shown;
    if failures.max(slow_calls) > calls || slow_failures > failures.min(slow_calls) {
        return Err(format!("no window holds {shown}"));
    }
    Ok(())
}
