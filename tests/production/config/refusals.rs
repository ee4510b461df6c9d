//! What is refused, with its place, its key, the value given and the values allowed.

use failfast::config::Config;

use super::{FORMATS, JSON, TOML, YAML};

/// A change to one of the three forms of `circuits`, and the error that it makes: the line that holds the mark, the key,
/// the value given, and a part of what is allowed.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn refuses(format: usize, (from, to, mark, key, given, allowed): Case) {
    let text = [TOML, JSON, YAML][format];
    let (name, read) = FORMATS[format];
    assert!(text.contains(from), "{from}");
    let text = text.replacen(from, to, 1);
    let error = read(&text).expect_err(to);
    assert_eq!(error.key(), key, "{name} {error}");
    assert_eq!(error.given(), given, "{name} {error}");
    assert!(error.allowed().contains(allowed), "{name} {error}");
    let line = error.line().expect("a line");
    let found = text.lines().nth(line - 1).unwrap_or_default();
    assert!(found.contains(mark), "{name} {error}: {found}");
    assert!(error.to_string().starts_with(&format!("line {line}: {key}")), "{error}");
    assert_eq!(error.file(), None);
}

const TIME: &str = r#"a time with its unit (d, h, m, s, ms, us, ns), such as "250ms""#;

#[test]
fn values_that_are_not_allowed() {
    for case in [
        ("= 0.2\n", "= 1.5\n", "= 1.5", "templates.critical.failure_rate", "1.5", "0 to 1"),
        ("= 0.2\n", "= nan\n", "= nan", "templates.critical.failure_rate", "NaN", "0 to 1"),
        ("= 20\n", "= 0\n", "= 0", "templates.default.min_calls", "0", "1 to 4294967295"),
        ("= 5\n", "= 0\n", "= 0", "templates.critical.consecutive_failures", "0", "1 to"),
        ("count = 200", "count = 0", "count", "breakers.inventory.window.count", "0", "1048576"),
        ("buckets = 20", "buckets = 0", "time", "templates.default.window.buckets", "0", "1024"),
        ("\"10s\"", "\"367d\"", "367d", "templates.default.window.time", "\"367d\"", "366 days"),
        ("= 3 }", "= 0 }", "= 0", "breakers.notification.window.consecutive", "0", "a limit"),
        (
            "= { probes = 5",
            "= { probes = 1001",
            "1001",
            "breakers.payment.half_open.probes",
            "1001",
            "1 to 1000",
        ),
        (
            "rate = 10 }",
            "rate = 0 }",
            "half",
            "breakers.inventory.half_open.rate",
            "0",
            "1 to 1000",
        ),
        ("\"2s\"", "\"0s\"", "slow", "breakers.payment.slow_call.limit", "\"0s\"", "1 ns"),
        ("rate = 0.8", "rate = -0.8", "slow", "breakers.payment.slow_call.rate", "-0.8", "0 to 1"),
        ("\"30s\"", "\"0ms\"", "0ms", "breakers.inventory.open_wait", "\"0s\"", "1 ns"),
        (
            "\"500ms\"",
            "\"9000d\"",
            "fixed",
            "breakers.notification.open_wait.fixed",
            "\"9000d\"",
            "366",
        ),
        ("\"1s\"", "\"0s\"", "initial", "templates.critical.open_wait.initial", "\"0s\"", "1 ns"),
        ("2.0", "0.5", "factor", "templates.critical.open_wait.factor", "0.5", "factor from 1"),
        ("\"1m\"", "\"1ms\"", "max", "templates.critical.open_wait.max", "\"1ms\"", "initial wait"),
        ("= 0.1", "= 1.0", "jitter", "templates.critical.open_wait.jitter", "1", "below 1"),
        ("\"1m 30s\"", "\"0ns\"", "probe", "templates.default.probe_timeout", "\"0s\"", "1 ns"),
        (
            "totals = false",
            "stripes = 1025",
            "stripes",
            "breakers.notification.stripes",
            "1025",
            "1024",
        ),
        (
            "max_concurrent = 10",
            "max_concurrent = 0",
            "max",
            "bulkheads.payment.max_concurrent",
            "0",
            "1 to 1048576",
        ),
        ("calls = 100", "calls = 0", "calls", "rate_limits.search.calls", "0", "microseconds"),
        ("per = \"1s\"", "per = \"0s\"", "per", "rate_limits.search.per", "\"0s\"", "1 ns"),
        ("burst = 10", "burst = 0", "burst", "rate_limits.search.burst", "0", "1 to as many"),
        (
            "{ count = 200 }",
            "{ count = 200, buckets = 5 }",
            "count",
            "breakers.inventory.window.buckets",
            "5",
            "time window",
        ),
    ] {
        refuses(0, case);
    }
    for case in [
        ("0.2,", "1.5,", "1.5", "templates.critical.failure_rate", "1.5", "0 to 1"),
        (
            "\"max_concurrent\": 10",
            "\"max_concurrent\": 0",
            "max",
            "bulkheads.payment.max_concurrent",
            "0",
            "1048576",
        ),
    ] {
        refuses(1, case);
    }
    for case in [
        ("0.2", ".inf", ".inf", "templates.critical.failure_rate", "inf", "0 to 1"),
        ("count: 200", "count: 0", "count", "breakers.inventory.window.count", "0", "1 to 1048576"),
    ] {
        refuses(2, case);
    }
}

