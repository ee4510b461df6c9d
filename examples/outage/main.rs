//! A first real outage, survived: `cargo run --release --example outage`.
//!
//! A real HTTP server on loopback falls ill by a script (healthy, 30 % errors, hanging, repaired, down, repaired).
//! Two sides call it at the same time, with the same open-loop load, the same kind of thread pool and the same HTTP
//! client; the left one is guarded by nothing, the right one by a `failfast` breaker.
//! In about half a minute it prints a timeline, a table, and latency over time, and writes the plot as a picture.
//!
//! Exit status: 0 if the breaker protected, 1 if it did not (and why), 2 if the run could not be made, 3 if it did not
//! and the machine was so busy that nothing follows.

#![forbid(unsafe_code)]

mod guard;
mod load;
mod measure;
mod plot;
mod pulse;
mod report;
mod scenario;
mod server;
mod svg;
mod terminal;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::guard::Guard;
use crate::load::{Answer, Side};
use crate::measure::{percentile, Run, Sample};
use crate::pulse::Pulse;
use crate::server::Backend;
use crate::terminal::{short, wrap, Page, Progress, Reading};

const USAGE: &str = "\
usage: cargo run --release --example outage [-- OPTIONS]

  --port N      listen on 127.0.0.1:N (by default the system picks a free port)
  --sabotage    disable the breaker before the run, to see that the verdict notices
  --help        this text
";

/// How often the sides are looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);
/// How often the progress line is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            tell(&format!("outage: {complaint}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let pulse = Pulse::feel();
    match survive(&options) {
        Ok(broken) if broken.is_empty() => ExitCode::SUCCESS,
        Ok(_) => {
            let beats = pulse.read();
            if beats.are_steady() {
                return ExitCode::from(1);
            }
            tell(&format!("outage: no verdict, the machine is too busy: {beats}"));
            ExitCode::from(3)
        }
        Err(complaint) => {
            tell(&format!("outage: {complaint}"));
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
#[derive(Default)]
struct Options {
    port: Option<u16>,
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
            match name {
                "--port" => {
                    let value =
                        inline.or_else(|| arguments.next()).ok_or("--port needs a number")?;
                    let port = value.parse().ok().filter(|&port: &u16| port > 0);
                    options.port = Some(port.ok_or(format!(
                        "--port: given {value:?}, allowed is a number from 1 to 65535"
                    ))?);
                }
                "--sabotage" => options.sabotage = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown option {argument:?}")),
            }
        }
        Ok(Some(options))
    }
}

/// Makes the run and tells of it; gives what the breaker did not keep.
fn survive(options: &Options) -> Result<Vec<String>, String> {
    let backend = Backend::start(options.port)?;
    let guard = Guard::build().map_err(|error| format!("the breaker's settings: {error}"))?;
    if options.sabotage {
        guard.breaker.disable();
    }
    let url = |path| format!("http://{}/{path}", backend.address());
    let sides = [
        Side::new("left", url("left"), None)?,
        Side::new("right", url("right"), Some(Arc::clone(&guard.breaker)))?,
    ];
    introduce(&backend);

    let run = run(&backend, &guard, &sides)?;

    let page = Page::of_output();
    let picture = picture_path();
    let drawn = svg::write(&run, &picture);
    let broken = report::broken_promises(&run);
    let mut text = format!(
        "\n{}\n{}\n{}\n",
        report::timeline(&run, page),
        report::table(&run, page),
        plot::draw(&run, page)
    );
    if drawn.is_ok() {
        let _ = writeln!(text, "The same as a picture: {}\n", picture.display());
    }
    if broken.is_empty() {
        text.push_str(&wrap(&verdict(&run), page.width, 0));
        text.push('\n');
    }
    print(&text);
    for complaint in &broken {
        tell(&format!("The breaker did not protect: {complaint}."));
    }
    // The verdict comes first: a picture that could not be written changes nothing of what was measured.
    match drawn {
        Err(error) if broken.is_empty() => {
            Err(format!("cannot write {}: {error}", picture.display()))
        }
        _ => Ok(broken),
    }
}

