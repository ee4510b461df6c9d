//! What the models share: racing threads, an engine of tiny capacities, and calls as a permit makes them.

use std::sync::{Arc, Mutex};

use loom::thread::{self, JoinHandle};

use crate::breaker::engine::{Change, Engine, Target};
use crate::breaker::rules::{
    Config, HalfOpenConfig, HalfOpenKind, Rules, WaitConfig, WindowConfig, PPM,
};
use crate::breaker::state::Word;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::sync::set_number;
use crate::window::counts::{Counts, Kind};

/// Runs two threads on the same things to the end.
pub(crate) fn race<T, A, B>(
    shared: T,
    first: impl FnOnce(&T) -> A + 'static,
    second: impl FnOnce(&T) -> B,
) -> (A, B, Arc<T>)
where
    T: 'static,
    A: 'static,
{
    let shared = Arc::new(shared);
    let first = start(1, &shared, first);
    let of_second = second(&shared);
    (first.join().unwrap(), of_second, shared)
}

/// Runs three threads on the same things to the end.
pub(crate) fn race3<T, A, B, C>(
    shared: T,
    first: impl FnOnce(&T) -> A + 'static,
    second: impl FnOnce(&T) -> B + 'static,
    third: impl FnOnce(&T) -> C,
) -> (A, B, C, Arc<T>)
where
    T: 'static,
    A: 'static,
    B: 'static,
{
    let shared = Arc::new(shared);
    let first = start(1, &shared, first);
    let second = start(2, &shared, second);
    let of_third = third(&shared);
    (first.join().unwrap(), second.join().unwrap(), of_third, shared)
}

/// Starts a thread of a race; the one that starts it is number 0.
pub(crate) fn start<T: 'static, A: 'static>(
    number: usize,
    shared: &Arc<T>,
    body: impl FnOnce(&T) -> A + 'static,
) -> JoinHandle<A> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        set_number(number);
        body(&shared)
    })
}

/// One tick of the open deadline, in nanoseconds.
pub(crate) const TICK: u64 = 1 << 20;

/// Seats of the threads of a model; `SEATLESS` has none, whatever the number of stripes.
pub(crate) const SEATLESS: usize = usize::MAX;

/// No rule is on, and one call is enough for a rate.
pub(crate) const NO_RULES: Rules = Rules {
    failure_ppm: 0,
    slow_ppm: 0,
    slow_limit_ns: u64::MAX,
    failure_count: 0,
    run: 0,
    min_calls: 1,
};

/// A failure rate, in parts per million, from a number of calls on.
pub(crate) const fn rate(failure_ppm: u32, min_calls: u32) -> Rules {
    Rules { failure_ppm, min_calls, ..NO_RULES }
}

/// Two stripes, one probe decides, an open time of one tick, a lease of one tick.
pub(crate) const fn config(window: WindowConfig, rules: Rules) -> Config {
    Config {
        window,
        rules,
        min_calls: rules.min_calls,
        half_open: HalfOpenConfig { kind: HalfOpenKind::Probes, places: 1, decide_at: 1 },
        wait: WaitConfig {
            initial_ns: TICK,
            factor: 1.0,
            max_ns: u64::MAX,
            jitter_ppm: 0,
            seed: 0,
        },
        lease_ns: TICK,
        stripes: 2,
    }
}

/// An engine, and the changes that it has told.
pub(crate) struct Breaker {
    pub(crate) engine: Engine,
    /// Not loom's: it orders nothing that the engine orders.
    heard: Mutex<Vec<Change>>,
}

impl Breaker {
    pub(crate) fn new(config: &Config) -> Self {
        Breaker { engine: Engine::new(config), heard: Mutex::new(Vec::new()) }
    }

    fn hear(&self) -> impl FnMut(Change) + '_ {
        |change| self.heard.lock().unwrap().push(change)
    }

    /// The changes so far, in the order of their generations; panics unless each generation began exactly once.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut changes = self.heard.lock().unwrap().clone();
        changes.sort_by_key(|change| change.generation);
        for (index, pair) in changes.windows(2).enumerate() {
            assert_eq!(pair[0].to, pair[1].from, "change {index} does not follow from the last");
        }
        for (index, change) in changes.iter().enumerate() {
            assert_eq!(change.generation, index as u64 + 1, "a generation begins exactly once");
        }
        changes
    }

    pub(crate) fn states(&self) -> Vec<State> {
        self.changes().iter().map(|change| change.to).collect()
    }

    // ===== calls =====

    pub(crate) fn acquire(&self, now: u64) -> Option<Word> {
        self.engine.acquire(now, &mut self.hear()).ok()
    }

    /// Reports an outcome of a closed generation.
    pub(crate) fn record(&self, seat: usize, name: Word, kind: Kind, now: u64) -> Recorded {
        let counted = kind == Kind::Plain
            && match self.engine.is_timed() {
                true => self.engine.count_warm(seat, name, now),
                false => self.engine.count_untimed(seat, name),
            };
        if counted {
            return Recorded::Counted;
        }
        self.engine.record(seat, name, &|| (now, now), kind, &mut self.hear())
    }

    pub(crate) fn succeed(&self, seat: usize, name: Word) -> Recorded {
        self.record(seat, name, Kind::Plain, 0)
    }

    pub(crate) fn fail(&self, seat: usize, name: Word) -> Recorded {
        self.record(seat, name, Kind::Failure, 0)
    }

    /// Reports an outcome of a half-open generation.
    pub(crate) fn report(&self, name: Word, outcome: Outcome, now: u64) -> Recorded {
        self.report_slow(name, outcome, false, now)
    }

    pub(crate) fn report_slow(
        &self,
        name: Word,
        outcome: Outcome,
        slow: bool,
        now: u64,
    ) -> Recorded {
        self.engine.report(name, outcome, slow, now, &mut self.hear())
    }

    pub(crate) fn reconfigure(&self, next: Config) {
        self.engine.reconfigure(next, None, &|| 0).into_iter().for_each(self.hear());
    }

    pub(crate) fn control(&self, to: Target) {
        self.engine.control(to, 0, &mut self.hear());
    }

    pub(crate) fn reset(&self) {
        self.control(Target::Plain(State::Closed));
    }

    pub(crate) fn trip(&self) {
        self.control(Target::Open { from: 0 });
    }

    // ===== readings =====

    /// The generation that a permit would carry now, if the state counts in a window.
    pub(crate) fn name(&self) -> Word {
        self.engine.load()
    }

    pub(crate) fn state(&self) -> State {
        self.engine.load().state()
    }

    /// What the window holds.
    pub(crate) fn counts(&self) -> Counts {
        self.engine.read(0, 0).counts
    }
}
