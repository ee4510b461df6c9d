//! When the rules trip: at exactly the call where the arithmetic says so, and not one before.

use failfast::{Builder, CircuitBreaker, Outcome, State, TransitionCause, Window};

use crate::story::{counts, fail, millis, opens_at, secs, stage, succeed, INSTANT, SLOW_LIMIT};

/// Window of 10, minimum 5, half of the calls failed, or half slower than 3 s.
fn ten() -> Builder {
    CircuitBreaker::builder()
        .window(Window::count(10))
        .min_calls(5)
        .failure_rate(0.5)
        .slow_call(SLOW_LIMIT, 0.5)
}

#[track_caller]
fn ten_opens_at(history: &str) -> (Option<usize>, Vec<TransitionCause>) {
    let (breaker, _, journal) = stage(ten());
    (opens_at(&breaker, history), journal.causes())
}

fn by_failures(failures: u64, calls: u64) -> Vec<TransitionCause> {
    vec![TransitionCause::FailureRate { failures, calls }]
}

fn by_slowness(slow_calls: u64, calls: u64) -> Vec<TransitionCause> {
    vec![TransitionCause::SlowRate { slow_calls, calls }]
}

#[test]
fn the_window_of_ten_opens_on_failures_at_the_very_call() {
    assert_eq!(ten_opens_at("fffff"), (Some(5), by_failures(5, 5)));
    assert_eq!(ten_opens_at("fsfsf"), (Some(5), by_failures(3, 5)));
    assert_eq!(ten_opens_at("ffsss f"), (Some(6), by_failures(3, 6)));
    assert_eq!(ten_opens_at("sssss fffff"), (Some(10), by_failures(5, 10)));
    // The window slides: the fifth failure of the last ten calls is the eleventh call.
    assert_eq!(ten_opens_at("ssssss fffff"), (Some(11), by_failures(5, 10)));
    assert_eq!(ten_opens_at("ssssssssssss fffff").0, Some(17));
    // Four of ten never do.
    assert_eq!(ten_opens_at(&"ssssssffff".repeat(20)), (None, vec![]));
}

#[test]
fn the_window_of_ten_opens_on_a_success_that_completes_the_minimum() {
    // "After every counted outcome, successes too, the rules judge" (section 3).
    assert_eq!(ten_opens_at("ffffs"), (Some(5), by_failures(4, 5)));
    assert_eq!(ten_opens_at("fffss"), (Some(5), by_failures(3, 5)));
    assert_eq!(ten_opens_at("ffsss"), (None, vec![]));
}

#[test]
fn the_window_of_ten_opens_on_slow_successes_at_the_very_call() {
    assert_eq!(ten_opens_at("SSSSS"), (Some(5), by_slowness(5, 5)));
    assert_eq!(ten_opens_at("ssss SSSS"), (Some(8), by_slowness(4, 8)));
    assert_eq!(ten_opens_at("SSSss"), (Some(5), by_slowness(3, 5)));
    assert_eq!(ten_opens_at("ssssssssss SSSSS"), (Some(15), by_slowness(5, 10)));
    assert_eq!(ten_opens_at(&"SSSSssssss".repeat(20)[4..]), (None, vec![]));
}

#[test]
fn the_window_of_ten_does_not_add_failures_to_slow_calls_but_a_slow_failure_is_both() {
    // Two failures and two slow calls of five are 40 % of each.
    assert_eq!(ten_opens_at("fSfSs"), (None, vec![]));
    assert_eq!(ten_opens_at("fSfSs F"), (Some(6), by_failures(3, 6)));
    assert_eq!(ten_opens_at("fSSsF"), (Some(5), by_slowness(3, 5)));
    assert_eq!(ten_opens_at("sssss FFFFF"), (Some(10), by_failures(5, 10)));
    assert_eq!(ten_opens_at("fSsss fSsss fSsss"), (None, vec![]));
}

#[test]
fn ignored_calls_count_nowhere() {
    assert_eq!(ten_opens_at("iiiiii ffff iiii"), (None, vec![]));
    assert_eq!(ten_opens_at("ffff iiii f"), (Some(9), by_failures(5, 5)));
    let (breaker, _, _) = stage(ten());
    assert_eq!(opens_at(&breaker, "iii fS i"), None);
    assert_eq!(counts(&breaker), (2, 1, 1, 0));
}

