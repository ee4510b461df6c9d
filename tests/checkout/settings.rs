//! The file of the circuits: at the start, and read again in operation.

use std::fs;
use std::time::Duration;

use failfast::{HalfOpen, OpenWait};

use crate::circuits;
use crate::service::{Service, Settings};
use crate::stand::{Stand, CIRCUITS};

#[test]
fn the_file_of_the_example_does_what_its_pages_say() {
    let service = Service::start(Settings::default()).unwrap();
    let payment = service.app.shop.line("payment").unwrap().breaker.settings();
    assert_eq!(payment.consecutive_failures, Some(3));
    assert_eq!(payment.open_wait, OpenWait::fixed(Duration::from_secs(5)));
    assert_eq!(payment.half_open, HalfOpen::probes(1));
    for line in service.app.shop.lines.iter() {
        assert!(line.breaker.warnings().is_empty(), "{:?}", line.breaker.warnings());
        assert!(line.breaker.totals().is_some());
    }
}

#[test]
fn a_changed_file_is_put_in_force_and_what_changed_is_said() {
    let stand = Stand::open();
    let payment = &stand.line("payment").breaker;
    stand.fail_until_open("payment");
    let before = payment.totals().unwrap();
    assert_eq!(stand.post("reload").text, r#"{"changed":[]}"#);

    let text = CIRCUITS
        .replace("= 64", "= 7")
        .replace("consecutive_failures = 3", "consecutive_failures = 9");
    fs::write(&stand.file, text).unwrap();
    let answer = stand.post("reload");
    assert_eq!(answer.status, 200);
    let changed: Vec<_> = answer.body["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["key"].as_str().unwrap(), &change["from"], &change["to"]))
        .collect();
    let (three, nine) = (&3.into(), &9.into());
    assert_eq!(
        changed,
        [
            ("breakers.inventory.consecutive_failures", three, nine),
            ("breakers.notification.consecutive_failures", three, nine),
            ("breakers.payment.consecutive_failures", three, nine),
            ("breakers.shipping.consecutive_failures", three, nine),
            ("bulkheads.checkout.max_concurrent", &64.into(), &7.into()),
        ]
    );
    assert_eq!(payment.settings().consecutive_failures, Some(9));
    assert_eq!(stand.service.app.shop.places.max_concurrent(), 7);
    assert!(payment.totals().unwrap().failed >= before.failed, "totals were lost");
}

/// What is wrong, in place of what, and what the error says of it: key and given.
type Slip = (&'static str, &'static str, &'static str, &'static str);

/// Refused at the start too.
const BAD: [Slip; 7] = [
    ("failures = 3", "failures = 0", "templates.default.consecutive_failures", "0"),
    ("\"3s\"", "\"800 parsecs\"", "templates.default.open_wait", "800 parsecs"),
    ("half_open", "half_opened", "templates.default.half_opened", ""),
    ("[breakers.shipping]", "[breakers.shiping]", "breakers.shiping", ""),
    ("max_concurrent = 64", "max_concurrent = 0", "bulkheads.checkout.max_concurrent", "0"),
    ("[bulkheads.checkout]\nmax_concurrent = 64", "", "bulkheads.checkout", "nothing"),
    ("[templates.default]", "[templates.default", "", ""),
];

/// Good for a start, and not for a breaker in use.
const FIXED: [Slip; 2] = [
    ("\"1h\"", "\"1h\"\nwindow = { count = 7 }", "breakers.shipping.window.count", "7"),
    ("\"1h\"", "\"1h\"\ntotals = false", "breakers.shipping.totals", "false"),
];

#[test]
fn a_file_that_can_not_be_put_in_force_changes_nothing_and_says_where() {
    let stand = Stand::open();
    let payment = &stand.line("payment").breaker;
    let before = payment.settings();
    for (good, ill, key, given) in BAD.into_iter().chain(FIXED) {
        let text = CIRCUITS.replace("min_calls = 20", "min_calls = 21").replace(good, ill);
        fs::write(&stand.file, text).unwrap();
        let answer = stand.post("reload");
        assert_eq!(answer.status, 400, "{ill}");
        let body = &answer.body;
        assert_eq!(body["key"], key, "{body}");
        assert_eq!(body["file"].as_str(), stand.file.to_str(), "{body}");
        assert!(body["given"].as_str().unwrap().contains(given), "{body}");
        assert!(body["allowed"].is_string() && body["error"].is_string(), "{body}");
        assert_eq!(payment.settings(), before);
    }
    fs::remove_file(&stand.file).unwrap();
    assert_eq!(stand.post("reload").status, 400);
    assert_eq!((stand.checkout().status, payment.settings()), (200, before));
}

#[test]
fn a_bad_file_is_refused_at_the_start_too() {
    let stand = Stand::open();
    for (good, ill, key, _) in BAD {
        fs::write(&stand.file, CIRCUITS.replace(good, ill)).unwrap();
        let complaint = circuits::read(&stand.file).expect_err(ill).to_string();
        assert!(complaint.contains(key), "{complaint}");
        assert!(complaint.contains(stand.file.to_str().unwrap()), "{complaint}");
    }
}

#[test]
fn a_start_that_can_not_be_is_an_error_in_words() {
    let stand = Stand::open();
    let start = |settings| Service::start(settings).err().unwrap();
    let port = stand.service.address().port();
    let taken = start(Settings { port: Some(port), ..Settings::default() });
    assert!(taken.contains("in use") && taken.contains(&port.to_string()), "{taken}");
    let missing = start(Settings { config: "no/such/circuits.toml".into(), ..Settings::default() });
    assert!(missing.contains("no/such/circuits.toml"), "{missing}");
    fs::write(&stand.file, CIRCUITS.replace("= 64", "= -1")).unwrap();
    let bad = start(Settings { config: stand.file.clone(), ..Settings::default() });
    assert!(bad.contains("bulkheads.checkout.max_concurrent") && bad.contains("-1"), "{bad}");
}

#[test]
fn metrics_tell_what_the_circuits_do() {
    let stand = Stand::open();
    stand.fail_until_open("payment");
    stand.line("payment").breaker.trip();
    stand.checkout();
    let text = stand.get("metrics").text;
    assert!(text.contains(r#"failfast_breaker_state{breaker="payment",state="open"} 1"#), "{text}");
    assert!(text.contains(r#"failfast_breaker_state{breaker="shipping",state="closed"} 1"#));
    assert!(text.contains(r#"failfast_calls_refused_total{breaker="payment"} 1"#));
    // And what the service itself counts.
    assert!(text.contains(r#"checkouts_total{result="failed"} 3"#), "{text}");
    assert!(text.contains(r#"checkouts_total{result="refused"} 1"#));
    assert!(text.contains("checkout_seconds_count 4"));
}
