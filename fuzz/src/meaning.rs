//! What a configuration file means, said a second time: from a tree of plain values, and with nothing of the library's
//! reading but the types that hold the result.

use std::time::Duration;

use failfast::config::{BreakerConfig, BulkheadConfig, Config, RateLimitConfig};
use failfast::{HalfOpen, OpenWait, Window};
use serde_json::{Map, Value};

use crate::inputs::{AnyWindow, Input};

type Table = Map<String, Value>;

fn section<'v>(file: &'v Value, name: &str) -> impl Iterator<Item = (&'v String, &'v Table)> {
    file.get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, entry)| (name, entry.as_object().expect("an entry is a table")))
}

/// The configuration of a file that is accepted.
pub(crate) fn config(file: &Value) -> Config {
    let mut config = Config::default();
    for (name, entry) in section(file, "templates") {
        config = config.with_template(name, breaker(entry));
    }
    for (name, entry) in section(file, "breakers") {
        config = config.with_breaker(name, breaker(entry));
    }
    for (name, entry) in section(file, "bulkheads") {
        let max_concurrent = count(&entry["max_concurrent"]);
        config.bulkheads.insert(name.clone(), BulkheadConfig { max_concurrent });
    }
    for (name, entry) in section(file, "rate_limits") {
        let burst = entry.get("burst").map(count);
        let limit =
            RateLimitConfig { calls: count(&entry["calls"]), per: time(&entry["per"]), burst };
        config = config.with_rate_limit(name, limit);
    }
    config
}