#[test]
fn slowness_is_measured_by_the_clock_and_the_limit_itself_is_not_slow() {
    let (breaker, clock, _) = stage(ten());
    for (elapsed, slow) in [(SLOW_LIMIT, 0), (SLOW_LIMIT + INSTANT, 1)] {
        let permit = breaker.try_acquire().unwrap();
        clock.advance(elapsed);
        permit.success();
        assert_eq!(breaker.snapshot().slow_calls, slow);
    }
    // A time that the caller measured replaces the breaker's own.
    let permit = breaker.try_acquire().unwrap();
    clock.advance(secs(60));
    permit.record_timed(Outcome::Failure, millis(1));
    assert_eq!(counts(&breaker), (3, 1, 1, 0));
}

#[test]
fn a_clock_that_steps_back_makes_no_call_slow() {
    let (breaker, clock, _) = stage(ten());
    clock.set(secs(100));
    let permit = breaker.try_acquire().unwrap();
    clock.set(secs(10));
    permit.success();
    assert_eq!(counts(&breaker), (1, 0, 0, 0));
}

/// The arithmetic of the contract over the last `size` calls, spelt out.
fn says_open(history: &[char], size: usize, min_calls: usize) -> bool {
    let window = &history[history.len().saturating_sub(size)..];
    let failures = window.iter().filter(|call| "fF".contains(**call)).count();
    let slow = window.iter().filter(|call| "SF".contains(**call)).count();
    window.len() >= min_calls && (2 * failures >= window.len() || 3 * slow >= 2 * window.len())
}

#[test]
fn every_short_history_opens_exactly_where_the_arithmetic_says() {
    let (size, min_calls, length) = (3, 2, 6_u32);
    let rules = CircuitBreaker::builder()
        .window(Window::count(3))
        .min_calls(2)
        .failure_rate(0.5)
        .slow_call(SLOW_LIMIT, 0.666_666);
    let (breaker, _, _) = stage(rules);
    for code in 0..4_usize.pow(length) {
        let history: Vec<char> =
            (0..length).map(|place| ['s', 'f', 'S', 'F'][code / 4_usize.pow(place) % 4]).collect();
        let expected =
            (1..=history.len()).find(|calls| says_open(&history[..*calls], size, min_calls));
        let history: String = history.into_iter().collect();
        assert_eq!(opens_at(&breaker, &history), expected, "{history}");
        breaker.reset();
    }
}

#[test]
fn a_window_of_ten_failures_opens_at_the_tenth_not_the_eleventh() {
    // recloser opens at the eleventh failure of ten.
    let full = CircuitBreaker::builder().window(Window::count(10)).min_calls(10).failure_rate(1.0);
    let (breaker, _, _) = stage(full);
    assert_eq!(opens_at(&breaker, "ffffffffff f"), Some(10));
}

#[test]
fn after_ten_thousand_successes_a_window_of_ten_opens_as_configured() {
    // tower-resilience's count window never slides: there the successes of the past outweigh every outage.
    let (breaker, _, journal) = stage(ten());
    succeed(&breaker, 10_000);
    assert_eq!(counts(&breaker), (10, 0, 0, 0));
    assert_eq!(opens_at(&breaker, "fffff"), Some(5));
    assert_eq!(journal.causes(), by_failures(5, 10));
}

#[test]
fn old_failures_leave_the_window_one_call_at_a_time() {
    let gentle = CircuitBreaker::builder().window(Window::count(10)).failure_rate(0.9);
    let (breaker, _, _) = stage(gentle);
    assert_eq!(opens_at(&breaker, "fffff sssss"), None);
    for left in (0..5).rev() {
        succeed(&breaker, 1);
        assert_eq!(counts(&breaker), (10, left, 0, 0));
    }
}

#[test]
fn two_of_five_reach_four_tenths() {
    // "the test is `failures * 1_000_000 >= ppm * calls` in integers" (section 3): 0.4 * 5.0 in floats is no trap.
    let (breaker, _, _) =
        stage(CircuitBreaker::builder().window(Window::count(5)).min_calls(5).failure_rate(0.4));
    assert_eq!(opens_at(&breaker, "sfsfs"), Some(5));
}

#[test]
fn a_rate_is_rounded_once_to_parts_per_million() {
    let open = |rate: f64, history: &str| {
        let (breaker, _, _) = stage(
            CircuitBreaker::builder().window(Window::count(3)).min_calls(3).failure_rate(rate),
        );
        opens_at(&breaker, history)
    };
    assert_eq!(open(1.0 / 3.0, "ssf"), Some(3), "1 of 3 reaches 333333 ppm");
    assert_eq!(open(0.333_334, "ssf"), None);
    assert_eq!(open(2.0 / 3.0, "sff"), None, "2 of 3 falls short of 666667 ppm");
    assert_eq!(open(0.666_666, "sff"), Some(3));
}

