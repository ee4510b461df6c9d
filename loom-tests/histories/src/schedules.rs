//! Histories of 4 to 8 threads under shuttle's random and PCT schedules.
//!
//! The whole breaker runs on shuttle's atomics, permits and observers and all; only its clock and the threads' seats are
//! the test's own. Each plan is run under many schedules, and every history is checked. A failure prints the history, the
//! seed of its plan and the schedule.

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use crate::checker::check;
use crate::plan::{Draw, Family, Plan};
use crate::run::{history, Player, Table};
use crate::subject;
use crate::subject::{Notes, Subject};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Barrier;
use shuttle::{Config, Runner};

shuttle::thread_local! {
    static NOTES: RefCell<Notes> = RefCell::new(Notes::default());
}

subject!(Breaker, crate, shuttle::sync::atomic::AtomicU64, NOTES, {
    shuttle::current::context_switches() as u64
});

/// Plans of a family; `FAILFAST_HISTORIES` is how many times as many.
const PLANS: usize = 120;
/// Schedules of a plan, for each of the two schedulers.
const SCHEDULES: usize = 42;
/// Points at which a PCT schedule changes its mind.
const DEPTH: usize = 3;

/// Runs every family, or those that the arguments name; prints what each took.
pub fn run_all() -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let times: usize =
        std::env::var("FAILFAST_HISTORIES").map_or(1, |times| times.parse().unwrap());
    for family in Family::ALL {
        let name = format!("{family:?}");
        if wanted.is_empty() || wanted.contains(&name) {
            explain(family, times);
        }
    }
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Tally {
    histories: AtomicUsize,
    calls: AtomicUsize,
    tried: AtomicUsize,
    changes: AtomicUsize,
    late: AtomicUsize,
    noticed: AtomicUsize,
}

fn explain(family: Family, times: usize) {
    let start = Instant::now();
    let tally = Arc::new(Tally::default());
    for number in 0..PLANS * times {
        let threads = 4 + number % 5;
        let seed = Draw((number + 1) as u64).draw();
        // Longer for fewer: about fifty calls.
        let plan = Arc::new(family.plan(threads, 56 / threads, seed));
        let of_plan = Draw(seed).draw();
        run(RandomScheduler::new_from_seed(of_plan, SCHEDULES), &plan, seed, &tally);
        run(PctScheduler::new_from_seed(of_plan, DEPTH, SCHEDULES), &plan, seed, &tally);
    }
    let [histories, calls, tried, changes, late, noticed] =
        [&tally.histories, &tally.calls, &tally.tried, &tally.changes, &tally.late, &tally.noticed]
            .map(|count| count.load(Ordering::Relaxed));
    println!(
        "{family:?}: {histories} histories of 4 to 8 threads, {calls} calls ({tried} tried), {changes} changes; \
         late {late}, noticed {noticed}; {:.1?}",
        start.elapsed()
    );
    assert_eq!(histories, PLANS * times * SCHEDULES * 2, "shuttle has run every schedule");
}

fn run(scheduler: impl Scheduler + 'static, plan: &Arc<Plan>, seed: u64, tally: &Arc<Tally>) {
    let mut config = Config::new();
    // The checker searches on the main thread's stack, a frame or two a call.
    config.stack_size = 1 << 18;
    // It warns that orderings are sequentially consistent; see `sync`.
    config.silence_warnings = true;
    let (plan, tally) = (Arc::clone(plan), Arc::clone(tally));
    Runner::new(scheduler, config).run(move || play(&plan, seed, &tally));
}

fn play(plan: &Plan, seed: u64, tally: &Tally) {
    let threads = plan.phases[0].threads.len();
    let breaker = Breaker::build(&plan.settings);
    let table = Table::new(&breaker, threads);
    let barrier = Barrier::new(threads);
    let act = |thread: usize| {
        crate::threads::take_seat(thread);
        let mut player = Player::new(&table, thread);
        player.play_all(plan, || {
            barrier.wait();
        });
        player.into_log()
    };
    let logs = shuttle::thread::scope(|scope| {
        let act = &act;
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || act(thread))).collect();
        let mine = act(0);
        let others = others.into_iter().map(|thread| thread.join().expect("a thread"));
        std::iter::once(mine).chain(others).collect()
    });
    let history = history(plan, logs);
    let explained = match check(&history) {
        Ok(explained) => explained,
        Err(refused) => panic!("seed {seed:#x}: {refused}\n{history}"),
    };
    let ops = || history.threads.iter().flatten();
    let add = |count: &AtomicUsize, more: usize| count.fetch_add(more, Ordering::Relaxed);
    add(&tally.histories, 1);
    add(&tally.calls, ops().count());
    add(&tally.tried, explained.tried);
    add(&tally.changes, ops().map(|op| op.heard.len()).sum());
    add(&tally.late, usize::from(explained.late > 0));
    add(&tally.noticed, usize::from(explained.noticed > 0));
}
