//! A checkout service whose four dependencies may fall ill: `cargo run --release --example checkout --all-features`.
//!
//! ```text
//! cargo run --release --example checkout --all-features -- --port 8080 --load 20
//! curl -X POST localhost:8080/checkout                       200, or 503 with Retry-After, 502 or 504
//! curl -X POST localhost:8080/dependencies/payment/fail      three failures open its circuit
//! curl -X POST localhost:8080/dependencies/payment/recover   five seconds later one success closes it
//! curl localhost:8080/health                                 200 or 503, and the circuits
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
mod picture;
mod service;
mod shop;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use crate::service::{Service, Settings};
use crate::shop::PAYMENT;

const USAGE: &str = "\
usage: cargo run --release --example checkout --all-features [-- OPTIONS]

  --port N        listen on 127.0.0.1:N; 0, as by default: the system picks a free port
  --config FILE   the circuits' settings, instead of examples/checkout/circuits.toml
  --load N        send N checkouts a second to itself
  --demo          live through three phases of a load, check what they showed, and end
  --sabotage      with --demo: disable payment's circuit before, to see that the demo notices
  --help          this text
";
/// More is not the load of one process that also serves it.
const MOST_LOAD: u32 = 10_000;

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

/// What the command line asks for.
#[derive(Default)]
struct Options {
    port: Option<u16>,
    config: Option<PathBuf>,
    load: Option<u32>,
    demo: bool,
    sabotage: bool,
}

impl Options {
    /// `None` when help is asked for.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"))
            };
            match name {
                "--port" => {
                    let value = value()?;
                    options.port = Some(value.parse().map_err(|_| {
                        format!("--port: given {value:?}, allowed is a number from 0 to 65535")
                    })?);
                }
                "--config" => options.config = Some(value()?.into()),
                "--load" => {
                    let value = value()?;
                    let load = value.parse().ok().filter(|load| (1..=MOST_LOAD).contains(load));
                    options.load = Some(load.ok_or(format!(
                        "--load: given {value:?}, allowed is a number from 1 to {MOST_LOAD}"
                    ))?);
                }
                "--demo" => options.demo = true,
                "--sabotage" => options.sabotage = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown option {argument:?}")),
            }
        }
        if options.demo && options.load.is_some() {
            return Err("--demo has its own load; leave --load out".into());
        }
        if options.sabotage && !options.demo {
            return Err("--sabotage is for --demo".into());
        }
        Ok(Some(options))
    }
}

/// Gives the claims of the demo that did not hold.
fn run(options: Options) -> Result<Vec<String>, String> {
    let service = Service::start(Settings {
        port: options.port.filter(|&port| port > 0),
        config: options.config,
        ..Settings::default()
    })?;
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
