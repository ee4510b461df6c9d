//! The page and the service together, with customers who buy: one story from start to restart.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use failfast_browser_tests::service::{build, free_port, Customers, Service};
use failfast_browser_tests::wait_for;
use failfast_browser_tests::webdriver::{keys, Browser};
use serde_json::Value;

use crate::audit;

const NAMES: [&str; 4] = ["payment", "inventory", "shipping", "notification"];
const SOON: Duration = Duration::from_secs(15);

/// Writes down on the page itself when each card takes which state, without going through the page's own code.
const WATCH: &str = r#"
    window.seen = [];
    for (const card of document.querySelectorAll(".card"))
        new MutationObserver(() => seen.push([card.querySelector("h2").textContent, card.dataset.state, Date.now()]))
            .observe(card, { attributeFilter: ["data-state"] });
"#;

struct Watched {
    browser: Browser,
    service: Service,
}

impl Watched {
    fn word(&self, breaker: usize) -> String {
        self.browser
            .text(&format!("document.querySelectorAll('.card .state span')[{breaker}].textContent"))
    }

    fn dial(&self, breaker: usize, dial: &str) {
        self.browser.click(&format!(".card:nth-child({}) [data-dial={dial}]", breaker + 1));
    }

    fn assert_closed(&self, breakers: &[usize]) {
        for breaker in breakers {
            let found = (self.word(*breaker), audit::color(&self.browser, *breaker));
            assert_eq!(found, ("Closed".to_string(), "green"), "{}", NAMES[*breaker]);
        }
    }

    /// Waits until the card says the state, and gives the milliseconds from the change in the service until then.
    fn becomes(&self, breaker: usize, state: &str, word: &str, color: &str) -> f64 {
        wait_for(&format!("{} to be {state}", NAMES[breaker]), SOON, || {
            (self.word(breaker) == word).then_some(())
        });
        assert_eq!(audit::color(&self.browser, breaker), color);
        let seen = self.browser.run("return window.seen");
        let newest = |entry: &&Value| entry[0] == NAMES[breaker] && entry[1] == state;
        let seen = seen.as_array().expect("a list").iter().rfind(newest).expect("seen")[2].clone();
        let frame = self.service.frame();
        let changes = frame["dependencies"][breaker]["breaker"]["transitions"].clone();
        let newest =
            |change: &&Value| change["to"] == state && change["at_ms"].as_f64() <= seen.as_f64();
        let change = changes.as_array().expect("a list").iter().rfind(newest).expect("a change");
        seen.as_f64().expect("a time") - change["at_ms"].as_f64().expect("a time")
    }
}

