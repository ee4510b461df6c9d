//! The breaker of the guarded side, and the diary of its states.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use failfast::clock::{Clock, DefaultClock};
use failfast::{
    CircuitBreaker, ConfigError, HalfOpen, OpenWait, State, Transition, TransitionCause, Window,
};

/// The longest open time; with its jitter on top it bounds how late a repair is noticed.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A breaker and the diary that its observer keeps.
pub(crate) struct Guard {
    /// The breaker, as a service would share it.
    pub(crate) breaker: Arc<CircuitBreaker>,
    clock: DefaultClock,
    diary: Arc<Mutex<Vec<Transition>>>,
}

impl Guard {
    /// Builds the breaker.
    ///
    /// A run of ten failures is the fast rule: when everything hangs, ten workers whose calls time out say so at the
    /// first time-out, while the successes from before still fill the window. The rates are for outages that are not
    /// total. Thirty per cent of errors are below both, on purpose: such a backend is still worth asking.
    ///
    /// # Errors
    ///
    /// When the settings are not allowed.
    pub(crate) fn build() -> Result<Guard, ConfigError> {
        let clock = DefaultClock::new();
        let diary = Arc::new(Mutex::new(Vec::new()));
        let breaker = CircuitBreaker::builder()
            .name("backend")
            .window(Window::time(Duration::from_secs(2)))
            .failure_rate(0.5)
            .min_calls(20)
            .slow_call(Duration::from_millis(400), 0.8)
            .consecutive_failures(10)
            .open_wait(
                OpenWait::exponential(Duration::from_millis(250), 2.0, LONGEST_WAIT).jitter(0.1),
            )
            .half_open(HalfOpen::probes(3))
            .probe_timeout(Duration::from_secs(2))
            .clock(clock.clone())
            .on_transition({
                let diary = Arc::clone(&diary);
                move |transition| {
                    diary.lock().unwrap_or_else(PoisonError::into_inner).push(transition.clone());
                }
            })
            .build()?;
        Ok(Guard { breaker: Arc::new(breaker), clock, diary })
    }

    /// The breaker's own time; what the diary's entries are relative to.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// The diary so far, in the order of the generations, with times relative to `start`.
    pub(crate) fn diary(&self, start: Duration) -> Vec<Transition> {
        let mut entries = self.diary.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Observers of two changes may overlap; the generation is the order.
        entries.sort_by_key(|transition| transition.generation);
        for entry in &mut entries {
            entry.at = entry.at.saturating_sub(start);
        }
        entries
    }
}

/// The states that a diary tells of, each with its beginning and its end.
pub(crate) fn spans(diary: &[Transition], end: Duration) -> Vec<(Duration, Duration, State)> {
    let mut spans = Vec::with_capacity(diary.len() + 1);
    let mut begin = Duration::ZERO;
    let mut state = diary.first().map_or(State::Closed, |first| first.from);
    for transition in diary {
        spans.push((begin, transition.at, state));
        begin = transition.at;
        state = transition.to;
    }
    spans.push((begin, end.max(begin), state));
    spans
}

/// Why a breaker changed its state, in words.
pub(crate) fn explain(cause: TransitionCause) -> String {
    match cause {
        TransitionCause::FailureRate { failures, calls } => {
            format!("{failures} of {calls} calls failed")
        }
        TransitionCause::SlowRate { slow_calls, calls } => {
            format!("{slow_calls} of {calls} calls were slow")
        }
        TransitionCause::FailureCount { failures } => format!("{failures} failures"),
        TransitionCause::ConsecutiveFailures { failures } => {
            format!("{failures} failures in a row")
        }
        TransitionCause::OpenTimeOver => "the open time is over".into(),
        TransitionCause::ProbeFailed => "a probe failed".into(),
        TransitionCause::ProbeSlow => "a probe was slow".into(),
        TransitionCause::ProbesSucceeded { calls, .. } => format!("{calls} probes succeeded"),
        TransitionCause::ProbesLost { outstanding } => {
            format!("{outstanding} probes did not report in time")
        }
        TransitionCause::Control => "by hand".into(),
        other => format!("{other:?}"),
    }
}
