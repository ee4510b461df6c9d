//! What must not change unnoticed: auto traits, sizes, must-use, the one type parameter, the signatures.
//!
//! Most of it is checked by the compiler: the functions need only exist.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use failfast::clock::{Clock, DefaultClock, ManualClock};
use failfast::{
    Builder, CallError, CircuitBreaker, ConfigError, HalfOpen, OpenWait, Outcome, OwnedPermit,
    Permit, Recorded, Rejected, Snapshot, State, Transition, TransitionCause, Window,
};

use crate::story::Breaker;

// ===== auto traits =====

fn send<T: Send>() {}
fn send_sync<T: Send + Sync>() {}
fn shared_for_ever<T: Send + Sync + 'static>() {}
fn plain<T: Copy + Eq + Debug + Hash + Send + Sync + 'static>() {}
fn value<T: Clone + Debug + Send + Sync + 'static>() {}
fn setting<T: Copy + Debug + Send + Sync + 'static>() {}
fn error<T: Error + Display + Send + Sync + 'static>() {}

fn any_clock<C: Clock>() {
    shared_for_ever::<CircuitBreaker<C>>();
    send::<Permit<'_, C>>();
    send::<OwnedPermit<C>>();
}

#[test]
fn auto_traits() {
    any_clock::<DefaultClock>();
    any_clock::<ManualClock>();
    any_clock::<Arc<ManualClock>>();
    // To hand it to a pool thread: `Send + 'static`.
    fn to_a_pool_thread<T: Send + 'static>() {}
    to_a_pool_thread::<OwnedPermit>();
    plain::<State>();
    plain::<Outcome>();
    plain::<Recorded>();
    setting::<Window>();
    setting::<HalfOpen>();
    setting::<OpenWait>();
    value::<Snapshot>();
    value::<Transition>();
    setting::<TransitionCause>();
    error::<ConfigError>();
    error::<Rejected>();
    error::<CallError<std::io::Error>>();
    send_sync::<ManualClock>();
}

// ===== one type parameter, and users need not name it =====

struct Service {
    breaker: CircuitBreaker,
    shared: Arc<CircuitBreaker>,
}

fn borrowed(service: &Service) -> Option<Permit<'_>> {
    service.breaker.try_acquire().ok()
}

fn owned(service: &Service) -> Option<OwnedPermit> {
    service.shared.try_acquire_owned().ok()
}

#[test]
fn users_write_circuit_breaker_and_nothing_more() {
    let service = Service {
        breaker: CircuitBreaker::builder().build().unwrap(),
        shared: Arc::new(CircuitBreaker::builder().build().unwrap()),
    };
    assert!(borrowed(&service).is_some());
    assert!(owned(&service).is_some());
}

#[test]
fn there_is_exactly_one_type_parameter() {
    // A second one, defaulted, would compile everywhere and show only here.
    for name in [
        std::any::type_name::<CircuitBreaker<ManualClock>>(),
        std::any::type_name::<Permit<'static, ManualClock>>(),
        std::any::type_name::<OwnedPermit<ManualClock>>(),
    ] {
        let parameters = name.split_once('<').expect("it has parameters").1;
        let types = parameters
            .trim_end_matches('>')
            .split(',')
            .filter(|parameter| !parameter.trim_start().starts_with('\''));
        assert_eq!(types.count(), 1, "{name}");
    }
}

// ===== sizes =====

