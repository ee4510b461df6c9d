//! The page on the stage: frames that the service would take an hour to make, or would never make.

use std::time::Instant;

use failfast_browser_tests::stage::{breaker, frame, now_ms, Stage, PAGE};
use failfast_browser_tests::wait_for;
use failfast_browser_tests::webdriver::{keys, Browser};
use serde_json::{json, Value};

use crate::audit;

/// Writes down what a screen reader is told.
const LISTEN: &str = "window.said = []; const news = document.querySelector('#news'); \
    new MutationObserver(() => said.push(news.textContent)).observe(news, { childList: true })";

/// A stage with the page open on it and listening.
fn open() -> (Stage, Browser) {
    let (stage, browser) = (Stage::open(), Browser::open());
    browser.go(&stage.url());
    listens(&stage);
    (stage, browser)
}

fn listens(stage: &Stage) {
    wait_for("the page to listen", || match stage.listening() {
        0 => Err("nobody"),
        _ => Ok(()),
    });
}

pub(crate) const LIVE: &str = "document.querySelector('#link').textContent.startsWith('live') && document.querySelector('#lost').hidden";

/// Has a dial turned, and gives what the stage was asked for.
///
/// A page that isn't live turns nothing and says so, which a machine that stands still for two seconds can cause: then
/// the dial is pressed again.
fn turns(stage: &Stage, browser: &Browser, press: impl Fn()) -> String {
    let unheard = "[...document.querySelectorAll('.trouble')].some(t => t.textContent.includes('no connection'))";
    loop {
        browser.shows("a live page", LIVE);
        press();
        let turned = wait_for("the dial", || match stage.turned().pop() {
            Some(turned) => Ok(Some(turned)),
            None if browser.holds(unheard) => Ok(None),
            None => Err("nothing"),
        });
        match turned {
            Some(turned) => return turned,
            None => println!("  the page was not live: the dial once more"),
        }
    }
}

fn transition(generation: u64, from: &str, to: &str, at_ms: f64, text: &str) -> Value {
    json!({ "from": from, "to": to, "generation": generation, "at_ms": at_ms, "cause": "control", "text": text })
}

/// Browsers refuse what the policy doesn't name; this says which names it should hold after a change of the page.
pub(crate) fn policy_fits() {
    let (stage, browser) = (Stage::open(), Browser::open());
    browser.go(&stage.url());
    let hashes = browser.run(
        r#"return fetch("/").then(answer => answer.text()).then(page => Promise.all(["script", "style"].map(async kind => {
            const text = page.match(new RegExp(`<${kind}>([^]*?)</${kind}>`))[1];
            const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
            return `${kind}-src 'sha256-${btoa(String.fromCharCode(...new Uint8Array(hash)))}'`;
        })))"#,
    );
    for hash in hashes.as_array().expect("two") {
        let hash = hash.as_str().expect("text");
        assert!(PAGE.contains(hash), "the policy in page.html should hold: {hash}");
    }
    for outside in ["http:", "https:", "//", "@import", "url("] {
        let mut found =
            PAGE.match_indices(outside).map(|(at, _)| &PAGE[at.saturating_sub(20)..][..60]);
        let known =
            |context: &&str| context.contains("www.w3.org/2000/svg") || context.contains("// ");
        assert_eq!(found.find(|context| !known(context)), None, "the page is one file");
    }
    assert_eq!(browser.console_errors(), [] as [String; 0]);
}

