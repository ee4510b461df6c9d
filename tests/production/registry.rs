//! The registry: same name, same thing; live changes that happen as a whole or not at all; and all of it under threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::config::{BreakerConfig, Config, RateLimitConfig};
use failfast::{
    ApplyError, Bulkhead, Changes, CircuitBreaker, RateLimit, Registry, State, TransitionCause,
    Window,
};

const THREADS: usize = 8;

fn registry() -> Registry<ManualClock> {
    Registry::with_clock(ManualClock::new())
}

fn entry() -> BreakerConfig {
    BreakerConfig::default()
}

fn breaker(name: &str, entry: BreakerConfig) -> Config {
    Config::default().with_breaker(name, entry)
}

fn search(calls: u32, burst: u32) -> Config {
    let limit = RateLimitConfig { calls, per: Duration::from_secs(1), burst: Some(burst) };
    Config::default().with_rate_limit("search", limit)
}

/// The key and the rest of a refusal.
fn refused(applied: Result<failfast::Applied, ApplyError>) -> (String, String) {
    match applied {
        Err(ApplyError::Refused(error)) => {
            (error.key().to_owned(), format!("{}; {}", error.given(), error.allowed()))
        }
        other => panic!("{other:?}"),
    }
}

/// `0..count`, in an order that depends on the seed.
fn shuffled(count: usize, seed: usize) -> Vec<usize> {
    // Steps by a prime that divides no count here visit each number once.
    (0..count).map(|step| (seed * 31 + step * 7919) % count).collect()
}

// ===== names =====

