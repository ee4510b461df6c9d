//! Runs every model on a fresh thread, counts its executions, and holds them against its floor.
//!
//! loom ends with success when its own limits cut a search short, and says nothing; and a model whose threads never
//! meet passes whatever the code does. Hence the floors: about half of what the model took when it was written.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::models;

/// One race: the body is run under every schedule.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    name: &'static str,
    body: fn(),
    /// Executions that it takes at least.
    floor: usize,
    /// How often a schedule may take the processor from a thread that could go on; `None`: as often as it likes.
    preemptions: Option<usize>,
}

impl Model {
    /// A small model, searched to the end.
    pub(crate) const fn whole(name: &'static str, floor: usize, body: fn()) -> Self {
        Model { name, body, floor, preemptions: None }
    }

    /// A model that is searched up to a number of preemptions, on every push; a long run allows more.
    pub(crate) const fn bounded(
        name: &'static str,
        preemptions: usize,
        floor: usize,
        body: fn(),
    ) -> Self {
        Model { name, body, floor, preemptions: Some(preemptions) }
    }

    /// Searches on this thread, with some preemptions more than the model's own; returns the number of executions.
    fn search(self, more: usize) -> usize {
        let executions = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&executions);
        let mut builder = loom::model::Builder::new();
        builder.max_branches = builder.max_branches.max(100_000);
        builder.preemption_bound = self.preemptions.map(|bound| bound + more);
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            (self.body)();
        });
        executions.load(Ordering::Relaxed)
    }

    /// Searches on a thread of its own, prints a line, and says whether the model held: its laws, and its floor if
    /// that is asked for.
    fn run(self, more: usize, floors: bool) -> bool {
        let begun = Instant::now();
        let searched =
            thread::Builder::new().name(self.name.into()).spawn(move || self.search(more));
        let found = searched.expect("a thread for the model").join();
        let seconds = begun.elapsed().as_secs_f64();
        let Model { name, floor, .. } = self;
        match found {
            Ok(executions) if executions >= floor || !floors => {
                let within = match self.preemptions {
                    None => "all schedules".to_string(),
                    Some(bound) => format!("at most {} preemptions", bound + more),
                };
                println!("{name}: {executions} executions in {seconds:.2} s, {within}");
                true
            }
            Ok(executions) => {
                println!("FAILED {name}: {executions} executions, {floor} are the least");
                false
            }
            Err(_) => {
                println!("FAILED {name}: a law was broken, see above");
                false
            }
        }
    }
}

/// Runs the models whose names contain one of the arguments, all of them if there is none.
///
/// `--first` starts no further model once one has failed; `--no-floors` holds none against its floor, for a bug that is
/// planted may well leave less to explore. `--more=N` allows every bounded model N
/// preemptions more: the long run.
pub fn run() -> ExitCode {
    let (flags, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let more = flags.iter().find_map(|flag| flag.strip_prefix("--more="));
    let more = more.map_or(0, |more| more.parse().expect("a number of preemptions"));
    let is_set = |name| flags.iter().any(|flag| flag == name);
    let (first, floors) = (is_set("--first"), !is_set("--no-floors"));
    let is_wanted = |model: &&Model| {
        wanted.is_empty() || wanted.iter().any(|part| model.name.contains(part.as_str()))
    };
    let mut left: Vec<Model> = models::ALL.concat().iter().filter(is_wanted).copied().collect();
    // Taken from the end: the small ones first.
    left.sort_by_key(|model| std::cmp::Reverse(model.floor));
    let total = left.len();
    let left = Mutex::new(left);
    let failed = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| loop {
                let Some(model) = left.lock().expect("nothing panics under this lock").pop() else {
                    return;
                };
                if first && failed.load(Ordering::Relaxed) > 0 {
                    return;
                }
                if !model.run(more, floors) {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("{} of {total} models held", total - failed);
    if failed == 0 && total > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