pub(crate) fn names_are_text() {
    let (stage, browser) = open();
    let evil = "<img src=x onerror=alert(1)>";
    let mut one = breaker(evil, "open");
    one["check"] = json!({ "passing": false, "error": "<script>alert(2)</script>" });
    one["breaker"]["transitions"] =
        json!([transition(1, "closed", "open", now_ms(), "<b onclick=alert(3)>because</b>")]);
    // A name that an object has already, one that is long, a state and a dial that nobody knows.
    let mut strange = breaker("__proto__", "constructor");
    strange["dial"]["position"] = "sideways".into();
    let long = "x".repeat(300);
    let all = [one, strange, breaker(&long, "closed"), breaker("toString", "half_open")];
    stage.play(frame(now_ms(), 60.0, 6.1, &all));
    browser.shows("four cards", "document.querySelectorAll('.card').length === 4");
    let names =
        browser.look("return [...document.querySelectorAll('.card h2')].map(h => h.textContent)");
    assert_eq!(names, json!([evil, "__proto__", long, "toString"]));
    let log = browser.text("document.querySelector('.card .log span').textContent");
    assert_eq!(log, "<b onclick=alert(3)>because</b>");
    assert!(browser.holds("!document.querySelector('img, .card script, .log b[onclick]')"));
    browser.shows(
        "a state without a name",
        "document.querySelectorAll('.card .state span')[1].textContent === 'Unknown'",
    );
    assert!(browser.holds("document.documentElement.scrollWidth <= innerWidth"), "a long name");
    // The dial is asked for by the whole name, and by nothing more.
    let turned = |dial: &str| {
        turns(&stage, &browser, || browser.click(&format!(".card [data-dial={dial}]")))
    };
    assert_eq!(turned("fail"), "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E/fail");
    assert_eq!(turned("hang"), "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E/hang");
    browser.shows(
        "why the dial was not turned",
        "document.querySelector('.trouble')?.textContent.includes('503')",
    );
    // Breakers come and go with the configuration, and change places.
    let fewer = [breaker("new", "closed"), breaker(evil, "closed")];
    stage.play(frame(now_ms(), 60.2, 6.1, &fewer));
    browser.shows("two cards", "document.querySelectorAll('.card').length === 2");
    let names =
        browser.look("return [...document.querySelectorAll('.card h2')].map(h => h.textContent)");
    assert_eq!(names, json!(["new", evil]));
    let refused = |error: &String| error.contains("503");
    let errors: Vec<_> = browser.console_errors().into_iter().filter(|e| !refused(e)).collect();
    assert_eq!(errors, [] as [String; 0]);
}

/// The page takes silence for a loss after two seconds. One that takes longer is a page's fault only where it does so
/// every time: a busy machine can stand still for as long.
const SILENCE_MS: f64 = 4_000.0;
const TRIES: usize = 5;

pub(crate) fn stale_is_said() {
    let (stage, browser) = open();
    let lost = "!document.querySelector('#lost').hidden && document.documentElement.matches('.stale') \
        && document.querySelector('#lost').textContent.startsWith('Connection lost, trying again.')";
    let now = |state: &str| frame(now_ms(), 60.0, 6.1, &[breaker("payment", state)]);
    browser.run(LISTEN);
    stage.play(now("closed"));
    browser.shows("a live page", LIVE);
    // Frames that make no sense are no news.
    stage.send("{oops");
    stage.send("{}");
    stage.send("[1, 2, {\"at_ms\": null}]");
    browser.run(
        "window.words = []; const word = document.querySelector('.card .state span'); \
         new MutationObserver(() => { words.push(word.textContent); window.changed = Date.now() }).observe(word, { childList: true })",
    );
    let mut tries = 0..TRIES;
    loop {
        assert!(tries.next().is_some(), "silence was never seen in time");
        // The connection stands, and nothing comes.
        let (last, visits) = (stage.fall_silent(), stage.visits());
        browser.shows("silence", lost);
        let said = browser.look(
            "return [changed, document.querySelector('.card .state span').textContent, document.title, \
             document.querySelector('.card [data-dial]').ariaDisabled]",
        );
        assert_eq!(said[1], "Was closed");
        assert!(said[2].as_str().is_some_and(|title| title.starts_with("not live")));
        assert_eq!(said[3], "true");
        let took = said[0].as_f64().expect("a time") - last;
        println!("  silence seen {took:.0} ms after the last frame");
        // A frame that was long on its way comes late: it must not pass for live.
        browser.run("words.length = 0");
        let mut late = now("open");
        late["at_ms"] = last.into();
        stage.send(&late.to_string());
        browser.shows(
            "the late frame",
            "document.querySelector('.card .state span').textContent === 'Was open'",
        );
        // A page that has waited in vain for long makes its connection anew, and its first frame is as good as any.
        if stage.visits() == visits && took < SILENCE_MS {
            break;
        }
        println!("  too slow to send a late frame: once more");
        stage.play(now("closed"));
        browser.shows("a live page", LIVE);
    }
    assert_eq!(browser.text("words.join()"), "Was open", "a late frame looked live");
    // Whoever can't see it hears of it; a shorter loss would have been no news.
    browser.shows("words for a screen reader", "said.join().includes('Connection lost')");
    stage.play(now("closed"));
    browser.shows("a prompt frame to be live", LIVE);
    // The service hangs up; the page comes back by itself.
    stage.hang_up();
    browser.shows("the hang-up", lost);
    listens(&stage);
    stage.play(now("open"));
    browser.shows("a live page again", LIVE);
    browser.shows("the news", "document.querySelector('.card').dataset.state === 'open'");
    browser.shows("the news of it", "said.join().includes('Connected again')");
    browser.shows("the news of the breaker", "said.join().includes('payment is open')");
}

