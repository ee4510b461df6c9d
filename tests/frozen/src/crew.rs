//! The controller: sets threads going, freezes them, lets the others work, thaws, and looks at the books.
//!
//! Of the threads that may be frozen one runs at a time, so a frozen one has been stopped alone or beside others that
//! stand frozen already; all go on together when they are thawed, which makes the overlap real.
//! No step waits for the clock on the wall but one: others that have not done their work within the patience given are
//! said to be blocked, and only then are the frozen ones let go.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::process;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, Scope, Thread};
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::signal::{self, Frozen, Victim, PLACES};
use crate::story::{Books, Story, RUNNERS};

/// A thread is frozen after a random number of steps of its turn, below this one.
const STEPS: u64 = 256;

/// However busy the machine is.
const LEAST_ROUNDS: u64 = 40;

/// How long a story is told.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// So many rounds, or fewer when the time is over.
    pub(crate) rounds: u64,
    pub(crate) time: Duration,
    /// Freezes one thread for so many rounds at a time: what "for ever" is to the others.
    pub(crate) for_ever: Option<u64>,
    /// How long the others may take before they are said to be blocked.
    pub(crate) patience: Duration,
    /// Ends the story after so many rounds in which the others were blocked.
    pub(crate) enough: u64,
}

/// What came of a story.
#[derive(Default)]
pub(crate) struct Tale {
    pub(crate) freezes: u64,
    /// Between the first and the last instruction of a call.
    pub(crate) inside: u64,
    /// How often each instruction inside was the one.
    pub(crate) instructions: BTreeMap<usize, u64>,
    /// Operations of others while somebody stood frozen inside.
    pub(crate) operations: u64,
    /// Nanoseconds an operation of a burst: somebody frozen inside, and nobody frozen at all.
    pub(crate) frozen_ns: Vec<f64>,
    pub(crate) calm_ns: Vec<f64>,
    /// Rounds in which the others were blocked, and rounds with somebody inside.
    pub(crate) blocked: u64,
    pub(crate) rounds_inside: u64,
    pub(crate) faults: Vec<String>,
}

/// A thread that may be frozen, as the controller sees it.
#[derive(Default)]
struct Place {
    turn: AtomicBool,
    stop: AtomicBool,
    steps: AtomicU64,
}

struct Burst {
    operations: u64,
    took: Duration,
}

/// Tells a story to its end, or to the first fault.
pub(crate) fn tell(story: &dyn Story, plan: Plan) -> Tale {
    let books = Books::new();
    let places: [CachePadded<Place>; PLACES] = Default::default();
    let over = AtomicBool::new(false);
    let start = Instant::now();
    thread::scope(|scope| {
        let mut controller = Controller::new(scope, story, &books, &places, &over);
        for round in 0..plan.rounds {
            controller.round(round, plan);
            controller.tale.faults = books.faults();
            let late = start.elapsed() > plan.time && round >= LEAST_ROUNDS;
            let failed = !controller.tale.faults.is_empty();
            if late || failed || controller.tale.blocked >= plan.enough {
                break;
            }
        }
        controller.dismiss()
    })
}

struct Controller<'a> {
    story: &'a dyn Story,
    books: &'a Books,
    places: &'a [CachePadded<Place>; PLACES],
    over: &'a AtomicBool,
    victims: Vec<(Victim, Thread)>,
    orders: Vec<Sender<()>>,
    bursts: Receiver<Burst>,
    random: u64,
    /// The one that stands frozen for ever.
    kept: Option<usize>,
    tale: Tale,
}

