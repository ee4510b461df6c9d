//! The registry: names, templates, observers; live changes and threads have files of their own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Barrier, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::config::{BreakerConfig, Config, InvalidConfig, RateLimitConfig};
use failfast::{Bulkhead, CircuitBreaker, Registry, State, Window};

mod applying;
mod threads;

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
#[track_caller]
fn refused(applied: Result<failfast::Applied, InvalidConfig>) -> (String, String) {
    let error = applied.unwrap_err();
    (error.key().to_owned(), format!("{}; {}", error.given(), error.allowed()))
}

#[test]
fn they_go_where_a_service_sends_them() {
    fn shared<T: Send + Sync + 'static>() {}
    fn value<T: Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    shared::<Registry>();
    shared::<Registry<Arc<ManualClock>>>();
    shared::<failfast::CheckRunner>();
    value::<failfast::Health>();
    value::<failfast::Applied>();
    error::<InvalidConfig>();
    // `?` in a program that reads a file and applies it.
    fn reload(registry: &Registry) -> Result<(), Box<dyn std::error::Error>> {
        registry.apply(Config::from_toml("[breakers.payment]")?)?;
        Ok(())
    }
    let registry = Registry::default();
    reload(&registry).unwrap();
    assert!(registry.config().breakers.contains_key("payment"));
}

// ===== names =====

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
    let built = registry.rate_limit("search").unwrap();
    assert_eq!(built.burst(), 10);
    assert!(Arc::ptr_eq(&built, &registry.find_rate_limit("search").unwrap()));
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
    assert_eq!(registry.apply(wrong), Err(error));
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
        registry.apply(registry.config()).unwrap();
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

#[test]
fn an_observer_that_applies_within_an_apply_has_its_turn() {
    let registry = Arc::new(registry());
    let (tell, told) = mpsc::channel();
    let weak = Arc::downgrade(&registry);
    registry.on_transition(move |_, _| {
        let registry = weak.upgrade().expect("it is in use");
        let applied = registry.apply(breaker("payment", entry().min_calls(5))).unwrap();
        tell.send(applied.breakers.changed).unwrap();
    });
    let payment = registry.breaker("payment").unwrap();
    let applied = registry.apply(breaker("payment", entry().min_calls(3))).unwrap();
    assert_eq!(applied.breakers.added, ["payment"]);
    // What the observer changes is told it too, and then there is nothing left to do.
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [vec![], vec!["payment".to_owned()]]);
    assert_eq!(payment.settings().min_calls, 5);
    assert_eq!(registry.config().breakers["payment"].min_calls, Some(5));
}

/// Each on its thread, in the middle of an apply: one lock held meanwhile, and neither would return.
#[test]
fn observers_of_two_registries_may_apply_crosswise() {
    let calls = |calls| breaker("payment", entry().min_calls(calls));
    let registries = [Arc::new(registry()), Arc::new(registry())];
    let both = Arc::new(Barrier::new(2));
    for (own, other) in [(0, 1), (1, 0)] {
        let (other, both) = (Arc::downgrade(&registries[other]), Arc::clone(&both));
        let is_first = AtomicBool::new(true);
        registries[own].on_transition(move |_, _| {
            if is_first.swap(false, Ordering::Relaxed) {
                both.wait();
                let other = other.upgrade().expect("it is in use");
                other.apply(calls(40 + own as u32)).unwrap();
            }
        });
        registries[own].breaker("payment").unwrap();
    }
    let (tell, told) = mpsc::channel();
    for registry in registries.clone() {
        let tell = tell.clone();
        thread::spawn(move || tell.send(registry.apply(calls(30)).unwrap()).unwrap());
    }
    for _ in 0..2 {
        told.recv_timeout(Duration::from_secs(60)).expect("neither waits for the other");
    }
    let [a, b] = registries.map(|it| it.breaker("payment").unwrap().settings().min_calls);
    assert_eq!((a, b), (41, 40));
}
