//! Tells every story, prints a line for each, and says what was wrong.

use core::time::Duration;
use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::time::Instant;

use failfast::HalfOpen;

use crate::baseline::Locked;
use crate::changing::{self, GiveBacks, Others};
use crate::crew::{tell, Plan, Tale};
use crate::signal;
use crate::steady;
use crate::story::Story;

/// Multiplies the rounds and the time of every story.
const LONGER: &str = "FROZEN_TIMES";
const ROUNDS: u64 = 1_000;
/// A story's share of a minute.
const TIME: Duration = Duration::from_millis(1_000);
/// Functions named in the table.
const SHOWN: usize = 30;
/// Fewer freezes inside in all stories prove too little, however busy the machine is.
const ENOUGH_INSIDE: u64 = 2_000;
/// What "for ever" is to the others: rounds for which one thread stands frozen.
const FOR_EVER: u64 = 25;

/// Far beyond what a busy machine takes for a few thousand calls; whoever needs it is blocked.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run() -> ExitCode {
    let start = Instant::now();
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let times = env::var(LONGER).ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let plan = Plan {
        rounds: ROUNDS * times,
        time: TIME * times as u32,
        for_ever: None,
        patience: PATIENCE,
        enough: 1,
    };
    let for_ever = Plan { for_ever: Some(FOR_EVER), ..plan };
    let mut stories: Vec<(Box<dyn Story>, Plan)> = Vec::new();
    for story in steady::stories() {
        stories.push((Box::new(story), plan));
    }
    for (rule, title) in
        [(HalfOpen::probes(3), "half-open, 3 probes"), (HalfOpen::rate(3), "half-open, rate of 3")]
    {
        stories.push((Box::new(GiveBacks::new(("any", title), rule, 3)), plan));
    }
    for (others, state, plan) in [
        (Others::Live, "lives", plan),
        (Others::Storm, "storm", plan),
        (Others::Live, "lives, one for ever", for_ever),
        (Others::Storm, "storm, one for ever", for_ever),
    ] {
        for story in changing::stories(others, state) {
            stories.push((Box::new(story), plan));
        }
    }
    signal::install();
    heading();
    let mut total = Tale::default();
    let mut failed = false;
    for (story, plan) in stories {
        let (window, state) = story.title();
        if !wanted.iter().all(|part| format!("{window} {state}").contains(part)) {
            continue;
        }
        let tale = tell(&*story, plan);
        line(&*story, &tale);
        failed |= complain(&tale);
        let blocked = tale.blocked > 0;
        total.add(tale);
        if blocked {
            println!("no more stories: each would be waited for");
            break;
        }
    }
    let mutex =
        tell(&Locked::new(), Plan { patience: Duration::from_millis(100), enough: 20, ..plan });
    line(&Locked::new(), &mutex);
    places(&total);
    println!(
        "\n{} freezes, {} of them inside, at {} instructions; {} operations of others meanwhile; {} rounds blocked",
        total.freezes,
        total.inside,
        total.instructions.len(),
        total.operations,
        total.blocked,
    );
    println!(
        "the mutex: blocked in {} of {} rounds with a thread frozen inside",
        mutex.blocked, mutex.rounds_inside
    );
    println!("{:.1} s", start.elapsed().as_secs_f64());
    if wanted.is_empty() && total.inside < ENOUGH_INSIDE {
        println!("FAILED: fewer than {ENOUGH_INSIDE} freezes inside");
        failed = true;
    }
    if mutex.blocked == 0 {
        println!("FAILED: a mutex that blocks was not noticed, so nothing above proves anything");
        failed = true;
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

impl Tale {
    fn add(&mut self, other: Tale) {
        self.freezes += other.freezes;
        self.inside += other.inside;
        self.operations += other.operations;
        self.blocked += other.blocked;
        for (at, times) in other.instructions {
            *self.instructions.entry(at).or_default() += times;
        }
    }
}

fn heading() {
    println!(
        "| window | state | freezes | inside | instructions | operations of others | rate, frozen : calm | blocked |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
}

fn line(story: &dyn Story, tale: &Tale) {
    let (window, state) = story.title();
    let rate = match (median(&tale.calm_ns), median(&tale.frozen_ns)) {
        // Of a few it says nothing.
        (Some(calm), Some(frozen)) if tale.calm_ns.len() > 10 => format!("{:.2}", calm / frozen),
        _ => "-".into(),
    };
    println!(
        "| {window} | {state} | {} | {} | {} | {} | {rate} | {} of {} |",
        tale.freezes,
        tale.inside,
        tale.instructions.len(),
        tale.operations,
        tale.blocked,
        tale.rounds_inside,
    );
}

fn complain(tale: &Tale) -> bool {
    for fault in &tale.faults {
        println!("FAILED: {fault}");
    }
    if tale.blocked > 0 {
        println!("FAILED: the others were blocked while a thread stood frozen");
    }
    if tale.inside == 0 {
        println!("FAILED: nobody was frozen inside the breaker, so this line proves nothing");
    }
    tale.blocked > 0 || tale.inside == 0 || !tale.faults.is_empty()
}

fn median(times: &[f64]) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// In which functions of the library the threads stood frozen.
fn places(tale: &Tale) {
    let mut by_function: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (at, times) in &tale.instructions {
        let entry = by_function.entry(function(*at)).or_default();
        entry.0 += times;
        entry.1 += 1;
    }
    let mut rows: Vec<_> = by_function.into_iter().collect();
    rows.sort_by_key(|(_, (times, _))| core::cmp::Reverse(*times));
    println!("\n| frozen in | times | instructions |\n|---|---:|---:|");
    for (function, (times, instructions)) in rows.iter().take(SHOWN) {
        println!("| `{function}` | {times} | {instructions} |");
    }
    println!("and {} functions more", rows.len().saturating_sub(SHOWN));
}

/// The innermost function of the library at an instruction, inlined ones included; or whose else it is.
fn function(at: usize) -> String {
    let mut names = Vec::new();
    backtrace::resolve(at as *mut _, |symbol| {
        names.extend(symbol.name().map(|name| format!("{name:#}")));
    });
    let any = |part: &str| names.iter().any(|name| name.contains(part));
    match names.iter().find(|name| name.contains("failfast::")) {
        Some(name) => name.clone(),
        None if any("changing::Changing::new") => "(an observer)".into(),
        None if any("frozen::") => "(this harness, around the call)".into(),
        None => "(wide arithmetic, system libraries)".into(),
    }
}
