//! The page and the service together, with customers who buy: one story from start to restart.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use failfast_browser_tests::service::{build, free_port, Customers, Service};
use failfast_browser_tests::wait_for;
use failfast_browser_tests::webdriver::{keys, Browser};
use serde_json::Value;

use crate::audit;
use crate::staged::LIVE;

const NAMES: [&str; 4] = ["payment", "inventory", "shipping", "notification"];

/// The issue: red within a second, which is measured from the service's change to the page's, by one clock.
const PROMPT_MS: f64 = 1_000.0;

/// A busy machine can make any one change late, and a slow page makes every one late: the best of these counts.
const ROUNDS: usize = 4;

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
    /// Dials turned by the page so far.
    turned: Cell<u32>,
}

impl Watched {
    /// Has a dial turned by whatever presses it, and waits until the page says that it is.
    ///
    /// A page that isn't live turns nothing and says so, which a machine that stands still for two seconds can cause:
    /// then the dial is pressed again.
    fn turn(&self, breaker: usize, dial: &str, press: impl Fn()) {
        let script = format!(
            "const card = document.querySelectorAll('.card')[{breaker}]; \
             const trouble = card.querySelector('.trouble')?.textContent ?? ''; \
             return trouble || card.querySelector('[data-dial={dial}]').ariaPressed"
        );
        loop {
            self.browser.shows("a live page", LIVE);
            press();
            let found = wait_for("the dial", || match self.browser.look(&script) {
                found if found == "false" => Err(found),
                found => Ok(found),
            });
            let found = found.as_str().unwrap_or_default();
            if found == "true" {
                return self.turned.set(self.turned.get() + 1);
            }
            assert!(found.contains("no connection"), "{found}");
            println!("  the page was not live: the dial once more");
        }
    }

    fn dial(&self, breaker: usize, dial: &str) {
        let button = format!(".card:nth-child({}) [data-dial={dial}]", breaker + 1);
        self.turn(breaker, dial, || self.browser.click(&button));
    }

    /// Waits until the cards say what the service says, in the right colour: closed and green, unless the machine is so
    /// slow that calls run out of time and open more than was asked for.
    fn assert_closed(&self, breakers: &[usize]) {
        for &breaker in breakers {
            wait_for(&format!("{} as the service has it", NAMES[breaker]), || {
                let shown = audit::word_and_color(&self.browser, breaker);
                let frame = self.service.frame();
                let state = &frame["dependencies"][breaker]["breaker"]["state"];
                if (shown.0.as_str(), shown.1) == ("Closed", "green") {
                    return Ok(());
                }
                let told = match state.as_str().expect("a state") {
                    "open" => ("Open", "red"),
                    "half_open" => ("Half-open", "amber"),
                    _ => ("Closed", "green"),
                };
                println!("  {} is {state} in the service, too", NAMES[breaker]);
                if (shown.0.as_str(), shown.1) == told {
                    Ok(())
                } else {
                    Err(shown)
                }
            });
        }
    }