impl<'a> Controller<'a> {
    fn new<'scope>(
        scope: &'scope Scope<'scope, 'a>,
        story: &'a dyn Story,
        books: &'a Books,
        places: &'a [CachePadded<Place>; PLACES],
        over: &'a AtomicBool,
    ) -> Self {
        let (enlist, enlisted) = channel();
        for (number, place) in places.iter().enumerate() {
            let enlist = enlist.clone();
            scope.spawn(move || {
                let _alarm = Alarm;
                let victim = signal::enlist(number);
                enlist.send((number, victim, thread::current())).expect("the controller listens");
                let mut hand = books.hand(number);
                while !over.load(Ordering::Acquire) {
                    if place.turn.load(Ordering::Acquire) {
                        place.take_turn(|| story.step(&mut hand));
                    } else {
                        thread::park();
                    }
                }
            });
        }
        let mut victims: Vec<_> = (0..PLACES).map(|_| enlisted.recv().expect("all come")).collect();
        victims.sort_by_key(|(number, ..)| *number);
        let (report, bursts) = channel();
        let orders = (0..RUNNERS).map(|runner| {
            let (order, ordered) = channel();
            let report = report.clone();
            scope.spawn(move || {
                let _alarm = Alarm;
                let mut hand = books.hand(PLACES + runner);
                for () in ordered {
                    let start = Instant::now();
                    let operations = story.burst(runner, &mut hand);
                    let burst = Burst { operations, took: start.elapsed() };
                    report.send(burst).expect("the controller listens");
                }
            });
            order
        });
        Controller {
            story,
            books,
            places,
            over,
            victims: victims.into_iter().map(|(_, victim, thread)| (victim, thread)).collect(),
            orders: orders.collect(),
            bursts,
            random: 0x2545_f491_4f6c_dd1d,
            kept: None,
            tale: Tale::default(),
        }
    }

    /// One round; every eighth is a calm one, in which nobody is frozen, for comparison.
    fn round(&mut self, round: u64, plan: Plan) {
        let calm = round % 8 == 7 && self.kept.is_none();
        let count = 1 + self.below(PLACES as u64) as usize;
        let first = self.below(PLACES as u64) as usize;
        let mut frozen = Vec::new();
        let mut inside = self.kept.is_some();
        let mut stuck = false;
        for place in (0..count).map(|step| (first + step) % PLACES) {
            if self.kept == Some(place) {
                continue;
            }
            stuck |= !self.set_going(place, plan.patience);
            if !calm {
                let found = self.victims[place].0.freeze();
                inside |= found.inside;
                self.note(found);
                if plan.for_ever.is_some() && self.kept.is_none() && found.inside {
                    self.kept = Some(place);
                } else {
                    frozen.push(place);
                }
            } else {
                self.send_home(place);
            }
        }
        self.let_others_work(calm, inside, stuck, plan, &mut frozen);
        for place in &frozen {
            self.places[*place].stop.store(true, Ordering::Relaxed);
            self.victims[*place].0.thaw();
        }
        if plan.for_ever.is_some_and(|rounds| round % rounds == rounds - 1) {
            frozen.extend(self.thaw_kept());
        }
        for place in frozen {
            self.send_home(place);
        }
        if self.kept.is_none() {
            self.story.at_rest(round, self.books);
        }
    }

    /// Lets a thread run until it has made a random number of steps; `false` if it can't.
    fn set_going(&mut self, number: usize, patience: Duration) -> bool {
        let place = &self.places[number];
        let target = 1 + self.below(STEPS);
        place.steps.store(0, Ordering::Relaxed);
        place.stop.store(false, Ordering::Relaxed);
        place.turn.store(true, Ordering::Release);
        self.victims[number].1.unpark();
        let start = Instant::now();
        let mut in_time = true;
        wait_until(|| {
            in_time = start.elapsed() < patience;
            place.steps.load(Ordering::Relaxed) >= target || !in_time
        });
        in_time
    }

    /// Waits until a thread has finished the call that it was in, and its turn.
    fn send_home(&self, number: usize) {
        let place = &self.places[number];
        place.stop.store(true, Ordering::Relaxed);
        wait_until(|| !place.turn.load(Ordering::Acquire));
    }

    fn let_others_work(
        &mut self,
        calm: bool,
        inside: bool,
        stuck: bool,
        plan: Plan,
        frozen: &mut Vec<usize>,
    ) {
        for order in &self.orders {
            order.send(()).expect("the runners wait for orders");
        }
        let mut was_blocked = stuck;
        let mut operations = 0;
        let mut took = Duration::ZERO;
        for _ in 0..RUNNERS {
            let burst = match self.bursts.recv_timeout(plan.patience) {
                Ok(burst) => burst,
                Err(RecvTimeoutError::Disconnected) => panic!("a runner panicked"),
                Err(RecvTimeoutError::Timeout) => {
                    was_blocked = true;
                    for place in frozen.drain(..).chain(self.kept.take()) {
                        self.victims[place].0.thaw();
                        self.places[place].stop.store(true, Ordering::Relaxed);
                    }
                    for place in 0..PLACES {
                        self.send_home(place);
                    }
                    self.bursts.recv().expect("nobody stands in the way any more")
                }
            };
            operations += burst.operations;
            took += burst.took;
        }
        self.tale.blocked += u64::from(was_blocked);
        self.tale.rounds_inside += u64::from(inside);
        let ns = took.as_nanos() as f64 / operations as f64;
        if was_blocked {
            return;
        }
        if calm {
            self.tale.calm_ns.push(ns);
        } else if inside {
            self.tale.operations += operations;
            self.tale.frozen_ns.push(ns);
        }
    }

    fn note(&mut self, frozen: Frozen) {
        self.tale.freezes += 1;
        if frozen.inside {
            self.tale.inside += 1;
            *self.tale.instructions.entry(frozen.at).or_default() += 1;
        }
    }

    fn thaw_kept(&mut self) -> Option<usize> {
        let kept = self.kept.take()?;
        self.places[kept].stop.store(true, Ordering::Relaxed);
        self.victims[kept].0.thaw();
        Some(kept)
    }

    /// Sends everybody home for good.
    fn dismiss(mut self) -> Tale {
        if let Some(kept) = self.thaw_kept() {
            self.send_home(kept);
            self.story.at_rest(0, self.books);
            self.tale.faults = self.books.faults();
        }
        self.over.store(true, Ordering::Release);
        for (_, thread) in &self.victims {
            thread.unpark();
        }
        self.tale
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % end
    }
}

/// Ends the run where a thread panics: the others would wait for it for ever.
struct Alarm;

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            process::exit(101);
        }
    }
}

impl Place {
    fn take_turn(&self, mut step: impl FnMut()) {
        let mut steps = 0;
        while !self.stop.load(Ordering::Relaxed) {
            step();
            steps += 1;
            self.steps.store(steps, Ordering::Relaxed);
        }
        self.turn.store(false, Ordering::Release);
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    for turn in 0_u32.. {
        if holds() {
            return;
        }
        match turn % 256 {
            255 => thread::yield_now(),
            _ => core::hint::spin_loop(),
        }
    }
}
