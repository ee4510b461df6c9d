//! Events for [`tracing`](https://docs.rs/tracing): what a breaker does, in the words of the program's own log.
//!
//! With the feature `tracing` every breaker tells the subscriber of the thread that it runs on, under the target
//! `failfast`. There is nothing to switch on; a subscriber filters by target and level.
//!
//! | event | level | fields |
//! |---|---|---|
//! | a change into open or forced open | `WARN` | `breaker`, `from`, `to`, `generation`, `cause`, and the numbers that decided |
//! | any other change | `INFO` | the same |
//! | a refused call | `DEBUG` | `breaker`, `state`, `retry_after` |
//!
//! A change is a warning when callers are refused from then on, whoever opened the breaker: a rule, a probe that failed, or
//! a control call. During an outage that is one warning each open time, however many calls are refused.
//!
//! - `breaker` is the name; `from`, `to` and `state` are [`State`](crate::State)s in words, as `half-open`.
//! - `generation` is the one that the change began. It numbers the changes of one breaker without gaps, so that lines
//!   that threads wrote out of order can be put in order.
//! - `cause` is [`TransitionCause::name`](crate::TransitionCause::name). Where a rule or the probes decided, its numbers
//!   follow: `failures`, `slow_calls`, `calls`, `outstanding`.
//! - `retry_after` is there while open only.
//!
//! # When
//!
//! An event is told on the thread whose call made it: a change after it is committed and before the
//! [observers](crate::Builder::on_transition) hear of it, a refusal before `try_acquire` returns it. No step is half done
//! then, so a subscriber may call the breaker; one that makes the same call again from its own event goes round for ever,
//! as it would with any source of events. A subscriber that blocks holds up this call and no other. A subscriber that
//! panics is treated as an observer that does: the panic is caught and dropped, the change or the refusal stands.
//!
//! # What it costs
//!
//! A granted call and its outcome: nothing. A refusal costs some 8 instructions more than without the feature where nobody
//! listens at `DEBUG` (callgrind, November 2026, x86-64): it reads one word that is written only when subscribers come and
//! go. A change asks the subscriber, on the thread that committed it, after the fact.
//!
//! So a refusal is not told to the `log` crate by `tracing`'s feature of that name, which speaks where there is no
//! subscriber; changes are.

use crate::error::Rejected;
use crate::event::Transition;

/// Whether this build has no events.
pub(crate) const IS_OFF: bool = cfg!(not(feature = "tracing"));

#[cfg(not(feature = "tracing"))]
pub(crate) fn changed(_: &str, _: &Transition) {}

#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(_: &str, _: &Rejected) {}

/// Whether anybody may listen to refusals; asked before anything is made ready for them.
#[cfg(not(feature = "tracing"))]
pub(crate) const fn hears_refusals() -> bool {
    false
}

#[cfg(feature = "tracing")]
pub(crate) use self::on::{changed, hears_refusals, refused};

#[cfg(feature = "tracing")]
mod on {
    use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
    use tracing::{event, field, Level};

    use super::{Rejected, Transition};
    use crate::event::{contain, TransitionCause};
    use crate::phase::State;

    /// What subscribers filter by.
    const TARGET: &str = "failfast";

    /// One event with everything about a change; a macro, since the level is a part of what `tracing` knows of the place.
    macro_rules! tell_change {
        ($level:expr, $message:literal, $breaker:ident, $transition:ident) => {{
            let Numbers { failures, slow_calls, calls, outstanding } =
                Numbers::of($transition.cause);
            event!(
                target: TARGET,
                $level,
                breaker = $breaker,
                from = %$transition.from,
                to = %$transition.to,
                generation = $transition.generation,
                cause = $transition.cause.name(),
                failures,
                slow_calls,
                calls,
                outstanding,
                $message
            );
        }};
    }

    /// Tells of a committed change.
    pub(crate) fn changed(breaker: &str, transition: &Transition) {
        contain(|| match transition.to {
            State::Open | State::ForcedOpen => {
                tell_change!(Level::WARN, "circuit breaker opened", breaker, transition);
            }
            _ => tell_change!(Level::INFO, "circuit breaker changed", breaker, transition),
        });
    }

    /// What the event asks first.
    #[inline]
    pub(crate) fn hears_refusals() -> bool {
        Level::DEBUG <= STATIC_MAX_LEVEL && Level::DEBUG <= LevelFilter::current()
    }

    /// Tells of a refusal.
    pub(crate) fn refused(breaker: &str, rejected: &Rejected) {
        contain(|| {
            event!(
                target: TARGET,
                Level::DEBUG,
                breaker,
                state = %rejected.state(),
                retry_after = rejected.retry_after().map(field::debug),
                "call refused"
            );
        });
    }

    /// The numbers that decided, as far as the cause has them; a field that is `None` is left out.
    #[derive(Default)]
    struct Numbers {
        failures: Option<u64>,
        slow_calls: Option<u64>,
        calls: Option<u64>,
        outstanding: Option<u64>,
    }

    impl Numbers {
        fn of(cause: TransitionCause) -> Self {
            let none = Numbers::default();
            match cause {
                TransitionCause::FailureRate { failures, calls }
                | TransitionCause::ProbesSucceeded { failures, calls } => {
                    Numbers { failures: Some(failures), calls: Some(calls), ..none }
                }
                TransitionCause::SlowRate { slow_calls, calls } => {
                    Numbers { slow_calls: Some(slow_calls), calls: Some(calls), ..none }
                }
                TransitionCause::FailureCount { failures }
                | TransitionCause::ConsecutiveFailures { failures } => {
                    Numbers { failures: Some(failures), ..none }
                }
                TransitionCause::ProbesLost { outstanding } => {
                    Numbers { outstanding: Some(outstanding), ..none }
                }
                TransitionCause::OpenTimeOver
                | TransitionCause::ProbeFailed
                | TransitionCause::ProbeSlow
                | TransitionCause::Control
                | TransitionCause::Reconfigured => none,
            }
        }
    }
}
