//! What a reader pays: snapshot, totals, health and a scrape of breakers at rest. No call waits for any of it.

mod support;

use std::hint::black_box;
use std::sync::Arc;

use failfast::prometheus::{Collector, Format};
use failfast::{CircuitBreaker, Registry};

use self::support::guards::{healthy, ours};
use self::support::Subject;

fn main() {
    let breaker = healthy(ours(CircuitBreaker::builder().totals(true)));
    let mut subjects = vec![
        of("state", &breaker, |breaker| {
            black_box(breaker.state());
        }),
        of("snapshot", &breaker, |breaker| {
            black_box(breaker.snapshot());
        }),
        of("totals", &breaker, |breaker| {
            black_box(breaker.totals());
        }),
    ];
    for transitions in 0..16 {
        match transitions % 2 {
            0 => breaker.trip(),
            _ => breaker.reset(),
        }
    }
    subjects.push(of("history of 16", &breaker, |breaker| {
        black_box(breaker.history());
    }));
    for breakers in [1, 10] {
        let registry = registry_of(breakers);
        let mut metrics = prometheus_client::registry::Registry::default();
        metrics.register_collector(Box::new(Collector::new(Arc::clone(&registry))));
        subjects.push(Subject::new(format!("health, {breakers} breakers"), move || {
            black_box(registry.health());
        }));
        subjects.push(Subject::new(format!("scrape, {breakers} breakers"), move || {
            black_box(Format::Text.encode(&metrics).expect("nothing fails to be written"));
        }));
    }
    support::run("readings", subjects);
}

fn of(name: &str, breaker: &Arc<CircuitBreaker>, read: fn(&CircuitBreaker)) -> Subject {
    let breaker = Arc::clone(breaker);
    Subject::new(name, move || read(&breaker))
}

/// They keep totals, as a registry's do unless told not to.
fn registry_of(breakers: u32) -> Arc<Registry> {
    let registry = Registry::new();
    for number in 0..breakers {
        let breaker = registry.breaker(&format!("service-{number}")).expect("the defaults");
        drop(breaker.try_acquire());
    }
    Arc::new(registry)
}
