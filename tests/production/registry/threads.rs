//! The registry under threads: one name, one thing; no call lost, no reading torn, whatever else is done to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::config::Config;
use failfast::{CircuitBreaker, Registry};

use super::{breaker, entry, registry};

const THREADS: usize = 8;

/// Steps that have no divisor in common with 100: each visits every number, in an order of its own.
const STEPS: [usize; THREADS] = [1, 3, 7, 9, 11, 13, 17, 99];

#[test]
fn a_name_is_one_breaker_whoever_asks_first() {
    let registry = registry();
    let barrier = Barrier::new(THREADS);
    let found: Vec<BTreeMap<String, Arc<CircuitBreaker<ManualClock>>>> = thread::scope(|scope| {
        let ask = |step| {
            let (registry, barrier) = (&registry, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let name = |n| format!("breaker-{:02}", n * step % 100);
                (0..100).map(|n| (name(n), registry.breaker(&name(n)).unwrap())).collect()
            })
        };
        let threads = STEPS.map(ask);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let all = registry.breakers();
    assert_eq!(all.len(), 100);
    assert!(all.is_sorted_by_key(|breaker| breaker.name().to_owned()));
    for breaker in &all {
        for map in &found {
            assert!(Arc::ptr_eq(&map[breaker.name()], breaker), "{} twice", breaker.name());
        }
        // The registry, this list, and a handle for each thread: a breaker that came too late is gone.
        assert_eq!(Arc::strong_count(breaker), 2 + THREADS);
    }
}

/// Stops the others when the thread that holds it is through, in a panic too.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn two_applies_at_once_are_one_after_the_other() {
    let registry = registry();
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        registry.breaker(name).unwrap();
    }
    let barrier = Barrier::new(4);
    let mixed = Mutex::new(());
    thread::scope(|scope| {
        for thread in 1..=4_u32 {
            let (registry, barrier, mixed) = (&registry, &barrier, &mixed);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..50 {
                    let calls = thread * 1_000 + round;
                    let template = entry().min_calls(calls).failure_rate(f64::from(calls) / 1e4);
                    registry.apply(Config::default().with_template("default", template)).unwrap();
                    // At rest all of them have one configuration, the registry's; here: none is torn.
                    let _alone = mixed.lock().unwrap();
                    let settings = registry.breaker(names[round as usize % 5]).unwrap().settings();
                    let rate = f64::from(settings.min_calls) / 1e4;
                    assert!((settings.failure_rate.unwrap() - rate).abs() < 1e-9);
                }
            });
        }
    });
    let last = registry.config().templates["default"].min_calls.unwrap();
    for breaker in registry.breakers() {
        assert_eq!(breaker.settings().min_calls, last, "{} has another's", breaker.name());
    }
}

#[test]
fn nothing_is_ever_built_from_a_configuration_that_is_gone() {
    for round in 0..200 {
        let registry = registry();
        let barrier = Barrier::new(3);
        let handles = thread::scope(|scope| {
            let ask = || {
                scope.spawn(|| {
                    barrier.wait();
                    registry.breaker("payment").unwrap()
                })
            };
            let handles = [ask(), ask()];
            barrier.wait();
            registry.apply(breaker("payment", entry().min_calls(7))).unwrap();
            handles.map(|handle| handle.join().unwrap())
        });
        assert!(Arc::ptr_eq(&handles[0], &handles[1]), "round {round}");
        assert_eq!(handles[0].settings().min_calls, 7, "round {round}");
    }
}

