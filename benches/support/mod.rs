//! What every bench shares: subjects, threads that live as long as the bench, and the table of ratios.
//!
//! A *subject* is a loop to be timed. It is measured twice: by criterion, for its reports and its history, and by the
//! table below, which is what the cost bounds are about. Ratios are only worth something between neighbours, so the
//! table measures all subjects in rounds, one batch each, starting with another subject every round, and quotes
//! medians over the rounds of figures formed within a round.
//!
//! *Net* is less the empty loop of the same round and number of threads. A figure for several threads is the time of
//! the slowest of them for one of its own operations. Beyond as many threads as there are cores it holds their
//! waiting for a core too, so that twice the cores cost at least twice as much.
//!
//! `cargo bench --bench closed_path` runs both, `-- --quick` both in short, `-- table` the table alone (no criterion
//! benchmark has that name), `-- --test` every subject once.

#![allow(dead_code, unused_imports, reason = "each bench uses its part")]

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};

use self::crew::Crew;
pub(crate) use self::subject::{Subject, PER_CENT};
pub(crate) use self::table::{cpu_model, factor, Figure, Spread, Table};

pub(crate) mod baseline;
pub(crate) mod calls;
mod crew;
pub(crate) mod guards;
pub(crate) mod storm;
mod subject;
mod table;
pub(crate) mod windows;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// `--list` or `--profile-time`: there is no table.
    None,
    /// `--test`, or `cargo test --benches`: every subject runs, the figures mean nothing.
    Once,
    /// For many subjects in a few minutes.
    Brief,
    Quick,
    Full,
}

impl Effort {
    /// Reads the flags that criterion understands too.
    pub(crate) fn from_args() -> Self {
        let given = |flag: &str| std::env::args().any(|arg| arg == flag);
        if given("--list") || given("--profile-time") {
            Effort::None
        } else if given("--test") || !given("--bench") {
            // Cargo passes `--bench` to a bench and nothing to a test; criterion decides by the same sign.
            Effort::Once
        } else if given("--quick") {
            Effort::Quick
        } else {
            Effort::Full
        }
    }

    /// Fewer rounds where threads wait for cores: each takes many turns of the scheduler.
    pub(crate) fn rounds(self, threads: usize) -> usize {
        let rounds = match self {
            Effort::None => 0,
            Effort::Once => 1,
            Effort::Brief => 21,
            Effort::Quick => 41,
            Effort::Full => 201,
        };
        if threads > cores() {
            rounds.min(7 + rounds / 20)
        } else {
            rounds
        }
    }

    /// How long a batch shall take: long against the reading of a clock, short against the milliseconds after which
    /// another program gets its turn; but where threads outnumber the cores, long against those.
    pub(crate) fn batch(self, threads: usize) -> Duration {
        let batch = match self {
            Effort::None | Effort::Once => return Duration::from_micros(10),
            Effort::Brief | Effort::Quick => Duration::from_millis(1),
            Effort::Full => Duration::from_millis(2),
        };
        if threads > cores() {
            batch * 20
        } else {
            batch
        }
    }
}

/// Runs one bench program: criterion's benchmarks, then the table, the empty loops first.
pub(crate) fn run(title: &str, subjects: Vec<Subject>) {
    let bench = Bench::new(subjects);
    let effort = Effort::from_args();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group(title);
    for subject in &bench.subjects {
        for threads in sweep() {
            group.bench_function(BenchmarkId::new(&subject.name, threads), |bencher| {
                bencher.iter_custom(|calls| bench.crew.run(threads, subject, calls).slowest);
            });
        }
    }
    group.finish();
    criterion.final_summary();
    if effort != Effort::None {
        table::print(title, &bench, effort);
    }
}

/// Subjects, their empty loops first, and the threads that measure them.
pub(crate) struct Bench {
    pub(crate) subjects: Vec<Subject>,
    crew: Crew,
}

impl Bench {
    pub(crate) fn new(mut subjects: Vec<Subject>) -> Self {
        subjects.splice(..0, subject::empty_loops(&subjects));
        Bench { subjects, crew: Crew::new(2 * cores()) }
    }

    /// Measures every subject on so many threads.
    pub(crate) fn measure(&self, effort: Effort, threads: usize) -> Table {
        Table::measure(&self.subjects, &self.crew, effort, threads)
    }
}

/// How often a load has tripped a breaker that it wants closed, in this program.
pub(crate) fn trips() -> u64 {
    guards::TRIPS.load(Ordering::Relaxed)
}

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// One thread, two, four and so on, as many as there are cores, and twice as many.
pub(crate) fn sweep() -> Vec<usize> {
    let cores = cores();
    let mut counts: Vec<usize> = (0..).map(|power| 1 << power).take_while(|n| *n < cores).collect();
    counts.extend([cores, 2 * cores]);
    counts
}
