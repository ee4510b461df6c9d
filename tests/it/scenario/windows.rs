//! What the windows hold: sliding, ageing, and clocks that misbehave.

use failfast::{CircuitBreaker, Outcome, Recorded, State, Window};

use crate::story::{
    assert_empty, counts, ends, fail, millis, secs, stage, succeed, takes, INSTANT,
};

#[test]
fn a_minute_of_idle_time_forgets() {
    // cockatiel's window never ages in idle time: there the old failures wait for the first new one.
    let (breaker, clock, _) = stage(CircuitBreaker::builder().window(Window::time(secs(10))));
    fail(&breaker, 19);
    clock.advance(secs(60));
    assert_empty(&breaker.snapshot());
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
    fail(&breaker, 18);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_window_is_the_current_bucket_and_the_nine_before_it() {
    // "Bucket k covers [k*d/b, (k+1)*d/b) of the clock's own time" (section 3).
    let (breaker, clock, _) = stage(CircuitBreaker::builder().window(Window::time(secs(10))));
    clock.set(millis(3_700));
    breaker.metrics_only();
    for second in 0..10 {
        fail(&breaker, 1 << second);
        clock.advance(secs(1));
    }
    // It is 13.7 s now: bucket 3 has left, buckets 4 to 12 are in, bucket 13 is empty.
    for second in 1..=10_u32 {
        let left: u64 = (second..10).map(|kept| 1 << kept).sum();
        assert_eq!(counts(&breaker), (left, left, 0, 0));
        clock.set(millis(12_999 + 1_000 * u64::from(second)));
        assert_eq!(counts(&breaker), (left, left, 0, 0), "to the bucket's end");
        clock.advance(millis(1));
    }
    assert_empty(&breaker.snapshot());
}

#[test]
fn buckets_that_do_not_divide_the_window_still_meet_at_exact_instants() {
    // Three buckets of 10 ns: boundaries at 10/3, 20/3, 10, ... so that instants 0-3, 4-6, 7-9 share buckets.
    let thirds =
        CircuitBreaker::builder().window(Window::time(INSTANT * 10).buckets(3)).min_calls(u32::MAX);
    let (breaker, clock, _) = stage(thirds);
    for instant in 0..10 {
        clock.set(INSTANT * instant);
        succeed(&breaker, 1);
    }
    for (instant, left) in [(9, 10), (10, 6), (13, 6), (14, 3), (16, 3), (17, 0)] {
        clock.set(INSTANT * instant);
        assert_eq!(breaker.snapshot().calls, left, "at {instant} ns");
    }
}

#[test]
fn a_window_of_one_bucket_starts_afresh_at_each_boundary() {
    let one = CircuitBreaker::builder()
        .window(Window::time(secs(10)).buckets(1))
        .no_failure_rate()
        .failure_count(2);
    let (breaker, clock, _) = stage(one);
    clock.set(secs(10) - INSTANT);
    fail(&breaker, 1);
    clock.set(secs(10));
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
    clock.set(secs(20) - INSTANT);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_failing_call_longer_than_a_bucket_counts_when_it_ends() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().window(Window::time(secs(10))));
    let permit = breaker.try_acquire().unwrap();
    clock.set(millis(2_500));
    assert_eq!(permit.failure(), Recorded::Counted);
    // "An outcome belongs to the bucket of the instant at which it is recorded" (section 3): bucket 2.
    clock.set(secs(12) - INSTANT);
    assert_eq!(counts(&breaker), (1, 1, 0, 0));
    clock.set(secs(12));
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
}

#[test]
fn failing_calls_longer_than_the_window_open_it_all_the_same() {
    // gobreaker starts a new generation when its interval rolls: there no failure slower than that ever counts.
    let (breaker, clock, journal) = stage(
        CircuitBreaker::builder().window(Window::time(secs(10))).no_failure_rate().failure_count(5),
    );
    clock.advance(secs(7));
    let slow: Vec<_> = (0..5).map(|_| breaker.try_acquire().unwrap()).collect();
    clock.advance(secs(25));
    for permit in slow {
        assert_eq!(breaker.snapshot().generation, 0, "rolling is no change of state");
        assert_eq!(permit.failure(), Recorded::Counted);
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.len(), 1);
}

