//! cockatiel with its consecutive breaker.
//!
//! Ours: a consecutive limit and `HalfOpen::probes`; the manual hold is `force_open`, its end `reset`. Calls admitted in
//! closed reach the peer's counter whenever they end, so a stretch ends where that has an effect, where a failing probe
//! does not reopen, and where the counter survived a hold.

use core::time::Duration;
use std::collections::HashMap;

use failfast::{HalfOpen, Outcome, State, Window};
use serde_json::Value;

use crate::subject::Control;

use super::course::{Course, Phase, Reading, Stop};
use super::plan::{Planned, Planner};
use super::pybreaker::admitted_in;
use super::replay::{Answer, Call, Rate, Settings};
use super::scale::{Edge, Scale, Wait, LONGEST_NS};
use super::trace::{whole, word, Kind, Op, Trace};

pub(crate) struct Cockatiel {
    settings: Vec<Settings>,
    wait: Wait,
    half_open_after: Value,
    threshold: u64,
    places: u64,
    admitted_in: HashMap<u64, State>,
    attempt: u32,
    run: u64,
    holds: u64,
}

impl Planner for Cockatiel {
    fn times(trace: &Trace) -> Vec<u64> {
        let wait = &trace.config["half_open_after"];
        let mut times: Vec<u64> = [&wait["ns"], &wait["initial_ns"], &wait["max_ns"]]
            .into_iter()
            .filter_map(Value::as_u64)
            .collect();
        times.extend(list(wait));
        times
    }

    fn read(trace: &Trace, scale: Scale) -> Result<Option<Self>, &'static str> {
        let config = &trace.config;
        let after = &config["half_open_after"];
        let wait = match word(&after["kind"]) {
            "constant" => scale.fixed(whole(&after["ns"]), Edge::Admits),
            "exponential" => scale.growing(
                whole(&after["initial_ns"]),
                2.0,
                whole(&after["max_ns"]),
                Edge::Admits,
            ),
            // The first entry; an acquire between it and a later one's end is not compared.
            _ => scale.fixed(list(after)[0], Edge::Admits),
        };
        let Some(wait) = wait else {
            return Ok(None);
        };
        let threshold = whole(&config["breaker"]["threshold"]);
        let places = u32::try_from(whole(&config["half_open_sampling"]["calls"])).expect("few");
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
        Ok(Some(Cockatiel {
            settings: settings.consecutive(u32::try_from(threshold).expect("few")),
            wait,
            half_open_after: after.clone(),
            threshold,
            places: u64::from(places),
            admitted_in: admitted_in(trace),
            attempt: 0,
            run: 0,
            holds: 0,
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
        self.attempt = 0;
        self.run = 0;
        self.holds = 0;
    }

    fn plan(&mut self, course: &mut Course, op: &Op) -> Planned {
        let (call, answer) = match op.kind {
            Kind::Advance { ns } => (course.advance(ns)?, Answer::Nothing),
            Kind::Acquire { permit, allowed } => course.acquire(permit, allowed)?,
            Kind::Success { permit, .. } => self.report(course, op, permit, Outcome::Success)?,
            Kind::Failure { permit, .. } => self.report(course, op, permit, Outcome::Failure)?,
            // Not recorded at all for a call admitted in closed, a success for a probe.
            Kind::IgnoredError { permit } => match self.admitted_in[&permit] {
                State::HalfOpen => self.report(course, op, permit, Outcome::Success)?,
                _ => self.report(course, op, permit, Outcome::Ignored)?,
            },
            Kind::Isolate => (self.isolate(course), Answer::Nothing),
            Kind::Dispose => (self.dispose(course, op)?, Answer::Nothing),
            other => unreachable!("{other:?} is not this peer's"),
        };
        course.assert_peer_shows(op, false);
        let reading = match course.phase {
            Phase::Closed => {
                assert_eq!(op.counters[0] as u64, self.run, "the peer's own counter");
                Reading { run: Some(self.run), failure_rate: Rate::Absent, ..Reading::default() }
            }
            _ => Reading::default(),
        };
        Ok((call, answer, reading))
    }

    fn starts_afresh(before: State, op: &Op) -> bool {
        before != State::Closed && op.state == Some(State::Closed) && op.counters[0] == 0.0
    }
}

impl Cockatiel {
    fn isolate(&mut self, course: &mut Course) -> Call {
        self.holds += 1;
        if self.holds > 1 {
            return Call::Observe;
        }
        course.enter(State::ForcedOpen);
        Call::Control(Control::ForceOpen)
    }

    fn dispose(&mut self, course: &mut Course, op: &Op) -> Result<Call, Stop> {
        if op.state == Some(State::ForcedOpen) {
            self.holds -= 1;
            return Ok(Call::Observe);
        }
        if op.counters[0] != 0.0 {
            return Err(Stop::KeptWindow);
        }
        self.holds = 0;
        self.attempt = 0;
        self.run = 0;
        course.enter(State::Closed);
        Ok(Call::Control(Control::Reset))
    }

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
            self.judge(course, op, outcome)?;
        }
        Ok((settled.call, settled.answer))
    }

    fn judge(&mut self, course: &mut Course, op: &Op, outcome: Outcome) -> Result<(), Stop> {
        let opens = match (course.phase, outcome) {
            (Phase::Closed, Outcome::Failure) => {
                self.run += 1;
                self.run >= self.threshold
            }
            (Phase::Closed, Outcome::Success) => {
                self.run = 0;
                false
            }
            (Phase::HalfOpen(_), Outcome::Failure) => {
                if op.state != Some(State::Open) {
                    return Err(Stop::ToleratedProbe);
                }
                true
            }
            (Phase::HalfOpen(probes), Outcome::Success) if probes.finished == self.places => {
                self.attempt = 0;
                self.run = 0;
                course.enter(State::Closed);
                false
            }
            _ => false,
        };
        if opens {
            self.attempt += 1;
            course.open(course.now + self.half_open_after());
        }
        Ok(())
    }

    /// The peer's wait in its present open period.
    fn half_open_after(&self) -> u64 {
        let wait = &self.half_open_after;
        let index = (self.attempt - 1) as usize;
        match word(&wait["kind"]) {
            "constant" => whole(&wait["ns"]),
            "exponential" => {
                let doubled = whole(&wait["initial_ns"]).saturating_mul(1 << index.min(40));
                doubled.min(whole(&wait["max_ns"]))
            }
            _ => {
                let list = list(wait);
                list[index.min(list.len() - 1)]
            }
        }
    }

    /// Whether the outcome of a call of an earlier generation changes anything that is compared later.
    ///
    /// Those admitted in half-open are ignored. Those admitted in closed reach the counter, which closing clears: they
    /// matter in closed, and in half-open where they open.
    fn late_outcome_matters(
        &self,
        course: &Course,
        op: &Op,
        permit: u64,
        outcome: Outcome,
    ) -> bool {
        if self.admitted_in[&permit] != State::Closed || outcome == Outcome::Ignored {
            return false;
        }
        match course.phase {
            Phase::HalfOpen(_) => op.state != Some(State::HalfOpen),
            Phase::Closed => outcome == Outcome::Failure || self.run > 0,
            _ => false,
        }
    }
}

/// The entries of a wait that is a list.
fn list(wait: &Value) -> Vec<u64> {
    let entries = wait["ns"].as_array();
    entries.map_or_else(Vec::new, |list| list.iter().map(whole).collect())
}
