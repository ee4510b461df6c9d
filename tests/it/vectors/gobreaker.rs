//! gobreaker: the consecutive and the total-failures conditions, probes that all have to succeed.
//!
//! Ours: a consecutive window and, meaning the same, a count window that no trace fills with a consecutive rule; for
//! total failures that window with a failure count. The failure ratio has no counterpart, since the peer counts calls
//! when they are admitted. A stretch ends where the peer's interval makes it forget what we still count.

use core::time::Duration;

use failfast::{HalfOpen, Outcome, State, Window};

use super::course::{Course, Phase, Reading, Stop};
use super::plan::{Planned, Planner};
use super::replay::{Answer, Call, Rate, Settings};
use super::scale::{Edge, Scale, Wait, LONGEST_NS};
use super::trace::{whole, word, Kind, Op, Trace};

/// More outcomes than any trace has operations.
const NEVER_FULL: u32 = 10_000;

pub(crate) struct Gobreaker {
    settings: Vec<Settings>,
    wait: Wait,
    timeout_ns: u64,
    condition: Condition,
    limit: u64,
    /// Whether the peer ever forgets in closed.
    forgets: bool,
    /// What our window holds.
    counted: Counted,
}

#[derive(Clone, Copy, PartialEq)]
enum Condition {
    Consecutive,
    Total,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Counted {
    calls: u64,
    failures: u64,
    run: u64,
}

impl Planner for Gobreaker {
    fn times(trace: &Trace) -> Vec<u64> {
        vec![timeout_ns(trace)]
    }

    fn read(trace: &Trace, scale: Scale) -> Result<Option<Self>, &'static str> {
        let config = &trace.config;
        let condition = match word(&config["ready_to_trip"]["kind"]) {
            "consecutive_failures" => Condition::Consecutive,
            "total_failures" => Condition::Total,
            _ => return Err("failure ratio of admitted calls"),
        };
        let limit = whole(&config["ready_to_trip"]["at_least"]);
        let Some(wait) = scale.fixed(timeout_ns(trace), Edge::Refuses) else {
            return Ok(None);
        };
        let small = u32::try_from(limit).expect("a count below 2^32");
        let places = whole(&config["max_requests_in_half_open"]).max(1);
        let places = u32::try_from(places).expect("a count below 2^32");
        let base = Settings {
            window: Window::count(NEVER_FULL),
            consecutive_window: false,
            failure_rate: None,
            failure_count: None,
            consecutive_failures: None,
            slow_call: None,
            min_calls: 1,
            wait: wait.setting(),
            half_open: HalfOpen::probes(places),
            places,
            lease: Duration::from_nanos(LONGEST_NS),
        };
        let settings = match condition {
            Condition::Consecutive => base.consecutive(small),
            Condition::Total => vec![Settings { failure_count: Some(small), ..base }],
        };
        Ok(Some(Gobreaker {
            settings,
            wait,
            timeout_ns: timeout_ns(trace),
            condition,
            limit,
            forgets: whole(&config["interval_ns"]) > 0,
            counted: Counted::default(),
        }))
    }

    fn settings(&self) -> Vec<Settings> {
        self.settings.clone()
    }

    fn wait(&self) -> Wait {
        self.wait
    }

    fn begin(&mut self, _course: &mut Course, initial: State) {
        assert_eq!(initial, State::Closed);
        self.counted = Counted::default();
    }

    fn plan(&mut self, course: &mut Course, op: &Op) -> Planned {
        let (call, answer) = match op.kind {
            Kind::Advance { ns } => (course.advance(ns)?, Answer::Nothing),
            Kind::Acquire { permit, allowed } => course.acquire(permit, allowed)?,
            Kind::Success { permit, .. } => self.report(course, op, permit, Outcome::Success)?,
            Kind::Failure { permit, .. } => self.report(course, op, permit, Outcome::Failure)?,
            Kind::Release { permit } => self.report(course, op, permit, Outcome::Ignored)?,
            Kind::Observe => (Call::Observe, Answer::Nothing),
            other => unreachable!("{other:?} is not this peer's"),
        };
        course.assert_peer_shows(op, true);
        let reading = match (course.phase, op.counters.as_slice()) {
            (Phase::Closed, []) => self.counted.reading(),
            (Phase::Closed, counters) => {
                let recorded = Counted::recorded(counters);
                if self.judged(&recorded) != self.judged(&self.counted) {
                    assert!(self.forgets, "the peer's counters {counters:?}");
                    return Err(Stop::Forgets);
                }
                if !self.forgets {
                    assert!(recorded == self.counted, "the peer's counters {counters:?}");
                }
                self.counted.reading()
            }
            (_, []) => Reading::default(),
            (_, counters) => Reading { run: None, ..Counted::recorded(counters).reading() },
        };
        Ok((call, answer, reading))
    }

    fn starts_afresh(before: State, op: &Op) -> bool {
        before != State::Closed && op.state == Some(State::Closed)
    }
}

impl Gobreaker {
    /// The number that the condition judges.
    fn judged(&self, counted: &Counted) -> u64 {
        match self.condition {
            Condition::Consecutive => counted.run,
            Condition::Total => counted.failures,
        }
    }

    fn report(
        &mut self,
        course: &mut Course,
        op: &Op,
        permit: u64,
        outcome: Outcome,
    ) -> Result<(Call, Answer), Stop> {
        let settled = course.settle(permit, outcome, None);
        if !settled.fresh {
            return Ok((settled.call, settled.answer));
        }
        let opens = match (course.phase, outcome) {
            (Phase::Closed, _) => {
                self.counted.add(outcome);
                let reached = self.judged(&self.counted) >= self.limit;
                let opens = outcome == Outcome::Failure && reached;
                if opens != (op.state == Some(State::Open)) {
                    assert!(self.forgets, "the peer's verdict on {:?}", op.counters);
                    return Err(Stop::Forgets);
                }
                opens
            }
            (Phase::HalfOpen(_), Outcome::Failure) => true,
            (Phase::HalfOpen(probes), Outcome::Success) => {
                if probes.finished == u64::from(self.settings[0].places) {
                    self.counted = Counted::default();
                    course.enter(State::Closed);
                }
                false
            }
            _ => false,
        };
        if opens {
            // Strictly after the timeout.
            course.open(course.now + self.timeout_ns + 1);
        }
        Ok((settled.call, settled.answer))
    }
}

impl Counted {
    /// Requests, successes, failures, exclusions, consecutive successes and consecutive failures.
    fn recorded(counters: &[f64]) -> Self {
        let count = |index: usize| counters[index] as u64;
        Counted { calls: count(1) + count(2), failures: count(2), run: count(5) }
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Success => {
                self.calls += 1;
                self.run = 0;
            }
            Outcome::Failure => {
                self.calls += 1;
                self.failures += 1;
                self.run += 1;
            }
            Outcome::Ignored => {}
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            calls: Some(self.calls),
            failures: Some(self.failures),
            run: Some(self.run),
            failure_rate: Rate::Absent,
            slow_rate: Rate::Absent,
            ..Reading::default()
        }
    }
}

fn timeout_ns(trace: &Trace) -> u64 {
    match whole(&trace.config["timeout_ns"]) {
        0 => 60_000_000_000,
        timeout => timeout,
    }
}