#[test]
fn values_of_the_wrong_kind() {
    for case in [
        (
            "= 0.2\n",
            "= \"on\"\n",
            "\"on\"",
            "templates.critical.failure_rate",
            "\"on\"",
            "or \"off\"",
        ),
        ("= 0.2\n", "= true\n", "true", "templates.critical.failure_rate", "true", "or \"off\""),
        (
            "= 0.2\n",
            "= 1979-05-27\n",
            "1979",
            "templates.critical.failure_rate",
            "1979-05-27",
            "a rate",
        ),
        ("= 20\n", "= 20.0\n", "20.0", "templates.default.min_calls", "20.0", "a whole number"),
        ("= 20\n", "= -1\n", "-1", "templates.default.min_calls", "-1", "a whole number"),
        (
            "= 20\n",
            "= 4294967296\n",
            "429",
            "templates.default.min_calls",
            "4294967296",
            "a whole number",
        ),
        ("= 5\n", "= 5.5\n", "5.5", "templates.critical.consecutive_failures", "5.5", "or \"off\""),
        ("= 5\n", "= -5\n", "-5", "templates.critical.consecutive_failures", "-5", "or \"off\""),
        (
            "= 5\n",
            "= 5000000000\n",
            "50",
            "templates.critical.consecutive_failures",
            "5000000000",
            "or \"off\"",
        ),
        ("= 5\n", "= []\n", "[]", "templates.critical.consecutive_failures", "[]", "or \"off\""),
        ("\"1m 30s\"", "90", "90", "templates.default.probe_timeout", "90", TIME),
        ("\"1m 30s\"", "\"90\"", "90", "templates.default.probe_timeout", "\"90\"", TIME),
        ("\"1m 30s\"", "\"-5s\"", "-5", "templates.default.probe_timeout", "\"-5s\"", TIME),
        ("\"1m 30s\"", "\"5M\"", "5M", "templates.default.probe_timeout", "\"5M\"", TIME),
        (
            "\"1m 30s\"",
            "\"18446744073709551615s 1000000000ns\"",
            "184",
            "templates.default.probe_timeout",
            "\"18446744073709551615s 1000000000ns\"",
            TIME,
        ),
        ("\"30s\"", "30", "= 30", "breakers.inventory.open_wait", "30", "one of \"30s\""),
        ("\"30s\"", "\"soon\"", "soon", "breakers.inventory.open_wait", "\"soon\"", TIME),
        (
            "fixed = \"500ms\"",
            "max = \"500ms\"",
            "max",
            "breakers.notification.open_wait",
            "{ jitter = 0.2, max = \"500ms\" }",
            "one of \"30s\"",
        ),
        (
            "{ count = 200 }",
            "200",
            "200",
            "breakers.inventory.window",
            "200",
            "one of { count = 100 }",
        ),
        (
            "{ count = 200 }",
            "[200]",
            "[200]",
            "breakers.inventory.window",
            "[200]",
            "one of { count = 100 }",
        ),
        (
            "{ count = 200 }",
            "{}",
            "{}",
            "breakers.inventory.window",
            "{}",
            "one of { count = 100 }",
        ),
        (
            "{ count = 200 }",
            "{ count = 2, consecutive = 3 }",
            "con",
            "breakers.inventory.window",
            "{ consecutive = 3, count = 2 }",
            "one of { count = 100 }",
        ),
        (
            "{ rate = 10 }",
            "{ rate = 10, probes = 1 }",
            "probes",
            "breakers.inventory.half_open",
            "{ probes = 1, rate = 10 }",
            "{ probes = 3 } and",
        ),
        (
            "{ rate = 10 }",
            "\"rate\"",
            "\"rate\"",
            "breakers.inventory.half_open",
            "\"rate\"",
            "{ probes = 3 } and",
        ),
        (
            "{ limit = \"2s\", rate = 0.8 }",
            "\"2s\"",
            "slow",
            "breakers.payment.slow_call",
            "\"2s\"",
            "or \"off\"",
        ),
        (
            "{ limit = \"2s\", rate = 0.8 }",
            "0.8",
            "slow",
            "breakers.payment.slow_call",
            "0.8",
            "or \"off\"",
        ),
        ("false", "\"no\"", "no", "breakers.notification.totals", "\"no\"", "true or false"),
        (
            "\"critical\"",
            "[\"critical\"]",
            "[",
            "breakers.payment.template",
            "[\"critical\"]",
            "the name of a template",
        ),
        ("per = \"1s\"", "per = 1", "per", "rate_limits.search.per", "1", TIME),
    ] {
        refuses(0, case);
    }
    for case in [
        (
            "\"off\"",
            "null",
            "null",
            "breakers.inventory.consecutive_failures",
            "null",
            "or \"off\"",
        ),
        ("20,\n", "null,\n", "null", "templates.default.min_calls", "null", "a whole number"),
        ("20,\n", "1e999,\n", "1e999", "templates.default.min_calls", "1e999", "a whole number"),
        ("{ \"probes\": 5 }", "null", "null", "breakers.payment.half_open", "null", "probes"),
        (
            "{ \"max_concurrent\": 10 }",
            "[10]",
            "[10]",
            "bulkheads.payment",
            "[10]",
            "a table such as",
        ),
    ] {
        refuses(1, case);
    }
    for case in [
        (
            "off #",
            "no #",
            "no #",
            "breakers.inventory.consecutive_failures",
            "\"no\"",
            "or \"off\"",
        ),
        ("20\n", "\n", "min_calls", "templates.default.min_calls", "nothing", "a whole number"),
        (
            "30s\n    half",
            "30\n    half",
            "30",
            "breakers.inventory.open_wait",
            "30",
            "one of \"30s\"",
        ),
        ("{ max_concurrent: 10 }", "ten", "ten", "bulkheads.payment", "\"ten\"", "a table such as"),
        (
            "{ max_concurrent: 10 }",
            "",
            "payment",
            "bulkheads.payment.max_concurrent",
            "nothing",
            "a whole",
        ),
    ] {
        refuses(2, case);
    }
}

