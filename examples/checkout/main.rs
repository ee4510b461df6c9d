//! A checkout service whose four dependencies may fall ill: `cargo run --release --example checkout --all-features`.
//!
//! ```text
//! cargo run --release --example checkout --all-features -- --port 8080 --load 20
//! curl -X POST localhost:8080/checkout                       200, or 503 with Retry-After, 502 or 504
//! curl -X POST localhost:8080/dependencies/payment/fail      three failures open its circuit
//! curl -X POST localhost:8080/dependencies/payment/recover   five seconds later one success closes it
//! curl localhost:8080/health                                 200 or 503, and the circuits
//! curl localhost:8080/metrics                                for Prometheus
//! curl -X POST localhost:8080/reload                         takes on what has been changed in circuits.toml
//! ```
//!
//! `shop.rs` is the part to read first: what a checkout asks for, and what it does without. `line.rs` has what stands
//! around each dependency, `service.rs` the routes, `picture.rs` what the page at `/` shows live.
//!
//! Exit status: 0 at the end; of `--demo`, 1 if one of its claims did not hold (and which); 2 if it could not be run.

#![forbid(unsafe_code)]

mod books;
mod circuits;
mod demo;
mod dependency;
mod later;
mod line;
mod listener;
mod load;
mod options;
mod picture;
mod service;
mod shop;

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use crate::options::{Options, USAGE};
use crate::service::{Service, Settings};
use crate::shop::PAYMENT;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("checkout: {complaint}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(broken) if broken.is_empty() => ExitCode::SUCCESS,
        Ok(broken) => {
            for claim in broken {
                eprintln!("checkout: did not hold: {claim}");
            }
            ExitCode::from(1)
        }
        Err(complaint) => {
            eprintln!("checkout: {complaint}");
            ExitCode::from(2)
        }
    }
}

/// Gives the claims of the demo that did not hold.
fn run(options: Options) -> Result<Vec<String>, String> {
    let mut settings =
        Settings { port: options.port.filter(|&port| port > 0), ..Settings::default() };
    if let Some(config) = options.config {
        settings.config = config;
    }
    let service = Service::start(settings)?;
    let address = service.address();
    // The first line is for programs too.
    print(&format!("http://{address}/\n"));
    if options.demo {
        if options.sabotage {
            service.app.shop.lines[PAYMENT].breaker.disable();
        }
        return Ok(demo::run(&service));
    }
    for line in service.app.shop.lines.iter() {
        print(&format!("  {:<12} http://{}/\n", line.name(), line.dependency.address()));
    }
    print("POST /fail, /slow, /hang or /recover to one of them, or /dependencies/NAME/fail and so on here; Ctrl-C ends it.\n");
    if let Some(load) = options.load {
        // Ends with the process.
        thread::spawn(move || load::send(address, load, Instant::now(), |_| true, |_| {}));
    }
    service.wait_for_ctrl_c();
    let tally = service.app.shop.later.tally();
    drop(service);
    if tally.waiting > 0 {
        eprintln!("checkout: {} errands were not done", tally.waiting);
    }
    Ok(Vec::new())
}

/// A reader that has gone (`| head`) is no reason to end.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
