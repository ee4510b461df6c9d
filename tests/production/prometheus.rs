//! The metrics as a scraper reads them.

use core::fmt::{self, Write};
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

use failfast::clock::{Clock, DefaultClock, ManualClock};
use failfast::prometheus::{Collector, Format};
use failfast::{Bulkhead, CircuitBreaker, HalfOpen, Registry, State};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry as Metrics;

use crate::exposition::Exposition;

/// A registry, and what it is scraped by.
fn scraped<C: Clock + Clone>(clock: C) -> (Arc<Registry<C>>, Metrics) {
    let registry = Arc::new(Registry::with_clock(clock));
    let mut metrics = Metrics::default();
    metrics.register_collector(Box::new(Collector::new(registry.clone())));
    (registry, metrics)
}

/// Scrapes in both formats and sees that they say the same.
fn scrape(metrics: &Metrics) -> Exposition {
    let text = Format::OpenMetrics.encode(metrics).expect("metrics");
    let read = Exposition::openmetrics(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let classic = Format::Text.encode(metrics).expect("metrics");
    Exposition::classic(&classic).unwrap_or_else(|why| panic!("{why}\n{classic}"));
    read
}

#[test]
fn an_empty_registry_has_no_metrics() {
    let (_, metrics) = scraped(ManualClock::new());
    assert_eq!(Format::OpenMetrics.encode(&metrics).unwrap(), "# EOF\n");
    assert_eq!(Format::Text.encode(&metrics).unwrap(), "");
}

#[test]
fn every_family_is_described_once_however_many_breakers_there_are() {
    let (registry, metrics) = scraped(ManualClock::new());
    for name in ["inventory", "payment", "shipping"] {
        registry.breaker(name).unwrap();
    }
    let text = Format::OpenMetrics.encode(&metrics).unwrap();
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    assert_eq!(types.len(), types.iter().collect::<BTreeSet<_>>().len(), "{text}");
    for family in scrape(&metrics).families {
        let breakers: BTreeSet<&str> =
            family.samples.iter().map(|sample| sample.labels[0].1.as_str()).collect();
        assert_eq!(breakers.len(), 3, "{}", family.name);
    }
}

#[test]
fn each_state_is_one_of_six_gauges_and_one_of_three_codes() {
    let (registry, metrics) = scraped(ManualClock::new());
    let breaker = registry.breaker("payment").unwrap();
    let states = [
        (State::Closed, "closed", 0.0),
        (State::Open, "open", 1.0),
        (State::HalfOpen, "half_open", 2.0),
        (State::ForcedOpen, "forced_open", 1.0),
        (State::Disabled, "disabled", 0.0),
        (State::MetricsOnly, "metrics_only", 0.0),
    ];
    assert_eq!(states.map(|(state, ..)| state), State::ALL);
    for (state, label, code) in states {
        match state {
            State::Closed => breaker.reset(),
            State::Open => breaker.trip(),
            State::HalfOpen => breaker.half_open(),
            State::ForcedOpen => breaker.force_open(),
            State::Disabled => breaker.disable(),
            State::MetricsOnly => breaker.metrics_only(),
        }
        let read = scrape(&metrics);
        for (_, other, _) in states {
            let labels = [("breaker", "payment"), ("state", other)];
            let shown = read.value("failfast_breaker_state", &labels);
            assert_eq!(shown, Some(f64::from(u8::from(other == label))), "{other} in {label}");
        }
        let shown = read.value("failfast_breaker_state_code", &[("breaker", "payment")]);
        assert_eq!(shown, Some(code), "{label}");
    }
}

#[test]
fn an_open_time_runs_down_and_the_state_follows_without_a_call() {
    let clock = ManualClock::new();
    let (registry, metrics) = scraped(clock.clone());
    registry.breaker("payment").unwrap().trip();
    let payment = [("breaker", "payment")];
    for left in [30.0, 0.5] {
        let shown = scrape(&metrics).value("failfast_open_remaining_seconds", &payment).unwrap();
        // The real wait is at most 1.1 ms longer than the one asked for.
        assert!((left..left + 0.0011).contains(&shown), "{shown}");
        clock.advance(Duration::from_millis(29_500));
    }
    let read = scrape(&metrics);
    assert_eq!(read.value("failfast_open_remaining_seconds", &payment), Some(0.0));
    assert_eq!(read.value("failfast_breaker_state_code", &payment), Some(2.0));
}

#[test]
fn ratios_are_there_once_the_window_holds_enough_calls() {
    let (registry, metrics) = scraped(ManualClock::new());
    let breaker = registry.breaker("payment").unwrap();
    let payment = [("breaker", "payment")];
    for _ in 0..19 {
        breaker.try_acquire().unwrap().success();
    }
    let read = scrape(&metrics);
    assert_eq!(read.value("failfast_failure_ratio", &payment), None);
    assert_eq!(read.value("failfast_window_calls", &payment), Some(19.0));
    breaker.try_acquire().unwrap().failure();
    let read = scrape(&metrics);
    assert_eq!(read.value("failfast_failure_ratio", &payment), Some(0.05));
    assert_eq!(read.value("failfast_window_failed_calls", &payment), Some(1.0));
    assert_eq!(read.value("failfast_slow_ratio", &payment), None, "no slow-call rule is set");
}

#[test]
fn names_come_through_whatever_is_in_them() {
    let (registry, metrics) = scraped(ManualClock::new());
    let names = [
        "plain",
        "two words",
        "quo\"ted\"",
        "back\\slash\\",
        "\\n is no newline",
        "a\nnewline\n",
        "a tab\t and a return\r",
        "{curly=\"x\"} 1",
        "# HELP failfast_x x.",
        "Zürich, 東京, 🦀",
        "\u{0}\u{7f}",
        "<img src=x onerror=alert(1)>",
    ];
    for name in names {
        registry.breaker(name).unwrap().trip();
        registry.insert_bulkhead(name, Arc::new(Bulkhead::new(7).unwrap())).unwrap();
    }
    let read = scrape(&metrics);
    for name in names {
        let code = read.value("failfast_breaker_state_code", &[("breaker", name)]);
        assert_eq!(code, Some(1.0), "{name:?}");
        assert_eq!(read.value("failfast_bulkhead_max", &[("bulkhead", name)]), Some(7.0));
    }
}

#[test]
fn a_prefix_and_labels_of_the_registry_around_it_are_kept() {
    let registry = Arc::new(Registry::with_clock(ManualClock::new()));
    registry.breaker("payment").unwrap();
    let labels = [("zone".into(), "eu".into())];
    let mut metrics = Metrics::with_prefix_and_labels("shop", labels.into_iter());
    let collector = Collector::new(registry);
    assert_eq!(format!("{collector:?}"), "Collector { .. }");
    metrics.register_collector(Box::new(collector));
    let read = scrape(&metrics);
    let labels = [("zone", "eu"), ("breaker", "payment")];
    assert_eq!(read.value("shop_failfast_breaker_state_code", &labels), Some(0.0));
}

/// A breaker of which everything happens once or twice, and what its totals become.
#[test]
fn totals_are_shown_as_they_are_counted() {
    let clock = ManualClock::new();
    let (registry, metrics) = scraped(clock.clone());
    let limit = Duration::from_secs(2);
    let built = CircuitBreaker::builder()
        .name("payment")
        .failure_count(2)
        .slow_call(limit, 0.9)
        .half_open(HalfOpen::probes(1))
        .totals(true)
        .clock(clock.clone())
        .build();
    let breaker = Arc::new(built.unwrap());
    registry.insert_breaker(breaker.clone()).unwrap();
    let late = breaker.try_acquire().unwrap();
    breaker.try_acquire().unwrap().ignore();
    breaker.try_acquire().unwrap().record_timed(failfast::Outcome::Success, limit * 2);
    for _ in 0..2 {
        breaker.try_acquire().unwrap().failure();
    }
    late.success();
    let refused = breaker.try_acquire().unwrap_err();
    clock.advance(refused.retry_after().unwrap());
    let probe = breaker.try_acquire().unwrap();

    let read = scrape(&metrics);
    let payment = ("breaker", "payment");
    let value = |name: &str, more: &[(&str, &str)]| read.value(name, &[&[payment], more].concat());
    for (outcome, calls) in [("success", 1.0), ("failure", 2.0), ("ignored", 1.0), ("stale", 1.0)] {
        assert_eq!(
            value("failfast_calls_total", &[("outcome", outcome)]),
            Some(calls),
            "{outcome}"
        );
    }
    assert_eq!(value("failfast_calls_permitted_total", &[]), Some(6.0));
    assert_eq!(value("failfast_calls_refused_total", &[]), Some(1.0));
    assert_eq!(value("failfast_slow_calls_total", &[]), Some(1.0));
    assert_eq!(value("failfast_in_flight_calls", &[]), Some(1.0));
    assert_eq!(value("failfast_openings_total", &[]), Some(1.0));
    assert_eq!(value("failfast_false_positive_openings_total", &[]), Some(0.0));
    assert_eq!(value("failfast_would_have_tripped_total", &[]), Some(0.0));
    assert_eq!(value("failfast_slow_call_limit_seconds", &[]), Some(2.0));
    assert_eq!(value("failfast_slow_limit_ratio", &[]), Some(0.9));
    assert_eq!(value("failfast_failure_limit_ratio", &[]), Some(0.5));
    let open = value("failfast_state_seconds_total", &[("state", "open")]).unwrap();
    assert!((30.0..30.0011).contains(&open), "{open}");
    assert_eq!(value("failfast_transition_causes_total", &[("cause", "failure_count")]), Some(1.0));
    assert_eq!(value("failfast_transition_causes_total", &[("cause", "slow_rate")]), Some(0.0));
    let pairs = |read: &Exposition| {
        let all = read.samples().filter(|sample| sample.name == "failfast_transitions_total");
        all.map(|pair| (pair.labels[1].1.clone() + " " + &pair.labels[2].1, pair.value))
            .collect::<Vec<_>>()
    };
    let by_rule = ["closed open", "open half_open", "half_open closed", "half_open open"];
    let mut expected = by_rule.map(|pair| (pair.to_owned(), 0.0)).to_vec();
    expected[0].1 = 1.0;
    expected[1].1 = 1.0;
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let mut found = pairs(&read);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);

    probe.success();
    breaker.force_open();
    let read = scrape(&metrics);
    let value = |name: &str, more: &[(&str, &str)]| read.value(name, &[&[payment], more].concat());
    assert_eq!(value("failfast_probes_total", &[("result", "success")]), Some(1.0));
    assert_eq!(value("failfast_probes_total", &[("result", "failure")]), Some(0.0));
    assert_eq!(value("failfast_probes_total", &[("result", "lost")]), Some(0.0));
    assert_eq!(value("failfast_false_positive_openings_total", &[]), Some(1.0));
    assert_eq!(value("failfast_in_flight_calls", &[]), Some(0.0));
    assert!(pairs(&read).contains(&("closed forced_open".to_owned(), 1.0)));
}

