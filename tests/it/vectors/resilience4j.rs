//! resilience4j: count and time windows, rates, slow calls, every control call.
//!
//! Ours: the same window (a time window with one bucket a second), `HalfOpen::rate`. The peer has no generations, so a
//! stretch ends where it counts a late outcome; in open, forced open and disabled those have no effect, and the
//! comparison goes on.

use core::time::Duration;

use failfast::{HalfOpen, Outcome, State, Window};
use serde_json::Value;

use crate::subject::Control;

use super::course::{Course, Phase, Reading, Settled, Stop};
use super::plan::{Planned, Planner};
use super::replay::{Answer, Call, Rate, Settings};
use super::scale::{Edge, Scale, Wait, LONGEST_NS};
use super::trace::{real, state, whole, word, Kind, Op, Trace};

const SECOND_NS: u64 = 1_000_000_000;

pub(crate) struct Resilience4j {
    settings: Settings,
    wait: Wait,
    time_window_ns: Option<u64>,
    min_calls: u64,
    places: u64,
    failure_pct: f64,
    slow_pct: f64,
    wait_in_open: Value,
    /// The limit on half-open, and the state after it.
    max_half_open: Option<(u64, State)>,
    measured: bool,
    /// The peer's own number of the open period: it grows in forced open, too.
    attempt: u32,
    /// The peer's own half-open places: it takes one more for every late release.
    places_left: u64,
    /// When half-open was entered.
    entered: u64,
}

impl Planner for Resilience4j {
    fn times(trace: &Trace) -> Vec<u64> {
        let config = &trace.config;
        let wait = &config["wait_in_open"];
        let mut times: Vec<u64> = [&wait["ns"], &wait["initial_ns"], &wait["max_ns"]]
            .into_iter()
            .filter_map(Value::as_u64)
            .collect();
        times.push(whole(&config["max_wait_in_half_open_ns"]));
        if word(&config["durations"]) == "elapsed" {
            times.push(whole(&config["slow_call_duration_threshold_ns"]));
        }
        if word(&config["window_type"]) == "time" {
            times.extend([SECOND_NS, whole(&config["clock_start_ns"])]);
        }
        times
    }

    fn read(trace: &Trace, scale: Scale) -> Result<Option<Self>, &'static str> {
        Ok(Self::at_scale(trace, scale))
    }

    fn settings(&self) -> Vec<Settings> {
        vec![self.settings]
    }

    fn cycle(&self) -> Option<u64> {
        self.time_window_ns
    }

    fn wait(&self) -> Wait {
        self.wait
    }

    fn begin(&mut self, course: &mut Course, initial: State) {
        self.attempt = 0;
        match initial {
            State::Closed => {}
            State::Open => self.control(course, State::Open),
            other => {
                self.control(course, other);
                // The peer counts an initial half-open and forced open as a first open period.
                if matches!(other, State::HalfOpen | State::ForcedOpen) {
                    self.attempt = 1;
                }
            }
        }
    }

    fn plan(&mut self, course: &mut Course, op: &Op) -> Planned {
        let (call, answer) = match op.kind {
            Kind::Advance { ns } => (self.advance(course, ns)?, Answer::Nothing),
            Kind::Acquire { permit, allowed } => {
                let was_half_open = course.is_half_open();
                let said = course.acquire(permit, allowed)?;
                if course.is_half_open() {
                    self.take_place(course, was_half_open, allowed);
                }
                said
            }
            Kind::Success { permit, elapsed } => {
                self.report(course, op, permit, Outcome::Success, elapsed)?
            }
            Kind::Failure { permit, elapsed } => {
                self.report(course, op, permit, Outcome::Failure, elapsed)?
            }
            Kind::Release { permit } => {
                if matches!(course.probes(), Some(probes) if probes.lapsed.is_none()) {
                    self.places_left += 1;
                }
                let Settled { call, answer, .. } = course.settle(permit, Outcome::Ignored, None);
                (call, answer)
            }
            Kind::Close | Kind::Reset => {
                self.control(course, State::Closed);
                (Call::Control(Control::Reset), Answer::Nothing)
            }
            Kind::Open => {
                self.control(course, State::Open);
                (Call::Control(Control::Trip), Answer::Nothing)
            }
            Kind::HalfOpen => {
                self.control(course, State::HalfOpen);
                (Call::Control(Control::HalfOpen), Answer::Nothing)
            }
            Kind::ForceOpen => {
                self.control(course, State::ForcedOpen);
                (Call::Control(Control::ForceOpen), Answer::Nothing)
            }
            Kind::Disable => {
                self.control(course, State::Disabled);
                (Call::Control(Control::Disable), Answer::Nothing)
            }
            Kind::MetricsOnly => {
                self.control(course, State::MetricsOnly);
                (Call::Control(Control::MetricsOnly), Answer::Nothing)
            }
            Kind::Observe => (Call::Observe, Answer::Nothing),
            other => unreachable!("{other:?} is not this peer's"),
        };
        course.assert_peer_shows(op, false);
        Ok((call, answer, reading(&op.counters)))
    }

    fn starts_afresh(before: State, op: &Op) -> bool {
        match op.kind {
            Kind::Close | Kind::Reset | Kind::Disable | Kind::MetricsOnly => true,
            _ => before != State::Closed && op.state == Some(State::Closed),
        }
    }

    fn initial(trace: &Trace) -> State {
        state(word(&trace.config["initial_state"]))
    }
}

