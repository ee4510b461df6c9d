//! The expected course of our breaker, worked out from a recorded trace and the contract before our breaker is asked.
//!
//! [`Course`] follows both at once: which of our generations a permit is of, how many places are taken, when either
//! admits again. Nothing here ever sees an answer of the breaker under test.

use std::collections::HashMap;

use failfast::{Outcome, Recorded, State};

use super::replay::{Answer, Call, Expected, Rate, Settings};
use super::scale::{nanos, Scale, Wait, LATE_NS};
use super::trace::Op;

/// Why a stretch of a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stop {
    /// The trace is over.
    End,
    /// The peer counts the outcome of a call admitted in an earlier generation.
    LateOutcome,
    /// An acquire within the 1.1 ms after a deadline, or between the peer's deadline and ours.
    OpenTime,
    /// The peer's rounding of a rate decides otherwise than the exact rate.
    Rounding,
    /// The peer's limit on the length of half-open, with no counterpart.
    MaxHalfOpen,
    /// Our probe lease ends, and the peer has none.
    Lease,
    /// The peer has another number of half-open places left.
    Places,
    /// The peer's window forgets in its own way.
    Forgets,
    /// A half-open failure that does not reopen at once.
    ToleratedProbe,
    /// The peer kept its window through a manual hold.
    KeptWindow,
    /// Beyond the 30 years for which the contract promises precision.
    Horizon,
}

/// Our breaker and the peer's, as far as both follow from the trace.
pub(crate) struct Course {
    scale: Scale,
    wait: Wait,
    lease_ns: u64,
    places: u64,
    /// Nanoseconds of the trace since the start of this stretch.
    pub(crate) now: u64,
    pub(crate) phase: Phase,
    generation: u64,
    attempt: u32,
    /// The generation in which a permit was granted; permits from before the stretch are not here.
    granted: HashMap<u64, u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Closed,
    MetricsOnly,
    Disabled,
    ForcedOpen,
    Open(Deadline),
    HalfOpen(Probes),
}

/// When an open period is over, for the peer and for us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// The first instant of the trace at which the peer admits.
    peer: u64,
    /// The earliest and the latest of our instants at which ours may be over.
    ours: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes {
    pub(crate) granted: u64,
    pub(crate) finished: u64,
    /// The instant of the last grant, report or give-back.
    pub(crate) stamp: u64,
    /// The open period that a lapsed lease began; no call of ours has committed it yet.
    pub(crate) lapsed: Option<Deadline>,
}

/// What became of a report.
pub(crate) struct Settled {
    pub(crate) call: Call,
    pub(crate) answer: Answer,
    /// Whether it counts in the present generation.
    pub(crate) fresh: bool,
}

/// Counters and rates that a planner expects; `None` is not compared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) calls: Option<u64>,
    pub(crate) failures: Option<u64>,
    pub(crate) slow_calls: Option<u64>,
    pub(crate) slow_failures: Option<u64>,
    pub(crate) run: Option<u64>,
    pub(crate) failure_rate: Rate,
    pub(crate) slow_rate: Rate,
}

impl Reading {
    /// What is read where nothing is counted.
    const EMPTY: Reading = Reading {
        calls: Some(0),
        failures: Some(0),
        slow_calls: Some(0),
        slow_failures: Some(0),
        run: Some(0),
        failure_rate: Rate::Absent,
        slow_rate: Rate::Absent,
    };
}

impl Course {
    /// Ours as newly built, at the start of a stretch.
    pub(crate) fn new(scale: Scale, wait: Wait, settings: &Settings) -> Self {
        Course {
            scale,
            wait,
            lease_ns: nanos(settings.lease),
            places: u64::from(settings.places),
            now: 0,
            phase: Phase::Closed,
            generation: 0,
            attempt: 0,
            granted: HashMap::new(),
        }
    }

    /// Moves the trace's time; an error beyond the contract's horizon.
    pub(crate) fn pass(&mut self, ns: u64) -> Result<(), Stop> {
        const THIRTY_YEARS_NS: u64 = 30 * 365 * 24 * 60 * 60 * 1_000_000_000;
        self.now += ns;
        if self.ours_now() > THIRTY_YEARS_NS {
            Err(Stop::Horizon)
        } else {
            Ok(())
        }
    }

    /// What ours has to answer and show now; `reading` is the peer's, of its window.
    pub(crate) fn expected(&self, answer: Answer, reading: Reading) -> Expected {
        let reading = match self.phase {
            Phase::Closed | Phase::MetricsOnly => reading,
            Phase::HalfOpen(probes) if probes.lapsed.is_none() => {
                Reading { run: Some(0), ..reading }
            }
            _ => Reading::EMPTY,
        };
        Expected {
            answer,
            retry_after: self.retry_after(),
            state: self.shown_state(),
            generation: self.generation,
            open_attempt: self.attempt,
            reading,
        }
    }

