//! The table of ratios: all subjects in interleaved rounds, medians of what each round shows.

use std::fmt;
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::subject::{Beside, Subject};
use super::{cores, sweep, Bench, Effort};

/// Nanoseconds an operation, one figure a round.
type Rounds = Vec<f64>;

/// How often a batch that another program disturbed is tried again; after that it is taken as it is, and the table
/// says so: on a busy machine it must end too.
const RETRIES: u32 = 3;
const BRIEF_RETRIES: u32 = 1;

pub(super) fn print(title: &str, bench: &Bench, effort: Effort) {
    if effort == Effort::Once {
        for threads in sweep() {
            bench.measure(effort, threads);
        }
        println!("{title}: {} subjects ran, none was measured", bench.subjects.len());
        return;
    }
    let begin = Instant::now();
    println!("\n{title}: ns an operation, net of the empty loop");
    println!("medians (and quartiles) of interleaved rounds");
    if let Some(model) = cpu_model() {
        println!("on {} cores of {model}", cores());
    }
    for threads in sweep() {
        bench.measure(effort, threads).print();
    }
    if super::trips() > 0 {
        println!("\nthe loads tripped breakers {} times", super::trips());
    }
    println!("\n{title}: took {:.1?}", begin.elapsed());
}

/// The figures of one number of threads.
pub(crate) struct Table {
    pub(crate) threads: usize,
    batch: Duration,
    pub(crate) figures: Vec<Figure>,
    /// Batches that another program disturbed to the last, of how many; where threads wait for cores anyway nothing
    /// is said.
    pub(crate) disturbed: usize,
    pub(crate) batches: usize,
}

/// The figures of one subject.
pub(crate) struct Figure {
    pub(crate) name: String,
    /// Nanoseconds an operation, net of the empty loop; gross of an empty loop itself.
    pub(crate) cost: Spread,
    /// As a multiple of that.
    pub(crate) ratio: Option<Spread>,
    comparison: Option<String>,
}

/// Calls that take about as long as a batch shall.
fn batch_size(subject: &Subject, crew: &Crew, batch: Duration, threads: usize) -> u64 {
    // A batch that ends before the last thread has its first turn says nothing; alone, each has its turn at once.
    let threads = threads.min(cores());
    let mut calls = 1_000;
    loop {
        let elapsed = crew.run(threads, subject, calls).slowest;
        if elapsed * 2 >= batch || calls > 1 << 40 {
            let scale = batch.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
            return ((calls as f64 * scale) as u64).max(200);
        }
        calls *= 2;
    }
}

impl Table {
    /// Times every subject once a round; each round starts with the next subject.
    pub(super) fn measure(
        subjects: &[Subject],
        crew: &Crew,
        effort: Effort,
        threads: usize,
    ) -> Self {
        let batch = effort.batch(threads);
        let sizes: Vec<u64> =
            subjects.iter().map(|subject| batch_size(subject, crew, batch, threads)).collect();
        let retries = match effort {
            _ if threads > cores() => 0,
            Effort::Brief => BRIEF_RETRIES,
            _ => RETRIES,
        };
        let mut rounds = vec![Rounds::new(); subjects.len()];
        let mut disturbed = 0;
        for round in 0..effort.rounds(threads) {
            for turn in 0..subjects.len() {
                let which = (round + turn) % subjects.len();
                let run = || crew.run(threads, &subjects[which], sizes[which]);
                let mut time = run();
                for _ in 0..retries {
                    if time.disturbed {
                        time = run();
                    }
                }
                disturbed += usize::from(time.disturbed);
                rounds[which].push(time.slowest.as_nanos() as f64 / sizes[which] as f64);
            }
        }
        let batches = rounds.iter().map(Vec::len).sum();
        Table { threads, batch, figures: figures(subjects, &rounds, threads), disturbed, batches }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    pub(crate) fn figure(&self, name: &str) -> &Figure {
        self.find(name).unwrap_or_else(|| panic!("no subject is called {name}"))
    }

    fn print(&self) {
        let plural = if self.threads == 1 { "" } else { "s" };
        let rounds = self.batches / self.figures.len().max(1);
        println!(
            "\n{} thread{plural}, {rounds} rounds of {:?} a subject",
            self.threads, self.batch
        );
        for figure in &self.figures {
            let line = format!("  {:<44} {}", figure.name, figure.cost);
            match &figure.comparison {
                Some(comparison) => println!("{line:<76} {comparison}"),
                None => println!("{line}"),
            }
        }
        if self.disturbed > 0 && self.threads <= cores() {
            println!("  other programs disturbed {} of {} batches", self.disturbed, self.batches);
        }
    }
}

/// Forms within each round what can be formed there, and takes the quartiles of that.
fn figures(subjects: &[Subject], rounds: &[Rounds], threads: usize) -> Vec<Figure> {
    let net: Vec<Rounds> = subjects
        .iter()
        .zip(rounds)
        .map(|(subject, own)| {
            let empty = &rounds[index_of(subject.empty, subjects)];
            pair(own, empty, |own, empty| own - empty)
        })
        .collect();
    let figure = |which: usize| {
        let subject = &subjects[which];
        let own = if subject.is_empty_loop() { &rounds[which] } else { &net[which] };
        let other = subject.beside.as_ref().map(|beside| {
            let other = &net[index_of(beside.other(), subjects)];
            (beside, other)
        });
        Figure {
            name: subject.name.clone(),
            cost: Spread::of(own),
            ratio: other.map(|(_, other)| Spread::of(&pair(own, other, |own, other| own / other))),
            comparison: other.map(|(beside, other)| beside.describe(own, other, threads)),
        }
    };
    (0..subjects.len()).map(figure).collect()
}

fn pair(own: &[f64], other: &[f64], of: fn(f64, f64) -> f64) -> Rounds {
    own.iter().zip(other).map(|(own, other)| of(*own, *other)).collect()
}

fn index_of(name: &str, subjects: &[Subject]) -> usize {
    let found = subjects.iter().position(|subject| subject.name == name);
    found.unwrap_or_else(|| panic!("no subject is called {name}"))
}

impl Beside {
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
            // The bounds speak of as many threads as there are cores.
            Some((bound, verdict)) if threads <= cores() => {
                format!("{found:<46} at most {bound}: {verdict}")
            }
            _ => found,
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
pub(crate) fn factor(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.5 {
        format!("1/{:.1}", 1.0 / ratio)
    } else {
        format!("{ratio:.2}")
    }
}

/// The quartiles of a sample.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
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
pub(crate) fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