impl Resilience4j {
    fn at_scale(trace: &Trace, scale: Scale) -> Option<Self> {
        let config = &trace.config;
        let time_window_ns = config["window_length_ns"].as_u64();
        let window = match time_window_ns {
            Some(length) => {
                let seconds = u32::try_from(length / SECOND_NS).expect("few seconds");
                Window::time(scale.setting(length)?).buckets(seconds)
            }
            None => Window::count(small(&config["window_size_calls"])),
        };
        let wait_in_open = &config["wait_in_open"];
        let wait = match word(&wait_in_open["kind"]) {
            "constant" => scale.fixed(whole(&wait_in_open["ns"]), Edge::Refuses)?,
            _ => scale.growing(
                whole(&wait_in_open["initial_ns"]),
                real(&wait_in_open["multiplier"]),
                whole(&wait_in_open["max_ns"]),
                Edge::Refuses,
            )?,
        };
        let max_half_open = match whole(&config["max_wait_in_half_open_ns"]) {
            0 => None,
            limit => Some((limit, state(word(&config["state_after_max_wait"])))),
        };
        let lease = match max_half_open {
            Some((limit, State::Open)) => scale.lease(limit)?,
            _ => Duration::from_nanos(LONGEST_NS),
        };
        // Given elapsed times are handed through as they are; measured ones are as long as our clock says.
        let measured = word(&config["durations"]) == "elapsed";
        let slow_limit = whole(&config["slow_call_duration_threshold_ns"]);
        let slow_limit = match measured {
            true => scale.setting(slow_limit)?,
            false => Duration::from_nanos(slow_limit),
        };
        let failure_pct = real(&config["failure_rate_threshold_pct"]);
        let slow_pct = real(&config["slow_call_rate_threshold_pct"]);
        let min_calls = small(&config["minimum_number_of_calls"]);
        let places = small(&config["permitted_calls_in_half_open"]);
        let settings = Settings {
            window,
            consecutive_window: false,
            failure_rate: Some(failure_pct / 100.0),
            failure_count: None,
            consecutive_failures: None,
            slow_call: Some((slow_limit, slow_pct / 100.0)),
            min_calls,
            wait: wait.setting(),
            half_open: HalfOpen::rate(places),
            places,
            lease,
        };
        Some(Resilience4j {
            settings,
            wait,
            time_window_ns,
            min_calls: match time_window_ns {
                None => u64::from(min_calls).min(whole(&config["window_size_calls"])),
                Some(_) => u64::from(min_calls),
            },
            places: u64::from(places),
            failure_pct,
            slow_pct,
            wait_in_open: wait_in_open.clone(),
            max_half_open,
            measured,
            attempt: 0,
            places_left: 0,
            entered: 0,
        })
    }

    /// The instant of the trace from which the peer admits, when it opens at `opened`: strictly after its wait.
    fn admits_at(&self, opened: u64) -> u64 {
        let wait = &self.wait_in_open;
        let length = match wait["ns"].as_u64() {
            Some(constant) => constant,
            None => {
                let max = whole(&wait["max_ns"]);
                let mut ms = whole(&wait["initial_ns"]) / 1_000_000;
                for _ in 1..self.attempt {
                    // The peer cuts to whole milliseconds at every step.
                    ms = (ms as f64 * real(&wait["multiplier"])) as u64;
                }
                ms.saturating_mul(1_000_000).min(max)
            }
        };
        opened + length + 1
    }

    fn open(&mut self, course: &mut Course) {
        self.attempt += 1;
        course.open(self.admits_at(course.now));
    }

    fn control(&mut self, course: &mut Course, to: State) {
        match to {
            State::Open => {
                self.attempt += 1;
                course.trip(self.admits_at(course.now));
            }
            other => {
                match other {
                    State::HalfOpen => self.enter_half_open(course),
                    State::ForcedOpen => self.attempt += 1,
                    _ => self.attempt = 0,
                }
                course.enter(other);
            }
        }
    }

