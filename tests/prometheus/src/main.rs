//! The metrics against the real thing: promtool reads and lints them, a Prometheus server scrapes them and says what it
//! read, and then the server dies and others do worse, while calls go on. Run it by `tests/prometheus/check`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use failfast::clock::{Clock, DefaultClock};
use failfast::prometheus::Collector;
use failfast::{Bulkhead, CallError, CircuitBreaker, HalfOpen, OpenWait, Registry, State};
use prometheus_client::registry::Registry as Metrics;

#[path = "../../production/exposition.rs"]
mod exposition;
mod server;
mod service;

use exposition::Exposition;
use server::{get, promtool, Folder, Server, PATIENCE};
use service::Service;

/// A name that every layer has to escape.
const ODD: &str = "odd \"name\" \\ with\na newline, 東京";

/// Says what is wrong and unwinds, so that processes and folders are cleared away.
fn fail(why: &str) -> ! {
    panic!("{why}")
}

fn step(what: &str) {
    println!("  {what}");
}

/// The machine's time, and what has been added to it: an open time of an hour is over when it shall be, and not while
/// others have the core.
#[derive(Clone, Default)]
struct Skipping {
    real: DefaultClock,
    skipped: Arc<AtomicU64>,
}

impl Skipping {
    fn skip(&self, time: Duration) {
        self.skipped.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for Skipping {
    fn now(&self) -> Duration {
        self.real.now() + Duration::from_nanos(self.skipped.load(Ordering::Relaxed))
    }
}

type Breaker = Arc<CircuitBreaker<Skipping>>;

fn main() {
    for tool in ["prometheus", "promtool"] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("prometheus: skipped, there is no {tool} here");
            return;
        }
    }
    let start = Instant::now();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = package.join("../../src/docs/alerts.yml").canonicalize().expect("the alerts");
    let cases = package.join("alerts.test.yml");

    step("promtool reads the alerts and tries each");
    promtool(&["check", "rules", &rules.display().to_string()], "");
    promtool(&["test", "rules", &cases.display().to_string()], "");

    let clock = Skipping::default();
    let registry = Arc::new(Registry::with_clock(clock.clone()));
    let mut metrics = Metrics::default();
    metrics.register_collector(Box::new(Collector::new(registry.clone())));
    let service = Service::start(metrics).expect("a free port");
    let classic = || get(service.address, "/metrics", "*/*").1;

    step("promtool lints what an empty, a fresh and a used registry serve");
    promtool(&["check", "metrics"], &classic());
    let [payment, inventory, odd] = ["payment", "inventory", ODD].map(|name| breaker(name, &clock));
    let breakers = [payment, inventory, odd, bare("bare", &clock)];
    for breaker in &breakers {
        registry.insert_breaker(breaker.clone()).expect("a new name");
    }
    let places = Arc::new(Bulkhead::new(3).expect("places"));
    registry.insert_bulkhead(ODD, places.clone()).expect("a new name");
    promtool(&["check", "metrics"], &classic());
    live(&breakers, &clock);
    let _place = places.try_acquire().expect("a place");
    promtool(&["check", "metrics"], &classic());

    let folder = Folder::new();
    let mut server = Server::start(folder.path(), service.address, &rules);
    step("a server scrapes them");
    server.wait_for("up", |up| up == 1.0);
    live(&breakers, &clock);
    step("at rest it has read what the registry says, series by series");
    compare(&server, &service);
    step("it knows their types and can work out every alert");
    types_and_rules(&server);

    step("calls go on while scrapers are slow, silent or gone");
    let calls = Calls::start(breakers[0].clone(), registry.clone(), clock.clone());
    let silent = TcpStream::connect(service.address).expect("a connection");
    calls.go_on("with a connection that says nothing");
    let mut half = TcpStream::connect(service.address).expect("a connection");
    half.write_all(b"GET /metrics HTTP/1.1\r\nAcc").expect("half a request");
    calls.go_on("with half a request");
    // More than the buffers between the two hold.
    for number in 0..2_000 {
        registry.breaker(&format!("one of many {number}")).expect("a breaker");
    }
    let mut deaf = TcpStream::connect(service.address).expect("a connection");
    deaf.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("a request");
    calls.go_on("with an answer that nobody reads");
    service.hold();
    calls.go_on("with a scrape that does not end");
    server.kill();
    service.release();
    calls.go_on("with the server dead in the middle of a scrape");
    drop((silent, half, deaf));
    let text = classic();
    let read = Exposition::classic(&text).unwrap_or_else(|why| fail(&why));
    let code = read.value("failfast_breaker_state_code", &[("breaker", "inventory")]);
    assert_eq!(code, Some(1.0), "it is still forced open");
    promtool(&["check", "metrics"], &text);
    let made = calls.stop();
    println!("prometheus: all well, {made} calls meanwhile, {:.1?} in all", start.elapsed());
}

