//! Random settings.

use std::time::Duration;

use failfast::config::{BreakerConfig, BulkheadConfig, Config, RateLimitConfig, Rule, SlowCall};
use failfast::{HalfOpen, OpenWait, Window};
use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;

const LONGEST_NS: u64 = 366 * 24 * 60 * 60 * 1_000_000_000;

/// Times of all magnitudes.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1..=LONGEST_NS,
        (1_u64..=366 * 24 * 60).prop_map(|minutes| minutes * 60_000_000_000),
        (1_u64..=10_000).prop_map(|millis| millis * 1_000_000),
        1_u64..=2_000,
    ]
    .prop_map(Duration::from_nanos)
}

fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![(1_u32..=1_000_000).prop_map(|ppm| f64::from(ppm) / 1e6), 1e-6..=1.0, Just(1.0)]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..100, 1..=u32::MAX]
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        (1_u32..=1_048_576).prop_map(Window::count),
        time().prop_map(Window::time),
        (time(), 1_u32..=1_024).prop_map(|(length, buckets)| Window::time(length).buckets(buckets)),
        count().prop_map(Window::consecutive),
    ]
}

fn open_wait() -> impl Strategy<Value = OpenWait> {
    let kind = prop_oneof![
        time().prop_map(OpenWait::fixed),
        (time(), time(), 1.0..10.0)
            .prop_map(|(a, b, factor)| { OpenWait::exponential(a.min(b), factor, a.max(b)) }),
    ];
    (kind, option::of(0.0..1.0)).prop_map(|(wait, jitter)| match jitter {
        Some(ratio) => wait.jitter(ratio),
        None => wait,
    })
}

fn half_open() -> impl Strategy<Value = HalfOpen> {
    prop_oneof![
        (1_u32..=1_000).prop_map(HalfOpen::probes),
        (1_u32..=1_000).prop_map(HalfOpen::rate),
    ]
}

fn rule<T: Clone + std::fmt::Debug + 'static>(
    limit: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<Rule<T>>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(Rule::Off)), 3 => limit.prop_map(|limit| Some(Rule::At(limit)))]
}

/// Settings that are each allowed; together they may not be.
pub(crate) fn entry() -> impl Strategy<Value = BreakerConfig> {
    let rules = (
        rule(rate()),
        rule(count()),
        rule(count()),
        rule((time(), rate()).prop_map(|(limit, rate)| SlowCall { limit, rate })),
    );
    let rest = (
        option::of(window()),
        option::of(count()),
        option::of(open_wait()),
        option::of(half_open()),
        option::of(time()),
        option::of(1_u32..=1_024),
        option::of(any::<bool>()),
    );
    (rules, rest).prop_map(|(rules, rest)| {
        let mut entry = BreakerConfig::default();
        (entry.failure_rate, entry.failure_count, entry.consecutive_failures, entry.slow_call) =
            rules;
        entry.window = rest.0;
        entry.min_calls = rest.1;
        entry.open_wait = rest.2;
        entry.half_open = rest.3;
        entry.probe_timeout = rest.4;
        entry.stripes = rest.5;
        entry.totals = rest.6;
        entry
    })
}

/// Settings any of which may be out of its range.
pub(crate) fn wild_entry() -> impl Strategy<Value = BreakerConfig> {
    let wild_time = || prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), time()];
    let wild_rate = || {
        prop_oneof![Just(0.0), Just(-1.0), Just(1.5), Just(f64::NAN), Just(f64::INFINITY), rate()]
    };
    let wild = (
        option::of(prop_oneof![
            any::<u32>().prop_map(Window::count),
            Just(Window::count(10).buckets(2)),
            (wild_time(), 0_u32..2_000).prop_map(|(time, n)| Window::time(time).buckets(n)),
            (0_u32..2).prop_map(Window::consecutive),
        ]),
        rule(wild_rate()),
        rule(0_u32..3),
        rule((wild_time(), wild_rate()).prop_map(|(limit, rate)| SlowCall { limit, rate })),
        option::of(prop_oneof![
            wild_time().prop_map(OpenWait::fixed),
            (wild_time(), wild_rate(), wild_time(), wild_rate()).prop_map(
                |(initial, factor, max, jitter)| {
                    OpenWait::exponential(initial, factor, max).jitter(jitter)
                }
            ),
        ]),
        option::of((0_u32..=1_001).prop_map(HalfOpen::probes)),
        option::of(wild_time()),
        option::of(0_u32..=1_025),
    );
    // Mostly one wild setting among good ones.
    (entry(), wild, 0_usize..10).prop_map(|(mut entry, wild, which)| {
        match which {
            0 => entry.window = wild.0,
            1 => entry.failure_rate = wild.1,
            2 => entry.failure_count = wild.2,
            3 => entry.consecutive_failures = wild.2,
            4 => entry.slow_call = wild.3,
            5 => entry.open_wait = wild.4,
            6 => entry.half_open = wild.5,
            7 => entry.probe_timeout = wild.6,
            8 => entry.stripes = wild.7,
            _ => {
                entry.window = wild.0;
                entry.slow_call = wild.3;
                entry.open_wait = wild.4;
            }
        }
        entry
    })
}

/// Names that each format must escape in its own way.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z]{1,8}",
        1 => "[ -~äé漢✓]{1,6}",
        1 => prop::sample::select(vec!["off", "null", "1", "a.b", "#", "\n", "\"", "'", "<<", "\u{1}"])
            .prop_map(str::to_owned),
    ]
}

/// Configurations that are allowed as a whole.
pub(crate) fn legal_config() -> impl Strategy<Value = Config> {
    let rate_limit =
        (1_u32..1_000, 1_u64..100, option::of(1_u32..1_000)).prop_map(|(calls, millis, burst)| {
            RateLimitConfig { calls, per: Duration::from_millis(millis), burst }
        });
    (
        btree_map(name(), (entry(), any::<bool>()), 0..3),
        btree_map(name(), (entry(), 0_usize..4), 0..4),
        btree_map(name(), 1_u32..=1_048_576, 0..3),
        btree_map(name(), rate_limit, 0..3),
    )
        .prop_map(|(templates, breakers, bulkheads, rate_limits)| {
            let mut config = Config::default();
            // A template may name the one before it, a breaker any. What is not allowed together is left out again.
            let mut names: Vec<String> = Vec::new();
            for (name, (mut template, named)) in templates {
                template.template = names.last().filter(|_| named).cloned();
                let next = config.clone().with_template(name.clone(), template);
                if next.validate().is_ok() {
                    config = next;
                    names.push(name);
                }
            }
            for (name, (mut breaker, named)) in breakers {
                breaker.template = names.get(named).cloned();
                let next = config.clone().with_breaker(name, breaker);
                if next.validate().is_ok() {
                    config = next;
                }
            }
            for (name, max_concurrent) in bulkheads {
                config.bulkheads.insert(name, BulkheadConfig { max_concurrent });
            }
            config.rate_limits = rate_limits;
            config
        })
        .prop_filter("allowed as a whole", |config| config.validate().is_ok())
}