    fn enter_half_open(&mut self, course: &Course) {
        self.places_left = self.places;
        self.entered = course.now;
    }

    fn advance(&mut self, course: &mut Course, ns: u64) -> Result<Call, Stop> {
        let (Some(probes), Some((limit, after))) = (course.probes(), self.max_half_open) else {
            return course.advance(ns);
        };
        let due = self.entered + limit;
        if probes.lapsed.is_some() || course.now < due {
            return course.advance(ns);
        }
        // The peer's limit counts from the entry, our lease from the last sign of life of a probe: they are one when
        // the probe that entered is out and nothing has happened since.
        if after == State::Open && probes.stamp == self.entered && course.lease_is_over() {
            self.attempt += 1;
            course.lapse(self.admits_at(due));
            course.advance(ns)
        } else {
            Err(Stop::MaxHalfOpen)
        }
    }

    /// Keeps the peer's own account of half-open places.
    fn take_place(&mut self, course: &Course, was_half_open: bool, allowed: bool) {
        if !was_half_open {
            self.enter_half_open(course);
        }
        assert_eq!(allowed, self.places_left > 0, "the peer's own places");
        if allowed {
            self.places_left -= 1;
        }
    }

    fn report(
        &mut self,
        course: &mut Course,
        op: &Op,
        permit: u64,
        outcome: Outcome,
        elapsed: Option<u64>,
    ) -> Result<(Call, Answer), Stop> {
        let elapsed = elapsed.filter(|_| !self.measured);
        let counts_everything = match course.phase {
            Phase::Closed | Phase::MetricsOnly => true,
            Phase::HalfOpen(probes) => probes.lapsed.is_none(),
            Phase::Open(_) | Phase::ForcedOpen | Phase::Disabled => false,
        };
        if counts_everything && !course.is_fresh(permit) {
            return Err(Stop::LateOutcome);
        }
        let Settled { call, answer, .. } = course.settle(permit, outcome, elapsed);
        if !counts_everything {
            return Ok((call, answer));
        }
        let peer_opens = op.state == Some(State::Open);
        let opens = match course.phase {
            Phase::Closed => self.verdict(op, self.min_calls, peer_opens)?,
            Phase::HalfOpen(probes) => {
                let decide_at = u64::from(self.settings.min_calls).min(self.places);
                let decided = probes.finished == decide_at;
                let opens = decided && self.verdict(op, decide_at, peer_opens)?;
                if decided && !opens {
                    self.attempt = 0;
                    course.enter(State::Closed);
                }
                opens
            }
            _ => false,
        };
        if opens {
            self.open(course);
        }
        Ok((call, answer))
    }

    /// Whether the contract's exact rates open, given the counts that decided; an error where the peer's `f32` rates
    /// decide otherwise, which they may next to a threshold only.
    fn verdict(&self, op: &Op, min_calls: u64, peer_opens: bool) -> Result<bool, Stop> {
        let [calls, failed, slow] = [op.counters[0], op.counters[1], op.counters[2]];
        let reached = |count: f64, threshold_pct: f64| {
            let ppm = (threshold_pct / 100.0 * 1e6).round();
            count * 1e6 >= ppm * calls
        };
        let opens = calls >= min_calls as f64
            && (reached(failed, self.failure_pct) || reached(slow, self.slow_pct));
        if opens != peer_opens {
            let near =
                |count: f64, threshold: f64| (count * 100.0 / calls - threshold).abs() < 1e-4;
            assert!(
                near(failed, self.failure_pct) || near(slow, self.slow_pct),
                "the peer's verdict on {:?}",
                op.counters
            );
            return Err(Stop::Rounding);
        }
        Ok(opens)
    }
}

fn small(value: &Value) -> u32 {
    u32::try_from(whole(value)).expect("a count below 2^32")
}

/// Calls, failures, slow calls, slow failures, refusals and the two rates in percent.
fn reading(counters: &[f64]) -> Reading {
    let count = |index: usize| Some(counters[index] as u64);
    let rate = |index: usize| match counters[index] {
        percent if percent < 0.0 => Rate::Absent,
        // A binary32 has 24 bits: half a unit of the last is 6e-8 of the value.
        percent => Rate::Within { of: percent / 100.0, by: 1e-7 },
    };
    Reading {
        calls: count(0),
        failures: count(1),
        slow_calls: count(2),
        slow_failures: count(3),
        run: None,
        failure_rate: rate(5),
        slow_rate: rate(6),
    }
}