// ===== what is scraped =====

/// How long a breaker is open.
const OPEN: Duration = Duration::from_secs(3_600);

fn breaker(name: &str, clock: &Skipping) -> Breaker {
    let builder = CircuitBreaker::builder()
        .name(name)
        .consecutive_failures(3)
        .slow_call(Duration::from_secs(2), 0.9)
        .min_calls(10)
        .open_wait(OpenWait::fixed(OPEN))
        .half_open(HalfOpen::probes(2))
        .totals(true)
        .clock(clock.clone());
    Arc::new(builder.build().expect("settings"))
}

fn bare(name: &str, clock: &Skipping) -> Breaker {
    Arc::new(CircuitBreaker::builder().name(name).clock(clock.clone()).build().expect("settings"))
}

/// A short life with everything in it: an outage and a recovery, a slow call, an ignored one, one that is late, one under
/// way; the states they end in differ.
fn live(breakers: &[Breaker; 4], clock: &Skipping) {
    for breaker in breakers {
        breaker.reset();
        let late = breaker.try_acquire().expect("closed");
        for _ in 0..20 {
            breaker.try_acquire().expect("closed").success();
        }
        breaker.try_acquire().expect("closed").ignore();
        let slow = Duration::from_secs(3);
        breaker.try_acquire().expect("closed").record_timed(failfast::Outcome::Success, slow);
        if breaker.name() != "bare" {
            for _ in 0..3 {
                breaker.try_acquire().expect("closed").failure();
            }
            let refused = breaker.try_acquire().expect_err("open");
            clock.skip(refused.retry_after().expect("an open time"));
            breaker.try_acquire().expect("half-open").failure();
            let refused = breaker.try_acquire().expect_err("open again");
            clock.skip(refused.retry_after().expect("an open time"));
            for _ in 0..2 {
                breaker.try_acquire().expect("half-open").success();
            }
            assert_eq!(breaker.state(), State::Closed);
            for _ in 0..12 {
                breaker.try_acquire().expect("closed").success();
            }
        }
        late.success();
        core::mem::forget(breaker.try_acquire().expect("closed"));
    }
    breakers[1].force_open();
    breakers[2].metrics_only();
}

/// All series of a scrape: name and labels to the value.
type Series = BTreeMap<(String, BTreeSet<(String, String)>), f64>;

