//! Late outcomes: a permit belongs to the generation in which it was granted, and its outcome counts there or nowhere.

use failfast::{CircuitBreaker, HalfOpen, Outcome, Permit, Recorded, State};

use crate::story::{counts, fail, secs, stage, succeed, takes, CONTROLS};

const GRANTING: [State; 4] = [State::Closed, State::HalfOpen, State::Disabled, State::MetricsOnly];

/// Every way in which a permit can end that reports its fate.
fn every_ending() -> [fn(Permit<'_, failfast::clock::ManualClock>) -> Recorded; 7] {
    [
        |permit| permit.success(),
        |permit| permit.failure(),
        |permit| permit.ignore(),
        |permit| permit.record(Outcome::Success),
        |permit| permit.record(Outcome::Failure),
        |permit| permit.record_timed(Outcome::Success, secs(1_000)),
        |permit| permit.record_timed(Outcome::Failure, secs(1_000)),
    ]
}

#[test]
fn late_outcomes_from_every_earlier_state_are_stale_and_change_nothing() {
    for (from, enter) in CONTROLS {
        if !GRANTING.contains(&from) {
            continue;
        }
        for (to, control) in CONTROLS {
            let (breaker, clock, journal) = stage(
                CircuitBreaker::builder()
                    .consecutive_failures(2)
                    .slow_call(secs(1), 0.5)
                    .min_calls(2)
                    .half_open(HalfOpen::rate(8)),
            );
            enter(&breaker);
            let permits: Vec<_> = (0..8).map(|_| breaker.try_acquire().unwrap()).collect();
            clock.advance(secs(5));
            control(&breaker);
            if matches!(to, State::Closed | State::HalfOpen | State::MetricsOnly) {
                takes(&breaker, Outcome::Failure, secs(0));
            }
            let (before, heard) = (breaker.snapshot(), journal.len());
            let mut permits = permits.into_iter();
            for (end, permit) in every_ending().into_iter().zip(permits.by_ref()) {
                assert_eq!(end(permit), Recorded::Stale, "{from} -> {to}");
            }
            drop(permits.next());
            assert_eq!(breaker.snapshot(), before, "{from} -> {to}");
            assert_eq!(journal.len(), heard, "{from} -> {to}");
            assert_eq!(breaker.state(), to);
        }
    }
}

#[test]
fn late_outcomes_of_a_closed_breaker_do_not_lengthen_the_outage() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder().consecutive_failures(2));
    let late: Vec<_> = (0..10).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 2);
    let wait = breaker.try_acquire().unwrap_err().retry_after().unwrap();
    clock.advance(secs(10));
    for permit in late {
        assert_eq!(permit.failure(), Recorded::Stale);
    }
    let left = breaker.try_acquire().unwrap_err().retry_after().unwrap();
    assert_eq!(left + secs(10), wait);
    assert_eq!(journal.len(), 1);
}

#[test]
fn a_reset_into_the_same_state_makes_outcomes_late_too() {
    // "every control call, also one into the state that the breaker is in, starts a new generation" (section 3).
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    let before = breaker.try_acquire().unwrap();
    fail(&breaker, 3);
    breaker.reset();
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
    assert_eq!(before.failure(), Recorded::Stale);
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
    succeed(&breaker, 1);
    assert_eq!(counts(&breaker), (1, 0, 0, 0));
}

#[test]
fn a_late_success_does_not_break_the_run_of_the_next_generation() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().consecutive_failures(5));
    let late = breaker.try_acquire().unwrap();
    breaker.reset();
    fail(&breaker, 4);
    assert_eq!(late.success(), Recorded::Stale);
    assert_eq!(breaker.snapshot().consecutive_failures, 4);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn permits_of_the_same_generation_may_end_in_any_order() {
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    let mut permits: Vec<_> = (0..10).map(|_| breaker.try_acquire().unwrap()).collect();
    while !permits.is_empty() {
        let permit = permits.swap_remove(permits.len() / 2);
        assert_eq!(permit.success(), Recorded::Counted);
    }
    assert_eq!(counts(&breaker), (10, 0, 0, 0));
}

#[test]
fn a_disabled_breaker_accepts_every_report_and_counts_none() {
    // "an ignored outcome, or any under Disabled, is accepted and changes no count" (section 3).
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    breaker.disable();
    for end in every_ending() {
        assert_eq!(end(breaker.try_acquire().unwrap()), Recorded::Counted);
    }
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
}
