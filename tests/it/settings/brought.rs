//! The settings that people bring along from the breaker they used before, each with the arithmetic that they know.

use failfast::{
    Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, State, TransitionCause, Window,
};

use crate::story::{
    assert_waits, fail, refused, secs, stage, succeed, takes, Breaker, INSTANT, LATE,
};

/// `failures` of `calls` in a row, successes first.
#[track_caller]
fn play(breaker: &Breaker, calls: u32, failures: u32) {
    succeed(breaker, calls - failures);
    fail(breaker, failures);
}

#[track_caller]
fn brought(builder: Builder) -> (Breaker, failfast::clock::ManualClock, crate::story::Journal) {
    let (breaker, clock, journal) = stage(builder);
    assert!(breaker.warnings().is_empty(), "{:?}", breaker.warnings());
    (breaker, clock, journal)
}

#[test]
fn hystrix() {
    // 50 % of at least 20 calls in 10 s, then 5 s, one probe.
    let (breaker, clock, _) = brought(
        CircuitBreaker::builder()
            .window(Window::time(secs(10)))
            .failure_rate(0.5)
            .min_calls(20)
            .open_wait(OpenWait::fixed(secs(5)))
            .half_open(HalfOpen::probes(1)),
    );
    play(&breaker, 19, 19);
    assert_eq!(breaker.state(), State::Closed, "19 requests are too few");
    clock.advance(secs(10));
    play(&breaker, 19, 9);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    assert_waits(refused(&breaker).retry_after(), secs(5));
    clock.advance(secs(5) + LATE);
    let probe = breaker.try_acquire().expect("the single test request");
    refused(&breaker);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn an_api_gateway() {
    // 50 % of at least 100 requests, then 30 s.
    let (breaker, clock, _) = brought(
        CircuitBreaker::builder()
            .window(Window::count(100))
            .failure_rate(0.5)
            .min_calls(100)
            .open_wait(OpenWait::fixed(secs(30))),
    );
    fail(&breaker, 99);
    assert_eq!(breaker.state(), State::Closed, "99 requests are too few");
    breaker.reset();
    play(&breaker, 1_000, 49);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    assert_waits(refused(&breaker).retry_after(), secs(30));
    clock.advance(secs(31));
    succeed(&breaker, 3);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn pybreaker() {
    // 5 in a row, then 60 s, one probe.
    let (breaker, clock, _) = brought(
        CircuitBreaker::builder()
            .window(Window::consecutive(5))
            .open_wait(OpenWait::fixed(secs(60)))
            .half_open(HalfOpen::probes(1)),
    );
    fail(&breaker, 4);
    succeed(&breaker, 1);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_waits(refused(&breaker).retry_after(), secs(60));
    clock.advance(secs(60) + LATE);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open, "the trial call failed");
    clock.advance(secs(60) + LATE);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn gobreaker() {
    // More than 5 in a row: the sixth opens. 3 probes, 30 s.
    let (breaker, clock, _) = brought(
        CircuitBreaker::builder()
            .window(Window::consecutive(6))
            .open_wait(OpenWait::fixed(secs(30)))
            .half_open(HalfOpen::probes(3)),
    );
    fail(&breaker, 5);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(secs(30) + LATE);
    let probes: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    refused(&breaker);
    for probe in probes {
        assert_eq!(breaker.state(), State::HalfOpen);
        probe.success();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn resilience4j() {
    // Its defaults: 50 % of the last 100 once all 100 are in, slow above 60 s at 100 %, 60 s open, ten probes by rate.
    let (breaker, clock, journal) = brought(
        CircuitBreaker::builder()
            .window(Window::count(100))
            .failure_rate(0.5)
            .slow_call(secs(60), 1.0)
            .min_calls(100)
            .open_wait(OpenWait::fixed(secs(60)))
            .half_open(HalfOpen::rate(10)),
    );
    fail(&breaker, 99);
    assert_eq!(breaker.state(), State::Closed);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Open, "99 of 100");
    clock.advance(secs(60) + LATE);
    play(&breaker, 10, 4);
    assert_eq!(breaker.state(), State::Closed, "4 of 10 probes failed");

    for _ in 0..100 {
        assert_eq!(breaker.state(), State::Closed);
        takes(&breaker, Outcome::Success, secs(60) + INSTANT);
    }
    assert_eq!(journal.last().cause, TransitionCause::SlowRate { slow_calls: 100, calls: 100 });
    clock.advance(secs(60) + LATE);
    play(&breaker, 10, 5);
    assert_eq!(breaker.state(), State::Open, "5 of 10 probes failed");
}

#[test]
fn polly() {
    // 10 % of at least 100 in 30 s, then 5 s, one probe.
    let (breaker, clock, journal) = brought(
        CircuitBreaker::builder()
            .window(Window::time(secs(30)))
            .failure_rate(0.1)
            .min_calls(100)
            .open_wait(OpenWait::fixed(secs(5)))
            .half_open(HalfOpen::probes(1)),
    );
    play(&breaker, 99, 10);
    assert_eq!(breaker.state(), State::Closed, "99 calls are too few");
    clock.advance(secs(30));
    play(&breaker, 99, 9);
    fail(&breaker, 1);
    assert_eq!(journal.last().cause, TransitionCause::FailureRate { failures: 10, calls: 100 });
    assert_waits(refused(&breaker).retry_after(), secs(5));
    clock.advance(secs(5) + LATE);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
}
