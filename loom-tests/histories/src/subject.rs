//! The breaker that is called: the library as users link it, or its sources on shuttle's atomics.
//!
//! Both have the same face and other types, so one macro writes the implementation for either.

use std::time::Duration;

use failfast::{Outcome, Recorded, Snapshot, State, Transition};

use crate::history::Control;
use crate::plan::Settings;

/// A breaker on a clock of its own.
pub trait Subject: Sync + Sized {
    type Permit<'a>: Send
    where
        Self: 'a;

    fn build(settings: &Settings) -> Self;
    fn acquire(&self) -> Result<Self::Permit<'_>, (State, Option<Duration>)>;
    fn report(permit: Self::Permit<'_>, outcome: Outcome, elapsed: Option<Duration>) -> Recorded;
    fn control(&self, control: Control);
    fn state(&self) -> State;
    fn snapshot(&self) -> Snapshot;
    fn advance(&self, by: Duration);
    /// What the running thread has read and heard since the last call.
    fn take_notes() -> Notes;
    /// The time on the wall, roughly.
    fn wall() -> u64;
}

/// What a thread reads from its breaker's clock and hears from its observer during a call.
#[derive(Debug, Default)]
pub struct Notes {
    pub readings: Vec<Duration>,
    pub heard: Vec<Transition>,
}

/// Implements [`Subject`] for the breaker of a library: its root, the atomic that the clock moves by, where the running
/// thread keeps its [`Notes`] (a thread-local `RefCell`), and the time on the wall.
#[macro_export]
macro_rules! subject {
    ($subject:ident, $lib:tt, $atomic:path, $notes:ident, $wall:expr) => {
        /// A breaker and the clock that it reads.
        pub struct $subject {
            breaker: $lib::CircuitBreaker<Watch>,
            time: std::sync::Arc<$atomic>,
        }

        /// Reads the time and notes what it read.
        pub struct Watch(std::sync::Arc<$atomic>);

        impl $lib::clock::Clock for Watch {
            fn now(&self) -> std::time::Duration {
                let nanos = self.0.load(std::sync::atomic::Ordering::Relaxed);
                let now = std::time::Duration::from_nanos(nanos);
                $notes.with(|notes| notes.borrow_mut().readings.push(now));
                now
            }
        }

        /// The library's state as the checker's: the codes are the same.
        fn state(state: $lib::State) -> failfast::State {
            let code = $lib::State::ALL.iter().position(|one| *one == state);
            failfast::State::ALL[code.expect("a state")]
        }

        fn transition(heard: &$lib::Transition) -> failfast::Transition {
            use failfast::TransitionCause as To;
            use $lib::TransitionCause as From;
            failfast::Transition {
                from: state(heard.from),
                to: state(heard.to),
                generation: heard.generation,
                cause: match heard.cause {
                    From::FailureRate { failures, calls } => To::FailureRate { failures, calls },
                    From::SlowRate { slow_calls, calls } => To::SlowRate { slow_calls, calls },
                    From::FailureCount { failures } => To::FailureCount { failures },
                    From::ConsecutiveFailures { failures } => To::ConsecutiveFailures { failures },
                    From::OpenTimeOver => To::OpenTimeOver,
                    From::ProbeFailed => To::ProbeFailed,
                    From::ProbeSlow => To::ProbeSlow,
                    From::ProbesSucceeded { calls, failures } => {
                        To::ProbesSucceeded { calls, failures }
                    }
                    From::ProbesLost { outstanding } => To::ProbesLost { outstanding },
                    From::Control => To::Control,
                    #[allow(unreachable_patterns)] // One of the two libraries is another crate.
                    other => panic!("a cause that the checker does not know: {other:?}"),
                },
                at: heard.at,
            }
        }

        impl $crate::subject::Subject for $subject {
            type Permit<'a> = $lib::Permit<'a, Watch>;

            fn build(settings: &$crate::plan::Settings) -> Self {
                let time = std::sync::Arc::new(<$atomic>::new(0));
                let clock = Watch(std::sync::Arc::clone(&time));
                let breaker = $crate::configure!($lib, settings, clock)
                    .on_transition(|heard| {
                        $notes.with(|notes| notes.borrow_mut().heard.push(transition(heard)));
                    })
                    .build()
                    .expect("settings that fit");
                <Self as $crate::subject::Subject>::take_notes();
                $subject { breaker, time }
            }

            fn acquire(
                &self,
            ) -> Result<Self::Permit<'_>, (failfast::State, Option<std::time::Duration>)> {
                self.breaker
                    .try_acquire()
                    .map_err(|refusal| (state(refusal.state()), refusal.retry_after()))
            }

            fn report(
                permit: Self::Permit<'_>,
                outcome: failfast::Outcome,
                elapsed: Option<std::time::Duration>,
            ) -> failfast::Recorded {
                use failfast::Outcome as Asked;
                let recorded = match (outcome, elapsed) {
                    (Asked::Success, None) => permit.success(),
                    (Asked::Failure, None) => permit.failure(),
                    (Asked::Ignored, _) => permit.ignore(),
                    (Asked::Success, Some(elapsed)) => {
                        permit.record_timed($lib::Outcome::Success, elapsed)
                    }
                    (Asked::Failure, Some(elapsed)) => {
                        permit.record_timed($lib::Outcome::Failure, elapsed)
                    }
                };
                match recorded {
                    $lib::Recorded::Counted => failfast::Recorded::Counted,
                    $lib::Recorded::Stale => failfast::Recorded::Stale,
                }
            }

            fn control(&self, control: $crate::history::Control) {
                use $crate::history::Control;
                match control {
                    Control::Trip => self.breaker.trip(),
                    Control::HalfOpen => self.breaker.half_open(),
                    Control::Reset => self.breaker.reset(),
                    Control::ForceOpen => self.breaker.force_open(),
                    Control::Disable => self.breaker.disable(),
                    Control::MetricsOnly => self.breaker.metrics_only(),
                }
            }

            fn state(&self) -> failfast::State {
                state(self.breaker.state())
            }

            fn snapshot(&self) -> failfast::Snapshot {
                let seen = self.breaker.snapshot();
                failfast::Snapshot {
                    state: state(seen.state),
                    generation: seen.generation,
                    calls: seen.calls,
                    failures: seen.failures,
                    slow_calls: seen.slow_calls,
                    slow_failures: seen.slow_failures,
                    consecutive_failures: seen.consecutive_failures,
                    failure_rate: seen.failure_rate,
                    slow_rate: seen.slow_rate,
                    open_attempt: seen.open_attempt,
                }
            }

            fn advance(&self, by: std::time::Duration) {
                let by = by.as_nanos() as u64;
                self.time.fetch_add(by, std::sync::atomic::Ordering::Relaxed);
            }

            fn take_notes() -> $crate::subject::Notes {
                $notes.with(|notes| std::mem::take(&mut *notes.borrow_mut()))
            }

            fn wall() -> u64 {
                $wall
            }
        }
    };
}

