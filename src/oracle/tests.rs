//! The contract's sentences, each with numbers worked out by hand.

use core::time::Duration;

use super::{bucket_at, reached, Oracle, OraclePermit};
use crate::breaker::{Builder, CircuitBreaker, HalfOpen, OpenWait, Window};
use crate::clock::ManualClock;
use crate::event::TransitionCause;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;

const TICK: Duration = Duration::from_nanos(1 << 20);
const LEASE: Duration = Duration::from_secs(1);

/// An oracle over a count window of 4 that trips at half failures of at least 2 calls.
fn oracle(
    set: impl FnOnce(Builder<ManualClock>) -> Builder<ManualClock>,
) -> (Oracle<ManualClock>, ManualClock) {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder()
        .clock(clock.clone())
        .window(Window::count(4))
        .min_calls(2)
        .open_wait(OpenWait::fixed(TICK))
        .half_open(HalfOpen::probes(2))
        .probe_timeout(LEASE);
    let oracle = set(builder).build_oracle().expect("allowed settings");
    (oracle, clock)
}

fn permit(oracle: &Oracle<ManualClock>) -> OraclePermit {
    oracle.try_acquire().expect("granted")
}

fn report(oracle: &Oracle<ManualClock>, outcome: Outcome) -> Recorded {
    oracle.record(permit(oracle), outcome)
}

fn causes(oracle: &Oracle<ManualClock>) -> Vec<TransitionCause> {
    let transitions = oracle.take_transitions();
    transitions.into_iter().map(|t| t.cause).collect()
}

#[test]
fn two_failures_of_five_reach_two_fifths() {
    assert!(reached(2, 5, 400_000));
    assert!(!reached(2, 5, 400_001));
    assert!(!reached(0, 0, 1), "no calls reach no rate");
    assert!(!reached(5, 5, 0), "a rule that is off is never reached");
}

#[test]
fn buckets_begin_at_the_first_nanosecond_not_before_their_rational_bound() {
    // 7 ns in 3 buckets: [0, 7/3), [7/3, 14/3), [14/3, 7), ...
    let numbers: Vec<u64> = (0..8).map(|now| bucket_at(now, 7, 3)).collect();
    assert_eq!(numbers, [0, 0, 0, 1, 1, 2, 2, 3]);
    assert_eq!(bucket_at(u64::MAX, 1_024, 1_024), u64::MAX - 1);
}

#[test]
fn the_failure_rate_trips_at_its_minimum_of_calls_and_by_a_success_too() {
    let (oracle, _) = oracle(|b| b);
    report(&oracle, Outcome::Failure);
    report(&oracle, Outcome::Ignored);
    assert_eq!(oracle.state(), State::Closed);
    assert_eq!(oracle.snapshot().failure_rate, None);
    report(&oracle, Outcome::Success);
    assert_eq!(oracle.state(), State::Open);
    let cause = TransitionCause::FailureRate { failures: 1, calls: 2 };
    assert_eq!(causes(&oracle), [cause]);
}

