//! Counters near the ends of their fields, clocks at the ends of theirs, and very long stays.

use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::{
    CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, TransitionCause, Window,
};

use crate::story::{
    assert_empty, assert_waits, counts, ends, fail, refused, secs, stage, succeed, takes,
};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);

#[test]
fn limits_at_the_end_of_their_range_are_never_reached_by_accident() {
    let far = CircuitBreaker::builder()
        .window(Window::time(YEAR))
        .min_calls(u32::MAX)
        .failure_count(u32::MAX)
        .consecutive_failures(u32::MAX);
    let (breaker, _, journal) = stage(far);
    fail(&breaker, 20_000);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.calls, snapshot.failures), (20_000, 20_000));
    assert_eq!(snapshot.consecutive_failures, 20_000);
    assert_eq!(snapshot.failure_rate, None);
    succeed(&breaker, 1);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    assert_eq!(journal.len(), 0);

    let (breaker, _, journal) =
        stage(CircuitBreaker::builder().window(Window::consecutive(u32::MAX)));
    fail(&breaker, 20_000);
    assert_eq!(breaker.snapshot().consecutive_failures, 20_000);
    assert_eq!(journal.len(), 0);
}

#[test]
fn the_largest_count_window_is_exact_to_the_call() {
    let size = 1_048_576;
    let (breaker, _, journal) = stage(
        CircuitBreaker::builder().window(Window::count(size)).failure_rate(1.0).min_calls(size),
    );
    succeed(&breaker, 1);
    fail(&breaker, size - 1);
    assert_eq!(breaker.state(), State::Closed, "one of them succeeded");
    let full = u64::from(size);
    assert_eq!(counts(&breaker), (full, full - 1, 0, 0));
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open, "it has left the window");
    assert_eq!(journal.causes(), [TransitionCause::FailureRate { failures: full, calls: full }]);
}

#[test]
fn a_rate_of_one_in_a_million_needs_a_single_failure() {
    let (breaker, _, _) = stage(
        CircuitBreaker::builder()
            .window(Window::count(1_000_000))
            .failure_rate(0.000_001)
            .min_calls(1_000_000),
    );
    succeed(&breaker, 999_999);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn seventy_thousand_open_periods_neither_wrap_the_attempt_nor_the_wait() {
    let (breaker, clock, _) =
        stage(CircuitBreaker::builder().open_wait(OpenWait::exponential(secs(1), 2.0, secs(600))));
    for attempt in 1..=70_000_u32 {
        breaker.trip();
        if attempt.is_power_of_two() || attempt > 69_990 {
            let snapshot = breaker.snapshot();
            assert_eq!(snapshot.open_attempt, attempt);
            assert_eq!(snapshot.generation, u64::from(attempt));
            let asked = 1 << attempt.saturating_sub(1).min(20);
            assert_waits(refused(&breaker).retry_after(), secs(asked.min(600)));
        }
        clock.advance(Duration::from_nanos(1_000_003));
    }
    breaker.reset();
    breaker.trip();
    assert_waits(refused(&breaker).retry_after(), secs(1));
}

#[test]
fn the_longest_wait_is_waited_out() {
    let longest = OpenWait::exponential(YEAR, 1e300, YEAR);
    let (breaker, clock, _) = stage(CircuitBreaker::builder().open_wait(longest));
    clock.set(YEAR * 25);
    for _ in 0..5 {
        breaker.trip();
        let wait = refused(&breaker).retry_after();
        assert_waits(wait, YEAR);
    }
    clock.advance(YEAR - Duration::from_nanos(1));
    assert_eq!(breaker.state(), State::Open);
    clock.advance(Duration::from_millis(2));
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn old_permits_stay_stale_however_many_generations_pass() {
    // Whatever the width of a generation field in some word, 8 bits or 21: after so many control calls on one thread
    // neither an idle permit nor a recorded failure comes back to life.
    let (breaker, _, _) = stage(
        CircuitBreaker::builder()
            .window(Window::count(10))
            .failure_rate(1.0)
            .consecutive_failures(50),
    );
    let mut idle: Vec<_> = (0..22).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 4);
    for generation in 1..=1_u64 << 21 {
        breaker.reset();
        if generation.is_power_of_two() {
            assert_eq!(breaker.snapshot().generation, generation);
            assert_empty(&breaker.snapshot());
            let permit = idle.pop().expect("one for each power of two");
            assert_eq!(permit.failure(), Recorded::Stale, "at {generation}");
            assert_empty(&breaker.snapshot());
            succeed(&breaker, 1);
            assert_eq!(counts(&breaker), (1, 0, 0, 0), "at {generation}");
        }
    }
    assert!(idle.is_empty());
}

#[test]
fn old_probes_stay_stale_however_many_recoveries_pass() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(1_000)));
    breaker.half_open();
    let mut idle: Vec<_> = (0..17).map(|_| breaker.try_acquire().unwrap()).collect();
    for recovery in 1..=1_u64 << 16 {
        breaker.half_open();
        if recovery.is_power_of_two() {
            let permit = idle.pop().expect("one for each power of two");
            assert_eq!(permit.success(), Recorded::Stale, "at {recovery}");
            assert_eq!(counts(&breaker), (0, 0, 0, 0));
            drop(breaker.try_acquire().expect("every place is free"));
        }
    }
}

