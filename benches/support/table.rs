//! The table of ratios: all subjects in interleaved rounds, medians of what each round shows.

use std::fmt;
use std::time::{Duration, Instant};

use super::{sweep, Beside, Crew, Effort, Subject};

/// Nanoseconds an operation, one figure a round.
type Rounds = Vec<f64>;

/// How often a batch that another program disturbed is tried again; after that it is taken as it is, and the table
/// says so: on a busy machine it must end too.
const RETRIES: u32 = 3;

pub(super) fn print(title: &str, subjects: &[Subject], crew: &Crew, effort: Effort) {
    if effort == Effort::Once {
        for threads in sweep() {
            Table::measure(subjects, crew, effort, threads);
        }
        println!("{title}: {} subjects ran, none was measured", subjects.len());
        return;
    }
    let begin = Instant::now();
    let rounds = effort.rounds();
    let batch = effort.batch();
    println!("\n{title}: ns an operation, net of the empty loop");
    println!("medians (and quartiles) of {rounds} interleaved rounds of {batch:?} a subject");
    if let Some(model) = cpu_model() {
        println!("on {} cores of {model}", super::cores());
    }
    for threads in sweep() {
        Table::measure(subjects, crew, effort, threads).print(subjects);
    }
    println!("\n{title}: took {:.1?}", begin.elapsed());
}

/// The figures of one number of threads.
struct Table {
    threads: usize,
    /// By subject.
    rounds: Vec<Rounds>,
    disturbed: usize,
}

/// Calls that take about as long as a batch shall.
fn batch_size(subject: &Subject, crew: &Crew, batch: Duration, threads: usize) -> u64 {
    let mut calls = 1_000;
    loop {
        let elapsed = crew.run(threads, &subject.batch, calls).slowest;
        if elapsed * 2 >= batch || calls > 1 << 40 {
            let scale = batch.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
            return ((calls as f64 * scale) as u64).max(200);
        }
        calls *= 2;
    }
}

impl Table {
    /// Times every subject once a round; each round starts with the next subject.
    fn measure(subjects: &[Subject], crew: &Crew, effort: Effort, threads: usize) -> Self {
        let sizes: Vec<u64> = subjects
            .iter()
            .map(|subject| batch_size(subject, crew, effort.batch(), threads))
            .collect();
        let mut table =
            Table { threads, rounds: vec![Rounds::new(); subjects.len()], disturbed: 0 };
        for round in 0..effort.rounds() {
            for turn in 0..subjects.len() {
                let which = (round + turn) % subjects.len();
                let run = || crew.run(threads, &subjects[which].batch, sizes[which]);
                let mut time = run();
                for _ in 0..RETRIES {
                    if time.disturbed {
                        time = run();
                    }
                }
                table.disturbed += usize::from(time.disturbed);
                table.rounds[which].push(time.slowest.as_nanos() as f64 / sizes[which] as f64);
            }
        }
        table
    }

    fn print(&self, subjects: &[Subject]) {
        let plural = if self.threads == 1 { "" } else { "s" };
        println!("\n{} thread{plural}", self.threads);
        let net: Vec<Rounds> = subjects
            .iter()
            .zip(&self.rounds)
            .map(|(subject, own)| {
                let empty = &self.rounds[index_of(subject.empty, subjects)];
                pair(own, empty, |own, empty| own - empty)
            })
            .collect();
        for (which, subject) in subjects.iter().enumerate() {
            if subject.empty == subject.name {
                println!("  {:<38} {}", subject.name, Spread::of(&self.rounds[which]));
                continue;
            }
            let own = &net[which];
            let mut line = format!("  {:<38} {}", subject.name, Spread::of(own));
            if let Some(beside) = &subject.beside {
                let other = &net[index_of(beside.other(), subjects)];
                line = format!("{line:<70} {}", beside.describe(own, other, self.threads));
            }
            println!("{line}");
        }
        if self.disturbed > 0 {
            let all: usize = self.rounds.iter().map(Vec::len).sum();
            println!("  other programs disturbed {} of {all} batches", self.disturbed);
        }
    }
}

fn pair(own: &[f64], other: &[f64], of: fn(f64, f64) -> f64) -> Rounds {
    own.iter().zip(other).map(|(own, other)| of(*own, *other)).collect()
}

fn index_of(name: &str, subjects: &[Subject]) -> usize {
    let found = subjects.iter().position(|subject| subject.name == name);
    found.unwrap_or_else(|| panic!("no subject is called {name}"))
}

impl Beside {
    const fn other(&self) -> &'static str {
        match self {
            Beside::Ratio { to, .. } => to,
            Beside::Excess { over, .. } => over,
        }
    }

    /// The comparison in words, from the figures of each round.
    fn describe(&self, own: &[f64], other: &[f64], threads: usize) -> String {
        // The part of a name before the comma says what it is, the rest how it is set up: here as the subject is.
        let kind = self.other().split(',').next().unwrap_or_default();
        let (found, verdict) = match *self {
            Beside::Ratio { bounds, .. } => {
                let ratio = Spread::of(&pair(own, other, |own, other| own / other));
                let found = format!(
                    "{:>6} ({} to {}) of {kind}",
                    factor(ratio.median),
                    factor(ratio.lower),
                    factor(ratio.upper)
                );
                let bound = bounds.map(|(alone, shared)| if threads == 1 { alone } else { shared });
                let verdict = bound.map(|bound| (factor(bound), verdict(ratio.median, bound)));
                (found, verdict)
            }
            Beside::Excess { bound, .. } => {
                let excess = Spread::of(&pair(own, other, |own, other| own - other));
                let found = format!("{excess} more than {kind}");
                let verdict = verdict(excess.median, bound);
                (found, Some((format!("{bound:.2}"), verdict)))
            }
        };
        match verdict {
            Some((bound, verdict)) => format!("{found:<46} at most {bound}: {verdict}"),
            None => found,
        }
    }
}

fn verdict(found: f64, bound: f64) -> &'static str {
    if found <= bound {
        "held"
    } else {
        "MISSED"
    }
}

/// A ratio as people read it: `1/15` below a half, `0.96`, `1.30`.
fn factor(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.5 {
        format!("1/{:.1}", 1.0 / ratio)
    } else {
        format!("{ratio:.2}")
    }
}

/// The quartiles of a sample.
struct Spread {
    lower: f64,
    median: f64,
    upper: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { lower, median, upper } = self;
        write!(f, "{median:>7.2} ({lower:.2} to {upper:.2})")
    }
}

impl Spread {
    fn of(sample: &[f64]) -> Self {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
        Spread { lower: at(1), median: at(2), upper: at(3) }
    }
}

/// The processor's name where the system tells it, for the figures' sake.
fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
