//! Does what a plan says, and writes down what came of it.
//!
//! Nothing here knows what kind of threads it runs on: whoever does has them meet between the phases. Messages go through
//! a mutex of the standard library, which orders a little more than is written down; the check then forbids less.

use std::sync::Mutex;

use crate::history::{Answer, At, Call, History, Op};
use crate::plan::{Plan, Step};
use crate::subject::Subject;

/// What the threads of a history share.
pub struct Table<'a, S: Subject> {
    breaker: &'a S,
    inboxes: Vec<Mutex<Vec<Message<S::Permit<'a>>>>>,
    /// How many calls each thread had made when all met last.
    made: Mutex<Vec<usize>>,
}

struct Message<P> {
    /// The last call that its sender made before.
    after: Option<At>,
    permit: Option<(At, P)>,
}

impl<'a, S: Subject> Table<'a, S> {
    pub fn new(breaker: &'a S, threads: usize) -> Self {
        let inboxes = (0..threads).map(|_| Mutex::new(Vec::new())).collect();
        Table { breaker, inboxes, made: Mutex::new(vec![0; threads]) }
    }
}

/// One thread of a history, with its log.
pub struct Player<'t, 'a, S: Subject> {
    table: &'t Table<'a, S>,
    thread: usize,
    hand: Vec<(At, S::Permit<'a>)>,
    log: Vec<Op>,
    /// What is known to have returned before the next call.
    after: Vec<At>,
}

impl<'t, 'a, S: Subject> Player<'t, 'a, S> {
    pub fn new(table: &'t Table<'a, S>, thread: usize) -> Self {
        Player { table, thread, hand: Vec::new(), log: Vec::with_capacity(32), after: Vec::new() }
    }

    /// The first part of a phase; then all threads meet.
    pub fn play_first(&mut self, plan: &Plan, phase: usize) {
        if self.thread == 0 {
            self.play(&plan.phases[phase].first);
        }
    }

    /// The second part of a phase; then all threads meet.
    pub fn play_phase(&mut self, plan: &Plan, phase: usize) {
        self.play(&plan.phases[phase].threads[self.thread]);
    }

    /// The whole plan.
    pub fn play_all(&mut self, plan: &Plan, meet: impl Fn()) {
        for phase in 0..plan.phases.len() {
            self.play_first(plan, phase);
            meet();
            self.play_phase(plan, phase);
            meet();
        }
    }

    fn play(&mut self, steps: &[Step]) {
        let made = self.table.made.lock().unwrap().clone();
        for (thread, made) in made.into_iter().enumerate() {
            if thread != self.thread && made > 0 {
                self.after.push(At { thread, index: made - 1 });
            }
        }
        for step in steps {
            self.step(*step);
        }
        self.table.made.lock().unwrap()[self.thread] = self.log.len();
    }

    fn step(&mut self, step: Step) {
        let breaker = self.table.breaker;
        match step {
            Step::Acquire => {
                let at = At { thread: self.thread, index: self.log.len() };
                let hand = &mut self.hand;
                Self::write(&mut self.log, &mut self.after, Call::Acquire, || {
                    match breaker.acquire() {
                        Ok(permit) => {
                            hand.push((at, permit));
                            Answer::Granted
                        }
                        Err((state, retry_after)) => Answer::Refused { state, retry_after },
                    }
                });
            }
            Step::Report { which, outcome, elapsed } => {
                if let Some(held) = self.hand.len().checked_sub(1) {
                    let (at, permit) = self.hand.swap_remove(which % (held + 1));
                    let call = Call::Report { permit: at, outcome, elapsed };
                    self.call(call, || Answer::Recorded(S::report(permit, outcome, elapsed)));
                }
            }
            Step::Control(control) => self.call(Call::Control(control), || {
                breaker.control(control);
                Answer::Nothing
            }),
            Step::State => self.call(Call::State, || Answer::State(breaker.state())),
            Step::Snapshot => self.call(Call::Snapshot, || Answer::Snapshot(breaker.snapshot())),
            Step::Advance(by) => self.call(Call::Advance(by), || {
                breaker.advance(by);
                Answer::Nothing
            }),
            Step::Send { to } => {
                let last = self.log.len().checked_sub(1);
                let after = last.map(|index| At { thread: self.thread, index });
                let message = Message { after, permit: self.hand.pop() };
                self.table.inboxes[to].lock().unwrap().push(message);
            }
            Step::Receive => {
                let messages =
                    std::mem::take(&mut *self.table.inboxes[self.thread].lock().unwrap());
                for Message { after, permit } in messages {
                    self.after.extend(after);
                    self.hand.extend(permit);
                }
            }
        }
    }

    fn call(&mut self, call: Call, make: impl FnOnce() -> Answer) {
        Self::write(&mut self.log, &mut self.after, call, make);
    }

    fn write(log: &mut Vec<Op>, after: &mut Vec<At>, call: Call, make: impl FnOnce() -> Answer) {
        let begin = S::wall();
        let answer = make();
        let end = S::wall();
        let notes = S::take_notes();
        let now = notes.readings.first().copied();
        assert!(
            notes.readings.iter().all(|reading| Some(*reading) == now),
            "{call:?} has read the clock twice, and differently: {:?}",
            notes.readings
        );
        let after = std::mem::take(after);
        log.push(Op { call, answer, now, heard: notes.heard, after, wall: (begin, end) });
    }

    /// What was written down. Permits that are still out are lost, as hung calls lose theirs.
    pub fn into_log(self) -> Vec<Op> {
        self.hand.into_iter().for_each(std::mem::forget);
        self.log
    }
}

impl<S: Subject> Drop for Table<'_, S> {
    fn drop(&mut self) {
        // Permits that nobody has received are lost too: their give-backs would be calls that nobody wrote down.
        for inbox in &mut self.inboxes {
            if let Ok(messages) = inbox.get_mut() {
                messages.drain(..).for_each(std::mem::forget);
            }
        }
    }
}

/// The history of a plan.
pub fn history(plan: &Plan, threads: Vec<Vec<Op>>) -> History {
    History { settings: plan.settings, threads }
}
