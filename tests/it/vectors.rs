//! Recorded lives of other circuit breakers, replayed on ours.
//!
//! `tests/vectors` holds traces of five libraries under a virtual clock, and what each answered. For every trace the
//! expected course of our breaker is worked out first, from the trace, the peer's documented semantics and the
//! contract; it ends at the first operation where the contract differs on purpose, and goes on where the peer next
//! starts afresh. Then our breaker is driven along it, and every answer, state, counter and rate is compared. Nothing
//! may differ, and how much is compared is pinned, so that it can't shrink unnoticed.

mod cockatiel;
mod course;
mod failsafe_go;
mod gobreaker;
mod plan;
mod pybreaker;
mod replay;
mod resilience4j;
mod scale;
mod trace;

use std::collections::BTreeMap;
use std::path::Path;

use failfast::clock::ManualClock;
use failfast::oracle::Oracle;

use crate::subject::{Breaker, Subject};

use self::course::Stop;
use self::plan::{Planner, Stretch};
use self::replay::Callers;

/// How much of a file was compared.
#[derive(Debug, Default)]
struct Report {
    traces: usize,
    skipped: BTreeMap<&'static str, usize>,
    as_recorded: Tally,
    stretched: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    stretches: usize,
    operations: usize,
    stops: BTreeMap<Stop, usize>,
}

/// Replays a file on a kind of breaker; panics at the first differences, naming them all.
fn replay_file<P: Planner, S: Subject>(file: &str, callers: Callers) -> Report {
    let mut report = Report::default();
    let mut differences = Vec::new();
    for trace in trace::read(file) {
        let plan = match plan::plan::<P>(&trace) {
            Ok(plan) => plan,
            Err(reason) => {
                *report.skipped.entry(reason).or_default() += 1;
                continue;
            }
        };
        report.traces += 1;
        for (tally, stretches) in
            [(&mut report.as_recorded, plan.as_recorded), (&mut report.stretched, plan.stretched)]
        {
            for stretch in stretches {
                tally.add(&stretch);
                if let Err(difference) = replay::replay::<S>(&stretch, callers) {
                    differences.push(format!("{}, {difference}", trace.id));
                }
            }
        }
    }
    println!("{file}: {report:?}");
    assert!(
        differences.is_empty(),
        "{file}: {} stretches differ\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    report
}

impl Tally {
    fn add(&mut self, stretch: &Stretch) {
        self.stretches += 1;
        self.operations += stretch.steps.len();
        *self.stops.entry(stretch.stop).or_default() += 1;
    }
}

/// A file, its traces used, and the operations compared as recorded and with stretched time.
type Row = (&'static str, usize, usize, usize);

fn compared<S: Subject>(callers: Callers) -> [Row; 6] {
    fn row<P: Planner, S: Subject>(file: &'static str, callers: Callers) -> Row {
        let report = replay_file::<P, S>(file, callers);
        let operations = [report.as_recorded, report.stretched].map(|tally| tally.operations);
        (file, report.traces, operations[0], operations[1])
    }
    [
        row::<resilience4j::Resilience4j, S>("resilience4j_count.jsonl.gz", callers),
        row::<resilience4j::Resilience4j, S>("resilience4j_time.jsonl.gz", callers),
        row::<gobreaker::Gobreaker, S>("gobreaker.jsonl.gz", callers),
        row::<pybreaker::Pybreaker, S>("pybreaker.jsonl.gz", callers),
        row::<cockatiel::Cockatiel, S>("cockatiel_consecutive.jsonl.gz", callers),
        row::<failsafe_go::FailsafeGo, S>("failsafe_go.jsonl.gz", callers),
    ]
}

/// Exact, so that no change of the planners can shrink the comparison unnoticed. The files hold 1,000 traces and
/// 172,111 operations.
const COMPARED: [Row; 6] = [
    ("resilience4j_count.jsonl.gz", 300, 29_635, 29_684),
    ("resilience4j_time.jsonl.gz", 300, 32_645, 29_144),
    ("gobreaker.jsonl.gz", 63, 7_070, 6_518),
    ("pybreaker.jsonl.gz", 100, 13_339, 15_171),
    ("cockatiel_consecutive.jsonl.gz", 100, 12_264, 12_921),
    ("failsafe_go.jsonl.gz", 100, 7_724, 5_814),
];

/// The package leaves the traces out, a megabyte; cargo puts this manifest into every package, and nowhere else.
fn are_left_out() -> bool {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("Cargo.toml.orig").exists()
        && !here.join("tests/vectors").join(COMPARED[0].0).exists()
}

fn answers_as_the_traces_demand<S: Subject>(callers: Callers) {
    if are_left_out() {
        return println!("the package has no traces; the repository compares them");
    }
    assert_eq!(compared::<S>(callers), COMPARED);
}

#[test]
fn the_breaker_answers_as_the_traces_demand() {
    answers_as_the_traces_demand::<Breaker>(Callers::One);
}

#[test]
fn the_breaker_answers_several_threads_as_the_traces_demand() {
    answers_as_the_traces_demand::<Breaker>(Callers::Several);
}

#[test]
fn the_oracle_answers_as_the_traces_demand() {
    answers_as_the_traces_demand::<Oracle<ManualClock>>(Callers::One);
}