/// A library's builder with the settings made.
#[macro_export]
macro_rules! configure {
    ($lib:tt, $settings:expr, $clock:expr) => {{
        let settings: &$crate::plan::Settings = $settings;
        let mut builder = $lib::CircuitBreaker::builder()
            .clock($clock)
            .window(match settings.window {
                $crate::plan::Window::Count(size) => $lib::Window::count(size),
                $crate::plan::Window::Time(length, buckets) => {
                    $lib::Window::time(length).buckets(buckets)
                }
                $crate::plan::Window::Consecutive(limit) => $lib::Window::consecutive(limit),
            })
            .min_calls(settings.min_calls)
            .open_wait($lib::OpenWait::fixed(settings.wait))
            .half_open(match settings.half_open {
                $crate::plan::HalfOpen::Probes(places) => $lib::HalfOpen::probes(places),
                $crate::plan::HalfOpen::Rate(places) => $lib::HalfOpen::rate(places),
            })
            .probe_timeout(settings.lease)
            .stripes(settings.stripes);
        builder = match settings.failure_rate {
            Some(rate) => builder.failure_rate(rate),
            None => builder.no_failure_rate(),
        };
        if let Some(failures) = settings.failure_count {
            builder = builder.failure_count(failures);
        }
        if let Some(failures) = settings.consecutive_failures {
            builder = builder.consecutive_failures(failures);
        }
        if let Some(rate) = settings.slow_rate {
            builder = builder.slow_call($crate::plan::SLOW, rate);
        }
        builder
    }};
}
