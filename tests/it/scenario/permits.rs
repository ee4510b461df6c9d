//! Permits that are not simply recorded: dropped, dropped in a panic, carried to another thread.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use failfast::{
    CallError, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, TransitionCause,
};
use rayon::prelude::*;

use crate::story::{counts, fail, open_and_wait, refused, secs, stage, succeed};

/// Runs `f`, which panics on purpose, and gives its message back.
fn panics<T>(f: impl FnOnce() -> T) -> String {
    let payload = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => unreachable!("it was to panic"),
        Err(payload) => payload,
    };
    (*payload.downcast_ref::<&str>().expect("a literal message")).to_owned()
}

#[test]
fn a_dropped_permit_is_an_ignored_call() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().consecutive_failures(2));
    fail(&breaker, 1);
    drop(breaker.try_acquire());
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
    assert_eq!(breaker.snapshot().consecutive_failures, 1);
}

#[test]
fn a_permit_dropped_in_a_panic_is_a_failed_call() {
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    let message = panics(|| {
        let _permit = breaker.try_acquire();
        panic!("the call went wrong");
    });
    assert_eq!(message, "the call went wrong");
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
}

#[test]
fn an_owned_permit_ends_like_a_borrowed_one() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().slow_call(secs(1), 1.0));
    let breaker = Arc::new(breaker);
    let owned = || breaker.try_acquire_owned().expect("granted");
    assert_eq!(owned().success(), Recorded::Counted);
    assert_eq!(owned().failure(), Recorded::Counted);
    assert_eq!(owned().ignore(), Recorded::Counted);
    assert_eq!(owned().record(Outcome::Failure), Recorded::Counted);
    assert_eq!(owned().record_timed(Outcome::Failure, secs(2)), Recorded::Counted);
    drop(owned());
    assert_eq!(counts(&breaker), (4, 3, 1, 1));
    panics(|| {
        let _permit = owned();
        panic!("in its hands");
    });
    assert_eq!(counts(&breaker), (5, 4, 1, 1));
    let late = owned();
    breaker.force_open();
    assert_eq!(late.failure(), Recorded::Stale);
    assert_eq!(breaker.try_acquire_owned().unwrap_err().state(), State::ForcedOpen);
}

#[test]
fn an_owned_permit_keeps_its_breaker_alive() {
    let (breaker, _, journal) = stage(CircuitBreaker::builder().consecutive_failures(1));
    let breaker = Arc::new(breaker);
    let permit = breaker.try_acquire_owned().unwrap();
    drop(breaker);
    assert_eq!(permit.failure(), Recorded::Counted);
    assert_eq!(journal.len(), 1);
}

#[test]
fn an_owned_permit_is_recorded_on_another_thread() {
    let (breaker, _, journal) = stage(CircuitBreaker::builder().consecutive_failures(3));
    let breaker = Arc::new(breaker);
    for _ in 0..3 {
        let permit = breaker.try_acquire_owned().unwrap();
        let recorded = thread::spawn(move || permit.failure()).join().unwrap();
        assert_eq!(recorded, Recorded::Counted);
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.len(), 1);
}

#[test]
fn a_borrowed_permit_may_be_recorded_on_another_thread_too() {
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    let permit = breaker.try_acquire().unwrap();
    thread::scope(|scope| scope.spawn(|| permit.failure()).join().unwrap());
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
}

#[test]
fn a_pool_records_what_the_front_thread_was_granted() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().min_calls(100));
    let breaker = Arc::new(breaker);
    let permits: Vec<_> = (0..90).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("four threads");
    let counted = pool.install(|| {
        permits
            .into_par_iter()
            .enumerate()
            .map(|(call, permit)| match call % 3 {
                0 => permit.failure(),
                _ => permit.success(),
            })
            .filter(|recorded| *recorded == Recorded::Counted)
            .count()
    });
    assert_eq!(counted, 90);
    assert_eq!(counts(&breaker), (90, 30, 0, 0));
}

#[test]
fn a_pool_of_probes_closes_the_breaker() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(4)));
    let breaker = Arc::new(breaker);
    open_and_wait(&breaker, &clock);
    let probes: Vec<_> = (0..4).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    refused(&breaker);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("four threads");
    pool.scope(|scope| {
        for probe in probes {
            scope.spawn(move |_| {
                probe.success();
            });
        }
    });
    assert_eq!(breaker.state(), State::Closed);
}

// ===== guarded calls =====

#[test]
fn a_guarded_call_gives_back_what_the_call_gave() {
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    assert_eq!(breaker.call(|| Ok::<_, ()>(7)), Ok(7));
    assert_eq!(breaker.call(|| Err::<(), _>("no")), Err(CallError::Inner("no")));
    assert_eq!(counts(&breaker), (2, 1, 0, 0));
    breaker.force_open();
    let refusal = breaker.call(|| Ok::<_, ()>(7)).unwrap_err();
    assert_eq!(refusal.rejected().unwrap().state(), State::ForcedOpen);
}

#[test]
fn a_classifier_decides_what_counts_as_failed() {
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    let classify = |result: &Result<u16, u16>| match result {
        Ok(code) if *code < 500 => Outcome::Success,
        Err(404) => Outcome::Ignored,
        _ => Outcome::Failure,
    };
    assert_eq!(breaker.call_with(classify, || Ok(200)), Ok(200));
    assert_eq!(breaker.call_with(classify, || Ok(503)), Ok(503));
    assert_eq!(breaker.call_with(classify, || Err(404)), Err(CallError::Inner(404)));
    assert_eq!(counts(&breaker), (2, 1, 0, 0));
}

#[test]
fn a_guarded_call_is_timed_where_slowness_counts() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().slow_call(secs(1), 1.0));
    breaker
        .call(|| {
            clock.advance(secs(2));
            Ok::<_, ()>(())
        })
        .unwrap();
    assert_eq!(counts(&breaker), (1, 0, 1, 0));
}

#[test]
fn a_panicking_call_counts_as_failed_and_the_panic_goes_on() {
    // Section 6, last sentence.
    let (breaker, _, _) = stage(CircuitBreaker::builder().consecutive_failures(2));
    let boom = || breaker.call(|| -> Result<(), ()> { panic!("boom") });
    assert_eq!(panics(boom), "boom");
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
    assert_eq!(panics(boom), "boom");
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_panicking_classifier_counts_as_failed_and_leaks_no_place() {
    let (breaker, clock, journal) = stage(
        CircuitBreaker::builder()
            .half_open(HalfOpen::probes(1))
            .open_wait(OpenWait::fixed(secs(30))),
    );
    for _ in 0..3 {
        open_and_wait(&breaker, &clock);
        let message = panics(|| breaker.call_with(|_| panic!("undecided"), || Ok::<_, ()>(())));
        assert_eq!(message, "undecided");
        assert_eq!(journal.last().cause, TransitionCause::ProbeFailed);
        clock.advance(secs(31));
        succeed(&breaker, 1);
        assert_eq!(breaker.state(), State::Closed);
    }
    panics(|| breaker.call_with(|_| panic!("undecided"), || Ok::<_, ()>(())));
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
}

#[test]
fn a_panicking_call_in_half_open_opens_and_holds_no_place() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder());
    open_and_wait(&breaker, &clock);
    panics(|| breaker.call(|| -> Result<(), ()> { panic!("still down") }));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.last().cause, TransitionCause::ProbeFailed);
    clock.advance(secs(31));
    let places: Vec<_> = (0..10).filter_map(|_| breaker.try_acquire().ok()).collect();
    assert_eq!(places.len(), 3);
}