/// What the server has read since everything rested, beside what the service says itself.
///
/// A scrape that takes longer than the second between two has failed, and until the next one the server knows nothing: on
/// a busy machine that is no difference to speak of.
fn compare(server: &Server, service: &Service) {
    let rested = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    server.wait_for("timestamp(failfast_breaker_state_code)", |scraped| scraped > rested);
    let end = Instant::now() + PATIENCE;
    loop {
        match difference(server, service) {
            None => break,
            Some(difference) if Instant::now() > end => fail(&difference),
            Some(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The first one, in words.
fn difference(server: &Server, service: &Service) -> Option<String> {
    let text = get(service.address, "/metrics", "application/openmetrics-text").1;
    let said = Exposition::openmetrics(&text).unwrap_or_else(|why| fail(&why));
    let said: Series = said
        .samples()
        .map(|one| ((one.name.clone(), one.labels.iter().cloned().collect()), one.value))
        .collect();
    let mut read = Series::new();
    for (metric, value) in server.query("{__name__=~\"failfast_.+\"}") {
        let metric = metric.as_object().unwrap_or_else(|| fail("no labels"));
        let mut labels: BTreeSet<(String, String)> = metric
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .filter(|(key, _)| !["job", "instance"].contains(&key.as_str()))
            .collect();
        let name = labels.iter().find(|(key, _)| key == "__name__").cloned();
        let name = name.unwrap_or_else(|| fail("no name"));
        labels.remove(&name);
        read.insert((name.1, labels), value);
    }
    let missing: Vec<_> = said.keys().filter(|series| !read.contains_key(series)).collect();
    let foreign: Vec<_> = read.keys().filter(|series| !said.contains_key(series)).collect();
    if !missing.is_empty() || !foreign.is_empty() {
        return Some(format!("missing: {missing:?}\nforeign: {foreign:?}"));
    }
    let mut running = 0;
    for (series, said) in &said {
        let read = read[series];
        // Time goes on between the two.
        let same = match series.0.as_str() {
            "failfast_state_seconds_total" if *said != read => {
                running += 1;
                read < *said && *said < read + PATIENCE.as_secs_f64()
            }
            _ => *said == read,
        };
        if !same {
            return Some(format!("{series:?}: the registry says {said}, the server {read}"));
        }
    }
    // Each breaker with totals is in one state, whose time goes on.
    if running != 3 {
        return Some(format!("the time of {running} states goes on, instead of one a breaker"));
    }

    // And as an operator would ask.
    let asked = [
        ("failfast_breaker_state{breaker='payment',state='closed'}", 1.0),
        ("failfast_breaker_state_code{breaker='inventory'}", 1.0),
        ("failfast_calls_total{breaker='payment',outcome='stale'}", 2.0),
        ("failfast_transitions_total{breaker='payment',from='half_open',to='open'}", 2.0),
        ("sum(failfast_openings_total)", 6.0),
        ("failfast_in_flight_calls{breaker='payment'}", 2.0),
        ("count(failfast_breaker_state_code)", 4.0),
        ("failfast_bulkhead_in_use / failfast_bulkhead_max", 1.0 / 3.0),
        ("failfast_failure_ratio{breaker='payment'} / failfast_failure_limit_ratio", 0.0),
        ("failfast_slow_call_limit_seconds{breaker='payment'}", 2.0),
    ];
    for (query, expected) in asked {
        let found = server.query(query);
        if !matches!(found[..], [(_, value)] if value == expected) {
            return Some(format!("{query}: {found:?} instead of {expected}"));
        }
    }
    println!("    {} series", said.len());
    None
}

fn types_and_rules(server: &Server) {
    let types = [
        ("failfast_calls", "failfast_calls_total", "counter", ""),
        ("failfast_state_seconds", "failfast_state_seconds_total", "counter", "seconds"),
        ("failfast_failure_ratio", "failfast_failure_ratio", "gauge", "ratio"),
    ];
    for (family, name, kind, unit) in types {
        // Which of the two it is filed under is the server's business, and has changed.
        let known = [family, name].map(|name| server.ask(&format!("metadata?metric={name}")));
        let known = known.iter().flat_map(|known| known.as_object().into_iter().flatten());
        let found: Vec<_> =
            known.flat_map(|(_, all)| all.as_array().into_iter().flatten()).collect();
        let right = found.iter().any(|one| one["type"] == kind && one["unit"] == unit);
        assert!(right, "{name} should be a {kind} in {unit:?}: {found:?}");
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let data = server.ask("rules");
        let rules = data["groups"][0]["rules"].as_array().map_or(&[][..], |rules| &rules[..]);
        let well = rules.iter().filter(|rule| rule["health"] == "ok").count();
        if well == 8 {
            break;
        }
        if Instant::now() > end {
            fail(&format!("{well} of {} alerts are well: {data}", rules.len()));
        }
        thread::sleep(Duration::from_millis(100));
    }
    // The forced one.
    server.wait_for("ALERTS{alertname='FailfastBreakerOpen',alertstate='pending'}", |_| true);
}

// ===== the calls that nobody may hold up =====

struct Calls {
    made: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
    registry: Arc<Registry<Skipping>>,
}

impl Calls {
    fn start(breaker: Breaker, registry: Arc<Registry<Skipping>>, clock: Skipping) -> Calls {
        let (made, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&made), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                // Three of a hundred fail, in a row; it opens and closes as it likes.
                let number = count.fetch_add(1, Ordering::Relaxed);
                let result = breaker.call(|| if number % 100 < 3 { Err(()) } else { Ok(()) });
                if matches!(result, Err(CallError::Rejected(_))) {
                    clock.skip(OPEN / 100);
                }
            }
        });
        Calls { made, stop, thread, registry }
    }

    /// Waits for a hundred thousand more of them, and looks a name up besides.
    fn go_on(&self, meanwhile: &str) {
        let begin = Instant::now();
        let goal = self.made.load(Ordering::Relaxed) + 100_000;
        self.registry.breaker(&format!("new {meanwhile}")).expect("a breaker");
        while self.made.load(Ordering::Relaxed) < goal {
            if begin.elapsed() > PATIENCE {
                fail(&format!("calls do not go on {meanwhile}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        println!("    100,000 calls in {:.1?} {meanwhile}", begin.elapsed());
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread that calls");
        self.made.load(Ordering::Relaxed)
    }
}
