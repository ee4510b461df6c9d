//! pybreaker: so many failures in a row open, so many successes in half-open close.
//!
//! Ours: a consecutive limit and `HalfOpen::probes`; an excluded error is a success there. The peer handles an outcome
//! by the state in which its call was admitted, so a stretch ends where a late outcome has an effect.

use core::time::Duration;
use std::collections::HashMap;

use failfast::{HalfOpen, Outcome, State, Window};

use crate::subject::Control;

use super::course::{Course, Phase, Reading, Stop};
use super::plan::{Planned, Planner};
use super::replay::{Answer, Call, Rate, Settings};
use super::scale::{Edge, Scale, Wait, LONGEST_NS};
use super::trace::{whole, Kind, Op, Trace};

pub(crate) struct Pybreaker {
    settings: Vec<Settings>,
    wait: Wait,
    timeout_ns: u64,
    fail_max: u64,
    places: u64,
    /// The state in which the peer admitted each call of the trace.
    admitted_in: HashMap<u64, State>,
    run: u64,
}

impl Planner for Pybreaker {
    fn times(trace: &Trace) -> Vec<u64> {
        vec![whole(&trace.config["reset_timeout_ns"])]
    }

    fn read(trace: &Trace, scale: Scale) -> Result<Option<Self>, &'static str> {
        let config = &trace.config;
        let timeout_ns = whole(&config["reset_timeout_ns"]);
        let Some(wait) = scale.fixed(timeout_ns, Edge::Admits) else {
            return Ok(None);
        };
        let fail_max = whole(&config["fail_max"]);
        let places = u32::try_from(whole(&config["success_threshold"])).expect("few");
        let settings = Settings {
            window: Window::count(1),
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
        Ok(Some(Pybreaker {
            settings: settings.consecutive(u32::try_from(fail_max).expect("few")),
            wait,
            timeout_ns,
            fail_max,
            places: u64::from(places),
            admitted_in: admitted_in(trace),
            run: 0,
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
        self.run = 0;
    }

    fn plan(&mut self, course: &mut Course, op: &Op) -> Planned {
        let (call, answer) = match op.kind {
            Kind::Advance { ns } => (course.advance(ns)?, Answer::Nothing),
            Kind::Acquire { permit, allowed } => course.acquire(permit, allowed)?,
            Kind::Success { permit, .. } | Kind::IgnoredError { permit } => {
                self.report(course, op, permit, Outcome::Success)?
            }
            Kind::Failure { permit, .. } => self.report(course, op, permit, Outcome::Failure)?,
            Kind::Close => {
                self.run = 0;
                course.enter(State::Closed);
                (Call::Control(Control::Reset), Answer::Nothing)
            }
            Kind::Open => {
                course.trip(course.now + self.timeout_ns);
                (Call::Control(Control::Trip), Answer::Nothing)
            }
            Kind::HalfOpen => {
                course.enter(State::HalfOpen);
                (Call::Control(Control::HalfOpen), Answer::Nothing)
            }
            other => unreachable!("{other:?} is not this peer's"),
        };
        course.assert_peer_shows(op, false);
        let [failures, successes] = [op.counters[0] as u64, op.counters[1] as u64];
        let reading = match course.phase {
            Phase::Closed => {
                assert_eq!(failures, self.run, "the peer's own counter");
                Reading { run: Some(self.run), failure_rate: Rate::Absent, ..Reading::default() }
            }
            _ => Reading { calls: Some(successes), failures: Some(0), ..Reading::default() },
        };
        Ok((call, answer, reading))
    }

    fn starts_afresh(before: State, op: &Op) -> bool {
        op.kind == Kind::Close || before != State::Closed && op.state == Some(State::Closed)
    }
}

impl Pybreaker {
    fn report(
        &mut self,
        course: &mut Course,
        op: &Op,
        permit: u64,
        outcome: Outcome,
    ) -> Result<(Call, Answer), Stop> {
        if !course.is_fresh(permit) && self.late_outcome_matters(course, op, permit, outcome) {
            return Err(Stop::LateOutcome);
        }
        let settled = course.settle(permit, outcome, None);
        if settled.fresh {
            self.judge(course, outcome);
        }
        Ok((settled.call, settled.answer))
    }

    fn judge(&mut self, course: &mut Course, outcome: Outcome) {
        let opens = match (course.phase, outcome) {
            (Phase::Closed, Outcome::Failure) => {
                self.run += 1;
                self.run >= self.fail_max
            }
            (Phase::Closed, _) => {
                self.run = 0;
                false
            }
            (Phase::HalfOpen(_), Outcome::Failure) => true,
            (Phase::HalfOpen(probes), _) if probes.finished == self.places => {
                self.run = 0;
                course.enter(State::Closed);
                false
            }
            _ => false,
        };
        if opens {
            course.open(course.now + self.timeout_ns);
        }
    }

    /// Whether the outcome of a call admitted in an earlier generation changes anything that is compared later.
    ///
    /// A success clears the peer's counter and counts for closing; a failure adds to the counter and may open again,
    /// which renews the wait. Every change of state clears the successes, and closing clears the failures.
    fn late_outcome_matters(
        &self,
        course: &Course,
        op: &Op,
        permit: u64,
        outcome: Outcome,
    ) -> bool {
        let admitted_closed = self.admitted_in[&permit] == State::Closed;
        match (course.phase, outcome) {
            (Phase::Open(_), Outcome::Success) => {
                !admitted_closed && op.state == Some(State::Closed)
            }
            (Phase::HalfOpen(_), Outcome::Success) => !admitted_closed,
            (Phase::Open(_) | Phase::HalfOpen(_), _) => {
                !admitted_closed || op.counters[0] as u64 >= self.fail_max
            }
            (_, Outcome::Success) => self.run > 0,
            _ => true,
        }
    }
}

/// The state after each acquire that was allowed.
pub(crate) fn admitted_in(trace: &Trace) -> HashMap<u64, State> {
    let admitted = |op: &Op| match (op.kind, op.state) {
        (Kind::Acquire { permit, allowed: true }, Some(state)) => Some((permit, state)),
        _ => None,
    };
    trace.ops.iter().filter_map(admitted).collect()
}
