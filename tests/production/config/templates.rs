//! What an entry comes to over its templates, and whose fault it is where that is not allowed.

use failfast::config::{BreakerConfig, Config, Rule};
use failfast::{HalfOpen, OpenWait, State, Window};

fn entry() -> BreakerConfig {
    BreakerConfig::default()
}

#[track_caller]
fn refuses(config: &Config, key: &str, given: &str, allowed: &str) {
    let error = config.validate().unwrap_err();
    assert_eq!((error.key(), error.given(), error.allowed()), (key, given, allowed));
    assert_eq!((error.file(), error.line(), error.column()), (None, None, None));
}

#[test]
fn the_nearest_entry_wins() {
    let config = Config::default()
        .with_template("default", entry().min_calls(1).stripes(8).failure_rate(0.1).totals(false))
        .with_template("base", entry().min_calls(2).stripes(16).failure_count(4))
        .with_template("critical", entry().template("base").min_calls(3))
        .with_breaker("payment", entry().template("critical").min_calls(4).no_failure_count())
        .with_breaker("search", entry().template("critical"))
        .with_breaker("mail", entry());
    config.validate().unwrap();

    let expected = entry().stripes(16).failure_rate(0.1).totals(false);
    let payment = expected.clone().min_calls(4).no_failure_count();
    assert_eq!(config.breaker("payment").unwrap(), payment);
    assert_eq!(config.breaker("search").unwrap(), expected.min_calls(3).failure_count(4));
    assert_eq!(config.breaker("mail").unwrap(), config.templates["default"]);
    assert_eq!(config.breaker("nobody").unwrap(), config.templates["default"]);
    assert_eq!(Config::default().breaker("nobody").unwrap(), entry());
}

#[test]
fn default_may_be_named_and_need_not_be_written() {
    let named = Config::default().with_breaker("payment", entry().template("default"));
    assert_eq!(named.breaker("payment").unwrap(), entry());
    let written = named.with_template("default", entry().min_calls(7));
    assert_eq!(written.breaker("payment").unwrap(), entry().min_calls(7));
}

#[test]
fn a_rule_switched_off_does_not_trip() {
    let config = Config::default()
        .with_template("default", entry().consecutive_failures(2))
        .with_breaker("payment", entry().no_consecutive_failures());
    let build = |name| config.breaker(name).unwrap().to_builder().build().unwrap();
    for (name, state) in [("payment", State::Closed), ("search", State::Open)] {
        let breaker = build(name);
        for _ in 0..2 {
            breaker.try_acquire().unwrap().failure();
        }
        assert_eq!(breaker.state(), state, "{name}");
    }
}