#[test]
fn sizes_stay_small() {
    // Loose on purpose: a permit is a reference, a generation and at most an instant; a refusal a state and a time.
    assert!(size_of::<Permit<'_>>() <= 40);
    assert!(size_of::<OwnedPermit>() <= 40);
    assert!(size_of::<Rejected>() <= 16);
    assert!(size_of::<Result<Permit<'_>, Rejected>>() <= 48);
    assert_eq!(size_of::<Permit<'_>>(), size_of::<Permit<'_, ManualClock>>());
    for small in [size_of::<State>(), size_of::<Outcome>(), size_of::<Recorded>()] {
        assert_eq!(small, 1);
    }
}

// ===== must use: each expectation fails to compile where the lint is silent =====

#[deny(unfulfilled_lint_expectations)]
mod must_use {
    use super::{Arc, Breaker, Builder, CircuitBreaker, OpenWait, Window};

    #[expect(unused_must_use, reason = "a dropped permit is an ignored call")]
    pub(super) fn permit(breaker: &Breaker) {
        breaker.try_acquire().expect("closed");
    }

    #[expect(unused_must_use, reason = "a dropped permit is an ignored call")]
    pub(super) fn owned_permit(breaker: &Arc<Breaker>) {
        breaker.try_acquire_owned().expect("closed");
    }

    #[expect(unused_must_use, reason = "a refusal is not to be overlooked")]
    pub(super) fn acquire(breaker: &Breaker) {
        breaker.try_acquire();
    }

    #[expect(unused_must_use, reason = "a builder does nothing until `build`")]
    pub(super) fn builder(builder: Builder) {
        builder.min_calls(3);
    }

    #[expect(unused_must_use, reason = "the setting is the return value")]
    pub(super) fn settings() {
        Window::time(super::Duration::from_secs(1)).buckets(3);
        OpenWait::fixed(super::Duration::from_secs(1)).jitter(0.1);
    }

    /// What became of a report is nobody's duty to look at.
    #[deny(unused_must_use)]
    pub(super) fn report(breaker: &Breaker) {
        for permit in [breaker.try_acquire(), breaker.try_acquire()] {
            permit.expect("closed").success();
        }
    }

    pub(super) fn builder_of_nothing() -> Builder {
        CircuitBreaker::builder()
    }
}

#[test]
fn permits_and_builders_must_be_used_and_reports_need_not() {
    let breaker = must_use::builder_of_nothing().clock(ManualClock::new()).build().unwrap();
    let breaker = Arc::new(breaker);
    must_use::permit(&breaker);
    must_use::owned_permit(&breaker);
    must_use::acquire(&breaker);
    must_use::builder(CircuitBreaker::builder());
    must_use::settings();
    must_use::report(&breaker);
    assert_eq!(breaker.snapshot().calls, 2);
}

// ===== signatures and public fields =====

#[test]
fn signatures_are_those_of_the_contract() {
    let _: fn(&Breaker) -> Result<Permit<'_, ManualClock>, Rejected> = Breaker::try_acquire;
    let _: fn(&Arc<Breaker>) -> Result<OwnedPermit<ManualClock>, Rejected> =
        Breaker::try_acquire_owned;
    let _: fn(&Breaker) -> State = Breaker::state;
    let _: fn(&Breaker) -> Snapshot = Breaker::snapshot;
    let _: [fn(&Breaker); 6] = [
        Breaker::trip,
        Breaker::half_open,
        Breaker::reset,
        Breaker::force_open,
        Breaker::disable,
        Breaker::metrics_only,
    ];
    let _: fn(Permit<'static, ManualClock>, Outcome, Duration) -> Recorded = Permit::record_timed;
    let _: fn(OwnedPermit, Outcome, Duration) -> Recorded = OwnedPermit::record_timed;
    let _: fn(&Rejected) -> Option<Duration> = Rejected::retry_after;
    let _: fn(&Rejected) -> State = Rejected::state;
    let _: fn() -> Builder = CircuitBreaker::builder;
    let _: fn(Builder) -> Result<CircuitBreaker, ConfigError> = Builder::build;
    let _: fn(u32) -> Window = Window::count;
    let _: fn(Duration) -> Window = Window::time;
    let _: fn(u32) -> Window = Window::consecutive;
    let _: fn(u32) -> HalfOpen = HalfOpen::probes;
    let _: fn(u32) -> HalfOpen = HalfOpen::rate;
    let _: fn(Duration) -> OpenWait = OpenWait::fixed;
    let _: fn(Duration, f64, Duration) -> OpenWait = OpenWait::exponential;
}

/// A user's clock needs one method.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn a_clock_needs_one_method() {
    let breaker = CircuitBreaker::builder().clock(Stopped).build().unwrap();
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn snapshots_and_transitions_have_public_fields() {
    fn read(snapshot: Snapshot, transition: Transition) {
        let Snapshot {
            state: _,
            generation,
            calls,
            failures,
            slow_calls,
            slow_failures,
            consecutive_failures,
            failure_rate,
            slow_rate,
            open_attempt,
            ..
        } = snapshot;
        let _: [u64; 6] =
            [generation, calls, failures, slow_calls, slow_failures, consecutive_failures];
        let _: [Option<f64>; 2] = [failure_rate, slow_rate];
        let _: u32 = open_attempt;
        let Transition { from, to, generation, cause: _, at, .. } = transition;
        let _: ([State; 2], u64, Duration) = ([from, to], generation, at);
    }
    let _: fn(Snapshot, Transition) = read;
}
