//! failsafe-go: failures out of the last executions, failures or a failure rate within a period.
//!
//! Ours: a count window or a time window of ten buckets with a failure count, or with a failure rate; `HalfOpen::probes`
//! with the successes that close, or `HalfOpen::rate` where the peer judges a rate. The peer has no generations, gives a
//! half-open place back with every outcome, and rounds rates to two decimals: a stretch ends where that matters.

use core::time::Duration;

use failfast::{HalfOpen, Outcome, State, Window};
use serde_json::Value;

use crate::subject::Control;

use super::course::{Course, Phase, Reading, Stop};
use super::plan::{Planned, Planner};
use super::replay::{Answer, Call, Rate, Settings};
use super::scale::{Edge, Scale, Wait, LONGEST_NS};
use super::trace::{real, whole, word, Kind, Op, Trace};

pub(crate) struct FailsafeGo {
    settings: Settings,
    wait: Wait,
    delay_ns: u64,
    period_ns: Option<u64>,
    opening: Opening,
    half_open: Deciding,
}

/// What opens a closed breaker.
#[derive(Clone, Copy)]
enum Opening {
    Failures(u64),
    Rate { rate: f64, min: u64 },
}

/// What decides in half-open.
#[derive(Clone, Copy)]
enum Deciding {
    /// So many successes close; the first failure opens ours.
    Successes(u64),
    /// The failure rate decides when so many are in.
    Rate { rate: f64, at: u64 },
}

impl Planner for FailsafeGo {
    fn times(trace: &Trace) -> Vec<u64> {
        let config = &trace.config;
        let mut times = vec![whole(&config["delay_ns"])];
        if let Some(period) = config["failure_thresholding"]["period_ns"].as_u64() {
            // Buckets are tenths of the period on the absolute clock.
            times.extend([period / 10, whole(&config["clock_start_ns"])]);
        }
        times
    }

    fn read(trace: &Trace, scale: Scale) -> Result<Option<Self>, &'static str> {
        let config = &trace.config;
        let failing = &config["failure_thresholding"];
        if failing["period_ns"].as_u64().is_some_and(|period| period % 10 != 0) {
            return Err("buckets that are no tenths of the period");
        }
        Ok(Self::at_scale(config, failing, scale))
    }

    fn settings(&self) -> Vec<Settings> {
        vec![self.settings]
    }

    fn cycle(&self) -> Option<u64> {
        self.period_ns
    }

    fn wait(&self) -> Wait {
        self.wait
    }

    fn begin(&mut self, _course: &mut Course, initial: State) {
        assert_eq!(initial, State::Closed);
    }

    fn plan(&mut self, course: &mut Course, op: &Op) -> Planned {
        let mut reported = false;
        let (call, answer) = match op.kind {
            Kind::Advance { ns } => (course.advance(ns)?, Answer::Nothing),
            Kind::Acquire { permit, allowed } => course.acquire(permit, allowed)?,
            Kind::Success { permit, .. } => {
                reported = true;
                self.report(course, op, permit, Outcome::Success)?
            }
            Kind::Failure { permit, .. } => {
                reported = true;
                self.report(course, op, permit, Outcome::Failure)?
            }
            Kind::Open | Kind::Close | Kind::HalfOpen => {
                (self.control(course, op.kind), Answer::Nothing)
            }
            other => unreachable!("{other:?} is not this peer's"),
        };
        course.assert_peer_shows(op, false);
        // A period's readings are up to date right after an outcome only.
        let timed = self.period_ns.is_some() && matches!(course.phase, Phase::Closed);
        let reading = if timed && !reported {
            Reading::default()
        } else {
            self.reading(course, &op.counters)
        };
        Ok((call, answer, reading))
    }

    fn starts_afresh(before: State, op: &Op) -> bool {
        before != State::Closed && op.state == Some(State::Closed)
    }
}

impl FailsafeGo {
    fn at_scale(config: &Value, failing: &Value, scale: Scale) -> Option<Self> {
        let count = |value: &Value| u32::try_from(whole(value)).expect("a count below 2^32");
        let delay_ns = whole(&config["delay_ns"]);
        let wait = scale.fixed(delay_ns, Edge::Admits)?;
        let period_ns = failing["period_ns"].as_u64();
        let window = match period_ns {
            Some(period) => Window::time(scale.setting(period)?).buckets(10),
            None => Window::count(count(&failing["out_of"])),
        };
        let opening = match word(&failing["kind"]) {
            "period_rate" => Opening::Rate {
                rate: real(&failing["rate"]),
                min: whole(&failing["min_executions"]),
            },
            _ => Opening::Failures(whole(&failing["failures"])),
        };
        let half_open = match (opening, config["success_thresholding"].as_object()) {
            (_, Some(closing)) => Deciding::Successes(whole(&closing["successes"])),
            (Opening::Rate { rate, min }, None) => Deciding::Rate { rate, at: min },
            // More successes than would leave room for that many failures.
            (Opening::Failures(failures), None) => {
                let out_of = failing["out_of"].as_u64().unwrap_or(failures);
                Deciding::Successes(out_of - failures + 1)
            }
        };
        let small = |number: u64| u32::try_from(number).expect("a count below 2^32");
        let (half_open_setting, places) = match half_open {
            Deciding::Successes(n) => (HalfOpen::probes(small(n)), small(n)),
            Deciding::Rate { at, .. } => (HalfOpen::rate(small(at)), small(at)),
        };
        let (failure_rate, failure_count, min_calls) = match opening {
            Opening::Failures(failures) => (None, Some(small(failures)), 1),
            Opening::Rate { rate, min } => (Some(rate), None, small(min)),
        };
        let settings = Settings {
            window,
            consecutive_window: false,
            failure_rate,
            failure_count,
            consecutive_failures: None,
            slow_call: None,
            min_calls,
            wait: wait.setting(),
            half_open: half_open_setting,
            places,
            lease: Duration::from_nanos(LONGEST_NS),
        };
        Some(FailsafeGo { settings, wait, delay_ns, period_ns, opening, half_open })
    }

