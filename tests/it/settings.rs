//! Settings: the ranges of the contract's section 2 at both ends and just beyond, combinations, defaults.

mod brought;
mod warnings;

use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::{
    Builder, CircuitBreaker, ConfigError, HalfOpen, OpenWait, Outcome, State, TransitionCause,
    Window,
};

use crate::story::{assert_waits, fail, refused, secs, stage, succeed, takes, Breaker, INSTANT};

const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);

fn new() -> Builder {
    CircuitBreaker::builder()
}

fn build(builder: Builder) -> Result<Breaker, ConfigError> {
    builder.clock(ManualClock::new()).build()
}

#[track_caller]
fn allows(builder: Builder) -> Breaker {
    build(builder).expect("legal settings")
}

/// The error names the field, the value given and the values allowed, and says all three in its text.
#[track_caller]
fn refuses(builder: Builder, field: &str, given: &str) {
    let error = build(builder).expect_err("not allowed");
    assert_eq!(error.field(), field, "{error}");
    assert_eq!(error.given(), given, "{error}");
    assert!(!error.allowed().is_empty(), "{error}");
    for part in [error.field(), error.given(), error.allowed()] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

// ===== ranges =====

#[test]
fn a_count_window_holds_1_to_1048576() {
    allows(new().window(Window::count(1)));
    allows(new().window(Window::count(1_048_576)));
    refuses(new().window(Window::count(0)), "window", "count(0)");
    refuses(new().window(Window::count(1_048_577)), "window", "count(1048577)");
    refuses(new().window(Window::count(u32::MAX)), "window", "count(4294967295)");
}

#[test]
fn counts_of_failures_and_calls_go_from_1_to_the_largest_u32() {
    let time = || new().window(Window::time(secs(10)));
    for count in [1, u32::MAX] {
        allows(new().window(Window::consecutive(count)));
        allows(new().consecutive_failures(count));
        allows(time().failure_count(count));
        allows(new().min_calls(count));
    }
    refuses(new().window(Window::consecutive(0)), "window", "consecutive(0)");
    refuses(new().consecutive_failures(0), "consecutive_failures", "0");
    refuses(time().failure_count(0), "failure_count", "0");
    refuses(new().min_calls(0), "min_calls", "0");
}

#[test]
fn half_open_places_go_from_1_to_1000() {
    for places in [1, 1_000] {
        allows(new().half_open(HalfOpen::probes(places)));
        allows(new().half_open(HalfOpen::rate(places)));
    }
    for places in [0, 1_001, u32::MAX] {
        let probes = format!("probes({places})");
        refuses(new().half_open(HalfOpen::probes(places)), "half_open", &probes);
        let rate = format!("rate({places})");
        refuses(new().half_open(HalfOpen::rate(places)), "half_open", &rate);
    }
}

#[test]
fn a_time_window_lasts_1_ns_to_366_days() {
    allows(new().window(Window::time(INSTANT).buckets(1)));
    allows(new().window(Window::time(YEAR)));
    refuses(new().window(Window::time(Duration::ZERO)), "window", "time(0ns)");
    for beyond in [YEAR + INSTANT, Duration::MAX] {
        let given = format!("time({beyond:?})");
        refuses(new().window(Window::time(beyond)), "window", &given);
    }
}

#[test]
fn a_time_window_has_1_to_1024_buckets_none_shorter_than_1_ns() {
    for buckets in [1, 1_024] {
        allows(new().window(Window::time(secs(1)).buckets(buckets)));
    }
    for buckets in [0, 1_025, u32::MAX] {
        let window = Window::time(secs(1)).buckets(buckets);
        refuses(new().window(window), "buckets", &buckets.to_string());
    }
    allows(new().window(Window::time(INSTANT * 7).buckets(7)));
    refuses(new().window(Window::time(INSTANT * 7).buckets(8)), "buckets", "8");
    allows(new().window(Window::time(INSTANT * 10)));
    refuses(new().window(Window::time(INSTANT * 9)), "buckets", "10");
}

#[test]
fn waits_leases_and_slow_limits_last_1_ns_to_366_days() {
    type Set = fn(Duration) -> Builder;
    let settings: [(&str, Set); 4] = [
        ("open_wait", |time| new().open_wait(OpenWait::fixed(time))),
        ("open_wait", |time| new().open_wait(OpenWait::exponential(time, 2.0, time.max(secs(1))))),
        ("probe_timeout", |time| new().probe_timeout(time)),
        ("slow_call", |time| new().slow_call(time, 0.5)),
    ];
    for (field, set) in settings {
        for time in [INSTANT, secs(1), YEAR] {
            allows(set(time));
        }
        for time in [Duration::ZERO, YEAR + INSTANT, Duration::MAX] {
            refuses(set(time), field, &format!("{time:?}"));
        }
    }
}

#[test]
fn rates_go_from_a_millionth_to_1() {
    type Set = fn(f64) -> Builder;
    let settings: [(&str, Set); 2] = [
        ("failure_rate", |rate| new().failure_rate(rate)),
        ("slow_call", |rate| new().slow_call(secs(1), rate)),
    ];
    for (field, set) in settings {
        for rate in [1.0, 0.5, 0.000_001, 0.000_000_6, 0.999_999_9] {
            allows(set(rate));
        }
        let beyond = 1.0 + f64::EPSILON;
        for rate in [
            0.0,
            -0.0,
            -0.5,
            0.000_000_4,
            f64::MIN_POSITIVE,
            beyond,
            50.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            refuses(set(rate), field, &rate.to_string());
        }
    }
}

#[test]
fn an_exponential_wait_has_a_finite_factor_from_1() {
    let growing = |factor| new().open_wait(OpenWait::exponential(secs(1), factor, secs(9)));
    for factor in [1.0, 1.0 + f64::EPSILON, 2.0, f64::MAX] {
        allows(growing(factor));
    }
    for factor in [1.0 - f64::EPSILON, 0.0, -2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refuses(growing(factor), "open_wait", &format!("factor {factor}"));
    }
}

#[test]
fn an_exponential_wait_has_a_max_from_its_initial_wait() {
    let upto = |max| new().open_wait(OpenWait::exponential(secs(5), 2.0, max));
    for max in [secs(5), YEAR] {
        allows(upto(max));
    }
    refuses(upto(secs(5) - INSTANT), "open_wait", "max 4.999999999s");
    for max in [Duration::ZERO, YEAR + INSTANT, Duration::MAX] {
        let error = build(upto(max)).expect_err("not allowed");
        assert_eq!(error.field(), "open_wait");
        assert!(error.given().contains(&format!("{max:?}")), "{error}");
    }
}

#[test]
fn jitter_goes_from_0_to_below_1() {
    let jittered = |ratio| new().open_wait(OpenWait::fixed(secs(1)).jitter(ratio));
    for ratio in [0.0, 0.000_000_1, 0.5, 1.0 - f64::EPSILON] {
        allows(jittered(ratio));
    }
    for ratio in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
        refuses(jittered(ratio), "jitter", &ratio.to_string());
    }
}