// ===== failures on a time window =====

/// "5 failures in 10 s".
fn five_in_ten_seconds() -> Builder {
    CircuitBreaker::builder().window(Window::time(secs(10))).no_failure_rate().failure_count(5)
}

#[test]
fn five_failures_in_ten_seconds_open_it_however_many_calls_succeed() {
    let (breaker, clock, journal) = stage(five_in_ten_seconds());
    for failure in 1..=5 {
        assert_eq!(breaker.state(), State::Closed, "before failure {failure}");
        succeed(&breaker, 1_000);
        fail(&breaker, 1);
        clock.advance(secs(2));
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.causes(), [TransitionCause::FailureCount { failures: 5 }]);
}

#[test]
fn the_fifth_failure_opens_in_the_last_instant_of_the_ten_seconds_and_not_after() {
    for (at, state) in
        [(secs(10) - INSTANT, State::Open), (secs(10), State::Closed), (secs(11), State::Closed)]
    {
        let (breaker, clock, _) = stage(five_in_ten_seconds());
        fail(&breaker, 4);
        clock.set(at);
        fail(&breaker, 1);
        assert_eq!(breaker.state(), state, "fifth failure at {at:?}");
    }
}

#[test]
fn half_of_at_least_twenty_calls_in_ten_seconds_open_it() {
    let half =
        || CircuitBreaker::builder().window(Window::time(secs(10))).failure_rate(0.5).min_calls(20);
    let (breaker, clock, journal) = stage(half());
    fail(&breaker, 9);
    clock.advance(secs(9));
    succeed(&breaker, 10);
    assert_eq!(breaker.state(), State::Closed, "19 calls judge nothing");
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.causes(), by_failures(10, 20));

    let (breaker, clock, _) = stage(half());
    fail(&breaker, 9);
    clock.advance(secs(9));
    succeed(&breaker, 11);
    assert_eq!(breaker.state(), State::Closed, "9 of 20 are too few");
    fail(&breaker, 2);
    assert_eq!(breaker.state(), State::Open, "11 of 22 are half");
}

#[test]
fn a_failure_count_needs_no_minimum() {
    let (breaker, _, journal) =
        stage(CircuitBreaker::builder().window(Window::count(100)).failure_count(3));
    assert_eq!(opens_at(&breaker, "fsfssf"), Some(6));
    assert_eq!(journal.causes(), [TransitionCause::FailureCount { failures: 3 }]);
}

#[test]
fn all_rules_work_together_and_the_first_to_be_reached_opens() {
    let all = || {
        CircuitBreaker::builder()
            .window(Window::count(20))
            .min_calls(10)
            .failure_rate(0.5)
            .slow_call(SLOW_LIMIT, 0.8)
            .failure_count(7)
            .consecutive_failures(4)
    };
    let cause_of = |history: &str, calls: usize| {
        let (breaker, _, journal) = stage(all());
        assert_eq!(opens_at(&breaker, history), Some(calls), "{history}");
        journal.last().cause
    };
    assert_eq!(cause_of("sf ffff", 5), TransitionCause::ConsecutiveFailures { failures: 4 });
    assert_eq!(
        cause_of("sffsf fsffs", 10),
        TransitionCause::FailureRate { failures: 6, calls: 10 }
    );
    assert_eq!(cause_of("ssssssss ffsffsffsf", 18), TransitionCause::FailureCount { failures: 7 });
    assert_eq!(cause_of("SSSSSSSS ss", 10), TransitionCause::SlowRate { slow_calls: 8, calls: 10 });
}

#[test]
fn sixty_finished_failures_open_it_while_ninety_calls_are_in_flight() {
    // Calls that have not ended are no calls yet: they neither count nor dilute.
    let (breaker, _, journal) = stage(CircuitBreaker::builder().min_calls(60));
    let in_flight: Vec<_> = (0..90).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 59);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.causes(), by_failures(60, 60));
    for permit in in_flight {
        assert_eq!(permit.failure(), failfast::Recorded::Stale);
    }
    assert_eq!(journal.len(), 1);
}

#[test]
fn a_run_of_failures_does_not_care_how_long_it_takes() {
    // Only "a success sets the run to zero" (section 3); the time window's ageing is not the run's.
    let patient = CircuitBreaker::builder().window(Window::time(secs(10))).consecutive_failures(3);
    let (breaker, clock, _) = stage(patient);
    for run in 1..=3 {
        clock.advance(secs(3_600));
        fail(&breaker, 1);
        assert_eq!(breaker.state() == State::Open, run == 3);
    }
}