#[test]
fn removal_and_creation_under_load_lose_no_call() {
    type Calls = Vec<(Arc<CircuitBreaker<ManualClock>>, u64)>;
    let registry = registry();
    let barrier = Barrier::new(THREADS);
    // Of each breaker that a thread came to know: the thread's calls to it.
    let call = |_| {
        barrier.wait();
        let mut calls = Calls::new();
        for round in 0..2_000 {
            let breaker = registry.breaker("payment").unwrap();
            thread::yield_now();
            breaker.try_acquire().unwrap().success();
            match calls.last_mut().filter(|(known, _)| Arc::ptr_eq(known, &breaker)) {
                Some((_, count)) => *count += 1,
                None => calls.push((breaker, 1)),
            }
            if round % 20 == 0 {
                registry.remove_breaker("payment");
            }
        }
        calls
    };
    let calls: Calls = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || call(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut sums: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for (breaker, count) in &calls {
        let counted = breaker.totals().unwrap().succeeded;
        sums.entry(Arc::as_ptr(breaker)).or_insert((counted, 0)).1 += count;
    }
    for (counted, made) in sums.values() {
        assert_eq!(counted, made, "a breaker has counted other calls than it was asked for");
    }
    let shared = calls.len() - sums.len();
    println!("{} breakers, {shared} of them met by a second thread", sums.len());
    assert!(sums.len() > 1, "the breaker was never replaced under load");
}

#[test]
fn settings_change_while_four_threads_call_and_every_call_is_accounted_for() {
    let clock = ManualClock::new();
    let registry = Registry::with_clock(clock.clone());
    let handles = ["a", "b"].map(|name| registry.breaker(name).unwrap());
    let done = AtomicBool::new(false);
    let (refused, healths) = thread::scope(|scope| {
        let call = |n: u64| {
            let (handles, done) = (&handles, &done);
            scope.spawn(move || {
                let mut refused = 0;
                for call in n.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    match handles[(call % 2) as usize].try_acquire() {
                        Ok(permit) if call % 5 == 0 => drop(permit.failure()),
                        Ok(permit) => drop(permit.success()),
                        Err(_) => refused += 1,
                    }
                }
                refused
            })
        };
        let threads: Vec<_> = (0..4).map(call).collect();
        let watch = scope.spawn(|| {
            let mut healths = 0_u64;
            loop {
                let health = registry.health();
                assert_eq!(health.breakers.len(), 2);
                for breaker in &health.breakers {
                    assert!(breaker.failures <= breaker.calls);
                    assert!(breaker.failure_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
                }
                healths += 1;
                if done.load(Ordering::Relaxed) {
                    return healths;
                }
            }
        });
        {
            let _stop = StopOnDrop(&done);
            for round in 1..=300_u32 {
                let strict = entry().failure_rate(f64::from(round % 4 + 1) / 5.0).min_calls(round);
                let config = breaker("a", strict).with_breaker("b", entry().min_calls(round + 1));
                registry.apply(config).unwrap();
                let calls = handles.each_ref().map(|handle| handle.settings().min_calls);
                assert_eq!(calls, [round, round + 1]);
                clock.advance(Duration::from_secs(10));
            }
        }
        let refused: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        (refused, watch.join().unwrap())
    });
    let totals = handles.map(|handle| handle.totals().unwrap());
    assert_eq!(totals.iter().map(|totals| totals.refused).sum::<u64>(), refused);
    for totals in totals {
        assert_eq!(totals.in_flight(), 0);
        let reported = totals.succeeded + totals.failed + totals.ignored + totals.stale;
        assert_eq!(totals.permitted, reported);
    }
    println!("{refused} refused, {healths} readings of the health");
}

#[test]
fn everything_at_once() {
    let registry = registry();
    let barrier = Barrier::new(7);
    let rounds = 0..100_u32;
    thread::scope(|scope| {
        let start = |body: fn(&Registry<ManualClock>, u32)| {
            let (registry, barrier, rounds) = (&registry, &barrier, rounds.clone());
            scope.spawn(move || {
                barrier.wait();
                rounds.for_each(|round| body(registry, round));
            });
        };
        start(|registry, round| {
            let breaker = registry.breaker(["a", "b", "c"][round as usize % 3]).unwrap();
            breaker.trip();
            breaker.reset();
        });
        start(|registry, round| drop(registry.remove_breaker(["a", "b", "c"][round as usize % 3])));
        start(|registry, round| {
            let config = breaker("a", entry().min_calls(round + 1)).with_bulkhead("p", round + 1);
            registry.apply(config).unwrap();
        });
        start(|registry, _| {
            // A name is asked for before it is in the configuration, or after.
            if let Ok(places) = registry.bulkhead("p") {
                let _ = places.try_acquire();
            }
        });
        start(|registry, _| {
            let names = registry.health().breakers.into_iter().map(|breaker| breaker.name);
            assert!(names.is_sorted());
        });
        start(|registry, round| {
            let name = ["x", "y"][round as usize % 2];
            let _ = registry.check(name, Duration::from_secs(60), || Ok::<(), String>(()));
            registry.run_checks();
            registry.remove_check(name);
        });
        start(|registry, _| registry.on_transition(|_, _| ()));
    });
    assert!(registry.breakers().len() <= 3);
    assert_eq!(registry.bulkhead("p").unwrap().max_concurrent(), 100);
}