#[test]
fn a_breaker_without_totals_shows_its_state_and_window() {
    let (registry, metrics) = scraped(ManualClock::new());
    let built = CircuitBreaker::builder().name("bare").clock(ManualClock::new()).build();
    registry.insert_breaker(Arc::new(built.unwrap())).unwrap();
    registry.breaker("payment").unwrap();
    let read = scrape(&metrics);
    let shown = |breaker: &str| {
        let samples = read.samples().filter(|sample| sample.labels[0].1 == breaker);
        samples.map(|sample| sample.name.as_str()).collect::<BTreeSet<_>>()
    };
    assert!(shown("bare").contains("failfast_window_calls"));
    let missing: Vec<&str> = shown("payment").difference(&shown("bare")).copied().collect();
    assert_eq!(missing.len(), 12, "{missing:?}");
    assert!(missing.contains(&"failfast_calls_total"));
}

#[test]
fn a_bulkhead_shows_its_places() {
    let (registry, metrics) = scraped(ManualClock::new());
    let bulkhead = Arc::new(Bulkhead::new(10).unwrap());
    registry.insert_bulkhead("payment", bulkhead.clone()).unwrap();
    let _two = [bulkhead.try_acquire().unwrap(), bulkhead.try_acquire().unwrap()];
    bulkhead.resize(1).unwrap();
    let read = scrape(&metrics);
    let payment = [("bulkhead", "payment")];
    assert_eq!(read.value("failfast_bulkhead_in_use", &payment), Some(2.0));
    assert_eq!(read.value("failfast_bulkhead_max", &payment), Some(1.0));
    assert_eq!(read.value("failfast_bulkhead_waiting", &payment), Some(0.0));
}