#[test]
fn a_count_window_holds_the_last_outcomes_and_no_more() {
    let (oracle, _) = oracle(|b| b.no_failure_rate().failure_count(2));
    let outcomes = "FSSSFSSF".chars().map(|c| match c {
        'F' => Outcome::Failure,
        _ => Outcome::Success,
    });
    let failures: Vec<u64> = outcomes
        .map(|outcome| {
            report(&oracle, outcome);
            oracle.snapshot().failures
        })
        .collect();
    // The last failure meets one of the three calls before it, so the second rule trips and the window empties.
    assert_eq!(failures, [1, 1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(causes(&oracle), [TransitionCause::FailureCount { failures: 2 }]);
}

#[test]
fn a_time_window_forgets_what_is_a_window_old_and_survives_a_clock_that_steps_back() {
    let settings = |b: Builder<ManualClock>| {
        b.window(Window::time(Duration::from_nanos(7)).buckets(3)).min_calls(100)
    };
    let (oracle, clock) = oracle(settings);
    report(&oracle, Outcome::Failure); // bucket 0
    clock.set(Duration::from_nanos(6)); // bucket 2
    assert_eq!(oracle.snapshot().failures, 1);
    clock.set(Duration::from_nanos(7)); // bucket 3, in the slot of bucket 0
    assert_eq!(oracle.snapshot().failures, 0);
    report(&oracle, Outcome::Failure);
    clock.set(Duration::ZERO);
    assert_eq!(report(&oracle, Outcome::Failure), Recorded::Counted);
    assert_eq!(oracle.snapshot().calls, 0, "a newer bucket holds the slot");
    clock.set(Duration::from_nanos(7));
    assert_eq!(oracle.snapshot().calls, 1, "right again");
}

#[test]
fn an_open_time_ends_on_a_tick_and_the_first_acquire_after_it_is_a_probe() {
    let (oracle, clock) = oracle(|b| b.open_wait(OpenWait::fixed(Duration::from_nanos(1))));
    clock.advance(TICK);
    oracle.trip();
    let rejected = oracle.try_acquire().unwrap_err();
    assert_eq!(rejected.retry_after(), Some(TICK));
    clock.advance(TICK - Duration::from_nanos(1));
    assert_eq!(oracle.state(), State::Open);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(oracle.state(), State::HalfOpen);
    assert_eq!(oracle.snapshot().generation, 1, "nobody has committed it");
    permit(&oracle);
    assert_eq!(causes(&oracle), [TransitionCause::Control, TransitionCause::OpenTimeOver]);
}

#[test]
fn probes_are_granted_exactly_and_a_place_comes_back() {
    let (oracle, _) = oracle(|b| b);
    oracle.half_open();
    let first = permit(&oracle);
    let second = permit(&oracle);
    assert_eq!(oracle.try_acquire().unwrap_err().state(), State::HalfOpen);
    assert_eq!(oracle.record(first, Outcome::Ignored), Recorded::Counted);
    let third = permit(&oracle);
    oracle.record(second, Outcome::Success);
    assert_eq!(oracle.snapshot().calls, 1);
    oracle.record(third, Outcome::Success);
    assert_eq!(oracle.state(), State::Closed);
}

#[test]
fn a_failed_or_slow_probe_opens_again_and_its_sibling_is_stale() {
    let (oracle, clock) = oracle(|b| b.slow_call(Duration::from_nanos(10), 1.0));
    oracle.half_open();
    let (first, second) = (permit(&oracle), permit(&oracle));
    clock.advance(Duration::from_nanos(11));
    oracle.record(first, Outcome::Success);
    assert_eq!(oracle.record(second, Outcome::Success), Recorded::Stale);
    oracle.half_open();
    oracle.record_timed(permit(&oracle), Outcome::Failure, Duration::MAX);
    assert_eq!(
        causes(&oracle)[1..],
        [TransitionCause::ProbeSlow, TransitionCause::Control, TransitionCause::ProbeFailed]
    );
    assert_eq!(oracle.snapshot().open_attempt, 2);
}

#[test]
fn rate_probes_decide_at_the_smaller_of_minimum_and_places() {
    let (oracle, _) = oracle(|b| b.half_open(HalfOpen::rate(5)));
    oracle.half_open();
    let permits: Vec<_> = (0..5).map(|_| permit(&oracle)).collect();
    oracle.record(permits[0], Outcome::Success);
    assert_eq!(oracle.snapshot().calls, 1);
    oracle.record(permits[1], Outcome::Failure);
    let rate = TransitionCause::FailureRate { failures: 1, calls: 2 };
    assert_eq!(causes(&oracle), [TransitionCause::Control, rate]);
    assert_eq!(oracle.record(permits[2], Outcome::Success), Recorded::Stale);
}

#[test]
fn lost_probes_fail_at_the_end_of_their_lease() {
    let (oracle, clock) = oracle(|b| b);
    oracle.half_open();
    let lost = permit(&oracle);
    clock.advance(LEASE - Duration::from_nanos(1));
    assert_eq!(oracle.state(), State::HalfOpen);
    clock.advance(Duration::from_nanos(1));
    let shown = oracle.snapshot();
    assert_eq!((shown.state, shown.open_attempt), (State::Open, 1));
    assert_eq!(shown.generation, 1, "nobody has committed it");
    clock.advance(LEASE);
    assert_eq!(oracle.state(), State::HalfOpen, "the open time is over too");
    assert_eq!(oracle.record(lost, Outcome::Success), Recorded::Stale);
    let transitions = oracle.take_transitions();
    assert_eq!(transitions[1].cause, TransitionCause::ProbesLost { outstanding: 1 });
    assert_eq!(transitions[1].at, LEASE);
    permit(&oracle);
    assert_eq!(oracle.snapshot().generation, 3);
}

#[test]
fn disabled_counts_nothing_and_metrics_only_never_trips() {
    let (oracle, _) = oracle(|b| b.consecutive_failures(3));
    oracle.disable();
    assert_eq!(report(&oracle, Outcome::Failure), Recorded::Counted);
    assert_eq!(oracle.snapshot().calls, 0);
    oracle.metrics_only();
    for _ in 0..5 {
        report(&oracle, Outcome::Failure);
    }
    let seen = oracle.snapshot();
    assert_eq!((seen.calls, seen.consecutive_failures), (4, 5));
    assert_eq!(seen.failure_rate, Some(1.0));
    oracle.force_open();
    assert_eq!(oracle.try_acquire().unwrap_err().retry_after(), None);
    oracle.reset();
    assert_eq!(oracle.state(), State::Closed);
}
