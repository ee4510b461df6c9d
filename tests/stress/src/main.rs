//! Races of the breaker on real cores: two long-lived threads, blocks of fresh breakers, a rendezvous a block.
//!
//! Every outcome of a race is classed before it is run: allowed, interesting, forbidden. A run fails on a forbidden one,
//! and where an interesting one has never happened, since then nothing was shown. The README says more.

mod arena;
mod half_open;
mod report;
mod stage;
mod transitions;
mod windows;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Multiplies the time of every race.
const LONGER: &str = "STRESS_TIMES";
/// A race's share of half a minute.
const TIME: Duration = Duration::from_millis(900);
/// A race that has not met everything interesting, or has hardly overlapped, is run as often at most.
const SLICES: u32 = 4;

fn main() -> ExitCode {
    let start = Instant::now();
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let times = env::var(LONGER).ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let races = [transitions::races(), half_open::races(), windows::races()].into_iter().flatten();
    let mut failed = false;
    let mut trials = 0;
    for race in races.filter(|race| wanted.iter().all(|part| race.name.contains(part.as_str()))) {
        let mut report = arena::run(&race, TIME * times);
        for _ in 1..SLICES {
            if report.is_telling() {
                break;
            }
            report.add(&arena::run(&race, TIME * times));
        }
        report.print();
        trials += report.trials();
        failed |= report.fails();
    }
    println!("\n{trials} trials, {:.1} s", start.elapsed().as_secs_f64());
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