#[test]
fn all_thousand_probes_are_counted() {
    let (breaker, clock, journal) = stage(
        CircuitBreaker::builder()
            .half_open(HalfOpen::rate(1_000))
            .slow_call(secs(1), 1.0)
            .failure_rate(1.0)
            .min_calls(u32::MAX),
    );
    breaker.half_open();
    clock.advance(secs(1));
    for _ in 0..999 {
        takes(&breaker, Outcome::Failure, secs(2));
    }
    assert_eq!(counts(&breaker), (999, 999, 999, 999));
    succeed(&breaker, 1);
    assert_eq!(
        journal.last().cause,
        TransitionCause::ProbesSucceeded { calls: 1_000, failures: 999 }
    );
}

#[test]
fn forced_open_for_a_day_stays_forced_open() {
    let (breaker, clock, journal) =
        stage(CircuitBreaker::builder().open_wait(OpenWait::fixed(secs(1))).probe_timeout(secs(1)));
    breaker.force_open();
    for _ in 0..24 * 60 {
        clock.advance(secs(60));
        let rejected = refused(&breaker);
        assert_eq!(rejected.state(), State::ForcedOpen);
        assert_eq!(rejected.retry_after(), None);
    }
    assert_eq!(journal.len(), 1);
    breaker.reset();
    succeed(&breaker, 1);
}

#[test]
fn disabled_and_metrics_only_stay_for_a_day_too() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder().consecutive_failures(1));
    breaker.disable();
    clock.advance(DAY);
    fail(&breaker, 100);
    assert_eq!(breaker.state(), State::Disabled);
    breaker.metrics_only();
    clock.advance(DAY);
    fail(&breaker, 100);
    assert_eq!(breaker.state(), State::MetricsOnly);
    assert_eq!(journal.len(), 2);
}

#[test]
fn an_elapsed_time_beyond_every_field_is_just_slow() {
    let (breaker, _, _) = stage(CircuitBreaker::builder().slow_call(YEAR, 1.0));
    takes(&breaker, Outcome::Success, Duration::MAX);
    takes(&breaker, Outcome::Success, YEAR);
    takes(&breaker, Outcome::Success, Duration::ZERO);
    assert_eq!(counts(&breaker), (3, 0, 1, 0));
}

// ===== clocks at the ends of their range (section 6: no panic, no wedge; instants saturate) =====

