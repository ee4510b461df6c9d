//! From closed to open and back: the five-failures breaker that everybody knows.

use std::cell::Cell;

use failfast::{
    CallError, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, TransitionCause,
    Window,
};

use crate::story::{
    assert_empty, assert_waits, ends, fail, open_and_wait, refused, secs, stage, succeed, takes,
    INSTANT, LATE,
};

#[test]
fn five_failures_in_a_row_open_it() {
    let (breaker, _, journal) = stage(CircuitBreaker::builder().window(Window::consecutive(5)));
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().consecutive_failures, 4);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    let heard = journal.last();
    assert_eq!((heard.from, heard.to), (State::Closed, State::Open));
    assert_eq!(heard.generation, 1);
    assert_eq!(heard.cause, TransitionCause::ConsecutiveFailures { failures: 5 });
}

#[test]
fn a_success_in_between_resets_the_run() {
    let (breaker, _, journal) = stage(CircuitBreaker::builder().window(Window::consecutive(5)));
    fail(&breaker, 4);
    succeed(&breaker, 1);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(journal.len(), 0);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn an_ignored_call_neither_lengthens_nor_breaks_the_run() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().window(Window::consecutive(3)));
    fail(&breaker, 2);
    for _ in 0..10 {
        assert_eq!(ends(&breaker, Outcome::Ignored), Recorded::Counted);
    }
    assert_eq!(breaker.snapshot().consecutive_failures, 2);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_slow_success_breaks_the_run_and_a_slow_failure_lengthens_it() {
    let rules = CircuitBreaker::builder().consecutive_failures(3).slow_call(secs(3), 1.0);
    let (breaker, _, _) = stage(rules);
    fail(&breaker, 2);
    takes(&breaker, Outcome::Success, secs(9));
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    takes(&breaker, Outcome::Failure, secs(9));
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
    takes(&breaker, Outcome::Failure, secs(9));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn while_open_no_call_reaches_the_dependency_and_each_refusal_says_when_to_come_back() {
    let five = CircuitBreaker::builder()
        .window(Window::consecutive(5))
        .open_wait(OpenWait::fixed(secs(30)));
    let (breaker, clock, _) = stage(five);
    let reached = Cell::new(0);
    let dependency = || {
        reached.set(reached.get() + 1);
        Err::<(), _>("down")
    };
    for _ in 0..5 {
        assert_eq!(breaker.call(dependency), Err(CallError::Inner("down")));
    }
    for second in 0..30 {
        let refusal = breaker.call(dependency).unwrap_err();
        let rejected = *refusal.rejected().expect("refused, not called");
        assert_eq!(rejected.state(), State::Open);
        assert_waits(rejected.retry_after(), secs(30 - second));
        clock.advance(secs(1));
    }
    assert_eq!(reached.get(), 5);
}

#[test]
fn coming_back_when_the_refusal_said_is_early_enough() {
    // "acquiring that much later is not refused by this open period" (section 1), asked at any instant of it.
    for asked_at in [0, 1, 1_048_575, 1_048_577, 4_294_967_295] {
        let (breaker, clock, _) =
            stage(CircuitBreaker::builder().open_wait(OpenWait::fixed(secs(5))));
        breaker.trip();
        clock.advance(INSTANT * asked_at);
        let wait = refused(&breaker).retry_after().unwrap();
        clock.advance(wait);
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(breaker.try_acquire().is_ok(), "asked {asked_at} ns in");
    }
}

#[test]
fn the_open_time_is_neither_shorter_nor_much_longer_than_asked_for() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().open_wait(OpenWait::fixed(secs(30))));
    clock.advance(INSTANT * 123_456_789);
    breaker.trip();
    clock.advance(secs(30) - INSTANT);
    assert_eq!(breaker.state(), State::Open);
    refused(&breaker);
    clock.advance(LATE + INSTANT);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn after_the_open_time_one_good_probe_closes() {
    let one = CircuitBreaker::builder().half_open(HalfOpen::probes(1));
    let (breaker, clock, journal) = stage(one);
    open_and_wait(&breaker, &clock);
    let probe = breaker.try_acquire().expect("the probe");
    assert_eq!(refused(&breaker).state(), State::HalfOpen);
    assert_eq!(refused(&breaker).retry_after(), None);
    assert_eq!(probe.success(), Recorded::Counted);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(
        journal.causes()[1..],
        [TransitionCause::OpenTimeOver, TransitionCause::ProbesSucceeded { calls: 1, failures: 0 }]
    );
    journal.assert_without_gaps();
}

