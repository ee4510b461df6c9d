//! The harness: two threads walk a block of fresh stages, each doing its side of the race on every one.
//!
//! Beside each stage stand two flags, one a side, that say whether the side has ended. A side looks at the other's flag
//! before it begins, so each trial is known to have gone one after the other (the flags are released and acquired: that
//! is a happens-before) or is taken to have overlapped. What may come out depends on it.

use core::hint;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::process;
use std::sync::{Mutex, MutexGuard, RwLock};
use std::thread;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::report::{Report, Row};
use crate::stage::{take_side, Did, Hand, Stage};

/// Stages a block: enough to make a rendezvous cheap, few enough to stay in a second-level cache.
const BLOCK: usize = 64;
/// How many looks a side takes at most at whether the other has come as far. Bounded, so that one that another program
/// has stopped is not waited for; long enough that two running ones stay in step.
const PATIENCE: u32 = 200;

/// How the sides of a trial lay in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    LeftFirst,
    Overlap,
    RightFirst,
}

/// A race of two sides.
pub(crate) struct Race {
    pub(crate) name: &'static str,
    /// The outcomes, classed.
    pub(crate) rows: &'static [Row],
    /// Sets a fresh stage, with what the left and the right side hold in their hands.
    pub(crate) set: fn() -> (Stage, [Hand; 2]),
    pub(crate) left: fn(&Stage, Hand) -> Did,
    pub(crate) right: fn(&Stage, Hand) -> Did,
    /// Names the outcome; a name that is no row's is forbidden.
    pub(crate) judge: fn(&Stage, Order, [Did; 2]) -> &'static str,
}

struct Trial {
    stage: Stage,
    ended: [CachePadded<AtomicBool>; 2],
}

/// What a side did, and whether it found the other one ended before it began.
type Seen = (Did, bool);

/// A block, set and judged by one of the threads and walked by both.
#[derive(Default)]
struct Block {
    trials: RwLock<Vec<Trial>>,
    hands: [Mutex<Vec<Hand>>; 2],
    seen: [Mutex<Vec<Seen>>; 2],
}

/// Runs a race for a time.
pub(crate) fn run(race: &Race, time: Duration) -> Report {
    let blocks: [Block; 2] = Default::default();
    let meeting = Meeting::default();
    let over = AtomicBool::new(false);
    let end = Instant::now() + time;
    let work = |side: usize| {
        let _alarm = Alarm;
        take_side(side);
        let mut report = Report::new(race);
        let mut skew = 0;
        loop {
            blocks[side].set(race);
            if side == 0 && Instant::now() > end {
                over.store(true, Ordering::Relaxed);
            }
            for block in &blocks {
                meeting.wait();
                if over.load(Ordering::Relaxed) {
                    return report;
                }
                // Now the one, now the other begins a little later.
                skew = (skew + 1) % 64;
                if (skew & 1 == 0) == (side == 0) {
                    (0..skew).for_each(|_| hint::spin_loop());
                }
                block.walk(race, side);
            }
            meeting.wait();
            blocks[side].judge(race, &mut report);
        }
    };
    let (mut left, right) = thread::scope(|scope| {
        let work = &work;
        let [left, right] = [0, 1].map(|side| scope.spawn(move || work(side)));
        (left.join().expect("no side panics"), right.join().expect("no side panics"))
    });
    left.add(&right);
    left
}

impl Block {
    fn set(&self, race: &Race) {
        let mut trials = self.trials.write().expect("no side panics");
        let [mut left, mut right] = self.hands.each_ref().map(lock);
        trials.clear();
        for _ in 0..BLOCK {
            let (stage, [in_left, in_right]) = (race.set)();
            trials.push(Trial { stage, ended: Default::default() });
            left.push(in_left);
            right.push(in_right);
        }
    }

    fn walk(&self, race: &Race, side: usize) {
        let act = [race.left, race.right][side];
        let trials = self.trials.read().expect("no side panics");
        let hands = core::mem::take(&mut *lock(&self.hands[side]));
        let mut seen = Vec::with_capacity(BLOCK);
        let mut last: Option<&Trial> = None;
        for (trial, hand) in trials.iter().zip(hands) {
            if let Some(last) = last {
                let other = &last.ended[1 - side];
                for _ in 0..PATIENCE {
                    if other.load(Ordering::Relaxed) {
                        break;
                    }
                    hint::spin_loop();
                }
            }
            let found_ended = trial.ended[1 - side].load(Ordering::Acquire);
            let did = act(&trial.stage, hand);
            trial.ended[side].store(true, Ordering::Release);
            seen.push((did, found_ended));
            last = Some(trial);
        }
        *lock(&self.seen[side]) = seen;
    }

    fn judge(&self, race: &Race, report: &mut Report) {
        let trials = self.trials.read().expect("no side panics");
        let [left, right] = self.seen.each_ref().map(lock);
        for (trial, (left, right)) in trials.iter().zip(left.iter().zip(right.iter())) {
            let order = match (left.1, right.1) {
                (false, true) => Order::LeftFirst,
                (true, false) => Order::RightFirst,
                _ => Order::Overlap,
            };
            let did = [left.0, right.0];
            let outcome = (race.judge)(&trial.stage, order, did);
            report.note(outcome, order, || format!("{order:?} {did:?} {:?}", trial.stage));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no side panics")
}

/// Ends the run where a side panics: the other one would wait for it for ever.
struct Alarm;

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            process::exit(101);
        }
    }
}

/// Where two threads wait for each other, at work.
#[derive(Default)]
struct Meeting {
    arrived: CachePadded<AtomicUsize>,
}

impl Meeting {
    fn wait(&self) {
        let mine = self.arrived.fetch_add(1, Ordering::AcqRel);
        let both = mine / 2 * 2 + 2;
        for turn in 1_u32.. {
            if self.arrived.load(Ordering::Acquire) >= both {
                return;
            }
            match turn % 1_024 {
                0 => thread::yield_now(),
                _ => hint::spin_loop(),
            }
        }
    }
}