pub(crate) fn story() {
    let program = build();
    let begin = Instant::now();
    let port = free_port();
    let service = Service::start(&program, port);
    let browser = Browser::open();
    browser.size(1360, 980, 1.0);
    browser.network();
    browser.go(&service.url());
    let customers = Customers::start(&service.url(), 6, Duration::from_millis(60));
    let mut page = Watched { browser, service };

    // It loads: four breakers, all closed, nothing amiss on the console or on the network.
    wait_for("four closed breakers", SOON, || {
        page.browser.holds("[...document.querySelectorAll('.card .state span')].map(s => s.textContent).join() === 'Closed,Closed,Closed,Closed'").then_some(())
    });
    let names = page
        .browser
        .run("return [...document.querySelectorAll('.card h2')].map(h => h.textContent)");
    assert_eq!(names, serde_json::json!(NAMES));
    page.assert_closed(&[0, 1, 2, 3]);
    page.browser.run(WATCH);

    // Payment fails: its card is red within a second of the opening, and no other.
    let pressed = Instant::now();
    page.dial(0, "fail");
    let behind = page.becomes(0, "open", "Open", "red");
    println!(
        "  payment red {behind:.0} ms after it opened, {} ms after the dial",
        pressed.elapsed().as_millis()
    );
    assert!((-5.0..1_000.0).contains(&behind));
    page.assert_closed(&[1, 2, 3]);
    assert!(page
        .browser
        .holds("document.querySelector('.card .since').textContent.match(/next probe in \\d/)"));
    assert!(page
        .browser
        .holds("document.querySelector('#health').textContent.includes('payment')"));
    assert!(page
        .browser
        .holds("document.querySelector('.card .log').textContent.includes('in a row')"));
    assert!(page
        .browser
        .holds("document.querySelector('.card [data-dial=fail]').ariaPressed === 'true'"));

    // It recovers: green once the open time is over.
    page.dial(0, "recover");
    let behind = page.becomes(0, "closed", "Closed", "green");
    println!(
        "  payment green {behind:.0} ms after it closed, {} ms after the dial",
        pressed.elapsed().as_millis()
    );
    assert!((-5.0..1_000.0).contains(&behind));

    // Slow and hanging dependencies, by the keyboard: tab to the dial, Enter, Space.
    page.browser.run("document.querySelectorAll('.card')[1].focus()");
    for _ in 0..3 {
        page.browser.press(keys::TAB);
    }
    assert_eq!(page.browser.text("document.activeElement.dataset.dial"), "slow");
    page.browser.press(keys::ENTER);
    page.browser.run("document.querySelectorAll('.card')[2].focus()");
    for _ in 0..4 {
        page.browser.press(keys::TAB);
    }
    assert_eq!(page.browser.text("document.activeElement.dataset.dial"), "hang");
    page.browser.press(keys::SPACE);
    for (breaker, dial) in [(1, "slow"), (2, "hang")] {
        let behind = page.becomes(breaker, "open", "Open", "red");
        println!("  {} red {behind:.0} ms after it opened ({dial})", NAMES[breaker]);
        assert!((-5.0..1_000.0).contains(&behind));
    }
    page.dial(1, "recover");
    page.dial(2, "recover");
    page.becomes(1, "closed", "Closed", "green");
    page.becomes(2, "closed", "Closed", "green");

    // On a phone nothing is wider than the window, and dials are large enough for a finger.
    page.browser.size(360, 740, 2.0);
    assert!(page.browser.holds("document.documentElement.scrollWidth <= innerWidth"));
    assert!(page.browser.holds("[...document.querySelectorAll('.dials button')].every(b => b.offsetHeight >= 44 && b.offsetWidth >= 44)"));
    page.browser.size(1360, 980, 1.0);

    // So far the console was silent, every request went well, and all of them to the service.
    assert_eq!(page.browser.console_errors(), [] as [String; 0]);
    assert_network_is_clean(&page);

    // The service dies, which the page says; it starts again, and the page is live by itself.
    assert!(customers.answered() > 100, "hardly anybody bought anything");
    drop(customers);
    let url = page.service.url();
    drop(page.service);
    let died = Instant::now();
    let lost = "!document.querySelector('#lost').hidden && document.querySelector('#lost').innerText.includes('Connection lost, trying again')";
    wait_for("the loss to be said", SOON, || page.browser.holds(lost).then_some(()));
    println!("  loss said {} ms after the service was killed", died.elapsed().as_millis());
    assert!(page.browser.holds("!document.querySelector('#link').textContent.includes('live,')"));
    page.service = Service::start(&program, port);
    assert_eq!(page.service.url(), url);
    let back = Instant::now();
    wait_for("the page to be live again", SOON, || {
        let live = "document.querySelector('#lost').hidden && document.querySelector('#link').textContent.startsWith('live,')";
        page.browser.holds(live).then_some(())
    });
    println!("  live again {} ms after the service was back", back.elapsed().as_millis());
    page.assert_closed(&[0, 1, 2, 3]);
    println!("  the whole story in {:.1} s", begin.elapsed().as_secs_f64());
    assert!(begin.elapsed() < Duration::from_secs(60));
}

/// Of the page's own requests. What Chromium does for its first, empty tab began before.
fn assert_network_is_clean(page: &Watched) {
    let (mut requests, mut turned) = (HashSet::new(), 0);
    for (method, event) in page.browser.network() {
        let id = event["requestId"].as_str().unwrap_or("").to_string();
        match method.as_str() {
            "Network.requestWillBeSent" => {
                let url = event["request"]["url"].as_str().expect("an address");
                let own = url.starts_with(&page.service.url()) || url.starts_with("data:");
                assert!(own, "a request to elsewhere: {url}");
                requests.insert(id);
                turned += u32::from(event["request"]["method"] == "POST");
            }
            "Network.responseReceived" if requests.contains(&id) => {
                let status = event["response"]["status"].as_u64();
                assert_eq!(status, Some(200), "{}", event["response"]["url"]);
            }
            "Network.loadingFailed" if requests.contains(&id) => {
                panic!("a failed request: {event}")
            }
            _ => {}
        }
    }
    println!("  {} requests, {turned} of them dials, all to the service", requests.len());
    assert!(requests.len() >= 3 && turned == 6);
}
