//! "A rule or minimum that the window or another rule makes idle is a warning" (contract, section 2).

use failfast::{Builder, HalfOpen, Window};

use super::{allows, new};
use crate::story::{opens_at, secs, stage};

#[track_caller]
fn warns(builder: Builder, about: &str) {
    let breaker = allows(builder);
    let warnings = breaker.warnings();
    assert_eq!(warnings.len(), 1, "{about}: {warnings:?}");
    assert!(warnings[0].contains(about), "{about}: {warnings:?}");
}

#[track_caller]
fn warns_of_nothing(builder: Builder) {
    let breaker = allows(builder);
    assert!(breaker.warnings().is_empty(), "{:?}", breaker.warnings());
}

#[test]
fn a_minimum_above_the_count_window_is_clamped_with_a_warning() {
    warns(new().window(Window::count(10)).min_calls(11), "min_calls 11");
    warns_of_nothing(new().window(Window::count(10)).min_calls(10));
    // "where the user set it" (section 2): the default of 20 is clamped in silence.
    warns_of_nothing(new().window(Window::count(10)));
    let (breaker, _, _) = stage(new().window(Window::count(4)).min_calls(9));
    assert_eq!(opens_at(&breaker, "ffff"), Some(4));
}

#[test]
fn what_a_consecutive_window_makes_idle_is_a_warning() {
    let run = || new().window(Window::consecutive(5));
    warns_of_nothing(run());
    warns(run().failure_rate(0.3), "failure_rate");
    warns(run().slow_call(secs(1), 0.5), "slow_call");
    warns(run().min_calls(10), "min_calls");
    // By rate, the probes use all three.
    warns_of_nothing(
        run().half_open(HalfOpen::rate(5)).failure_rate(0.3).slow_call(secs(1), 0.5).min_calls(10),
    );
}

#[test]
fn a_minimum_without_a_rate_is_a_warning() {
    let counting = || new().no_failure_rate().failure_count(5);
    warns_of_nothing(counting());
    warns(counting().min_calls(10), "min_calls");
    warns(counting().half_open(HalfOpen::rate(3)), "half_open");
}

#[test]
fn a_rule_that_another_rule_makes_idle_is_a_warning() {
    let ten = || new().window(Window::count(10)).no_failure_rate();
    // A failure count trips before or with the run, and before or with the rate.
    warns(ten().failure_count(5).consecutive_failures(5), "consecutive_failures");
    warns_of_nothing(ten().failure_count(5).consecutive_failures(4));
    warns(ten().failure_rate(0.5).min_calls(10).failure_count(5), "failure_rate");
    warns_of_nothing(ten().failure_rate(0.5).min_calls(6).failure_count(5));
    // In a time window a run may span more time than the window holds, so it can be the only one to trip.
    warns_of_nothing(
        new()
            .window(Window::time(secs(10)))
            .no_failure_rate()
            .failure_count(5)
            .consecutive_failures(5),
    );
}

#[test]
fn a_rule_that_trips_at_the_first_failure_makes_the_others_idle() {
    let ten = || new().window(Window::count(10)).no_failure_rate();
    warns(ten().consecutive_failures(1).failure_count(5), "failure_count");
    warns(ten().consecutive_failures(1).failure_count(1), "failure_count");
    warns(ten().consecutive_failures(1).failure_rate(0.5), "failure_rate");
    let timed = || new().window(Window::time(secs(10))).no_failure_rate();
    warns(timed().failure_count(1).consecutive_failures(5), "consecutive_failures");
}

#[test]
fn a_run_longer_than_the_window_is_idle_beside_a_failure_count() {
    // Twenty failures in a row have filled the window of ten with failures long before.
    warns(
        new().window(Window::count(10)).no_failure_rate().failure_count(5).consecutive_failures(20),
        "consecutive_failures",
    );
}

#[test]
fn a_count_or_a_run_that_the_rate_always_forestalls_is_idle() {
    // Eight failures among at most ten calls are more than half of at least five.
    let half = || new().window(Window::count(10)).failure_rate(0.5).min_calls(5);
    warns(half().failure_count(8), "failure_count");
    warns(half().consecutive_failures(8), "consecutive_failures");
    // Below the minimum, or below the rate of a full window, they can be first.
    warns_of_nothing(half().failure_count(4));
    warns_of_nothing(half().consecutive_failures(4));
    warns(half().min_calls(10).failure_rate(0.9).failure_count(8), "failure_rate");
    // A time window has no largest number of calls.
    warns_of_nothing(half().window(Window::time(secs(10))).failure_count(8));
}
