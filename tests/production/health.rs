//! Health: what it shows of every state, its JSON, and the program's own checks: good, bad, hanging, panicking.
//!
//! Nothing here sleeps. A time limit is either a millisecond that a check overruns for certain, since it waits for what
//! comes later; or far longer than the test.

use std::panic::panic_any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use failfast::clock::ManualClock;
use failfast::config::{BreakerConfig, Config};
use failfast::{
    BreakerHealth, Bulkhead, CheckHealth, CheckStatus, CircuitBreaker, HealthStatus, OpenWait,
    Registry, State,
};

/// Never reached, unless something is broken.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1);

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

/// A check that says when it has begun and waits for its answer.
fn prompted() -> (impl Fn() -> Answer, Receiver<()>, Sender<Answer>) {
    let (begin, begun) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let both = Mutex::new((begin, answers));
    let check = move || {
        let (begin, answers) = &*both.lock().unwrap();
        let _ = begin.send(());
        answers.recv().unwrap_or_else(|_| Err("nobody answered".to_owned()))
    };
    (check, begun, answer)
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

// ===== checks =====

#[test]
fn a_check_says_what_its_last_run_said() {
    let (registry, clock) = registry();
    clock.set(secs(50));
    let answer = Arc::new(Mutex::new(Ok(())));
    let says = Arc::clone(&answer);
    let time = clock.clone();
    let check = move || {
        time.advance(secs(3));
        says.lock().unwrap().clone()
    };
    registry.check("db", LONG, check).unwrap();
    let fresh = status(&registry, "db");
    assert_eq!((fresh.status, fresh.running), (CheckStatus::NeverRan, false));
    assert_eq!((fresh.took, fresh.last_ran, fresh.age, fresh.error), (None, None, None, None));

    let ran = registry.run_checks().remove(0);
    assert_eq!((ran.status, ran.took, ran.time_limit), (CheckStatus::Passed, Some(secs(3)), LONG));
    assert_eq!(registry.health().http_status(), 200);
    clock.advance(secs(7));
    let later = &registry.health_at(wall()).checks[0];
    assert_eq!((later.age, later.last_ran), (Some(secs(10)), Some(wall() - secs(10))));

    *answer.lock().unwrap() = Err("refused".to_owned());
    assert_eq!(status(&registry, "db").status, CheckStatus::Passed, "health runs nothing");
    let ran = registry.run_checks().remove(0);
    assert_eq!((ran.status, ran.error.as_deref()), (CheckStatus::Failed, Some("refused")));
    assert_eq!(registry.health().http_status(), 503);
    *answer.lock().unwrap() = Ok(());
    registry.run_checks();
    assert_eq!(registry.health().http_status(), 200);
}

#[test]
fn checks_that_make_no_sense_are_refused_and_names_are_not_shared() {
    let (registry, _) = registry();
    let field =
        |name: &str, limit| registry.check(name, limit, passes).unwrap_err().field().to_owned();
    assert_eq!(field("", LONG), "name");
    assert_eq!(field("db", Duration::ZERO), "time_limit");
    assert_eq!(field("db", Duration::MAX), "time_limit");
    assert!(registry.run_checks().is_empty());
    registry.check("db", LONG, || Err("first")).unwrap();
    let error = registry.check("db", LONG, passes).unwrap_err();
    assert_eq!((error.field(), error.allowed()), ("name", "a name that is not taken"));
    assert_eq!(registry.run_checks()[0].error.as_deref(), Some("first"));
    assert!(registry.remove_check("db") && !registry.remove_check("db"));
    registry.check("db", LONG, passes).unwrap();
    assert_eq!(registry.run_checks()[0].status, CheckStatus::Passed);
    // The system's threads take no such name.
    registry.check("a\0b", LONG, passes).unwrap();
    assert_eq!(registry.run_checks()[0].status, CheckStatus::Passed);
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    struct Worse;
    impl Drop for Worse {
        fn drop(&mut self) {
            panic!("again, while it is thrown away");
        }
    }
    struct Unprintable;
    impl std::fmt::Display for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words");
        }
    }
    let (registry, _) = registry();
    let text = |text: &'static str| move || -> Answer { panic_any(text) };
    registry.check("a", LONG, text("at once")).unwrap();
    registry.check("b", LONG, || -> Answer { panic!("{} of {}", 1, 2) }).unwrap();
    registry.check("c", LONG, || -> Answer { panic_any(42) }).unwrap();
    registry.check("d", LONG, || -> Answer { panic_any(Worse) }).unwrap();
    registry.check("e", LONG, || Err(Unprintable)).unwrap();
    let checks = registry.run_checks();
    let errors: Vec<_> = checks.iter().map(|check| check.error.clone().unwrap()).collect();
    let expected =
        ["panicked: at once", "panicked: 1 of 2", "panicked", "panicked", "panicked: no words"];
    assert_eq!(errors, expected);
    assert!(checks.iter().all(|check| check.status == CheckStatus::Failed));
    assert_eq!(registry.run_checks().len(), 5, "and they can be run again");
}