/// As many changes as before the restart, by chance: the log must be the new one.
pub(crate) fn started_anew() {
    let (stage, browser) = open();
    let begin = now_ms();
    let play = |after: f64, uptime: f64, why: &str| {
        let mut payment = breaker("payment", "open");
        let change = transition(1, "closed", "open", begin + after, why);
        payment["breaker"]["transitions"] = json!([change]);
        stage.send(&frame(begin + after, uptime, 6.1, &[payment]).to_string());
    };
    let log = |why: &str| format!("document.querySelector('.log').textContent.endsWith('{why}')");
    play(0.0, 60.0, "before");
    browser.shows("the first log", &log("before"));
    play(200.0, 0.1, "after");
    browser.shows("the second service's log", &log("after"));
    assert_eq!(browser.console_errors(), [] as [String; 0]);
}

/// One card for each state, with everything on them that can be on them.
fn every_state() -> Vec<Value> {
    let states = ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"];
    let mut cards: Vec<_> = states.iter().map(|state| breaker(state, state)).collect();
    for card in &mut cards {
        let at = now_ms();
        let text = "3 failures in a row";
        card["breaker"]["transitions"] = json!([
            transition(1, "closed", "open", at - 60e3, text),
            transition(2, "open", "half_open", at - 30e3, text),
            transition(3, "half_open", "forced_open", at - 25e3, text),
            transition(4, "forced_open", "disabled", at - 20e3, text),
            transition(5, "disabled", "metrics_only", at - 15e3, text),
            transition(6, "metrics_only", "closed", at - 10e3, text),
        ]);
        card["breaker"]["failure_rate"] = 0.6.into();
        card["dial"] = json!({ "position": "fail", "rate": 0.6, "ms": 0 });
        card["check"] = json!({ "passing": false, "error": "no answer within 200ms" });
    }
    cards[1]["breaker"]["open_for_s"] = 3.2.into();
    cards
}

pub(crate) fn background() {
    let (stage, browser) = open();
    let play = |state: &str| {
        stage.play(frame(now_ms(), 60.0, 6.1, &[breaker("payment", state)]));
    };
    play("closed");
    browser.shows("the card", "document.querySelector('.card')?.dataset.state === 'closed'");
    // Frozen, as browsers do with tabs that nobody has looked at for long; then thawed, and still not looked at.
    browser.devtools("Page.setWebLifecycleState", json!({ "state": "frozen" }));
    for _ in 0..20 {
        play("closed");
    }
    browser.devtools("Page.setWebLifecycleState", json!({ "state": "active" }));
    assert!(browser.holds("document.hidden"), "the tab is in the background");
    for _ in 0..20 {
        play("open");
    }
    browser.shows("the title to tell", "document.title === '(1) checkout'");
    assert!(
        browser.holds("document.querySelector('.card').dataset.state === 'closed'"),
        "nothing is drawn unseen"
    );
    stage.fall_silent();
    browser.shows("the title to tell of silence", "document.title === 'not live: checkout'");
    play("open");
    browser.shows("the title to tell", "document.title === '(1) checkout'");
}

pub(crate) fn contrast() {
    let (stage, browser) = open();
    browser.prefer("prefers-reduced-motion", "reduce");
    for theme in ["light", "dark"] {
        browser.run(&format!("document.documentElement.dataset.theme = '{theme}'"));
        for age in ["live", "stale"] {
            let figure = if age == "live" { 6.1 } else { 7.2 };
            let background = browser.text("getComputedStyle(document.body).backgroundColor");
            if age == "live" {
                listens(&stage);
                stage.play(frame(now_ms(), 60.0, figure, &every_state()));
                browser.shows("six live cards", "document.querySelectorAll('.card').length === 6 && !document.documentElement.matches('.stale')");
                turns(&stage, &browser, || browser.click(".card [data-dial=hang]"));
                browser.shows("trouble", "document.querySelector('.trouble')");
            } else {
                stage.hang_up();
                browser.shows("a stale page", "document.documentElement.matches('.stale')");
            }
            let least = wait_for(&format!("a {age} page"), || {
                let found = audit::contrasts(&browser);
                if found.live == (age == "live") {
                    Ok(found)
                } else {
                    Err("the other")
                }
            });
            println!(
                "  {theme}, {age}, on {background}: {} texts, the least {:.2} ({}); {} marks, the least {:.2} ({})",
                least.texts, least.text.0, least.text.1, least.marks, least.mark.0, least.mark.1
            );
            assert!(least.texts > 150 && least.text.0 >= 4.5, "{theme}, {age}: {:?}", least.text);
            assert!(age == "stale" || least.marks > 60, "too few marks were found");
            assert!(least.mark.0 >= 3.0, "{theme}, {age}: {:?}", least.mark);
        }
    }
    assert_eq!(
        browser.text("getComputedStyle(document.querySelector('.lever')).transitionDuration"),
        "0s"
    );
}