/// A breaker's keys with those of its templates, the nearest first, and of `default`.
pub(crate) fn resolved(file: &Value, name: &str) -> Table {
    let mut whole = Table::new();
    let empty = Value::Object(Table::new());
    let mut entry = file.get("breakers").and_then(|breakers| breakers.get(name)).or(Some(&empty));
    let mut default_is_to_come = true;
    while let Some(table) = entry.and_then(Value::as_object) {
        for (key, value) in table.iter().filter(|(key, _)| *key != "template") {
            whole.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let template = table.get("template").and_then(Value::as_str).unwrap_or("default");
        entry = file.get("templates").and_then(|templates| templates.get(template));
        entry = entry.filter(|_| std::mem::replace(&mut default_is_to_come, template != "default"));
    }
    whole
}

fn count(value: &Value) -> u32 {
    value.as_u64().and_then(|count| u32::try_from(count).ok()).expect("a count")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Numbers with their units, in any order.
fn time(value: &Value) -> Duration {
    let text = value.as_str().expect("a time");
    let (mut total, mut digits, mut decimals, mut unit) = (0, 0_u128, None, String::new());
    // What begins a number ends the one before; so does the end.
    for c in text.chars().chain(['0']) {
        if c.is_ascii_digit() && !unit.is_empty() {
            total += digits * nanoseconds(&unit) / 10_u128.pow(decimals.unwrap_or(0));
            (digits, decimals) = (0, None);
            unit.clear();
        }
        match c {
            '.' => decimals = Some(0),
            '0'..='9' => {
                digits = 10 * digits + u128::from(c as u8 - b'0');
                decimals = decimals.map(|decimals| decimals + 1);
            }
            c if c.is_whitespace() => {}
            _ => unit.push(c),
        }
    }
    Duration::new((total / 1_000_000_000) as u64, (total % 1_000_000_000) as u32)
}

fn nanoseconds(unit: &str) -> u128 {
    match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 60 * 60 * 1_000_000_000,
        "d" => 24 * 60 * 60 * 1_000_000_000,
        _ => panic!("no unit: {unit:?}"),
    }
}

/// What a rule has for a limit, or `None` where it is off.
fn rule<T>(value: &Value, limit: impl Fn(&Value) -> T) -> Option<T> {
    (value != "off").then(|| limit(value))
}

fn slow_call(value: &Value) -> (Duration, f64) {
    (time(&value["limit"]), number(&value["rate"]))
}

fn window(value: &Value) -> Window {
    let window = match (value.get("count"), value.get("time"), value.get("consecutive")) {
        (Some(size), None, None) => Window::count(count(size)),
        (None, Some(length), None) => Window::time(time(length)),
        (None, None, Some(limit)) => Window::consecutive(count(limit)),
        _ => panic!("no window: {value}"),
    };
    value.get("buckets").map_or(window, |buckets| window.buckets(count(buckets)))
}

/// The first wait, how it grows, and the jitter.
fn wait(value: &Value) -> (Duration, Option<(f64, Duration)>, f64) {
    let jitter = value.get("jitter").map_or(0.0, number);
    match (value.get("fixed"), value.get("initial")) {
        (None, None) => (time(value), None, jitter),
        (Some(fixed), None) => (time(fixed), None, jitter),
        (_, Some(initial)) => {
            (time(initial), Some((number(&value["factor"]), time(&value["max"]))), jitter)
        }
    }
}

fn half_open(value: &Value) -> HalfOpen {
    match (value.get("probes"), value.get("rate")) {
        (Some(places), None) => HalfOpen::probes(count(places)),
        (None, Some(places)) => HalfOpen::rate(count(places)),
        _ => panic!("no half-open: {value}"),
    }
}

/// The settings of an entry, or of what it comes to.
pub(crate) fn breaker(entry: &Table) -> BreakerConfig {
    let mut breaker = BreakerConfig::default();
    for (key, value) in entry {
        breaker = match key.as_str() {
            "template" => breaker.template(value.as_str().expect("a name")),
            "window" => breaker.window(window(value)),
            "failure_rate" => match rule(value, number) {
                Some(rate) => breaker.failure_rate(rate),
                None => breaker.no_failure_rate(),
            },
            "failure_count" => match rule(value, count) {
                Some(failures) => breaker.failure_count(failures),
                None => breaker.no_failure_count(),
            },
            "consecutive_failures" => match rule(value, count) {
                Some(failures) => breaker.consecutive_failures(failures),
                None => breaker.no_consecutive_failures(),
            },
            "slow_call" => match rule(value, slow_call) {
                Some((limit, rate)) => breaker.slow_call(limit, rate),
                None => breaker.no_slow_call(),
            },
            "min_calls" => breaker.min_calls(count(value)),
            "open_wait" => breaker.open_wait(match wait(value) {
                (wait, None, jitter) => OpenWait::fixed(wait).jitter(jitter),
                (initial, Some((factor, max)), jitter) => {
                    OpenWait::exponential(initial, factor, max).jitter(jitter)
                }
            }),
            "half_open" => breaker.half_open(half_open(value)),
            "probe_timeout" => breaker.probe_timeout(time(value)),
            "stripes" => breaker.stripes(count(value)),
            "totals" => breaker.totals(value.as_bool().expect("a flag")),
            key => panic!("accepted, though there is no such key: {key}"),
        };
    }
    breaker
}

/// The same as what a user may hand to a builder, with the defaults, for the table of what is allowed.
pub(crate) fn input(entry: &Table) -> Input {
    let window = entry.get("window");
    let of_window = |key: &str| window.and_then(|window| window.get(key));
    let consecutive = of_window("consecutive").map(count);
    let (wait, growth, jitter) =
        entry.get("open_wait").map_or((Duration::from_secs(30), None, 0.0), wait);
    let of_half_open = |key: &str| entry.get("half_open")?.get(key).map(count);
    let set = |key: &str| entry.get(key).and_then(|value| rule(value, count));
    Input {
        window: match (of_window("time").map(time), consecutive) {
            (Some(length), _) => AnyWindow::Time(length),
            (None, Some(limit)) => AnyWindow::Consecutive(limit),
            (None, None) => AnyWindow::Count(of_window("count").map_or(100, count)),
        },
        buckets: of_window("buckets").map(count),
        failure_rate: match entry.get("failure_rate") {
            Some(value) => rule(value, number),
            None => consecutive.is_none().then_some(0.5),
        },
        failure_count: set("failure_count"),
        consecutive_failures: set("consecutive_failures"),
        slow_call: entry.get("slow_call").and_then(|value| rule(value, slow_call)),
        min_calls: entry.get("min_calls").map_or(20, count),
        wait,
        growth,
        jitter,
        rate_probes: of_half_open("rate").is_some(),
        places: of_half_open("rate").or(of_half_open("probes")).unwrap_or(3),
        probe_timeout: entry.get("probe_timeout").map_or(Duration::from_secs(60), time),
        stripes: entry.get("stripes").map_or(1, count),
    }
}