#[test]
fn keys_that_are_unknown_missing_or_repeated() {
    let unknown = "an unknown key";
    for case in [
        ("min_calls", "min_call", "min_call ", "templates.default.min_call", unknown, "min_calls"),
        (
            "min_calls",
            "\"min calls\"",
            "min calls",
            "templates.default.\"min calls\"",
            unknown,
            "min_calls",
        ),
        (
            "[bulkheads.",
            "[bulkhead.",
            "[bulkhead.",
            "bulkhead",
            unknown,
            "one of templates, breakers, bulkheads, rate_limits",
        ),
        ("limit =", "limt =", "limt", "breakers.payment.slow_call.limt", unknown, "limit, rate"),
        (
            "buckets =",
            "bucket =",
            "bucket",
            "templates.default.window.bucket",
            unknown,
            "count, time",
        ),
        (
            "probes =",
            "probe =",
            "probe",
            "breakers.payment.half_open.probe",
            unknown,
            "probes, rate",
        ),
        (
            "factor =",
            "multiplier =",
            "mult",
            "templates.critical.open_wait.multiplier",
            unknown,
            "factor",
        ),
        (
            "max_concurrent",
            "max_concurent",
            "max",
            "bulkheads.payment.max_concurent",
            unknown,
            "max_concurrent",
        ),
        (
            "burst =",
            "bursts =",
            "bursts",
            "rate_limits.search.bursts",
            unknown,
            "calls, per, burst",
        ),
        ("limit = \"2s\", ", "", "slow_call", "breakers.payment.slow_call.limit", "nothing", TIME),
        (", rate = 0.8", "", "slow_call", "breakers.payment.slow_call.rate", "nothing", "a rate"),
        ("calls = 100", "", "[rate", "rate_limits.search.calls", "nothing", "a whole number"),
        ("per = \"1s\"", "", "[rate", "rate_limits.search.per", "nothing", TIME),
    ] {
        refuses(0, case);
    }
    refuses(
        1,
        (
            "\"min_calls\": 20",
            "\"failure_rate\": 0.1",
            "0.1",
            "templates.default.failure_rate",
            "a second time",
            "once",
        ),
    );
    refuses(
        1,
        (
            "\"inventory\": {",
            "\"payment\": {",
            "payment",
            "breakers.payment",
            "a second time",
            "once",
        ),
    );
    refuses(
        2,
        (
            "min_calls:",
            "failure_rate:",
            "20",
            "templates.default.failure_rate",
            "a second time",
            "once",
        ),
    );
    refuses(
        2,
        ("template: critical", "<<: {}", "<<", "breakers.payment.\"<<\"", unknown, "template"),
    );
}