/// What writes the metrics may be slow, or may come back for more: the registry must not be locked meanwhile.
#[test]
fn nothing_is_locked_while_metrics_are_written() {
    struct Returning(Arc<Registry<ManualClock>>, u32);
    impl Write for Returning {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            self.1 += 1;
            // Takes the registry's lock for writing, on the thread that would hold it.
            self.0.breaker(&format!("new {}", self.1)).map(drop).map_err(|_| fmt::Error)
        }
    }
    let (registry, metrics) = scraped(ManualClock::new());
    registry.breaker("payment").unwrap();
    let mut writer = Returning(registry.clone(), 0);
    encode(&mut writer, &metrics).unwrap();
    assert!(writer.1 > 100);
    assert_eq!(registry.breakers().len() as u32, 1 + writer.1);
}

#[test]
fn a_writer_that_fails_ends_the_scrape_and_nothing_else() {
    struct Full(usize);
    impl Write for Full {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let (registry, metrics) = scraped(ManualClock::new());
    let breaker = registry.breaker("payment").unwrap();
    let length = Format::OpenMetrics.encode(&metrics).unwrap().len();
    for room in [0, 1, length / 2, length - 1] {
        assert!(encode(&mut Full(room), &metrics).is_err());
        assert!(breaker.try_acquire().is_ok());
    }
    assert!(encode(&mut Full(length), &metrics).is_ok());
}

/// Counters are read one by one while others write them: none may ever be seen to go back.
#[test]
fn counters_never_go_back_while_threads_call() {
    let (registry, metrics) = scraped(DefaultClock::new());
    let breaker = registry.breaker("payment").unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..3_u32 {
            let (breaker, stop) = (&breaker, &stop);
            scope.spawn(move || {
                let mut number = seed;
                while !stop.load(Ordering::Relaxed) {
                    number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    match (number >> 16) % 1_000 {
                        0 => breaker.trip(),
                        1 => breaker.half_open(),
                        2 => breaker.reset(),
                        3 => breaker.metrics_only(),
                        _ => {
                            if let Ok(permit) = breaker.try_acquire() {
                                match number >> 30 {
                                    0 => permit.failure(),
                                    1 => permit.ignore(),
                                    _ => permit.success(),
                                };
                            }
                        }
                    }
                }
            });
        }
        // The threads end whatever becomes of the scrapes.
        struct Ends<'a>(&'a AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _ends = Ends(&stop);
        let mut last = scrape(&metrics);
        for _ in 0..300 {
            let next = scrape(&metrics);
            grown(&last, &next);
            last = next;
        }
    });
}