    fn ours_now(&self) -> u64 {
        self.scale.ours(self.now)
    }

    /// An advance as a call of ours; an error when our lease ends by it.
    pub(crate) fn advance(&self, ns: u64) -> Result<Call, Stop> {
        match self.phase {
            Phase::HalfOpen(probes) if probes.lapsed.is_none() && self.lease_may_be_over() => {
                Err(Stop::Lease)
            }
            _ => Ok(Call::Advance(self.scale.ours(ns))),
        }
    }

    fn lease_ends(&self, probes: &Probes) -> (u64, u64) {
        let earliest = self.scale.ours(probes.stamp) + self.lease_ns;
        (earliest, earliest + LATE_NS)
    }

    fn lease_may_be_over(&self) -> bool {
        match &self.phase {
            Phase::HalfOpen(probes) => {
                probes.granted > probes.finished && self.ours_now() >= self.lease_ends(probes).0
            }
            _ => false,
        }
    }

    /// Whether our lease is over now whatever the contract leaves open.
    pub(crate) fn lease_is_over(&self) -> bool {
        match &self.phase {
            Phase::HalfOpen(probes) => {
                probes.granted > probes.finished && self.ours_now() >= self.lease_ends(probes).1
            }
            _ => false,
        }
    }

    fn deadline(&self, opened: (u64, u64), peer: u64) -> Deadline {
        let (shortest, longest) = self.wait.asked(self.attempt);
        Deadline { peer, ours: (opened.0 + shortest, opened.1 + longest + LATE_NS) }
    }

    /// Opens now; the peer admits again from `peer` of the trace's time on.
    pub(crate) fn open(&mut self, peer: u64) {
        self.attempt += 1;
        self.generation += 1;
        let now = self.ours_now();
        self.phase = Phase::Open(self.deadline((now, now), peer));
    }

    /// The lease has lapsed, here and as the peer's own limit; the peer admits again from `peer` on.
    pub(crate) fn lapse(&mut self, peer: u64) {
        self.attempt += 1;
        if let Phase::HalfOpen(probes) = self.phase {
            let lapsed = Some(self.deadline(self.lease_ends(&probes), peer));
            self.phase = Phase::HalfOpen(Probes { lapsed, ..probes });
        }
    }

    fn commit_lapse(&mut self) {
        if let Phase::HalfOpen(Probes { lapsed: Some(deadline), .. }) = self.phase {
            self.generation += 1;
            self.phase = Phase::Open(deadline);
        }
    }

    /// Enters a state other than open, by a verdict or a control call.
    pub(crate) fn enter(&mut self, state: State) {
        self.commit_lapse();
        self.generation += 1;
        self.phase = match state {
            State::Closed => Phase::Closed,
            State::MetricsOnly => Phase::MetricsOnly,
            State::Disabled => Phase::Disabled,
            State::ForcedOpen => Phase::ForcedOpen,
            State::HalfOpen => self.half_open(0),
            State::Open => unreachable!("`open` opens"),
        };
        if matches!(state, State::Closed | State::MetricsOnly | State::Disabled) {
            self.attempt = 0;
        }
    }

    /// The control call that opens.
    pub(crate) fn trip(&mut self, peer: u64) {
        self.commit_lapse();
        self.open(peer);
    }

    fn half_open(&self, granted: u64) -> Phase {
        Phase::HalfOpen(Probes { granted, finished: 0, stamp: self.now, lapsed: None })
    }

    /// An acquire that the peer answered with `allowed`.
    pub(crate) fn acquire(&mut self, permit: u64, allowed: bool) -> Result<(Call, Answer), Stop> {
        self.commit_lapse();
        let refused_by = match self.phase {
            Phase::Closed | Phase::MetricsOnly | Phase::Disabled => None,
            Phase::ForcedOpen => Some(State::ForcedOpen),
            Phase::HalfOpen(mut probes) => {
                let ours = probes.granted < self.places;
                if ours != allowed {
                    return Err(Stop::Places);
                }
                if ours {
                    probes.granted += 1;
                    probes.stamp = self.now;
                    self.phase = Phase::HalfOpen(probes);
                }
                (!ours).then_some(State::HalfOpen)
            }
            Phase::Open(deadline) => {
                // The description of the peer has to hold before it may excuse a difference.
                assert_eq!(allowed, self.now >= deadline.peer, "the peer's own deadline");
                match self.is_over(&deadline) {
                    Some(over) if over == allowed => {}
                    _ => return Err(Stop::OpenTime),
                }
                if allowed {
                    self.generation += 1;
                    self.phase = self.half_open(1);
                }
                (!allowed).then_some(State::Open)
            }
        };
        assert_eq!(allowed, refused_by.is_none(), "the peer's own answer");
        let answer = match refused_by {
            Some(state) => Answer::Refused(state),
            None => {
                self.granted.insert(permit, self.generation);
                Answer::Granted
            }
        };
        Ok((Call::Acquire(permit), answer))
    }