    /// Waits until the card says the state, and gives the milliseconds from the change in the service until then.
    fn becomes(&self, breaker: usize, state: &str, word: &str, color: &str) -> f64 {
        let shown =
            wait_for(&format!("{} to be {state}", NAMES[breaker]), || match audit::word_and_color(
                &self.browser,
                breaker,
            ) {
                shown if shown.0 == word => Ok(shown.1),
                shown => Err(shown),
            });
        assert_eq!(shown, color);
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

    fn reddens(&self, breaker: usize) -> f64 {
        let behind = self.becomes(breaker, "open", "Open", "red");
        println!("  {} red {behind:.0} ms after it opened", NAMES[breaker]);
        behind
    }

    fn greens(&self, breaker: usize) -> f64 {
        self.dial(breaker, "recover");
        let behind = self.becomes(breaker, "closed", "Closed", "green");
        println!("  {} green {behind:.0} ms after it closed", NAMES[breaker]);
        behind
    }

    /// Asserts that a round of red and green, or one of some more with the same dial, was seen in time.
    fn assert_prompt(&self, breaker: usize, dial: &str, (mut red, mut green): (f64, f64)) {
        for _ in 1..ROUNDS {
            if red.max(green) < PROMPT_MS {
                break;
            }
            println!("  too late, for the machine or for the page: {} once more", NAMES[breaker]);
            self.dial(breaker, dial);
            red = red.min(self.reddens(breaker));
            green = green.min(self.greens(breaker));
        }
        assert!((-5.0..PROMPT_MS).contains(&red), "red {red} ms after the change");
        assert!((-5.0..PROMPT_MS).contains(&green), "green {green} ms after the change");
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
    let mut page = Watched { browser, service, turned: Cell::new(0) };

    // It loads: four breakers, all closed, nothing amiss on the console or on the network.
    page.browser.shows(
        "four closed breakers",
        "[...document.querySelectorAll('.card .state span')].map(s => s.textContent).join() === 'Closed,Closed,Closed,Closed'",
    );
    let names = page
        .browser
        .look("return [...document.querySelectorAll('.card h2')].map(h => h.textContent)");
    assert_eq!(names, serde_json::json!(NAMES));
    page.assert_closed(&[0, 1, 2, 3]);
    page.browser.run(WATCH);

    // Payment fails: its card is red within a second of the opening, and no other.
    page.dial(0, "fail");
    let red = page.reddens(0);
    page.assert_closed(&[1, 2, 3]);
    page.browser.shows(
        "the countdown",
        "document.querySelector('.card .since').textContent.match(/next probe in \\d/)",
    );
    page.browser.shows(
        "the news above",
        "document.querySelector('#health').textContent.includes('payment')",
    );
    page.browser.shows(
        "the reason",
        "document.querySelector('.card .log').textContent.includes('in a row')",
    );

    // It recovers: green once the open time is over.
    page.assert_prompt(0, "fail", (red, page.greens(0)));

    // Slow and hanging dependencies, by the keyboard: tab to the dial, Enter, Space.
    page.browser.run("document.querySelectorAll('.card')[1].focus()");
    for _ in 0..3 {
        page.browser.press(keys::TAB);
    }
    assert_eq!(page.browser.text("document.activeElement.dataset.dial"), "slow");
    page.turn(1, "slow", || page.browser.press(keys::ENTER));
    page.browser.run("document.querySelectorAll('.card')[2].focus()");
    for _ in 0..4 {
        page.browser.press(keys::TAB);
    }
    assert_eq!(page.browser.text("document.activeElement.dataset.dial"), "hang");
    page.turn(2, "hang", || page.browser.press(keys::SPACE));
    let red = [1, 2].map(|breaker| page.reddens(breaker));
    page.assert_prompt(1, "slow", (red[0], page.greens(1)));
    page.assert_prompt(2, "hang", (red[1], page.greens(2)));

    // On a phone nothing is wider than the window, and dials are large enough for a finger.
    page.browser.size(360, 740, 2.0);
    assert!(page.browser.holds("document.documentElement.scrollWidth <= innerWidth"));
    assert!(page.browser.holds("[...document.querySelectorAll('.dials button')].every(b => b.offsetHeight >= 44 && b.offsetWidth >= 44)"));
    page.browser.size(1360, 980, 1.0);

    // So far the console was silent, every request went well, and all of them to the service.
    assert_eq!(page.browser.console_errors(), [] as [String; 0]);
    assert_network_is_clean(&page);

    // The service dies, which the page says; it starts again, and the page is live by itself.
    wait_for("a hundred customers", || match customers.answered() {
        answered @ ..100 => Err(answered),
        _ => Ok(()),
    });
    drop(customers);
    let url = page.service.url();
    drop(page.service);
    let died = Instant::now();
    let lost = "!document.querySelector('#lost').hidden && document.querySelector('#lost').innerText.includes('Connection lost, trying again')";
    page.browser.shows("the loss", lost);
    println!("  loss said {} ms after the service was killed", died.elapsed().as_millis());
    assert!(page.browser.holds("!document.querySelector('#link').textContent.includes('live,')"));
    page.service = Service::start(&program, port);
    assert_eq!(page.service.url(), url);
    let back = Instant::now();
    page.browser.shows("a live page again", LIVE);
    println!("  live again {} ms after the service was back", back.elapsed().as_millis());
    page.assert_closed(&[0, 1, 2, 3]);
    println!("  the whole story in {:.1} s", begin.elapsed().as_secs_f64());
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
            // A page that hears nothing for long hangs up itself, and makes its connection anew.
            "Network.loadingFailed" if requests.contains(&id) && event["canceled"] != true => {
                panic!("a failed request: {event}")
            }
            _ => {}
        }
    }
    println!("  {} requests, {turned} of them dials, all to the service", requests.len());
    assert!(requests.len() >= 3 && turned == page.turned.get());
}