fn introduce(backend: &Backend) {
    let text = format!(
        "One backend on {}, two sides, each {} requests a second, {} workers, a client that waits {}; {:.0} s, please wait.",
        backend.address(),
        scenario::ARRIVALS_PER_SECOND,
        scenario::WORKERS,
        short(scenario::CLIENT_TIMEOUT),
        scenario::length().as_secs_f64(),
    );
    tell(&wrap(&text, terminal::error_width(), 0));
}

/// Turns the dial by the script while both sides send their load; samples and shows progress.
fn run(backend: &Backend, guard: &Guard, sides: &[Arc<Side>; 2]) -> Result<Run, String> {
    let start = Instant::now();
    let breaker_start = guard.now();
    for (side, name) in sides.iter().zip(["left-arrivals", "right-arrivals"]) {
        let side = Arc::clone(side);
        thread::Builder::new()
            .name(name.into())
            .spawn(move || side.run(start))
            .map_err(|error| format!("cannot start the load: {error}"))?;
    }

    let mut samples: Vec<Sample> = Vec::new();
    let mut progress = Progress::new();
    let mut next_draw = Duration::ZERO;
    let deadline = scenario::length() + scenario::DRAIN;
    let end = loop {
        let at = start.elapsed();
        backend.turn(scenario::phase_at(at).health);
        samples.push(Sample {
            at,
            busy: [sides[0].busy(), sides[1].busy()],
            waiting: [sides[0].waiting(), sides[1].waiting()],
        });
        if at >= next_draw {
            next_draw = at + DRAW_EVERY;
            progress.show(&reading(at, guard, sides));
        }
        let expected = scenario::arrivals() as usize;
        let drained = sides.iter().all(|side| side.ended() == expected);
        if at >= deadline || (at >= scenario::length() && drained) {
            break at;
        }
        thread::sleep(SAMPLE_EVERY);
    };
    progress.clear();

    Ok(Run {
        sides: [0, 1].map(|index| measure::figures(&sides[index], index, backend, &samples)),
        diary: guard.diary(breaker_start),
        last_state: guard.breaker.state(),
        refusal_cost: measure::spread(sides[1].refusals()),
        end,
    })
}

/// The progress line's content: what each side did in the last second.
fn reading(at: Duration, guard: &Guard, sides: &[Arc<Side>; 2]) -> Reading {
    let say = |full: &str, short_name: &str, side: &Side| {
        let recent = side.recent(at.saturating_sub(Duration::from_secs(1)));
        let served = recent.iter().filter(|record| record.answer == Answer::Served).count();
        let mut latencies: Vec<Duration> = recent.iter().map(|record| record.latency).collect();
        latencies.sort_unstable();
        let p99 = percentile(&latencies, 0.99).map_or("-".into(), short);
        let busy = side.busy();
        let workers = scenario::WORKERS;
        [
            format!("{full} {served:>3}/s p99 {p99:>7} busy {busy:>2}/{workers}"),
            format!("{short_name} {served:>3}/s p99 {p99:>7}"),
            format!("{short_name} {served:>3}/s {p99:>7}"),
        ]
    };
    let state = format!("{:<9}", guard.breaker.state());
    Reading {
        at,
        length: scenario::length(),
        phase: scenario::phase_at(at).name,
        sides: [
            say("unguarded", "none", &sides[0]),
            say(&format!("breaker {state}"), &state, &sides[1]),
        ],
    }
}

fn verdict(run: &Run) -> String {
    let [left, right] = &run.sides;
    format!(
        "The breaker protected: {} served instead of {}, {} calls into the outage instead of {}, its pool exhausted for {} instead of {}, and service resumed by itself ({:.0} s in all).",
        right.count(Answer::Served),
        left.count(Answer::Served),
        right.hits_hanging + right.hits_down,
        left.hits_hanging + left.hits_down,
        short(right.exhausted),
        short(left.exhausted),
        run.end.as_secs_f64(),
    )
}

/// `target/outage/latency.svg` of this package; of the working directory where cargo does not say which.
fn picture_path() -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    PathBuf::from(root).join("target").join("outage").join("latency.svg")
}

/// Where it can't be said, the exit status still tells.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints to the output stream. A reader that has gone (`| head`) is no error.
fn print(text: &str) {
    let mut stream = io::stdout().lock();
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}