#[test]
fn checks_run_at_the_same_time() {
    let (registry, _) = registry();
    let meet = Arc::new(Barrier::new(8));
    for n in 0..8 {
        let meet = Arc::clone(&meet);
        // One after the other they would wait for ever.
        registry
            .check(&format!("check-{n}"), LONG, move || {
                meet.wait();
                passes()
            })
            .unwrap();
    }
    assert!(registry.run_checks().iter().all(|check| check.status == CheckStatus::Passed));
}

#[test]
fn a_check_that_hangs_times_out_and_is_not_started_again() {
    let (registry, clock) = registry();
    let (check, begun, answer) = prompted();
    registry.check("hangs", SHORT, check).unwrap();
    registry.check("quick", LONG, passes).unwrap();
    let checks = registry.run_checks();
    assert_eq!((checks[0].status, checks[0].running), (CheckStatus::TimedOut, true));
    assert_eq!(checks[0].error.as_deref(), Some("no answer within 1ms"));
    assert_eq!(checks[1].status, CheckStatus::Passed);
    assert_eq!(registry.health().http_status(), 503);
    begun.recv().unwrap();
    clock.advance(secs(4));
    for _ in 0..20 {
        assert_eq!(registry.run_checks()[0].status, CheckStatus::TimedOut);
    }
    assert!(begun.try_recv().is_err(), "no second thread hangs");
    assert_eq!(status(&registry, "hangs").took, Some(secs(4)), "so far");

    // What it says in the end came too late.
    answer.send(passes()).unwrap();
    while status(&registry, "hangs").running {
        thread::yield_now();
    }
    assert_eq!(status(&registry, "hangs").status, CheckStatus::TimedOut);
    // And now it is asked again.
    answer.send(Err("refused".to_owned())).unwrap();
    registry.run_checks();
    begun.recv().unwrap();
    assert_ne!(status(&registry, "hangs").status, CheckStatus::Passed);
}

#[test]
fn health_neither_runs_a_check_nor_waits_for_one() {
    let (registry, clock) = registry();
    let (check, begun, answer) = prompted();
    registry.check("db", LONG, check).unwrap();
    answer.send(passes()).unwrap();
    registry.run_checks();
    begun.recv().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| registry.run_checks());
        begun.recv().unwrap();
        clock.advance(secs(5));
        let shown = status(&registry, "db");
        assert_eq!((shown.status, shown.running), (CheckStatus::Passed, true));
        assert_eq!(shown.age, Some(secs(5)), "of the run before");
        answer.send(Err("gone".to_owned())).unwrap();
    });
    assert_eq!(status(&registry, "db").status, CheckStatus::Failed);
    assert!(begun.try_recv().is_err());
}

#[test]
fn two_who_run_the_checks_share_one_run() {
    let (registry, _) = registry();
    let (check, begun, answer) = prompted();
    registry.check("db", LONG, check).unwrap();
    thread::scope(|scope| {
        let run = || scope.spawn(|| registry.run_checks().remove(0).status);
        let first = run();
        begun.recv().unwrap();
        let others = [run(), run(), run()];
        // One that comes only when the others are over begins a run of its own: there are answers for all.
        for _ in 0..4 {
            answer.send(passes()).unwrap();
        }
        assert_eq!(first.join().unwrap(), CheckStatus::Passed);
        assert_eq!(others.map(|other| other.join().unwrap()), [CheckStatus::Passed; 3]);
    });
    println!("{} of the three found no run to share", begun.try_iter().count());
    assert!(!status(&registry, "db").running);
}

#[test]
fn a_check_that_is_removed_while_it_runs_keeps_nobody_waiting_and_says_nothing() {
    let (registry, _) = registry();
    let (check, begun, answer) = prompted();
    registry.check("db", LONG, check).unwrap();
    thread::scope(|scope| {
        let run = scope.spawn(|| registry.run_checks());
        begun.recv().unwrap();
        assert!(registry.remove_check("db"));
        assert!(run.join().unwrap().is_empty(), "nobody waits for it");
    });
    // Another of its name has nothing to do with it.
    registry.check("db", LONG, passes).unwrap();
    answer.send(Err("late".to_owned())).unwrap();
    registry.run_checks();
    assert_eq!(status(&registry, "db").status, CheckStatus::Passed);
}

