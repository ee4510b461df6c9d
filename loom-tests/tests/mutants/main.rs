//! Plants bugs in a copy of the library, one at a time, and holds the models against each.
//!
//! Without arguments: the planted bugs, each of which its own model must catch. With `--all`: every ordering weakened,
//! every exchange's check dropped, every comparison of generations, numbers and laps made blind; the table is printed
//! in Markdown. Other arguments are parts of the names of the mutants wanted.

mod copy;
mod planted;
mod scan;
mod survivors;
mod tags;

use std::process::ExitCode;
use std::time::Instant;

use copy::{Copy, Found};

/// The models of each file's subject, by parts of their names.
const FILES: &[(&str, &[&str])] = &[
    ("breaker/cell.rs", STATES),
    ("breaker/engine.rs", STATES),
    ("breaker/limits.rs", SETTINGS),
    ("breaker/state.rs", STATES),
    ("budget/word.rs", &["budget::"]),
    ("bulkhead/places.rs", &["bulkhead::"]),
    ("clock/manual.rs", &["clock::"]),
    ("pool/job.rs", &["pool::"]),
    ("seats.rs", &["seats::"]),
    ("totals/history.rs", &["history::"]),
    ("totals/tally.rs", &["totals::"]),
    ("window/buckets.rs", &["time_window::", "bucket"]),
    ("window/marks.rs", WINDOWS),
    ("window/mod.rs", EVERYTHING),
    ("window/stripes.rs", WINDOWS),
    ("window/verdict.rs", WINDOWS),
];
const STATES: &[&str] = &["state::", "half_open::", "generation::", "reading::"];
const SETTINGS: &[&str] = &[
    "reconfigure::reading",
    "reconfigure::limit_",
    "new_limit_over",
    "limit_over_a_new_call",
    "reconfigure::stopped",
];
const WINDOWS: &[&str] = &[
    "count_window::",
    "runs::",
    "ring::",
    "stripes::",
    "generation::",
    "reading::",
    "loser_erases",
];
const EVERYTHING: &[&str] = &[];

/// One change of the sources.
struct Mutant {
    /// File and function.
    site: String,
    /// Numbers of the edges that the code says it is for.
    edges: String,
    what: String,
    /// Files and their new text.
    texts: Vec<(&'static str, String)>,
    /// The models to hold against it, by parts of their names.
    models: &'static [&'static str],
}

fn main() -> ExitCode {
    let (flags, parts): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let is_set = |name: &str| flags.iter().any(|flag| flag == name);
    let copy = Copy::new();
    // All of them are made in any case: a text that no longer applies is found at once.
    let planted = planted::mutants(&copy);
    let attacks: Vec<Mutant> = FILES
        .iter()
        .flat_map(|&(file, models)| scan::mutants(file, &copy.read(file), models))
        .chain(tags::mutants(&copy))
        .collect();
    let is_wanted = |mutant: &&Mutant| {
        let name = format!("{} {}", mutant.site, mutant.what);
        parts.is_empty() || parts.iter().any(|part| name.contains(part.as_str()))
    };
    let mutants = if is_set("--all") { &attacks } else { &planted };
    let mutants: Vec<&Mutant> = mutants.iter().filter(is_wanted).collect();
    // No part of a name stands for all models.
    let all = mutants.iter().any(|mutant| mutant.models.is_empty());
    let models: Vec<&str> =
        mutants.iter().filter(|_| !all).flat_map(|mutant| mutant.models).copied().collect();
    let begun = Instant::now();
    if let Found::Noticed(by) = copy.hold(&models) {
        println!("FAILED {by}: it notices a bug where none is planted");
        return ExitCode::FAILURE;
    }
    println!("| site | edges | changed | noticed by |\n|---|---|---|---|");
    let (mut killed, mut explained) = (0, 0);
    for mutant in &mutants {
        let Mutant { site, edges, what, .. } = mutant;
        copy.write(&mutant.texts);
        let found = copy.hold(mutant.models);
        let noticed = match (found, survivors::reason(site, what)) {
            (Found::Noticed(by), reason) => {
                killed += 1;
                let stale =
                    if reason.is_some() { ", though a reason is given why not" } else { "" };
                format!("`{by}`{stale}")
            }
            (Found::Nothing, Some(reason)) => {
                explained += 1;
                format!("nothing: {reason}")
            }
            (Found::Nothing, None) => "**nothing**".to_string(),
        };
        println!("| `{site}` | {edges} | {what} | {noticed} |");
        copy.restore(&mutant.texts);
    }
    let left = mutants.len() - killed - explained;
    let seconds = begun.elapsed().as_secs();
    println!(
        "\n{} mutants in {seconds} s: {killed} killed, {explained} equivalent with a reason, {left} survived",
        mutants.len(),
    );
    if left == 0 && !mutants.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