#[test]
fn a_breaker_built_late_works_like_one_built_at_zero() {
    for built_at in [Duration::from_nanos(1), YEAR * 50, YEAR * 500] {
        let clock = ManualClock::new();
        clock.set(built_at);
        let breaker = CircuitBreaker::builder()
            .window(Window::time(secs(10)))
            .open_wait(OpenWait::fixed(secs(30)))
            .clock(clock.clone())
            .build()
            .unwrap();
        fail(&breaker, 20);
        assert_waits(refused(&breaker).retry_after(), secs(30));
        clock.advance(secs(31));
        let hung = breaker.try_acquire().expect("a probe");
        clock.advance(secs(61));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(hung.success(), Recorded::Stale);
        clock.advance(secs(31));
        succeed(&breaker, 3);
        assert_eq!(breaker.state(), State::Closed);
        // A clock that steps back to before the breaker's birth changes nothing but the window shown.
        clock.set(Duration::ZERO);
        assert_eq!(ends(&breaker, Outcome::Failure), Recorded::Counted);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_clock_at_its_end_neither_panics_nor_wedges() {
    for window in [
        Window::count(10),
        Window::time(secs(10)),
        Window::time(Duration::from_nanos(1)).buckets(1),
        Window::time(YEAR).buckets(1_024),
        Window::consecutive(5),
    ] {
        let (breaker, clock, journal) =
            stage(CircuitBreaker::builder().window(window).slow_call(secs(1), 1.0));
        let early = breaker.try_acquire().unwrap();
        clock.set(Duration::MAX);
        assert_eq!(early.success(), Recorded::Counted);
        fail(&breaker, 2);
        assert_eq!(breaker.state(), State::Closed);
        // No open time can pass any more, so none is waited for: the instant at which it ends is now.
        breaker.trip();
        assert!(breaker.try_acquire().is_ok(), "{window:?}");
        for control in [
            CircuitBreaker::disable,
            CircuitBreaker::metrics_only,
            CircuitBreaker::half_open,
            CircuitBreaker::reset,
        ] {
            control(&breaker);
            succeed(&breaker, 1);
        }
        clock.set(Duration::ZERO);
        succeed(&breaker, 100);
        assert_eq!(breaker.state(), State::Closed);
        journal.assert_without_gaps();
    }
}

#[test]
fn a_breaker_built_at_the_end_of_its_clock_is_of_use() {
    let clock = ManualClock::new();
    clock.set(Duration::MAX);
    let breaker = CircuitBreaker::builder()
        .window(Window::time(secs(10)))
        .clock(clock.clone())
        .build()
        .unwrap();
    fail(&breaker, 19);
    assert_eq!(counts(&breaker), (19, 19, 0, 0));
    fail(&breaker, 1);
    assert_ne!(breaker.state(), State::Closed);
    breaker.reset();
    succeed(&breaker, 1);
    clock.set(Duration::ZERO);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
}

/// One reading of a clock that was wrong must not hold a breaker when the clock is right again (section 6: no wedge).
#[test]
fn one_wild_reading_of_the_clock_holds_no_probe() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(1)));
    breaker.half_open();
    clock.set(Duration::MAX);
    breaker.try_acquire().unwrap().ignore();
    clock.set(secs(5));
    let lost = breaker.try_acquire().expect("the place was given back");
    std::mem::forget(lost);
    clock.advance(secs(60));
    assert_eq!(breaker.state(), State::Open, "the lease of the lost probe is over");
    clock.advance(secs(31));
    assert_eq!(breaker.try_acquire().unwrap().success(), Recorded::Counted);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_was_lost_at_a_wild_reading_of_the_clock_is_lost() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(1)));
    breaker.half_open();
    clock.set(Duration::MAX);
    std::mem::forget(breaker.try_acquire().unwrap());
    clock.set(secs(5));
    assert_eq!(breaker.state(), State::Open, "nobody knows when the probe was granted");
    assert!(
        breaker.try_acquire().is_err(),
        "the lease is committed, and the open time runs from now"
    );
    clock.advance(secs(31));
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn one_wild_reading_of_the_clock_holds_nothing_open() {
    let (breaker, clock, _) = stage(CircuitBreaker::builder());
    clock.set(secs(86_400 * 365));
    breaker.trip();
    assert_waits(refused(&breaker).retry_after(), secs(30));
    clock.set(secs(5));
    assert!(breaker.try_acquire().is_ok(), "a year too long is not what was asked for");
    // A step that a clock may well make back is waited out.
    breaker.trip();
    clock.set(secs(4));
    assert!(breaker.try_acquire().is_err());
    clock.set(secs(36));
    assert!(breaker.try_acquire().is_ok());
}

/// "After every counted outcome the rules judge" (section 3), also one whose own bucket a later one has replaced.
#[test]
fn an_outcome_that_is_shown_nowhere_is_judged_all_the_same() {
    let window = Window::time(secs(3)).buckets(3);
    let (breaker, clock, _) = stage(CircuitBreaker::builder().window(window).failure_count(2));
    clock.set(secs(4));
    fail(&breaker, 1);
    clock.set(secs(3));
    fail(&breaker, 1); // The window of second 3 does not hold second 4.
    clock.set(secs(8));
    succeed(&breaker, 1); // Replaces the bucket of second 5.
    clock.set(secs(5));
    assert_eq!(breaker.state(), State::Closed);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Open, "seconds 3 and 4 are in the window of second 5");
}

/// A clock that was wrong when the breaker was built must not hold it until it is as late again (section 6).
#[test]
fn a_clock_that_steps_back_behind_the_build_holds_nothing() {
    for built in [Duration::MAX, secs(1_700_000_000), secs(86_400 * 400)] {
        let clock = ManualClock::new();
        clock.set(built);
        let breaker = CircuitBreaker::builder()
            .probe_timeout(secs(5))
            .open_wait(OpenWait::fixed(secs(1)))
            .clock(clock.clone())
            .build()
            .unwrap();
        clock.set(Duration::ZERO);
        breaker.trip();
        assert!(breaker.try_acquire().is_err(), "{built:?}");
        clock.advance(secs(2));
        for _ in 0..3 {
            std::mem::forget(breaker.try_acquire().unwrap());
        }
        assert!(breaker.try_acquire().is_err(), "{built:?}");
        clock.advance(secs(7));
        assert!(breaker.try_acquire().is_ok(), "{built:?}");
    }
}

/// Section 6: "A panicking call: counted as a failure, then the panic goes on", as a user would try it.
#[test]
fn a_breaker_may_be_caught_in_a_panic() {
    let (breaker, _, _) = stage(CircuitBreaker::builder());
    let caught = std::panic::catch_unwind(|| {
        breaker.call(|| -> Result<(), ()> { std::panic::panic_any("the dependency's own") })
    });
    assert!(caught.is_err());
    assert_eq!(breaker.snapshot().failures, 1);
}
