//! A new configuration for a registry in use: as a whole, or not at all.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::config::Config;
use failfast::{Changes, CircuitBreaker, RateLimit, Registry, Window};

use super::{entry, refused, registry, search};

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
        .with_bulkhead("unbuilt", 2)
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
        .with_bulkhead("unbuilt", 3)
        .with_bulkhead("mail", 2);
    let applied = registry.apply(next.clone()).unwrap();
    let json = serde_json::to_value(&applied).unwrap();
    assert_eq!(json["bulkheads"]["changed"], serde_json::json!(["payment", "unbuilt"]));
    let Changes { added, changed, unchanged, gone, .. } = applied.breakers;
    assert_eq!((added, changed), (vec!["new".to_owned()], vec!["built".into(), "unbuilt".into()]));
    assert_eq!((unchanged, gone), (vec!["default".to_owned(), "same".into()], vec!["gone".into()]));
    let Changes { added, changed, unchanged, gone, .. } = applied.bulkheads;
    assert_eq!((added, changed), (vec![], vec!["payment".to_owned(), "unbuilt".into()]));
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

    // So it is with one that was built without an entry.
    registry.apply(template(11).with_breaker("search", entry().min_calls(7))).unwrap();
    registry.apply(template(12)).unwrap();
    assert_eq!(search.settings().min_calls, 7);
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
            next().with_template("big", first.templates["big"].clone().totals(false)),
            "templates.big.totals",
        ),
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

/// A clock that panics once it has been read so often.
#[derive(Clone)]
struct Breaking(Arc<AtomicU64>);

impl Clock for Breaking {
    fn now(&self) -> Duration {
        let left = self.0.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(left, 0, "the clock breaks");
        Duration::from_secs(1)
    }
}

#[test]
fn a_clock_that_panics_half_way_keeps_no_news_from_observers() {
    let readings = Arc::new(AtomicU64::new(u64::MAX));
    let registry = Registry::with_clock(Breaking(Arc::clone(&readings)));
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    registry.on_transition(move |name, _| notes.lock().unwrap().push(name.to_owned()));
    for name in ["a", "b"] {
        registry.breaker(name).unwrap();
    }
    let config = Config::default().with_template("default", entry().min_calls(30));
    readings.store(1, Ordering::Relaxed);
    let half = panic::catch_unwind(AssertUnwindSafe(|| registry.apply(config.clone())));
    assert!(half.is_err());
    assert_eq!(*told.lock().unwrap(), ["a"], "it has changed");
    readings.store(u64::MAX, Ordering::Relaxed);
    registry.apply(config).unwrap();
    assert_eq!(*told.lock().unwrap(), ["a", "b"], "the next one changes the rest");
}
