//! A checkout service whose four dependencies may fall ill: `cargo run --release --example checkout --all-features`.
//!
//! ```text
//! cargo run --release --example checkout --all-features -- --port 8080 --load 20
//! curl -X POST localhost:8080/checkout                       200, or 503 with Retry-After, 409, 502 or 504
//! curl -X POST localhost:8080/dependencies/payment/fail      three failures open its circuit
//! curl -X POST localhost:8080/dependencies/payment/recover   five seconds later one success closes it
//! curl localhost:8080/health                                 200 or 503, and the circuits
//! curl localhost:8080/metrics                                for Prometheus
//! curl -X POST localhost:8080/reload                         takes on what has been changed in circuits.toml
//! ```
//!
//! The page at `/` shows it live.
//!
//! A checkout is synchronous code. It asks inventory, payment, shipping and notification, each on a pool of threads of its
//! own with a circuit breaker, and gives up each call after 400 ms. What it does without one of them is in `shop.rs`,
//! the part to read first. When payment hangs, as many customers as its pool has places wait those 400 ms; then its
//! circuit is open, and all others are told at once to come back in five seconds.
//!
//! | file | holds |
//! |---|---|
//! | `shop.rs`, `later.rs` | a checkout and its fallbacks; what is put off until a dependency is back |
//! | `line.rs`, `circuits.rs`, `circuits.toml` | what stands around a dependency; the registry, its file, and the pings |
//! | `dependency.rs` | the dependencies: servers on loopback, with dials |
//! | `service.rs`, `routes.rs`, `listener.rs` | its life; the routes; connections that can do no harm |
//! | `picture.rs`, `books.rs`, `page.html`, `EVENTS.md` | the live picture, its figures, the page, and the form between them |
//! | `log.rs` | a log that stops no call, though nobody may read it |
//! | `load.rs`, `demo.rs` | customers by the schedule; three phases and what must show in them |
//!
//! Two circuits recover in a way of their own. A ping that passes ends the open time of *shipping*: its circuit is open for
//! 30 s, but half a second after the dependency is back the next checkout probes. And what *notification* was not told
//! waits in a queue, whose thread probes before any customer has to.
//!
//! A client that stalls, vanishes or does not read harms no other: there are so many checkouts, event streams and
//! connections at once and no more, who moves no byte for ten seconds or takes as long to ask is hung up on, and an event
//! stream that is not read skips to the latest. Who takes all 1,024 connections makes others wait until then.
//!
//! Ctrl-C and SIGTERM end it: first the answers under way, two seconds at most, then what was put off, five at most. What
//! is lost after that it says. A second Ctrl-C ends it at once.
//!
//! Exit status: 0 at the end; 1 if a claim of `--demo` did not hold (and which); 2 if it could not be run; 3 if one did
//! not hold and the machine was so busy that nothing follows; 130 if it was asked twice to end.

#![forbid(unsafe_code)]

mod books;
mod circuits;
mod demo;
mod dependency;
mod later;
mod line;
mod listener;
mod load;
mod log;
mod options;
mod picture;
#[path = "../outage/pulse.rs"]
mod pulse;
mod routes;
mod service;
mod shop;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::log::Log;
use crate::options::{Options, USAGE};
use crate::pulse::Pulse;
use crate::service::{Service, Settings};
use crate::shop::PAYMENT;

/// How long the last lines of the log may take: longer, and nobody reads it.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // What is no text is refused as what it looks like, instead of with a panic.
    let arguments = std::env::args_os().skip(1).map(|given| given.to_string_lossy().into_owned());
    let options = match Options::parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            complain(&format!("{complaint}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let pulse = options.demo.then(Pulse::feel);
    match run(options) {
        Ok(broken) if broken.is_empty() => ExitCode::SUCCESS,
        Ok(broken) => {
            for claim in broken {
                complain(&format!("did not hold: {claim}"));
            }
            match pulse.map(Pulse::read).filter(|beats| !beats.are_steady()) {
                None => ExitCode::from(1),
                Some(beats) => {
                    complain(&format!("no verdict, the machine is too busy: {beats}"));
                    ExitCode::from(3)
                }
            }
        }
        Err(complaint) => {
            complain(&complaint);
            ExitCode::from(2)
        }
    }
}

/// Gives the claims of the demo that did not hold.
fn run(options: Options) -> Result<Vec<String>, String> {
    let mut settings =
        Settings { port: options.port.filter(|&port| port > 0), ..Settings::default() };
    // On whatever thread has made a change: it must not wait for who reads.
    let log = Log::to(io::stderr());
    if !options.demo {
        settings.log = Some(log.clone());
    }
    if let Some(config) = options.config {
        settings.config = config;
    }
    let mut service = Service::start(settings)?;
    let address = service.address();
    // The first line is for programs too.
    let mut opening = format!("http://{address}/\n");
    if options.demo {
        print(&opening);
        if options.sabotage {
            service.app.shop.lines[PAYMENT].breaker.disable();
        }
        return Ok(demo::run(&service));
    }
    for line in service.app.shop.lines.iter() {
        let _ = writeln!(opening, "  {:<12} http://{}/", line.name(), line.dependency.address());
    }
    opening += "POST /fail, /slow, /hang or /recover to one of them, or /dependencies/NAME/fail and so on here; Ctrl-C or \
        SIGTERM ends it.\n";
    print(&opening);
    if let Some(load) = options.load {
        // Ends with the process.
        thread::spawn(move || load::send(address, load, Instant::now(), |_| true, |_| {}));
    }
    service.wait_until_asked_to_end();
    service::do_not_wait_if_asked_again();
    service.hang_up();
    let waiting = service.app.shop.later.tally().waiting;
    if waiting > 0 {
        let most = service.errands;
        log.say(format!("checkout: {waiting} errands are left to do, for at most {most:?}"));
    }
    let before = service.app.shop.later.tally().lost;
    let lost = service.end().lost - before;
    if lost > 0 {
        log.say(format!("checkout: {lost} errands are lost"));
    }
    log.flush(PATIENCE);
    Ok(Vec::new())
}

/// Where it can't be said, the exit status still tells.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "checkout: {text}");
}

/// A reader that has gone (`| head`) is no reason to end.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("standard output: {error}"));
        }
        _ => {}
    }
}
