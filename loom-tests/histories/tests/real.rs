//! Histories of real threads, by the thousand.
//!
//! Threads that are started for one history hardly meet. So each walks a block of fresh breakers, and waits for the others
//! before each; what is printed at the end says how often calls did overlap. On one core they do not, which is said.
//! Every history is checked; the first that has no order is printed whole, with the seed that drew its plan.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::Instant;

use failfast_histories::checker::check;
use failfast_histories::history::{Answer, History};
use failfast_histories::plan::{Draw, Family, Plan};
use failfast_histories::run::{history, Player, Table};
use failfast_histories::subject;
use failfast_histories::subject::{Notes, Subject};

thread_local!(static NOTES: RefCell<Notes> = RefCell::default());

subject!(Breaker, failfast, AtomicU64, NOTES, {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
});

/// Histories of a block: their threads meet twice a phase.
const BLOCK: usize = 64;
/// Looks at the others before a thread that has come too early lets them have its core: some ten microseconds.
const LOOKS: usize = 1_000;

/// Histories of each family; `FAILFAST_HISTORIES` is how many times as many.
const HISTORIES: usize = 2_048;

/// So many times as many, at most, until threads have met: on cores that others have they seldom do.
const GOES: usize = 4;

#[derive(Default)]
struct Tally {
    histories: usize,
    calls: usize,
    tried: usize,
    overlapping: usize,
    changes: usize,
    late: usize,
    noticed: usize,
    refused: usize,
}

impl Tally {
    fn check(&mut self, seed: u64, history: &History) {
        let explained = match check(history) {
            Ok(explained) => explained,
            Err(refused) => panic!("seed {seed:#x}: {refused}\n{history}"),
        };
        let ops = || history.threads.iter().flatten();
        self.histories += 1;
        self.calls += ops().count();
        self.tried += explained.tried;
        self.changes += ops().map(|op| op.heard.len()).sum::<usize>();
        self.refused += ops().filter(|op| matches!(op.answer, Answer::Refused { .. })).count();
        self.late += usize::from(explained.late > 0);
        self.noticed += usize::from(explained.noticed > 0);
        self.overlapping += usize::from(overlaps(history));
    }
}

/// Whether calls of two threads overlap on the wall.
fn overlaps(history: &History) -> bool {
    let mut calls: Vec<(u64, u64, usize)> = Vec::new();
    for (thread, ops) in history.threads.iter().enumerate() {
        calls.extend(ops.iter().map(|op| (op.wall.0, op.wall.1, thread)));
    }
    calls.sort_unstable();
    calls.windows(2).any(|pair| pair[0].2 != pair[1].2 && pair[1].0 < pair[0].1)
}

/// Plays a block of plans, each on a breaker of its own.
fn play(plans: &[Plan], threads: usize) -> Vec<History> {
    let breakers: Vec<Breaker> = plans.iter().map(|plan| Breaker::build(&plan.settings)).collect();
    let tables: Vec<_> = breakers.iter().map(|breaker| Table::new(breaker, threads)).collect();
    let arrived: Vec<_> = plans.iter().map(|_| AtomicUsize::new(0)).collect();
    let barrier = Barrier::new(threads);
    let phases = plans.iter().map(|plan| plan.phases.len()).max().unwrap_or(0);
    let walk = |thread: usize| {
        let mut players: Vec<_> = tables.iter().map(|table| Player::new(table, thread)).collect();
        for phase in 0..phases {
            let of_this = || plans.iter().enumerate().filter(|(_, plan)| phase < plan.phases.len());
            for (index, plan) in of_this() {
                players[index].play_first(plan, phase);
            }
            barrier.wait();
            for (index, plan) in of_this() {
                let all = threads * (phase + 1);
                arrived[index].fetch_add(1, Ordering::Relaxed);
                while arrived[index].load(Ordering::Relaxed) < all {
                    for _ in 0..LOOKS {
                        if arrived[index].load(Ordering::Relaxed) == all {
                            break;
                        }
                        std::hint::spin_loop();
                    }
                    if arrived[index].load(Ordering::Relaxed) < all {
                        std::thread::yield_now();
                    }
                }
                players[index].play_phase(plan, phase);
            }
            barrier.wait();
        }
        players.into_iter().map(Player::into_log).collect::<Vec<_>>()
    };
    let logs: Vec<_> = std::thread::scope(|scope| {
        let walk = &walk;
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || walk(thread))).collect();
        let mine = walk(0);
        let others = others.into_iter().map(|thread| thread.join().expect("a thread"));
        std::iter::once(mine).chain(others).collect()
    });
    let mut logs: Vec<_> = logs.into_iter().map(Vec::into_iter).collect();
    let of_each = |plan| history(plan, logs.iter_mut().map(|log| log.next().unwrap()).collect());
    plans.iter().map(of_each).collect()
}

fn explain(family: Family) {
    let times = std::env::var("FAILFAST_HISTORIES").map_or(1, |times| times.parse().unwrap());
    let mut tally = Tally::default();
    let start = Instant::now();
    let blocks = HISTORIES * times / BLOCK;
    // On one core they never meet, however long.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for block in 0..blocks * if cores > 1 { GOES } else { 1 } {
        if block >= blocks && tally.overlapping > 0 {
            break;
        }
        let threads = [2, 2, 3, 4][block % 4];
        let seeds: Vec<u64> =
            (0..BLOCK).map(|index| Draw((block * BLOCK + index) as u64).draw()).collect();
        let plans: Vec<Plan> = seeds
            .iter()
            .map(|seed| family.plan(threads, 8 + (seed % 13) as usize, *seed))
            .collect();
        for (seed, history) in seeds.iter().zip(play(&plans, threads)) {
            tally.check(*seed, &history);
        }
    }
    let Tally { histories, calls, tried, overlapping, changes, late, noticed, refused } = tally;
    println!(
        "{family:?}: {histories} histories of 2 to 4 threads, {calls} calls ({tried} tried), {changes} changes, \
         {refused} refusals; overlapping {overlapping}, late {late}, noticed {noticed}; {:.1?}",
        start.elapsed()
    );
    if cores == 1 {
        println!("WARNING: on one core threads do not meet, so this has shown little");
    } else {
        assert!(overlapping > 0, "the threads have never met: nothing is shown");
    }
}

macro_rules! families {
    ($($name:ident: $family:ident,)*) => {$(
        #[test]
        fn $name() {
            explain(Family::$family);
        }
    )*};
}

families! {
    trips: Trips,
    runs: Runs,
    buckets: Buckets,
    slow_calls: Slow,
    probes: Probes,
    end_of_open_time: Deadline,
    end_of_lease: Lease,
    generations: Generations,
    shared_words: Shared,
}