#[test]
fn unknown_templates_are_refused_where_they_are_named() {
    let config = Config::default()
        .with_template("critical", entry())
        .with_breaker("payment", entry().template("critica"));
    let allowed = r#"one of "critical", "default""#;
    refuses(&config, "breakers.payment.template", r#""critica""#, allowed);
    let error = config.breaker("payment").unwrap_err();
    assert_eq!(error.key(), "breakers.payment.template");
    assert!(config.breaker("search").is_ok());

    let config = Config::default().with_template("critical", entry().template("base"));
    refuses(&config, "templates.critical.template", r#""base""#, allowed);
}

#[test]
fn cycles_are_refused() {
    let allowed = "a template that does not lead back to this one";
    let config = Config::default().with_template("a", entry().template("a"));
    refuses(&config, "templates.a.template", r#""a""#, allowed);

    let config = Config::default()
        .with_template("a", entry().template("b"))
        .with_template("b", entry().template("c"))
        .with_template("c", entry().template("a"))
        .with_breaker("payment", entry().template("b"));
    refuses(&config, "templates.c.template", r#""a""#, allowed);
    assert!(config.breaker("payment").is_err());

    let config = Config::default()
        .with_template("a", entry())
        .with_template("default", entry().template("a"));
    let allowed = "none: default is everybody's last";
    refuses(&config, "templates.default.template", r#""a""#, allowed);
}

#[test]
fn a_long_chain_of_templates_is_followed() {
    let mut config = Config::default().with_template("t0", entry().min_calls(9));
    for number in 1..300 {
        let named = entry().template(format!("t{}", number - 1));
        config = config.with_template(format!("t{number}"), named);
    }
    let config = config.with_breaker("payment", entry().template("t299"));
    config.validate().unwrap();
    assert_eq!(config.breaker("payment").unwrap().min_calls, Some(9));
}

#[test]
fn the_template_is_named_that_has_the_wrong_value() {
    let config = Config::default()
        .with_template("base", entry().failure_rate(1.5))
        .with_template("critical", entry().template("base"))
        .with_breaker("payment", entry().template("critical"));
    let allowed = "a rate above 0 to 1, at least one part in a million";
    refuses(&config, "templates.base.failure_rate", "1.5", allowed);
    // Without the check of everything it is named too, and for whom.
    let error = config.breaker("payment").unwrap_err();
    assert_eq!(error.key(), "templates.base.failure_rate");
    assert_eq!(error.allowed(), format!("{allowed} (in breakers.payment)"));
    // Nobody uses this one.
    let config = Config::default().with_template("spare", entry().min_calls(0));
    refuses(&config, "templates.spare.min_calls", "0", "1 to 4294967295");
}

/// Of every key: without the check of everything the breaker is the first to meet the value.
#[test]
fn whose_value_it_is_is_said_of_every_key() {
    let zero = std::time::Duration::ZERO;
    for (wrong, key) in [
        (entry().window(Window::count(0)), "window.count"),
        (entry().failure_rate(0.0), "failure_rate"),
        (entry().failure_count(0), "failure_count"),
        (entry().consecutive_failures(0), "consecutive_failures"),
        (entry().slow_call(zero, 0.5), "slow_call.limit"),
        (entry().min_calls(0), "min_calls"),
        (entry().open_wait(OpenWait::fixed(zero)), "open_wait"),
        (entry().half_open(HalfOpen::probes(0)), "half_open.probes"),
        (entry().probe_timeout(zero), "probe_timeout"),
        (entry().stripes(0), "stripes"),
    ] {
        // The names say nothing of which is which.
        let config = Config::default()
            .with_template("payment", wrong)
            .with_breaker("payment", entry().template("payment"));
        let error = config.breaker("payment").unwrap_err();
        assert_eq!(error.key(), format!("templates.payment.{key}"));
        assert!(error.allowed().ends_with(" (in breakers.payment)"), "{error}");
    }
}

#[test]
fn values_that_exclude_each_other_are_refused_in_the_breaker_that_has_both() {
    let config = Config::default()
        .with_template("critical", entry().failure_count(50))
        .with_breaker("payment", entry().template("critical").window(Window::count(10)));
    let allowed = "at most the size of the count window (in breakers.payment)";
    refuses(&config, "templates.critical.failure_count", "50", allowed);
    let config = Config::default()
        .with_template("critical", entry().window(Window::consecutive(3)))
        .with_breaker("payment", entry().template("critical").consecutive_failures(5));
    let allowed = "not together with a consecutive window, which has the limit itself";
    refuses(&config, "breakers.payment.consecutive_failures", "5", allowed);
    // Both in one template: no breaker could use it.
    let both = entry().window(Window::count(10)).failure_count(50);
    let config = Config::default().with_template("spare", both);
    let allowed = "at most the size of the count window";
    refuses(&config, "templates.spare.failure_count", "50", allowed);
}

#[test]
fn a_template_need_not_be_complete() {
    let no_rule = entry().no_failure_rate();
    // More failures than the default window has calls: its breakers have other windows.
    let config = Config::default()
        .with_template("counted", no_rule.clone())
        .with_template("many", entry().failure_count(5_000))
        .with_breaker("payment", entry().template("counted").failure_count(5))
        .with_breaker("search", entry().template("many").window(Window::count(10_000)));
    config.validate().unwrap();
    let allowed = "at least one of failure_rate, failure_count, consecutive_failures, slow_call";
    let bare = config.clone().with_breaker("bare", entry().template("counted"));
    refuses(&bare, "breakers.bare", "no rule", allowed);
    // But everybody may come to have what `default` says, and nothing else.
    let config = config.with_template("default", no_rule);
    refuses(&config, "templates.default", "no rule", allowed);
}

#[test]
fn an_entry_goes_over_another() {
    let base = entry().template("base").min_calls(1).failure_rate(0.5).no_slow_call();
    let over = entry().template("own").min_calls(2);
    let whole = over.over(&base);
    assert_eq!(whole, entry().template("own").min_calls(2).failure_rate(0.5).no_slow_call());
    assert_eq!(whole.slow_call, Some(Rule::Off));
    assert_eq!(entry().over(&base), base);
}
