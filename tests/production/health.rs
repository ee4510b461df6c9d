//! Health: what it shows of every state, and its JSON.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use failfast::clock::ManualClock;
use failfast::config::{BreakerConfig, Config};
use failfast::{
    BreakerHealth, Bulkhead, CheckHealth, CircuitBreaker, HealthStatus, OpenWait, Registry, State,
};

mod checks;

/// Never reached, unless something is broken.
const LONG: Duration = Duration::from_secs(60);

fn registry() -> (Registry<ManualClock>, ManualClock) {
    let clock = ManualClock::new();
    (Registry::with_clock(clock.clone()), clock)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 2025-11-21, 06:40 by the wall.
fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + secs(1_763_707_200)
}

type Answer = Result<(), String>;

fn passes() -> Answer {
    Ok(())
}

fn only<C: failfast::clock::Clock + Clone>(registry: &Registry<C>) -> BreakerHealth {
    registry.health_at(wall()).breakers.remove(0)
}

fn status(registry: &Registry<ManualClock>, name: &str) -> CheckHealth {
    let checks = registry.health().checks;
    checks.into_iter().find(|check| check.name == name).expect("it is registered")
}

// ===== breakers =====

#[test]
fn only_a_breaker_that_refuses_is_a_degradation() {
    let (registry, _) = registry();
    assert_eq!(registry.health().status, HealthStatus::Healthy, "nothing is fine");
    let breaker = registry.breaker("payment").unwrap();
    type Control = fn(&CircuitBreaker<ManualClock>);
    let states: [(Control, State, u16); 6] = [
        (CircuitBreaker::trip, State::Open, 503),
        (CircuitBreaker::half_open, State::HalfOpen, 503),
        (CircuitBreaker::force_open, State::ForcedOpen, 503),
        (CircuitBreaker::disable, State::Disabled, 200),
        (CircuitBreaker::metrics_only, State::MetricsOnly, 200),
        (CircuitBreaker::reset, State::Closed, 200),
    ];
    for (control, state, http) in states {
        control(&breaker);
        let health = registry.health();
        assert_eq!((health.breakers[0].state, health.http_status()), (state, http));
        assert_eq!(health.status == HealthStatus::Healthy, http == 200);
    }
    let full = Arc::new(Bulkhead::new(1).unwrap());
    registry.insert_bulkhead("payment", Arc::clone(&full)).unwrap();
    let _permit = full.try_acquire().unwrap();
    assert_eq!(registry.health().http_status(), 200, "a full bulkhead does what it is there for");
    assert_eq!(registry.health().bulkheads[0].in_use, 1);
}

#[test]
fn a_breaker_says_since_when_and_until_when() {
    let (registry, clock) = registry();
    clock.set(secs(1_000));
    let breaker = registry.breaker("payment").unwrap();
    clock.advance(secs(5));
    let health = only(&registry);
    assert_eq!((health.in_state_for, health.since), (Some(secs(5)), Some(wall() - secs(5))));
    assert_eq!((health.cause, health.open_for, health.open_until), (None, None, None));

    for _ in 0..20 {
        breaker.try_acquire().unwrap().failure();
    }
    clock.advance(secs(10));
    let health = only(&registry);
    assert_eq!((health.state, health.generation), (State::Open, 1));
    assert_eq!((health.cause, health.since), (Some("failure_rate"), Some(wall() - secs(10))));
    let left = health.open_for.expect("it is open");
    assert!(left >= secs(20) && left < Duration::from_millis(20_002), "{left:?}");
    assert_eq!(health.open_until, Some(wall() + left));

    // Opened again while open: another generation of the same state.
    breaker.trip();
    clock.advance(secs(1));
    let health = only(&registry);
    assert_eq!((health.generation, health.cause), (2, Some("control")));
    assert_eq!(health.in_state_for, Some(secs(11)));

    // Half-open by the time alone: nobody has called, so nobody knows since when.
    clock.advance(secs(100));
    let health = only(&registry);
    assert_eq!((health.state, health.in_state_for, health.since), (State::HalfOpen, None, None));
    assert_eq!((health.open_for, health.open_until), (None, None));
    let probe = breaker.try_acquire().unwrap();
    clock.advance(secs(2));
    let health = only(&registry);
    assert_eq!((health.in_state_for, health.cause), (Some(secs(2)), Some("open_time_over")));
    probe.ignore();
}

#[test]
fn new_settings_begin_a_generation_and_no_new_state() {
    let (registry, clock) = registry();
    registry.breaker("payment").unwrap();
    clock.advance(secs(5));
    let stricter = BreakerConfig::default().failure_rate(0.1);
    registry.apply(Config::default().with_breaker("payment", stricter)).unwrap();
    clock.advance(secs(5));
    let health = only(&registry);
    assert_eq!((health.generation, health.cause), (1, Some("reconfigured")));
    // That there was no other state before generation 1 is known.
    assert_eq!(health.in_state_for, Some(secs(10)));
}

#[test]
fn what_is_older_than_what_is_kept_is_not_known() {
    let (registry, clock) = registry();
    let breaker = registry.breaker("payment").unwrap();
    breaker.trip();
    for _ in 0..40 {
        clock.advance(secs(1));
        breaker.trip();
    }
    let health = only(&registry);
    assert_eq!((health.state, health.in_state_for, health.since), (State::Open, None, None));
    assert!(health.open_for.is_some());
}