    /// The bounds of the hint that a refusal now gives.
    fn retry_after(&self) -> Option<(u64, u64)> {
        let now = self.ours_now();
        match self.phase {
            Phase::Open(deadline) => Some((
                deadline.ours.0.saturating_sub(now).max(1),
                deadline.ours.1.saturating_sub(now),
            )),
            _ => None,
        }
    }

    /// Whether our open time is over; `None` if the contract leaves it open.
    fn is_over(&self, deadline: &Deadline) -> Option<bool> {
        let now = self.ours_now();
        if now < deadline.ours.0 {
            Some(false)
        } else if now >= deadline.ours.1 {
            Some(true)
        } else {
            None
        }
    }

    /// Whether a permit was granted in the present generation, which is not over.
    pub(crate) fn is_fresh(&self, permit: u64) -> bool {
        let lapsed = self.probes().is_some_and(|probes| probes.lapsed.is_some());
        self.granted.get(&permit) == Some(&self.generation) && !lapsed
    }

    /// A report; what it does to the state is for the planner to say.
    pub(crate) fn settle(
        &mut self,
        permit: u64,
        outcome: Outcome,
        elapsed: Option<u64>,
    ) -> Settled {
        let fresh = self.is_fresh(permit);
        let Some(granted) = self.granted.remove(&permit) else {
            return Settled { call: Call::Observe, answer: Answer::Nothing, fresh };
        };
        if fresh {
            if let Phase::HalfOpen(probes) = &mut self.phase {
                probes.stamp = self.now;
                match outcome {
                    Outcome::Ignored => probes.granted -= 1,
                    Outcome::Success | Outcome::Failure => probes.finished += 1,
                }
            }
        } else if granted == self.generation {
            self.commit_lapse();
        }
        let recorded = if fresh { Recorded::Counted } else { Recorded::Stale };
        Settled {
            call: Call::Settle { permit, outcome, elapsed },
            answer: Answer::Recorded(recorded),
            fresh,
        }
    }

    /// Half-open, and no lease has lapsed.
    pub(crate) fn is_half_open(&self) -> bool {
        matches!(self.phase, Phase::HalfOpen(probes) if probes.lapsed.is_none())
    }

    /// The probes of a half-open breaker.
    pub(crate) fn probes(&self) -> Option<Probes> {
        match self.phase {
            Phase::HalfOpen(probes) => Some(probes),
            _ => None,
        }
    }

    /// The state that ours shows; `None` within the 1.1 ms after a deadline.
    fn shown_state(&self) -> Option<State> {
        let over = |deadline| {
            self.is_over(deadline).map(|over| if over { State::HalfOpen } else { State::Open })
        };
        match &self.phase {
            Phase::Closed => Some(State::Closed),
            Phase::MetricsOnly => Some(State::MetricsOnly),
            Phase::Disabled => Some(State::Disabled),
            Phase::ForcedOpen => Some(State::ForcedOpen),
            Phase::Open(deadline) => over(deadline),
            Phase::HalfOpen(probes) => match &probes.lapsed {
                Some(deadline) => over(deadline),
                None => Some(State::HalfOpen),
            },
        }
    }

    /// Checks that the peer's recorded state is the one that its description demands.
    pub(crate) fn assert_peer_shows(&self, op: &Op, reading_evaluates: bool) {
        let Some(recorded) = op.state else { return };
        let open = |deadline: &Deadline| {
            if reading_evaluates && self.now >= deadline.peer {
                State::HalfOpen
            } else {
                State::Open
            }
        };
        let described = match &self.phase {
            Phase::Closed => State::Closed,
            Phase::MetricsOnly => State::MetricsOnly,
            Phase::Disabled => State::Disabled,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::Open(deadline) => open(deadline),
            Phase::HalfOpen(probes) => match &probes.lapsed {
                Some(deadline) => open(deadline),
                None => State::HalfOpen,
            },
        };
        assert_eq!(recorded, described, "the peer's own state after {:?}", op.kind);
    }
}