#[test]
fn after_the_open_time_one_bad_probe_opens_again() {
    let one = CircuitBreaker::builder()
        .half_open(HalfOpen::probes(1))
        .open_wait(OpenWait::fixed(secs(30)));
    let (breaker, clock, journal) = stage(one);
    open_and_wait(&breaker, &clock);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.last().cause, TransitionCause::ProbeFailed);
    assert_waits(refused(&breaker).retry_after(), secs(30));
}

#[test]
fn failing_probes_wait_longer_when_the_wait_is_exponential() {
    let doubling = CircuitBreaker::builder()
        .window(Window::consecutive(5))
        .open_wait(OpenWait::exponential(secs(1), 2.0, secs(10)))
        .half_open(HalfOpen::probes(1));
    let (breaker, clock, journal) = stage(doubling);
    fail(&breaker, 5);
    for (attempt, asked) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10)] {
        assert_eq!(breaker.snapshot().open_attempt, attempt);
        let wait = refused(&breaker).retry_after();
        assert_waits(wait, secs(asked));
        clock.advance(wait.unwrap());
        fail(&breaker, 1);
    }
    // It closes once, and the next outage starts with the short wait again.
    clock.advance(secs(11));
    succeed(&breaker, 1);
    assert_eq!(breaker.snapshot().open_attempt, 0);
    fail(&breaker, 5);
    assert_waits(refused(&breaker).retry_after(), secs(1));
    journal.assert_without_gaps();
}

#[test]
fn three_good_probes_close_it_and_the_window_is_empty() {
    let three = CircuitBreaker::builder()
        .window(Window::count(10))
        .min_calls(5)
        .half_open(HalfOpen::probes(3));
    let (breaker, clock, journal) = stage(three);
    fail(&breaker, 5);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(secs(31));
    for good in 0..3 {
        assert_eq!(breaker.state(), State::HalfOpen, "after {good} good probes");
        succeed(&breaker, 1);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(journal.last().cause, TransitionCause::ProbesSucceeded { calls: 3, failures: 0 });
    assert_empty(&breaker.snapshot());
    // Neither the old failures nor the probes count now: it takes five calls to judge again.
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_whole_outage_is_told_in_order() {
    let (breaker, clock, journal) = stage(
        CircuitBreaker::builder()
            .window(Window::count(10))
            .min_calls(5)
            .open_wait(OpenWait::fixed(secs(10)))
            .half_open(HalfOpen::probes(2)),
    );
    clock.advance(secs(100));
    succeed(&breaker, 2);
    fail(&breaker, 3);
    clock.advance(secs(11));
    succeed(&breaker, 1);
    clock.advance(secs(1));
    fail(&breaker, 1);
    clock.advance(secs(11));
    succeed(&breaker, 2);
    use State::{Closed, HalfOpen as Half, Open};
    assert_eq!(journal.path(), [Closed, Open, Half, Open, Half, Closed]);
    assert_eq!(
        journal.causes(),
        [
            TransitionCause::FailureRate { failures: 3, calls: 5 },
            TransitionCause::OpenTimeOver,
            TransitionCause::ProbeFailed,
            TransitionCause::OpenTimeOver,
            TransitionCause::ProbesSucceeded { calls: 2, failures: 0 },
        ]
    );
    let at: Vec<_> = journal.entries().iter().map(|entry| entry.at).collect();
    assert_eq!(at, [100, 111, 112, 123, 123].map(secs));
    journal.assert_without_gaps();
}
