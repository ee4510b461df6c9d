//! Runs planned steps on a breaker and compares every answer.

use core::time::Duration;
use std::collections::HashMap;

use failfast::clock::ManualClock;
use failfast::{Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, Window};

use crate::crew::Lane;
use crate::subject::{Control, Finish, Hold, Subject};

use super::course::Reading;
use super::plan::Stretch;
use super::scale::nanos;

/// A configuration in our words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) window: Window,
    /// Whether that is a consecutive window, whose calls and failures read 0.
    pub(crate) consecutive_window: bool,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) failure_count: Option<u32>,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) slow_call: Option<(Duration, f64)>,
    pub(crate) min_calls: u32,
    pub(crate) wait: OpenWait,
    pub(crate) half_open: HalfOpen,
    pub(crate) places: u32,
    pub(crate) lease: Duration,
}

impl Settings {
    /// These with a limit on the run of failures: as a window of its own, and as a rule beside a count window.
    pub(crate) fn consecutive(self, limit: u32) -> Vec<Settings> {
        let window =
            Settings { window: Window::consecutive(limit), consecutive_window: true, ..self };
        let rule = Settings { consecutive_failures: Some(limit), ..self };
        vec![window, rule]
    }

    fn builder(&self, clock: ManualClock) -> Builder<ManualClock> {
        let mut builder = CircuitBreaker::builder()
            .window(self.window)
            .min_calls(self.min_calls)
            .open_wait(self.wait)
            .half_open(self.half_open)
            .probe_timeout(self.lease)
            .clock(clock);
        builder = match self.failure_rate {
            Some(rate) => builder.failure_rate(rate),
            None => builder.no_failure_rate(),
        };
        if let Some(failures) = self.failure_count {
            builder = builder.failure_count(failures);
        }
        if let Some(failures) = self.consecutive_failures {
            builder = builder.consecutive_failures(failures);
        }
        if let Some((limit, rate)) = self.slow_call {
            builder = builder.slow_call(limit, rate);
        }
        builder
    }
}

/// A call of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Advance(u64),
    Acquire(u64),
    Settle { permit: u64, outcome: Outcome, elapsed: Option<u64> },
    Control(Control),
    Observe,
}

/// The control call that brings a new breaker into a state.
pub(crate) fn control_into(state: State) -> Option<Control> {
    match state {
        State::Closed => None,
        State::Open => Some(Control::Trip),
        State::HalfOpen => Some(Control::HalfOpen),
        State::ForcedOpen => Some(Control::ForceOpen),
        State::Disabled => Some(Control::Disable),
        State::MetricsOnly => Some(Control::MetricsOnly),
    }
}

/// A call with what it has to give.
pub(crate) struct Step {
    /// The operation's number in its trace.
    pub(crate) op: usize,
    pub(crate) call: Call,
    pub(crate) expected: Expected,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) answer: Answer,
    /// The bounds of the hint, in nanoseconds, where an open breaker refuses.
    pub(crate) retry_after: Option<(u64, u64)>,
    pub(crate) state: Option<State>,
    pub(crate) generation: u64,
    pub(crate) open_attempt: u32,
    pub(crate) reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Nothing,
    Granted,
    Refused(State),
    Recorded(Recorded),
}

/// An expected rate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Rate {
    #[default]
    NotCompared,
    Absent,
    Within {
        of: f64,
        by: f64,
    },
}

impl Rate {
    fn fits(&self, shown: Option<f64>) -> bool {
        match *self {
            Rate::NotCompared => true,
            Rate::Absent => shown.is_none(),
            Rate::Within { of, by } => shown.is_some_and(|rate| (rate - of).abs() <= by),
        }
    }
}

/// Who makes the calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callers {
    /// One thread, with borrowed permits.
    One,
    /// Several in turn, with owned permits that are acquired on one thread and reported on another.
    Several,
}

impl Callers {
    fn hold(self) -> Hold {
        match self {
            Callers::One => Hold::Borrowed,
            Callers::Several => Hold::Owned,
        }
    }

    fn lane(self, number: u64) -> Lane {
        match self {
            Callers::One => Lane::Here,
            Callers::Several => Lane::There((number % 256) as u8),
        }
    }
}