#[test]
fn texts_that_are_not_well_formed() {
    for (format, text, line, column, given, allowed) in [
        (
            0,
            "[breakers.payment]\nfailure_rate = 0.5.5\n",
            2,
            19,
            "\"failure_rate = 0.5.5\"",
            "TOML",
        ),
        (0, "a = 1\na = 2\n", 2, 1, "\"a = 2\"", "TOML (duplicate key"),
        (0, "[breakers", 1, 10, "\"[breakers\"", "TOML (unclosed table"),
        (
            1,
            "{\n  \"breakers\": {,}\n}",
            2,
            16,
            "\"\\\"breakers\\\": {,}\"",
            "JSON (key must be a string",
        ),
        (1, "", 1, 1, "nothing", "JSON (EOF"),
        (1, "{} {}", 1, 4, "\"{} {}\"", "JSON (trailing characters"),
        (1, "{\"\\ud800\": 1}", 1, 0, "\"{\\\"\\\\ud800\\\": 1}\"", "JSON"),
        (2, "breakers:\n\tpayment: 1\n", 2, 0, "\"payment: 1\"", "YAML"),
        (2, "a: b: c", 1, 0, "\"a: b: c\"", "YAML (mapping values"),
        (2, "[", 0, 0, "", "YAML"),
        (2, "a: &x 1\n", 1, 4, "an anchor", "templates are what settings share"),
        (2, "a: *x\n", 1, 0, "\"a: *x\"", "YAML"),
        (2, "breakers: !!map {}\n", 1, 11, "a tag", "without one"),
        (2, "---\n{}\n---\n{}\n", 3, 1, "a second document", "one document"),
        (2, "? [a]\n: 1\n", 1, 3, "a list or table", "a word"),
    ] {
        let (name, read) = FORMATS[format];
        let error = read(text).expect_err(text);
        assert_eq!(error.key(), "", "{name} {error}");
        if line > 0 {
            assert_eq!(error.line(), Some(line), "{name} {error}");
        }
        if column > 0 {
            assert_eq!(error.column(), Some(column), "{name} {error}");
        }
        if !given.is_empty() {
            assert_eq!(error.given(), given, "{name} {error}");
        }
        assert!(error.allowed().contains(allowed), "{name} {error}");
    }
}

#[test]
fn roots_that_are_no_tables() {
    for (format, text) in [(1, "[]"), (1, "null"), (1, "7"), (2, "- a\n"), (2, "payment\n")] {
        let (name, read) = FORMATS[format];
        let error = read(text).expect_err(text);
        assert_eq!((error.line(), error.key()), (Some(1), ""), "{name} {error}");
        assert!(error.allowed().starts_with("a table of templates, breakers"), "{name} {error}");
    }
}

#[test]
fn names_are_quoted_where_a_dot_would_mislead() {
    let error = Config::from_toml("[breakers.\"a.b\"]\nstripes = 0").unwrap_err();
    assert_eq!(error.key(), "breakers.\"a.b\".stripes");
    let error = Config::from_json(r#"{"breakers": {"\u001b[31m": {"stripes": 0}}}"#).unwrap_err();
    assert_eq!(error.key(), r#"breakers."\u{1b}[31m".stripes"#, "no colour in a log");
    let long = "x".repeat(1_000);
    let error = Config::from_toml(&format!("[breakers.p]\ntemplate = {long:?}")).unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
}

#[test]
fn columns_count_characters() {
    let error = Config::from_toml("breakers.\"äöü漢\".stripes = 0").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(1), Some(27)));
    let error = Config::from_json("{\"breakers\": {\"äöü漢\":\n {\"é\": 1}}}").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(2), Some(8)));
}