    /// A control call; the peer does nothing when it is in that state already.
    fn control(&self, course: &mut Course, kind: Kind) -> Call {
        let (control, to) = match kind {
            Kind::Open => (Control::Trip, State::Open),
            Kind::Close => (Control::Reset, State::Closed),
            _ => (Control::HalfOpen, State::HalfOpen),
        };
        let present = match course.phase {
            Phase::Open(_) => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
            _ => State::Closed,
        };
        if present == to {
            return Call::Observe;
        }
        match to {
            State::Open => course.trip(course.now + self.delay_ns),
            other => course.enter(other),
        }
        Call::Control(control)
    }

    fn report(
        &mut self,
        course: &mut Course,
        op: &Op,
        permit: u64,
        outcome: Outcome,
    ) -> Result<(Call, Answer), Stop> {
        if matches!(course.phase, Phase::Closed | Phase::HalfOpen(_)) && !course.is_fresh(permit) {
            return Err(Stop::LateOutcome);
        }
        let settled = course.settle(permit, outcome, None);
        let peer_opens = op.state == Some(State::Open);
        match course.phase {
            Phase::Closed => {
                let opens = match self.opening {
                    Opening::Failures(limit) => op.counters[1] as u64 >= limit,
                    Opening::Rate { rate, min } => reached(&op.counters, rate, min),
                };
                if opens != peer_opens {
                    self.assert_rounded(op, rate_of(self.opening));
                    return Err(Stop::Rounding);
                }
                if opens {
                    course.open(course.now + self.delay_ns);
                }
            }
            Phase::HalfOpen(probes) => match self.half_open {
                Deciding::Successes(_) if outcome == Outcome::Failure => {
                    if !peer_opens {
                        return Err(Stop::ToleratedProbe);
                    }
                    course.open(course.now + self.delay_ns);
                }
                Deciding::Successes(n) if probes.finished == n => course.enter(State::Closed),
                Deciding::Rate { rate, at } if probes.finished == at => {
                    let opens = reached(&op.counters, rate, at);
                    if opens != peer_opens || op.state == Some(State::HalfOpen) {
                        self.assert_rounded(op, Some(rate));
                        return Err(Stop::Rounding);
                    }
                    match opens {
                        true => course.open(course.now + self.delay_ns),
                        false => course.enter(State::Closed),
                    }
                }
                _ => {}
            },
            _ => {}
        }
        Ok((settled.call, settled.answer))
    }

    /// A verdict other than the exact rate's needs a rate within the peer's rounding of the limit.
    fn assert_rounded(&self, op: &Op, limit: Option<f64>) {
        let exact = op.counters[1] / op.counters[0];
        let near = limit.is_some_and(|limit| (exact - limit).abs() <= 0.005 + 1e-9);
        assert!(near, "the peer's verdict on {:?}", op.counters);
    }

    /// Executions, failures, successes and the two rates, rounded to two decimals.
    fn reading(&self, course: &Course, counters: &[f64]) -> Reading {
        let [executions, failures] = [counters[0] as u64, counters[1] as u64];
        let failure_rate = match (self.opening, course.phase, self.half_open) {
            (Opening::Rate { min, .. }, Phase::Closed, _)
            | (Opening::Rate { min, .. }, Phase::HalfOpen(_), Deciding::Rate { .. }) => {
                if executions < min {
                    Rate::Absent
                } else {
                    Rate::Within { of: counters[3], by: 0.005 + 1e-9 }
                }
            }
            _ => Rate::Absent,
        };
        Reading {
            calls: Some(executions),
            failures: Some(failures),
            failure_rate,
            slow_rate: Rate::Absent,
            ..Reading::default()
        }
    }
}

fn rate_of(opening: Opening) -> Option<f64> {
    match opening {
        Opening::Rate { rate, .. } => Some(rate),
        Opening::Failures(_) => None,
    }
}

/// Whether the exact rate reaches the limit, in parts per million.
fn reached(counters: &[f64], rate: f64, min: u64) -> bool {
    counters[0] >= min as f64 && counters[1] * 1e6 >= (rate * 1e6).round() * counters[0]
}