#[test]
fn stripes_go_from_1_to_1024() {
    for stripes in [1, 1_024] {
        allows(new().stripes(stripes));
    }
    for stripes in [0, 1_025, u32::MAX] {
        refuses(new().stripes(stripes), "stripes", &stripes.to_string());
    }
}

// ===== settings that exclude each other =====

#[test]
fn failure_count_fits_into_a_count_window() {
    let ten = || new().window(Window::count(10));
    allows(ten().failure_count(10));
    refuses(ten().failure_count(11), "failure_count", "11");
    // The order of the builder's calls does not matter.
    refuses(new().failure_count(11).window(Window::count(10)), "failure_count", "11");
}

#[test]
fn a_consecutive_window_has_the_consecutive_rule_alone() {
    let run = || new().window(Window::consecutive(5));
    refuses(run().failure_count(3), "failure_count", "3");
    refuses(run().consecutive_failures(5), "consecutive_failures", "5");
    allows(run().no_failure_rate());
}

#[test]
fn buckets_belong_to_time_windows() {
    refuses(new().window(Window::count(10).buckets(5)), "buckets", "count(10).buckets(5)");
    refuses(
        new().window(Window::consecutive(10).buckets(5)),
        "buckets",
        "consecutive(10).buckets(5)",
    );
}