#[test]
fn a_name_is_one_breaker_whoever_asks_first() {
    let registry = registry();
    let barrier = Barrier::new(THREADS);
    let found: Vec<BTreeMap<String, Arc<CircuitBreaker<ManualClock>>>> = thread::scope(|scope| {
        let ask = |seed| {
            let (registry, barrier) = (&registry, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let name = |n| format!("breaker-{n:02}");
                shuffled(100, seed)
                    .into_iter()
                    .map(|n| (name(n), registry.breaker(&name(n)).unwrap()))
                    .collect()
            })
        };
        let threads: Vec<_> = (0..THREADS).map(ask).collect();
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

#[test]
fn names_that_say_nothing_or_are_taken_are_refused() {
    let registry = registry();
    let built = |name: &str| {
        let builder = CircuitBreaker::builder().name(name).clock(ManualClock::new());
        Arc::new(builder.build().unwrap())
    };
    let error = registry.breaker("").unwrap_err();
    assert_eq!((error.field(), error.given()), ("name", "\"\""));
    assert_eq!(registry.insert_breaker(built("")).unwrap_err(), error);
    assert!(registry.breakers().is_empty());

    let mine = built("payment");
    registry.insert_breaker(Arc::clone(&mine)).unwrap();
    let error = registry.insert_breaker(built("payment")).unwrap_err();
    assert_eq!((error.field(), error.given()), ("name", "\"payment\""));
    assert!(Arc::ptr_eq(&registry.breaker("payment").unwrap(), &mine));
    assert!(mine.totals().is_none(), "it is as the program built it");

    // Kinds have names of their own, and a name may be anything that is not empty.
    let places = Arc::new(Bulkhead::new(1).unwrap());
    registry.insert_bulkhead("payment", Arc::clone(&places)).unwrap();
    assert!(registry.insert_bulkhead("payment", places).is_err());
    for odd in ["a b", "\0", "Zahlung \u{1f4b8}", "<img src=x onerror=alert(1)>", "../x"] {
        assert_eq!(registry.breaker(odd).unwrap().name(), odd);
    }
}

#[test]
fn looking_for_a_thing_builds_none() {
    let registry = registry();
    registry.apply(search(10, 10).with_bulkhead("payment", 2)).unwrap();
    assert!(registry.find_breaker("payment").is_none());
    assert!(registry.find_bulkhead("payment").is_none());
    assert!(registry.find_rate_limit("search").is_none());
    assert!(registry.breakers().is_empty() && registry.bulkheads().is_empty());
    assert!(registry.rate_limits().is_empty());

    let built = registry.bulkhead("payment").unwrap();
    assert!(Arc::ptr_eq(&built, &registry.find_bulkhead("payment").unwrap()));
    assert_eq!(registry.rate_limit("search").unwrap().burst(), 10);
    assert_eq!(registry.rate_limits()[0].0, "search");
}

#[test]
fn a_bulkhead_or_a_limit_that_nobody_has_described_is_refused() {
    let registry = registry();
    let error = registry.bulkhead("payment").unwrap_err();
    assert_eq!((error.field(), error.given()), ("bulkheads", "\"payment\""));
    let error = registry.rate_limit("search").unwrap_err();
    assert_eq!((error.field(), error.given()), ("rate_limits", "\"search\""));
}

#[test]
fn what_is_removed_lives_on_in_its_handles() {
    let registry = registry();
    registry.apply(search(10, 10).with_bulkhead("payment", 2)).unwrap();
    let old = registry.breaker("payment").unwrap();
    let permit = old.try_acquire().unwrap();
    assert!(Arc::ptr_eq(&registry.remove_breaker("payment").unwrap(), &old));
    assert!(registry.remove_breaker("payment").is_none());
    let new = registry.breaker("payment").unwrap();
    permit.failure();
    assert_eq!((old.snapshot().failures, new.snapshot().failures), (1, 0));

    let places = registry.bulkhead("payment").unwrap();
    assert!(Arc::ptr_eq(&registry.remove_bulkhead("payment").unwrap(), &places));
    assert!(!Arc::ptr_eq(&registry.bulkhead("payment").unwrap(), &places));
    let limit = registry.rate_limit("search").unwrap();
    limit.try_acquire_many(10).unwrap();
    assert!(Arc::ptr_eq(&registry.remove_rate_limit("search").unwrap(), &limit));
    registry.rate_limit("search").unwrap().try_acquire_many(10).unwrap();
}

#[test]
fn everything_is_said_of_it_in_debug() {
    let registry = registry();
    registry.breaker("payment").unwrap().trip();
    registry.insert_bulkhead("mail", Arc::new(Bulkhead::new(3).unwrap())).unwrap();
    registry.check("db", Duration::from_secs(1), || Ok::<(), String>(())).unwrap();
    let text = format!("{registry:?}");
    for part in ["\"payment\": Open", "mail", "max_concurrent: 3", "rate_limits: []", "[\"db\"]"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

// ===== templates =====

#[test]
fn settings_are_the_entry_over_its_templates_over_the_default() {
    let config = Config::default()
        .with_template("default", entry().min_calls(7).failure_rate(0.9))
        .with_template("critical", entry().failure_rate(0.2))
        .with_breaker("payment", entry().template("critical").window(Window::count(10)))
        .with_breaker("lean", entry().totals(false));
    let registry = Registry::from_config(config.clone()).unwrap();
    assert_eq!(registry.config(), config);
    let of = |name: &str| registry.breaker(name).unwrap().settings();
    let payment = of("payment");
    assert_eq!(
        (payment.window, payment.failure_rate, payment.min_calls),
        (Window::count(10), Some(0.2), 7)
    );
    assert_eq!((of("search").failure_rate, of("search").min_calls), (Some(0.9), 7));
    assert!(registry.breaker("search").unwrap().totals().is_some(), "on unless switched off");
    assert!(registry.breaker("lean").unwrap().totals().is_none());
}

#[test]
fn a_registry_takes_no_configuration_that_is_not_allowed() {
    let wrong = breaker("payment", entry().failure_rate(1.5));
    let error = Registry::from_config(wrong.clone()).unwrap_err();
    assert_eq!((error.key(), error.given()), ("breakers.payment.failure_rate", "1.5"));
    let registry = registry();
    assert_eq!(registry.apply(wrong), Err(ApplyError::Refused(error)));
    let unknown = breaker("payment", entry().template("crucial"));
    assert_eq!(refused(registry.apply(unknown)).0, "breakers.payment.template");
    assert_eq!(registry.config(), Config::default());
    assert_eq!(registry.breaker("payment").unwrap().settings().failure_rate, Some(0.5));
}

// ===== observers =====

#[test]
fn observers_hear_the_name_of_every_breaker_that_was_built_after_them() {
    let registry = registry();
    registry.breaker("early").unwrap();
    let (tell, told) = mpsc::channel();
    let again = tell.clone();
    registry.on_transition(move |name, t| tell.send((1, name.to_owned(), t.to)).unwrap());
    registry.on_transition(move |name, t| again.send((2, name.to_owned(), t.to)).unwrap());
    for name in ["early", "payment", "search"] {
        registry.breaker(name).unwrap().trip();
    }
    let heard: Vec<_> = told.try_iter().collect();
    let of = |observer, name: &str| (observer, name.to_owned(), State::Open);
    let all = [of(1, "payment"), of(2, "payment"), of(1, "search"), of(2, "search")];
    assert_eq!(heard, all);
}

/// A clock, and observers, that look into the registry: none may be called under its lock.
#[derive(Clone)]
struct Nosy {
    registry: Arc<OnceLock<Weak<Registry<Nosy>>>>,
    time: ManualClock,
    looks: Arc<AtomicU64>,
}

impl Clock for Nosy {
    fn now(&self) -> Duration {
        if let Some(registry) = self.registry.get().and_then(Weak::upgrade) {
            // A write lock is refused by any other, so a lookup that builds would be stopped too.
            registry.remove_bulkhead("none");
            self.looks.fetch_add(registry.breakers().len() as u64, Ordering::Relaxed);
        }
        self.time.now()
    }
}

#[test]
fn no_lock_is_held_while_clocks_and_observers_run() {
    let clock = Nosy { registry: Arc::default(), time: ManualClock::new(), looks: Arc::default() };
    let registry = Arc::new(Registry::with_clock(clock.clone()));
    clock.registry.set(Arc::downgrade(&registry)).unwrap();
    let weak = Arc::downgrade(&registry);
    registry.on_transition(move |name, t| {
        let registry = weak.upgrade().expect("it is in use");
        if t.to == State::Open {
            registry.breaker(&format!("fallback of {name}")).unwrap();
            registry.health();
            registry.remove_breaker("none");
        }
        assert_eq!(registry.apply(Config::default()).is_err(), t.cause == RECONFIGURED);
    });
    let payment = registry.breaker("payment").unwrap();
    payment.trip();
    payment.reset();
    registry.apply(breaker("payment", entry().min_calls(3))).unwrap();
    registry.check("db", Duration::from_secs(9), || Ok::<(), String>(())).unwrap();
    registry.run_checks();
    registry.health();
    let _ = format!("{registry:?}");
    assert_eq!(payment.settings().min_calls, 3);
    assert_eq!(registry.breakers().len(), 2);
    assert!(clock.looks.load(Ordering::Relaxed) > 10, "the clock has looked");
}

const RECONFIGURED: TransitionCause = TransitionCause::Reconfigured;

#[test]
fn an_observer_that_applies_within_an_apply_is_refused_and_waits_for_nobody() {
    let registry = Arc::new(registry());
    let (tell, told) = mpsc::channel();
    let weak = Arc::downgrade(&registry);
    registry.on_transition(move |_, _| {
        let registry = weak.upgrade().expect("it is in use");
        tell.send(registry.apply(Config::default())).unwrap();
    });
    registry.breaker("payment").unwrap();
    let next = breaker("payment", entry().min_calls(3));
    registry.apply(next.clone()).unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Err(ApplyError::Nested)]);
    assert_eq!(registry.config(), next);
}

// ===== applying =====

#[test]
fn an_apply_says_what_it_did() {
    let registry = registry();
    let old = search(10, 10)
        .with_breaker("built", entry())
        .with_breaker("same", entry())
        .with_breaker("unbuilt", entry())
        .with_breaker("gone", entry().min_calls(5))
        .with_bulkhead("payment", 2)
        .with_bulkhead("mail", 2)
        .with_bulkhead("gone", 2);
    let applied = registry.apply(old).unwrap();
    assert_eq!(applied.breakers.added, ["built", "gone", "same", "unbuilt"]);
    assert_eq!(applied.rate_limits.added, ["search"]);
    for name in ["built", "same", "gone", "default"] {
        registry.breaker(name).unwrap();
    }
    let (payment, mail) =
        (registry.bulkhead("payment").unwrap(), registry.bulkhead("mail").unwrap());

    let next = search(10, 10)
        .with_template("slow", entry().min_calls(30))
        .with_breaker("built", entry().template("slow"))
        .with_breaker("same", entry())
        .with_breaker("unbuilt", entry().min_calls(9))
        .with_breaker("new", entry())
        .with_bulkhead("payment", 20)
        .with_bulkhead("mail", 2);
    let applied = registry.apply(next.clone()).unwrap();
    let Changes { added, changed, unchanged, gone, .. } = applied.breakers;
    assert_eq!((added, changed), (vec!["new".to_owned()], vec!["built".into(), "unbuilt".into()]));
    assert_eq!((unchanged, gone), (vec!["default".to_owned(), "same".into()], vec!["gone".into()]));
    let Changes { added, changed, unchanged, gone, .. } = applied.bulkheads;
    assert_eq!((added, changed), (vec![], vec!["payment".to_owned()]));
    assert_eq!((unchanged, gone), (vec!["mail".to_owned()], vec!["gone".into()]));
    assert_eq!(applied.rate_limits.unchanged, ["search"]);
    assert_eq!((payment.max_concurrent(), mail.max_concurrent()), (20, 2));
    assert_eq!(registry.breaker("built").unwrap().settings().min_calls, 30);

    // The same once more changes nothing, not even a generation.
    let generations = || registry.breakers().iter().map(|b| b.snapshot().generation).sum::<u64>();
    let before = generations();
    let again = registry.apply(next).unwrap();
    assert_eq!(again.breakers.unchanged, ["built", "default", "gone", "new", "same", "unbuilt"]);
    assert!(again.breakers.changed.is_empty() && again.bulkheads.changed.is_empty());
    assert_eq!(generations(), before);
}

#[test]
fn who_has_no_entry_follows_the_default_template_until_it_has_had_one() {
    let registry = registry();
    let template = |calls| Config::default().with_template("default", entry().min_calls(calls));
    registry.apply(template(5).with_breaker("payment", entry().min_calls(6))).unwrap();
    let (payment, search) =
        (registry.breaker("payment").unwrap(), registry.breaker("search").unwrap());
    let min = || (payment.settings().min_calls, search.settings().min_calls);
    assert_eq!(min(), (6, 5));

    // The entry is gone: the breaker stays as it is, through all further changes of the template.
    let applied = registry.apply(template(8)).unwrap();
    assert_eq!(applied.breakers.gone, ["payment"]);
    assert_eq!(applied.breakers.changed, ["search"]);
    registry.apply(template(9)).unwrap();
    assert_eq!(min(), (6, 9));

    // Until it is removed, or has an entry again.
    registry.apply(template(9).with_breaker("payment", entry())).unwrap();
    assert_eq!(min(), (9, 9));
    registry.apply(template(10)).unwrap();
    assert_eq!(min(), (9, 10));
    registry.remove_breaker("payment");
    assert_eq!(registry.breaker("payment").unwrap().settings().min_calls, 10);
}

#[test]
fn what_the_program_has_built_takes_on_an_entry_and_no_template() {
    let registry = registry();
    let builder = CircuitBreaker::builder().name("mine").min_calls(3).clock(ManualClock::new());
    let mine = Arc::new(builder.build().unwrap());
    registry.insert_breaker(Arc::clone(&mine)).unwrap();
    let template = Config::default().with_template("default", entry().min_calls(9));
    assert_eq!(registry.apply(template.clone()).unwrap().breakers.unchanged, ["mine"]);
    assert_eq!(mine.settings().min_calls, 3);
    let applied = registry.apply(template.clone().with_breaker("mine", entry().failure_rate(0.1)));
    assert_eq!(applied.unwrap().breakers.added, ["mine"]);
    assert_eq!((mine.settings().min_calls, mine.settings().failure_rate), (9, Some(0.1)));
    assert!(mine.totals().is_none(), "nothing was said of totals");
    let asks = template.with_breaker("mine", entry().totals(true));
    let (key, why) = refused(registry.apply(asks));
    assert_eq!(
        (key.as_str(), why.as_str()),
        ("breakers.mine.totals", "true; false, as the breaker was built")
    );
}

#[test]
fn a_refused_configuration_changes_nothing_anywhere() {
    let first = search(10, 10)
        .with_template("big", entry().window(Window::count(1_000)))
        .with_breaker("a", entry().stripes(2))
        .with_breaker("z", entry().template("big"))
        .with_breaker("lean", entry().totals(false))
        .with_breaker("timed", entry().window(Window::time(Duration::from_secs(1))))
        .with_bulkhead("payment", 2);
    let registry = registry();
    registry.apply(first.clone()).unwrap();
    let breakers = ["a", "lean", "timed", "z"].map(|name| registry.breaker(name).unwrap());
    let places = registry.bulkhead("payment").unwrap();
    let limit = registry.rate_limit("search").unwrap();
    limit.try_acquire_many(4).unwrap();
    for breaker in &breakers {
        breaker.try_acquire().unwrap().failure();
    }
    let before = breakers.each_ref().map(|breaker| (breaker.settings(), breaker.snapshot()));

    // Each also changes something that could be changed.
    let next = || first.clone().with_breaker("new", entry()).with_bulkhead("payment", 9);
    let cases = [
        (
            next().with_template("big", entry().window(Window::count(500))),
            "templates.big.window.count",
        ),
        (
            next().with_breaker("z", entry().window(Window::consecutive(3))),
            "breakers.z.window.consecutive",
        ),
        (next().with_breaker("z", entry()), "breakers.z.window"),
        (next().with_breaker("a", entry().stripes(3)), "breakers.a.stripes"),
        (next().with_breaker("a", entry().stripes(2).totals(false)), "breakers.a.totals"),
        (next().with_breaker("lean", entry()), "breakers.lean.totals"),
        (
            next().with_breaker("timed", first.breakers["timed"].clone().consecutive_failures(3)),
            "breakers.timed.consecutive_failures",
        ),
        (search(20, 10).with_bulkhead("payment", 9), "rate_limits.search"),
        (search(10, 11).with_bulkhead("payment", 9), "rate_limits.search"),
        (next().with_bulkhead("mail", 0), "bulkheads.mail.max_concurrent"),
        (next().with_breaker("new", entry().min_calls(0)), "breakers.new.min_calls"),
    ];
    for (config, key) in cases {
        let (refused_key, why) = refused(registry.apply(config));
        assert_eq!(refused_key, key, "{why}");
        assert!(!why.starts_with(";") && !why.ends_with("; "), "given and allowed: {why}");
        let after = breakers.each_ref().map(|breaker| (breaker.settings(), breaker.snapshot()));
        assert_eq!(after, before, "{key}");
        assert_eq!((places.max_concurrent(), registry.config()), (2, first.clone()), "{key}");
        assert!(registry.find_breaker("new").is_none());
    }
    assert!(limit.try_acquire_many(6).is_ok() && limit.try_acquire().is_err());

    // What can't be changed is built anew once it is removed.
    registry.remove_rate_limit("search");
    registry.remove_breaker("a");
    registry.apply(search(20, 20).with_breaker("a", entry().stripes(3))).unwrap();
    assert_eq!(registry.rate_limit("search").unwrap().burst(), 20);
    assert_eq!(limit.burst(), 10, "handles that are out keep the old one");
}

#[test]
fn a_limit_that_the_program_has_built_is_held_to_its_entry_too() {
    let registry = registry();
    let limit = RateLimit::per_second(10).burst(5).clock(ManualClock::new()).build().unwrap();
    registry.insert_rate_limit("search", Arc::new(limit)).unwrap();
    assert!(registry.insert_rate_limit("search", registry.rate_limit("search").unwrap()).is_err());
    let (key, why) = refused(registry.apply(search(10, 10)));
    assert_eq!(key, "rate_limits.search");
    let expected = "10 calls per 1s, 10 at once; a call every 100ms, 5 at once, as the limit was built: remove it first";
    assert_eq!(why, expected);
    registry.apply(search(10, 5)).unwrap();
}

// ===== threads =====

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
            while !done.load(Ordering::Relaxed) {
                let health = registry.health();
                assert_eq!(health.breakers.len(), 2);
                for breaker in &health.breakers {
                    assert!(breaker.failures <= breaker.calls);
                    assert!(breaker.failure_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
                }
                healths += 1;
            }
            healths
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
    assert!(healths > 0);
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
