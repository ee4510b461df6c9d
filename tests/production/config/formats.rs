//! What each format may say, and that all say the same.

use std::time::Duration;

use failfast::config::{BreakerConfig, Config, RateLimitConfig};
use failfast::{HalfOpen, OpenWait, Window};
use proptest::prelude::*;

use super::strategies::legal_config;
use super::{FORMATS, JSON, TOML, YAML};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn entry() -> BreakerConfig {
    BreakerConfig::default()
}

/// One breaker's settings in TOML.
fn payment(settings: &str) -> BreakerConfig {
    let config = Config::from_toml(&format!("[breakers.payment]\n{settings}")).unwrap();
    config.breakers["payment"].clone()
}

#[test]
fn three_formats_say_the_same() {
    let half_a_second = Duration::from_millis(500);
    let growing = OpenWait::exponential(secs(1), 2.0, secs(60)).jitter(0.1);
    let written = Config::default()
        .with_template(
            "default",
            entry()
                .window(Window::time(secs(10)).buckets(20))
                .failure_rate(0.5)
                .min_calls(20)
                .probe_timeout(secs(90)),
        )
        .with_template(
            "critical",
            entry().failure_rate(0.2).consecutive_failures(5).open_wait(growing),
        )
        .with_breaker(
            "payment",
            entry().template("critical").slow_call(secs(2), 0.8).half_open(HalfOpen::probes(5)),
        )
        .with_breaker(
            "inventory",
            entry()
                .template("critical")
                .window(Window::count(200))
                .no_consecutive_failures()
                .open_wait(OpenWait::fixed(secs(30)))
                .half_open(HalfOpen::rate(10)),
        )
        .with_breaker(
            "notification",
            entry()
                .window(Window::consecutive(3))
                .open_wait(OpenWait::fixed(half_a_second).jitter(0.2))
                .totals(false),
        )
        .with_bulkhead("payment", 10)
        .with_rate_limit("search", RateLimitConfig { calls: 100, per: secs(1), burst: Some(10) });
    for (text, (format, read)) in [TOML, JSON, YAML].into_iter().zip(FORMATS) {
        assert_eq!(read(text).as_ref(), Ok(&written), "{format}");
    }
}

#[test]
fn every_setting_has_its_forms() {
    for (text, expected) in [
        ("window = { count = 7 }", entry().window(Window::count(7))),
        ("window = { time = \"250ms\" }", {
            entry().window(Window::time(Duration::from_millis(250)))
        }),
        ("failure_rate = 1", entry().failure_rate(1.0)),
        ("failure_rate = \"off\"\nfailure_count = 0x10", {
            entry().no_failure_rate().failure_count(16)
        }),
        ("failure_count = \"off\"", entry().no_failure_count()),
        ("consecutive_failures = 1_000", entry().consecutive_failures(1_000)),
        ("slow_call = \"off\"", entry().no_slow_call()),
        ("slow_call = { limit = \"1.5s\", rate = 1 }", {
            entry().slow_call(Duration::from_millis(1_500), 1.0)
        }),
        ("open_wait = { fixed = \"1m 30s\" }", entry().open_wait(OpenWait::fixed(secs(90)))),
        ("open_wait = { initial = \"1s\", factor = 2, max = \"1h\" }", {
            entry().open_wait(OpenWait::exponential(secs(1), 2.0, secs(3_600)))
        }),
        ("stripes = 32\ntotals = true", entry().stripes(32).totals(true)),
        ("min_calls = 4294967295", entry().min_calls(u32::MAX)),
    ] {
        assert_eq!(payment(text), expected, "{text}");
    }
}

#[test]
fn an_entry_may_say_nothing() {
    let nothing = Config::default();
    assert_eq!(Config::from_toml("").unwrap(), nothing);
    assert_eq!(Config::from_toml("# later\n").unwrap(), nothing);
    assert_eq!(Config::from_json("{}").unwrap(), nothing);
    for text in ["", "# later\n", "---\n", "--- {}\n...\n", "breakers:\ntemplates: {}\n"] {
        assert_eq!(Config::from_yaml(text).unwrap(), nothing, "{text:?}");
    }

    let one = Config::default().with_breaker("payment", entry());
    assert_eq!(Config::from_toml("[breakers.payment]").unwrap(), one);
    assert_eq!(Config::from_json(r#"{ "breakers": { "payment": {} } }"#).unwrap(), one);
    assert_eq!(Config::from_yaml("breakers:\n  payment:\n").unwrap(), one);
}

#[test]
fn yaml_has_the_scalars_of_its_core_schema() {
    let read = |value: &str| {
        Config::from_yaml(&format!("breakers: {{ p: {{ {value} }} }}")).map(|config| {
            let p = &config.breakers["p"];
            (p.totals, p.min_calls, p.failure_rate)
        })
    };
    use failfast::config::Rule::{At, Off};
    assert_eq!(read("totals: True").unwrap().0, Some(true));
    assert_eq!(read("min_calls: 0x1F").unwrap().1, Some(31));
    assert_eq!(read("min_calls: 0o17").unwrap().1, Some(15));
    assert_eq!(read("min_calls: +7").unwrap().1, Some(7));
    assert_eq!(read("failure_rate: .5").unwrap().2, Some(At(0.5)));
    assert_eq!(read("failure_rate: 5e-1").unwrap().2, Some(At(0.5)));
    for off in ["off", "'off'", "\"off\"", "\"o\\x66f\""] {
        let text = format!("failure_rate: {off}, failure_count: 5");
        assert_eq!(read(&text).unwrap().2, Some(Off), "{off}");
    }
    // What YAML 1.1 took for booleans and numbers is text.
    for value in
        ["totals: yes", "totals: on", "totals: \"true\"", "min_calls: 1_000", "min_calls: \"7\""]
    {
        assert!(read(value).is_err(), "{value}");
    }
    for number in [".inf", "-.inf", ".nan", "nan", "inf", "infinity", "0x", "0x+1", "1.2.3", "+-1"]
    {
        assert!(read(&format!("failure_rate: {number}")).is_err(), "{number}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for (text, (format, read)) in [TOML, JSON, YAML].into_iter().zip(FORMATS) {
        assert_eq!(read(&format!("\u{feff}{text}")), read(text), "{format}");
        assert_eq!(read(&text.replace('\n', "\r\n")), read(text), "{format} with carriage returns");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(config in legal_config()) {
        let toml = toml::to_string(&config).unwrap();
        prop_assert_eq!(Config::from_toml(&toml), Ok(config.clone()), "{}", toml);
        let json = serde_json::to_string_pretty(&config).unwrap();
        prop_assert_eq!(Config::from_json(&json), Ok(config.clone()), "{}", json);
        // JSON is YAML, flow style.
        prop_assert_eq!(Config::from_yaml(&json), Ok(config.clone()), "{}", json);
        // And without the tree: serde's own way.
        prop_assert_eq!(toml::from_str(&toml), Ok(config), "{}", toml);
    }
}