#[test]
fn without_totals_there_is_a_state_and_no_history() {
    let (registry, clock) = registry();
    let lean = CircuitBreaker::builder().name("lean").clock(clock.clone()).build().unwrap();
    registry.insert_breaker(Arc::new(lean)).unwrap();
    assert_eq!(only(&registry).in_state_for, None);
    registry.breaker("lean").unwrap().trip();
    let health = only(&registry);
    assert_eq!((health.in_state_for, health.since, health.cause), (None, None, None));
    assert!(health.open_until.is_some());
}

#[test]
fn clocks_that_step_back_and_walls_at_the_end_of_time_harm_nothing() {
    let (registry, clock) = registry();
    registry.check("db", LONG, passes).unwrap();
    clock.set(secs(100));
    registry.breaker("payment").unwrap().trip();
    registry.run_checks();
    clock.set(secs(10));
    let health = only(&registry);
    assert_eq!(health.in_state_for, Some(Duration::ZERO));
    assert_eq!(status(&registry, "db").age, Some(Duration::ZERO));

    let before_1970 = registry.health_at(SystemTime::UNIX_EPOCH - secs(10));
    assert_eq!(serde_json::to_value(before_1970).unwrap()["at"], -10.0);
    clock.set(Duration::MAX);
    let ages = Duration::from_secs(1 << 62);
    for wall in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH - ages, wall() + ages] {
        let health = registry.health_at(wall);
        assert_eq!(health.at, wall);
        serde_json::to_string(&health).unwrap();
    }
}

// ===== JSON =====

/// The names are what dashboards and pages are built on: a change here breaks them.
#[test]
fn the_json_is_this() {
    let (registry, clock) = registry();
    let wait = BreakerConfig::default().open_wait(OpenWait::fixed(secs(30)));
    registry.apply(Config::default().with_template("default", wait)).unwrap();
    let breaker = registry.breaker("payment").unwrap();
    let inventory = registry.breaker("inventory").unwrap();
    for outcome in 0..20 {
        let permit = inventory.try_acquire().unwrap();
        if outcome % 4 == 0 {
            permit.failure()
        } else {
            permit.success()
        };
    }
    let places = Arc::new(Bulkhead::new(10).unwrap());
    registry.insert_bulkhead("payment", Arc::clone(&places)).unwrap();
    let _permit = places.try_acquire().unwrap();
    registry.check("db", secs(2), || Err("connection refused")).unwrap();
    registry.check("disk", secs(2), passes).unwrap();
    registry.remove_check("disk");
    registry.run_checks();
    registry.check("queue", Duration::from_millis(2_500), passes).unwrap();
    clock.advance(Duration::from_millis(4_500));
    breaker.force_open();

    let mut json = serde_json::to_value(registry.health_at(wall())).unwrap();
    let expected = serde_json::json!({
        "status": "degraded",
        "at": 1763707200.0,
        "breakers": [
            {
                "name": "inventory", "state": "closed", "generation": 0,
                "calls": 20, "failures": 5, "slow_calls": 0, "failure_rate": 0.25, "slow_rate": null,
                "since": 1763707195.5, "in_state_seconds": 4.5, "cause": null,
                "open_until": null, "open_for_seconds": null
            },
            {
                "name": "payment", "state": "forced_open", "generation": 1,
                "calls": 0, "failures": 0, "slow_calls": 0, "failure_rate": null, "slow_rate": null,
                "since": 1763707200.0, "in_state_seconds": 0.0, "cause": "control",
                "open_until": null, "open_for_seconds": null
            }
        ],
        "bulkheads": [{ "name": "payment", "in_use": 1, "max_concurrent": 10, "waiting": 0 }],
        "checks": [
            {
                "name": "db", "status": "failed", "error": "connection refused",
                "took_seconds": 0.0, "last_ran": 1763707195.5, "age_seconds": 4.5,
                "time_limit_seconds": 2.0, "running": false
            },
            {
                "name": "queue", "status": "never_ran", "error": null,
                "took_seconds": null, "last_ran": null, "age_seconds": null,
                "time_limit_seconds": 2.5, "running": false
            }
        ]
    });
    assert_eq!(json, expected);

    // Open: the end is up to 1.1 ms later than what was asked for.
    breaker.trip();
    json = serde_json::to_value(registry.health_at(wall())).unwrap();
    let payment = &json["breakers"][1];
    assert_eq!(payment["state"], "open");
    let within = |value: &serde_json::Value, from: f64| {
        let value = value.as_f64().expect("a number");
        assert!((from..from + 0.0011).contains(&value), "{value}");
    };
    within(&payment["open_for_seconds"], 30.0);
    within(&payment["open_until"], 1763707230.0);

    type Control = fn(&CircuitBreaker<ManualClock>);
    let states: [(Control, &str); 4] = [
        (CircuitBreaker::half_open, "half_open"),
        (CircuitBreaker::disable, "disabled"),
        (CircuitBreaker::metrics_only, "metrics_only"),
        (CircuitBreaker::reset, "closed"),
    ];
    for (control, name) in states {
        control(&breaker);
        json = serde_json::to_value(registry.health_at(wall())).unwrap();
        assert_eq!(json["breakers"][1]["state"], name);
    }
    registry.remove_check("db");
    assert_eq!(serde_json::to_value(registry.health()).unwrap()["status"], "healthy");
}