#[test]
fn a_check_may_use_its_registry() {
    let registry = Arc::new(registry().0);
    let weak = Arc::downgrade(&registry);
    registry
        .check("nosy", SHORT, move || {
            let registry = weak.upgrade().expect("it is in use");
            registry.breaker("payment").unwrap();
            registry.check("other", LONG, passes).unwrap();
            // Waits for itself, within its own limit.
            registry.run_checks();
            registry.remove_check("nosy");
            passes()
        })
        .unwrap();
    registry.run_checks();
    while registry.health().checks.len() != 1 || registry.health().checks[0].running {
        thread::yield_now();
    }
    assert_eq!(status(&registry, "other").name, "other");
    assert!(registry.find_breaker("payment").is_some());
}

// ===== in the background =====

/// A check that hands over a token each time it runs.
fn rendezvous() -> (impl Fn() -> Answer, Receiver<()>) {
    let (tell, told): (SyncSender<()>, _) = mpsc::sync_channel(0);
    (move || tell.send(()).map_err(|gone| gone.to_string()), told)
}

#[test]
fn the_background_runner_runs_until_it_is_dropped() {
    let (registry, _) = registry();
    let (check, told) = rendezvous();
    registry.check("db", LONG, check).unwrap();
    let runner = registry.run_checks_every(SHORT).unwrap();
    for _ in 0..5 {
        told.recv().unwrap();
    }
    assert_eq!(format!("{runner:?}"), "CheckRunner { .. }");
    // It is waiting to hand over, or about to: it does not keep the drop waiting for its limit of a minute.
    let begun = Instant::now();
    drop(runner);
    assert!(begun.elapsed() < LONG / 2, "it ends at once");
    // At most the run that was under way is left.
    let _ = told.recv_timeout(SHORT);
    while status(&registry, "db").running {
        let _ = told.try_recv();
        thread::yield_now();
    }
    assert!(told.try_recv().is_err(), "nothing runs any more");
    assert_eq!(status(&registry, "db").status, CheckStatus::Passed);
}

#[test]
fn a_runner_that_waits_for_its_next_round_ends_at_once() {
    let (registry, _) = registry();
    registry.check("db", LONG, passes).unwrap();
    let runner = registry.run_checks_every(LONG).unwrap();
    while status(&registry, "db").status != CheckStatus::Passed {
        thread::yield_now();
    }
    let begun = Instant::now();
    drop(runner);
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_runner_has_a_period_that_is_one() {
    let (registry, _) = registry();
    for wrong in [Duration::ZERO, Duration::MAX] {
        let error = registry.run_checks_every(wrong).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("period: given "), "{error}");
    }
}

#[test]
fn a_runner_outlives_its_registry_and_two_do_not_mind_each_other() {
    let (registry, _) = registry();
    let (check, told) = rendezvous();
    registry.check("db", LONG, check).unwrap();
    let first = registry.run_checks_every(SHORT).unwrap();
    let second = registry.run_checks_every(SHORT).unwrap();
    drop(registry);
    drop(first);
    for _ in 0..3 {
        told.recv().unwrap();
    }
    // A check that waits here is told that nobody will come.
    drop(told);
    drop(second);
}

// ===== early recovery =====

#[test]
fn a_passing_check_ends_the_open_time_of_an_open_breaker_and_of_no_other() {
    let (registry, clock) = registry();
    let breaker = registry.breaker("payment").unwrap();
    let (well, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (handle, is_well, count) = (Arc::clone(&breaker), Arc::clone(&well), Arc::clone(&ended));
    let check = move || {
        if is_well.load(Ordering::Relaxed) == 0 {
            return Err("connection refused");
        }
        if handle.state() == State::Open {
            count.fetch_add(1, Ordering::Relaxed);
            handle.half_open();
        }
        Ok(())
    };
    registry.check("payment", LONG, check).unwrap();

    for _ in 0..20 {
        breaker.try_acquire().unwrap().failure();
    }
    clock.advance(secs(2));
    registry.run_checks();
    assert_eq!(breaker.state(), State::Open, "still down");
    well.store(1, Ordering::Relaxed);
    assert!(breaker.open_for().unwrap() > secs(27));
    registry.run_checks();
    assert_eq!((breaker.state(), registry.health().http_status()), (State::HalfOpen, 503));
    // The probes decide, not the check.
    for _ in 0..3 {
        registry.run_checks();
        breaker.try_acquire().unwrap().success();
    }
    assert_eq!((breaker.state(), registry.health().http_status()), (State::Closed, 200));
    breaker.force_open();
    registry.run_checks();
    assert_eq!(breaker.state(), State::ForcedOpen, "what an operator said stays");
    assert_eq!(
        ended.load(Ordering::Relaxed),
        1,
        "half_open() was called for the open breaker only"
    );
}