pub(crate) fn nothing_moves() {
    let (stage, browser) = open();
    let play = |step: u32| {
        let mut one = breaker("payment", ["closed", "open", "half_open"][step as usize % 3]);
        let big = 10_f64.powi((step % 5) as i32);
        for key in ["calls_per_s", "refused_per_s"] {
            one["breaker"][key] = (big / 10.0).into();
        }
        for (key, value) in [("calls", big), ("failures", big / 2.0), ("slow_calls", big / 10.0)] {
            one["breaker"][key] = value.floor().into();
        }
        one["breaker"]["failure_rate"] =
            if step.is_multiple_of(2) { json!(null) } else { json!(0.034) };
        one["breaker"]["open_for_s"] = if step % 3 == 1 { json!(4.9) } else { json!(null) };
        one["breaker"]["state_s"] = (big * 3.0).into();
        let all = [one, breaker("inventory", "closed")];
        stage.play(frame(now_ms(), 60.0, big / 7.0, &all));
    };
    for (width, height) in [(1360, 900), (360, 740)] {
        browser.size(width, height, 1.0);
        play(0);
        browser.shows("the cards", "document.querySelectorAll('.card').length === 2");
        // Only a live page: the news of a loss takes room of its own.
        let places = |figure: &str| {
            let script = format!(
                "return {LIVE} && document.querySelectorAll('.figure dd')[4].textContent.startsWith('{figure}') \
                 && JSON.stringify([...document.querySelectorAll('.card, .card h2, .card .state, .plot, .strip, .log, .dials button, .figure')]\
                    .map(e => {{ const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(Math.round) }}))"
            );
            wait_for(figure, || match browser.look(&script) {
                Value::String(places) => Ok(places),
                found => Err(found),
            })
        };
        let before = places("0.1");
        for step in 1..=15 {
            play(step);
            let now = 10_f64.powi((step % 5) as i32) / 7.0;
            let shown = if now < 9.95 {
                format!("{now:.1}")
            } else if now < 999.5 {
                format!("{now:.0}")
            } else {
                format!("{:.1}", now / 1000.0)
            };
            assert_eq!(places(&shown), before, "step {step} at {width} moved something");
        }
    }
    assert_eq!(browser.console_errors(), [] as [String; 0]);
}

pub(crate) fn an_hour() {
    let (stage, browser) = open();
    browser.run(LISTEN);
    // Five frames a second of page time, every one with a change: from now's past to its future, as fast as it goes.
    let (start, begin) = (Instant::now(), now_ms());
    let states = ["closed", "open", "half_open", "open", "half_open", "closed"];
    let mut tick = 0_u64;
    let mut go_on = || {
        for left in (0..1_000).rev() {
            tick += 1;
            let at = begin + tick as f64 * 200.0;
            let of = |tick: u64| states[(tick % 6) as usize];
            let changes: Vec<_> = (tick.saturating_sub(2).max(1)..=tick)
                .map(|t| transition(t, of(t - 1), of(t), begin + t as f64 * 200.0, "flapping"))
                .collect();
            let mut all = ["payment", "inventory", "shipping", "notification"]
                .map(|name| breaker(name, of(tick)));
            for one in &mut all {
                one["breaker"]["transitions"] = changes.clone().into();
                one["breaker"]["generation"] = tick.into();
            }
            // The last one can be told from the others.
            let p50 = if left == 0 { 100.0 + tick as f64 / 100.0 } else { 6.1 };
            stage.send(&frame(at, tick as f64 / 5.0, p50, &all).to_string());
        }
        let shown = 100 + tick / 100;
        browser.shows(
            "all frames to be drawn",
            &format!(
                "document.querySelectorAll('.figure dd')[4].textContent.startsWith('{shown}')"
            ),
        );
        // The least of a few: the browser may hold what it has just read.
        let heap = (0..3).map(|_| {
            browser.devtools("HeapProfiler.collectGarbage", json!({}));
            let usage = browser.devtools("Runtime.getHeapUsage", json!({}));
            usage["usedSize"].as_f64().expect("bytes")
        });
        let heap = heap.fold(f64::INFINITY, f64::min);
        let elements =
            browser.run("return document.querySelectorAll('*').length").as_u64().expect("a number");
        (heap / 1e6, elements)
    };
    // The first two minutes fill every history.
    let (heap, elements) = go_on();
    // By parts, each of which is waited for.
    let (heap_later, elements_later) = (0..17).map(|_| go_on()).last().expect("the last part");
    println!("  heap {heap:.2} MB after 200 s, {heap_later:.2} MB after an hour; elements {elements}, {elements_later}");
    assert!(heap_later < heap + 2.0, "the heap grows");
    assert!(elements_later < elements + 20, "the document grows");
    let said = browser.run("return said.length").as_u64().expect("a number");
    let took = start.elapsed().as_secs_f64();
    println!(
        "  18,000 changes of four breakers said {said} things to a screen reader in {took:.1} s"
    );
    // One every two seconds, however long it takes.
    assert!(said as f64 <= 2.0 + took / 2.0, "a flood");
    assert_eq!(browser.console_errors(), [] as [String; 0]);
}