#[test]
fn elapsed_times_given_by_the_caller_do_not_choose_the_bucket() {
    // "replaces the measured elapsed time; buckets and deadlines still use the clock" (section 1).
    let (breaker, clock, _) =
        stage(CircuitBreaker::builder().window(Window::time(secs(10))).slow_call(secs(1), 1.0));
    clock.set(secs(100));
    takes(&breaker, Outcome::Failure, secs(50));
    assert_eq!(counts(&breaker), (1, 1, 1, 1));
    clock.set(secs(110) - INSTANT);
    assert_eq!(counts(&breaker), (1, 1, 1, 1));
    clock.set(secs(110));
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
}

#[test]
fn a_window_of_one_and_one_probe_survive_many_records() {
    let (breaker, clock, journal) = stage(
        CircuitBreaker::builder()
            .window(Window::count(1))
            .min_calls(1)
            .failure_rate(1.0)
            .half_open(failfast::HalfOpen::probes(1)),
    );
    for round in 0..500_u64 {
        succeed(&breaker, 20);
        assert_eq!(counts(&breaker), (1, 0, 0, 0));
        assert_eq!(ends(&breaker, Outcome::Ignored), Recorded::Counted);
        fail(&breaker, 1);
        assert_eq!(breaker.state(), State::Open);
        clock.advance(secs(31));
        succeed(&breaker, 1);
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(breaker.snapshot().generation, 3 * (round + 1));
    }
    journal.assert_without_gaps();
}

#[test]
fn a_count_window_does_not_age() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().window(Window::count(10)));
    fail(&breaker, 9);
    clock.advance(secs(366 * 24 * 3_600));
    assert_eq!(counts(&breaker), (9, 9, 0, 0));
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn rates_are_shown_from_the_minimum_on_and_only_where_there_is_a_rule() {
    let (breaker, _, _) = stage(
        CircuitBreaker::builder()
            .window(Window::count(8))
            .failure_rate(0.9)
            .slow_call(secs(1), 0.9)
            .min_calls(4),
    );
    fail(&breaker, 1);
    takes(&breaker, Outcome::Success, secs(2));
    succeed(&breaker, 1);
    let below = breaker.snapshot();
    assert_eq!((below.failure_rate, below.slow_rate), (None, None));
    takes(&breaker, Outcome::Success, secs(2));
    let reached = breaker.snapshot();
    assert_eq!(reached.failure_rate, Some(0.25));
    assert_eq!(reached.slow_rate, Some(0.5));
    assert_eq!(reached.consecutive_failures, 0, "no consecutive rule is set");

    let (breaker, _, _) =
        stage(CircuitBreaker::builder().no_failure_rate().failure_count(90).min_calls(1));
    fail(&breaker, 10);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.calls, snapshot.failures), (10, 10));
    assert_eq!((snapshot.failure_rate, snapshot.slow_rate), (None, None));
}

#[test]
fn a_consecutive_window_shows_its_run_and_nothing_else() {
    // "a consecutive window's `calls` and `failures` are 0" (section 3).
    let (breaker, _, _) = stage(CircuitBreaker::builder().window(Window::consecutive(100)));
    succeed(&breaker, 30);
    fail(&breaker, 30);
    let snapshot = breaker.snapshot();
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
    assert_eq!(snapshot.consecutive_failures, 30);
    assert_eq!((snapshot.failure_rate, snapshot.slow_rate), (None, None));
}

// ===== clocks that step back =====

#[test]
fn a_clock_that_steps_back_never_wedges_the_window() {
    let (breaker, clock, _) = stage(
        CircuitBreaker::builder().window(Window::time(secs(10))).no_failure_rate().failure_count(5),
    );
    clock.set(secs(1_000));
    fail(&breaker, 2);
    clock.set(secs(500));
    // What is shown meanwhile is not promised; that reports are taken is.
    for _ in 0..4 {
        assert_eq!(ends(&breaker, Outcome::Success), Recorded::Counted);
    }
    // Time has caught up: the two failures are nine seconds old, and then ten.
    clock.set(secs(1_010) - INSTANT);
    assert_eq!(counts(&breaker).1, 2);
    clock.set(secs(1_010));
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
    fail(&breaker, 5);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_step_back_beyond_the_first_instant_is_survived_in_every_state() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder());
    clock.set(secs(1_000));
    breaker.trip();
    clock.set(secs(0));
    let wait = breaker.try_acquire().unwrap_err().retry_after().unwrap();
    assert!(wait >= secs(1_030), "the deadline has not moved: {wait:?}");
    clock.advance(wait);
    let probe = breaker.try_acquire().expect("caught up");
    clock.set(secs(0));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(probe.success(), Recorded::Counted);
    succeed(&breaker, 2);
    assert_eq!(breaker.state(), State::Closed);
    journal.assert_without_gaps();
}