#[test]
fn a_breaker_without_any_rule_is_refused() {
    refuses(new().no_failure_rate(), "rules", "none");
    refuses(new().no_failure_rate().window(Window::time(secs(1))), "rules", "none");
    // The last word counts.
    allows(new().no_failure_rate().failure_rate(0.1));
    refuses(new().failure_rate(0.1).no_failure_rate(), "rules", "none");
}

#[test]
fn every_combination_of_rules_is_legal_but_none() {
    for window in [Window::count(10), Window::time(secs(10))] {
        for half_open in [HalfOpen::probes(2), HalfOpen::rate(2)] {
            for rules in 0..16_u32 {
                let has = |rule: u32| rules & (1 << rule) != 0;
                let mut builder = new().window(window).half_open(half_open).no_failure_rate();
                if has(0) {
                    builder = builder.failure_rate(0.5);
                }
                if has(1) {
                    builder = builder.slow_call(secs(1), 0.5);
                }
                if has(2) {
                    builder = builder.failure_count(5);
                }
                if has(3) {
                    builder = builder.consecutive_failures(5);
                }
                assert_eq!(build(builder).is_ok(), rules != 0, "{window:?} {rules:04b}");
            }
        }
    }
}

// ===== defaults =====

#[test]
fn the_defaults_are_those_of_the_contract() {
    // Section 2, first paragraph: count(100), 0.5, 20, no slow-call rule, 30 s, three probes, 60 s.
    let (breaker, clock, journal) = stage(new());
    assert_eq!(breaker.name(), "");
    assert!(breaker.warnings().is_empty());
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().generation, 0);
    takes(&breaker, Outcome::Success, YEAR);
    assert_eq!(breaker.snapshot().slow_calls, 0);
    breaker.reset();

    succeed(&breaker, 10);
    fail(&breaker, 9);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(journal.last().cause, TransitionCause::FailureRate { failures: 10, calls: 20 });
    assert_waits(refused(&breaker).retry_after(), secs(30));
    clock.advance(secs(31));
    let probes: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    refused(&breaker);
    clock.advance(secs(60) - INSTANT);
    assert_eq!(breaker.state(), State::HalfOpen);
    clock.advance(secs(1));
    assert_eq!(breaker.state(), State::Open, "the lease of 60 s is over");
    drop(probes);

    breaker.reset();
    succeed(&breaker, 1_000);
    assert_eq!(breaker.snapshot().calls, 100);
    fail(&breaker, 49);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_default_window_of_time_has_ten_buckets() {
    let (breaker, clock, _) = stage(new().window(Window::time(secs(10))));
    succeed(&breaker, 1);
    clock.set(secs(1));
    succeed(&breaker, 1);
    clock.set(secs(10) - INSTANT);
    assert_eq!(breaker.snapshot().calls, 2);
    clock.set(secs(10));
    assert_eq!(breaker.snapshot().calls, 1);
}

#[test]
fn a_breaker_has_the_name_it_was_given() {
    let breaker = allows(new().name("payment").window(Window::count(10)).min_calls(50));
    assert_eq!(breaker.name(), "payment");
    assert!(format!("{breaker:?}").contains("payment"));
}

#[test]
fn a_builder_shows_its_settings() {
    let text = format!("{:?}", new().name("payment").failure_rate(0.125).min_calls(77));
    for part in ["Builder", "payment", "0.125", "77", "Count(100)", "Probes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_builder_builds_on_the_default_clock_too() {
    let breaker = new().build().expect("the defaults are legal");
    assert_eq!(breaker.state(), State::Closed);
}