pub(crate) fn keys_and_themes() {
    let (stage, browser) = open();
    let all =
        ["payment", "inventory", "shipping", "notification"].map(|name| breaker(name, "closed"));
    stage.play(frame(now_ms(), 60.0, 6.1, &all));
    browser.shows("four cards", "document.querySelectorAll('.card').length === 4");
    // Tab goes through everything that can be used, in the order in which it is drawn.
    let mut stops = Vec::new();
    loop {
        browser.press(keys::TAB);
        let stop = browser.text(
            "(e => e.id || e.className + (e.dataset?.dial ?? '') + [...document.querySelectorAll('.card')].findIndex(c => c.contains(e)))(document.activeElement)",
        );
        let outline = browser.text("getComputedStyle(document.activeElement).outlineStyle");
        if stops.contains(&stop) || browser.holds("document.activeElement === document.body") {
            break;
        }
        assert_eq!(outline, "solid", "the focus on {stop} can't be seen");
        stops.push(stop);
    }
    let mut expected = vec!["skip-1".to_string(), "theme".into(), "help".into()];
    for card in 0..4 {
        expected.push(format!("log{card}"));
        expected.extend(["fail", "slow", "hang", "recover"].map(|dial| format!("{dial}{card}")));
    }
    assert_eq!(stops, expected);

    // Single keys: a breaker by its number, a dial by its letter, and only with the focus on the breaker.
    browser.run("document.activeElement.blur()");
    browser.press("f");
    browser.press("2");
    assert!(browser.holds("document.activeElement === document.querySelectorAll('.card')[1]"));
    assert_eq!(turns(&stage, &browser, || browser.press("s")), "inventory/slow");
    browser.press("?");
    assert!(browser.holds("document.querySelector('#keys').open"));
    browser.press("f");
    browser.press(keys::SPACE);
    assert!(browser.holds("!document.querySelector('#letters').checked"), "the box has the focus");
    browser.press(keys::ESCAPE);
    assert!(browser.holds("!document.querySelector('#keys').open"));
    browser.run("document.querySelectorAll('.card')[1].focus()");
    browser.press("1");
    assert!(
        browser.holds("document.activeElement === document.querySelectorAll('.card')[1]"),
        "keys are off"
    );
    assert_eq!(stage.turned(), [] as [String; 0]);
    // What belongs to the browser or to a reader's own tools is left alone.
    assert!(browser.holds(
        "['ctrlKey', 'altKey', 'metaKey'].every(held => document.body.dispatchEvent(\
            new KeyboardEvent('keydown', { key: 't', [held]: true, cancelable: true, bubbles: true })))"
    ));

    // The theme: the system's, until one is chosen, which is remembered.
    let ground = "getComputedStyle(document.body).backgroundColor";
    browser.prefer("prefers-color-scheme", "dark");
    let dark = browser.text(ground);
    browser.prefer("prefers-color-scheme", "light");
    let light = browser.text(ground);
    assert_ne!(dark, light);
    browser.click("#theme");
    assert_eq!(browser.text(ground), dark);
    assert_eq!(browser.text("document.querySelector('#theme').ariaLabel"), "Use the light theme");
    browser.go(&stage.url());
    assert_eq!(browser.text(ground), dark, "not remembered");
    browser.click("#theme");
    assert_eq!(browser.text(ground), light);
    assert_eq!(browser.console_errors(), [] as [String; 0]);
}