/// A counter that goes back is a restart to Prometheus, and every rate over it is wrong.
#[test]
fn counters_never_go_back_when_the_clock_does() {
    let clock = ManualClock::new();
    clock.set(Duration::from_secs(1_000));
    let (registry, metrics) = scraped(clock.clone());
    let breaker = registry.breaker("payment").unwrap();
    let mut last = scrape(&metrics);
    for second in [1_010, 1_005, 900, 0, 1_020, u64::MAX, 1_030, 1_100] {
        clock.set(Duration::from_secs(second));
        for step in 0..3 {
            match step {
                0 => {}
                1 => breaker.trip(),
                _ => breaker.reset(),
            }
            let next = scrape(&metrics);
            grown(&last, &next);
            last = next;
        }
    }
}

/// Sees that no counter is less than it was, and none is gone.
fn grown(last: &Exposition, next: &Exposition) {
    for before in last.samples().filter(|sample| sample.name.ends_with("_total")) {
        let labels: Vec<(&str, &str)> =
            before.labels.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        let after = next.value(&before.name, &labels).expect("a series that stays");
        assert!(after >= before.value, "{before:?} went back to {after}");
    }
}

/// The module's page lists every metric, and no other.
#[test]
fn the_page_lists_what_is_scraped() {
    let (registry, metrics) = scraped(ManualClock::new());
    let built = CircuitBreaker::builder()
        .name("payment")
        .slow_call(Duration::from_secs(2), 0.5)
        .min_calls(1)
        .totals(true)
        .clock(ManualClock::new())
        .build();
    let breaker = Arc::new(built.unwrap());
    registry.insert_breaker(breaker.clone()).unwrap();
    registry.insert_bulkhead("payment", Arc::new(Bulkhead::new(1).unwrap())).unwrap();
    breaker.try_acquire().unwrap().success();
    let text = Format::Text.encode(&metrics).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let scraped: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    let page = include_str!("../../src/prometheus/mod.rs");
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let listed: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(scraped, listed);
}
