//! Configurations: three formats of one, templates, and everything that may be wrong with a file.

use failfast::config::Config;

#[test]
fn first() {
    let text = r#"
[templates.default]
window = { count = 100 }
failure_rate = 0.5
min_calls = 20
[templates.critical]
consecutive_failures = 3
[breakers.payment]
template = "critical"
slow_call = { limit = "2s", rate = 0.8 }
open_wait = { initial = "1s", factor = 2.0, max = "1m", jitter = 0.1 }
half_open = { probes = 3 }
probe_timeout = "60s"
totals = true
[bulkheads.payment]
max_concurrent = 10
[rate_limits.search]
calls = 100
per = "1s"
burst = 10
"#;
    let config = Config::from_toml(text).unwrap();
    println!("{config:#?}\n{:#?}", config.breaker("payment"));
    for (from, to) in [
        ("0.5", "1.5"),
        ("0.5", "\"high\""),
        ("\"2s\"", "2"),
        ("min_calls", "min_call"),
        ("0.8", "0"),
        ("= 10\n", "= 0\n"),
        ("count = 100", "count = 0"),
        ("\"critical\"", "\"critica\""),
        ("per = \"1s\"", ""),
        ("count = 100", "count = 100, time = \"1s\""),
        ("1m", "1ms"),
        ("\"60s\"", "-5"),
        ("0.5", "0.5.5"),
        ("[bulk", "[bulk\n[["),
        ("= 3\n", "= 3\ntemplate = \"critical\"\n"),
        ("{ probes = 3 }", "[1, 2]"),
    ] {
        assert!(text.contains(from), "{from}");
        println!("{}", Config::from_toml(&text.replacen(from, to, 1)).unwrap_err());
    }
}
