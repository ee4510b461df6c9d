//! Checking a configuration takes work in proportion to its size, whatever its shape.

use allocation_counter::measure;
use failfast::clock::ManualClock;
use failfast::config::{BreakerConfig, Config};
use failfast::Registry;

/// A chain of so many templates, and as many breakers at its far end.
fn chain(templates: u32) -> Config {
    let entry = BreakerConfig::default;
    let mut config = Config::default().with_template("t0", entry().min_calls(9));
    for number in 1..templates {
        let base = entry().template(format!("t{}", number - 1));
        config = config.with_template(format!("t{number}"), base);
    }
    for number in 0..templates {
        let last = entry().template(format!("t{}", templates - 1));
        config = config.with_breaker(format!("b{number}"), last);
    }
    config
}

/// Four times the entries: four times the allocations, and some for what grows slower; squared it would be sixteen.
#[track_caller]
fn is_linear(work: impl Fn(u32) -> Box<dyn FnOnce()>) {
    let [few, many] = [200, 800].map(|size| {
        let work = work(size);
        measure(work).count_total
    });
    assert!(few > 0 && many < 6 * few, "{few} allocations, and {many} for four times as much");
}

#[test]
fn a_check_follows_no_template_twice() {
    is_linear(|size| {
        let config = chain(size);
        Box::new(move || config.validate().unwrap())
    });
}

#[test]
fn an_apply_follows_no_template_twice() {
    is_linear(|size| {
        let registry = Registry::with_clock(ManualClock::new());
        for number in 0..size {
            registry.breaker(&format!("b{number}")).unwrap();
        }
        registry.apply(chain(size)).unwrap();
        Box::new(move || drop(registry.apply(chain(size).with_bulkhead("payment", 1)).unwrap()))
    });
}