/// Replays a stretch on a breaker of each of its settings; the first difference is the error.
pub(crate) fn replay<S: Subject>(stretch: &Stretch, callers: Callers) -> Result<(), String> {
    for settings in &stretch.settings {
        let clock = ManualClock::new();
        clock.set(Duration::from_nanos(stretch.clock_start));
        let subject = S::build(settings.builder(clock.clone())).expect("settings in range");
        if let Some(control) = stretch.initial {
            subject.control(control);
        }
        let mut permits = HashMap::new();
        let mut heard = 0;
        for step in &stretch.steps {
            let compared = perform(&subject, callers, &clock, &mut permits, step)
                .and_then(|()| compare(&subject, settings, &step.expected))
                .and_then(|()| listen(&subject, &mut heard, &step.expected));
            compared.map_err(|what| {
                format!(
                    "operation {}, {:?}: {what}\nexpected {:?}\nunder {settings:?}",
                    step.op, step.call, step.expected
                )
            })?;
        }
    }
    Ok(())
}

/// Makes the call and compares its answer.
fn perform<'a, S: Subject>(
    subject: &'a S,
    callers: Callers,
    clock: &ManualClock,
    permits: &mut HashMap<u64, S::Permit<'a>>,
    step: &Step,
) -> Result<(), String> {
    let mut answer = Answer::Nothing;
    let mut hint = None;
    match step.call {
        Call::Advance(ns) => clock.advance(Duration::from_nanos(ns)),
        Call::Control(control) => subject.control(control),
        Call::Observe => {}
        Call::Acquire(number) => match subject.acquire(callers.hold(), callers.lane(number)) {
            Ok(permit) => {
                permits.insert(number, permit);
                answer = Answer::Granted;
            }
            Err(rejected) => {
                answer = Answer::Refused(rejected.state());
                hint = Some(rejected.retry_after());
            }
        },
        Call::Settle { permit, outcome, elapsed } => {
            let held = permits.remove(&permit).expect("a permit that was granted");
            let how = match elapsed {
                Some(elapsed) => Finish::Timed(outcome, Duration::from_nanos(elapsed)),
                None => Finish::Report(outcome),
            };
            let recorded = subject.finish(held, how, callers.lane(step.op as u64));
            answer = recorded.map_or(Answer::Nothing, Answer::Recorded);
        }
    }
    let hint_fits = match (hint, step.expected.retry_after) {
        (Some(Some(given)), Some((least, most))) => (least..=most).contains(&nanos(given)),
        (Some(given), bounds) => given.is_none() && bounds.is_none(),
        (None, _) => true,
    };
    if answer == step.expected.answer && hint_fits {
        Ok(())
    } else {
        Err(format!("answered {answer:?}, hint {hint:?}"))
    }
}

/// Compares what the breaker shows.
fn compare<S: Subject>(
    subject: &S,
    settings: &Settings,
    expected: &Expected,
) -> Result<(), String> {
    let state = subject.state();
    let shown = subject.snapshot();
    if shown.state != state || expected.state.is_some_and(|expected| expected != state) {
        return Err(format!("shows {state:?}, its snapshot {shown:?}"));
    }
    let reading = &expected.reading;
    let no_window = settings.consecutive_window && state == State::Closed;
    let of_window = |count: Option<u64>| if no_window { count.map(|_| 0) } else { count };
    // Without a rule for runs the run reads 0.
    let run_rule = settings.consecutive_window || settings.consecutive_failures.is_some();
    let counts = [
        (of_window(reading.calls), shown.calls),
        (of_window(reading.failures), shown.failures),
        (of_window(reading.slow_calls), shown.slow_calls),
        (of_window(reading.slow_failures), shown.slow_failures),
        (reading.run.filter(|_| run_rule), shown.consecutive_failures),
        (Some(expected.generation), shown.generation),
        (Some(u64::from(expected.open_attempt)), u64::from(shown.open_attempt)),
    ];
    let counts_fit =
        counts.iter().all(|(expected, shown)| expected.is_none_or(|expected| expected == *shown));
    if !counts_fit
        || !reading.failure_rate.fits(shown.failure_rate)
        || !reading.slow_rate.fits(shown.slow_rate)
    {
        return Err(format!("reads {shown:?}"));
    }
    Ok(())
}

/// Checks that every generation was announced once, in order.
fn listen<S: Subject>(subject: &S, heard: &mut u64, expected: &Expected) -> Result<(), String> {
    for transition in subject.take_transitions() {
        *heard += 1;
        if transition.generation != *heard {
            return Err(format!("announced {transition:?} as number {heard}"));
        }
    }
    if *heard == expected.generation {
        Ok(())
    } else {
        Err(format!("announced {heard} changes of state"))
    }
}
