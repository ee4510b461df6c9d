//! What threads called and were answered, and which call happened before which.
//!
//! Happens-before is the order within each thread and the recorded synchronisation between threads: messages, and the
//! seams between phases at which all threads meet. The clock on the wall says nothing; it is kept as a hint for the
//! search alone.

use std::fmt;
use std::time::Duration;

use failfast::{Outcome, Recorded, Snapshot, State, Transition, TransitionCause};

use crate::plan::Settings;

/// A call by its place: the thread, and how many calls of that thread came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At {
    pub thread: usize,
    pub index: usize,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call {
    Acquire,
    /// A report of the permit that the named acquire was granted; its elapsed time is measured where none is given.
    Report {
        permit: At,
        outcome: Outcome,
        elapsed: Option<Duration>,
    },
    Control(Control),
    State,
    Snapshot,
    /// No call: the thread moves the clock. What others make of it is in their readings.
    Advance(Duration),
}

/// The control calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Trip,
    HalfOpen,
    Reset,
    ForceOpen,
    Disable,
    MetricsOnly,
}

/// What the call answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Granted,
    Refused { state: State, retry_after: Option<Duration> },
    Recorded(Recorded),
    State(State),
    Snapshot(Snapshot),
    Nothing,
}

/// One call of a history.
#[derive(Clone, Debug)]
pub struct Op {
    pub call: Call,
    pub answer: Answer,
    /// The clock's reading that the call took, if it took one. (None takes two.)
    pub now: Option<Duration>,
    /// The changes of state that the call committed, as the observer heard them.
    pub heard: Vec<Transition>,
    /// The calls of other threads that are known to have returned before this one began.
    pub after: Vec<At>,
    /// Begin and end by some clock that all threads share roughly; orders nothing.
    pub wall: (u64, u64),
}

impl Op {
    /// A call that commits nothing, reads no clock, and follows only its own thread's.
    pub fn new(call: Call, answer: Answer) -> Self {
        Op { call, answer, now: None, heard: Vec::new(), after: Vec::new(), wall: (0, 0) }
    }
}

/// The calls of each thread, in its order.
#[derive(Clone, Debug)]
pub struct History {
    pub settings: Settings,
    pub threads: Vec<Vec<Op>>,
}

/// Calls by number, thread after thread, as sets of at most 128.
pub type Set = u128;

/// A history's calls by number, with the set of those that happen before each.
///
/// A call that commits the end of a lease does so in a step of its own, before the rest: others may see the breaker open
/// in between. Such a call has two numbers, one after the other.
#[derive(Debug)]
pub struct Ordered<'a> {
    pub ops: Vec<Part<'a>>,
    pub before: Vec<Set>,
    /// The number of each thread's calls.
    numbers: Vec<Vec<usize>>,
}

/// A call, or a step of it.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub op: &'a Op,
    pub at: At,
    pub step: PartOf,
    /// What this step has committed.
    pub heard: &'a [Transition],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOf {
    Lapse,
    Call,
}

impl<'a> Ordered<'a> {
    /// Numbers the calls and closes happens-before.
    ///
    /// # Panics
    ///
    /// On more than 128 calls, and where a call happens before itself: such a history was recorded wrongly.
    pub fn new(history: &'a History) -> Self {
        let mut ordered = Ordered { ops: Vec::new(), before: Vec::new(), numbers: Vec::new() };
        for (thread, ops) in history.threads.iter().enumerate() {
            let mut numbers = Vec::new();
            for (index, op) in ops.iter().enumerate() {
                let at = At { thread, index };
                let lapse = |change: &&Transition| {
                    matches!(change.cause, TransitionCause::ProbesLost { .. })
                };
                let lapses = usize::from(op.heard.first().filter(lapse).is_some());
                let (lapse, rest) = op.heard.split_at(lapses);
                if lapses > 0 {
                    ordered.ops.push(Part { op, at, step: PartOf::Lapse, heard: lapse });
                }
                numbers.push(ordered.ops.len());
                ordered.ops.push(Part { op, at, step: PartOf::Call, heard: rest });
            }
            ordered.numbers.push(numbers);
        }
        assert!(ordered.ops.len() <= 128, "a history of more than 128 calls");
        ordered.before = vec![0; ordered.ops.len()];
        // As often as there are calls at most: each turn closes every path by one more edge, or all are closed.
        loop {
            let mut grown = false;
            for id in 0..ordered.ops.len() {
                let direct = ordered.direct(id);
                let closed = direct
                    .iter()
                    .fold(ordered.before[id], |set, of| set | ordered.before[*of] | 1 << of);
                assert_eq!(
                    closed >> id & 1,
                    0,
                    "a call happens before itself: {}",
                    ordered.ops[id].at
                );
                grown |= closed != ordered.before[id];
                ordered.before[id] = closed;
            }
            if !grown {
                return ordered;
            }
        }
    }

    /// The calls right before a call: the last of its own thread, and those it is known to follow.
    pub fn direct(&self, id: usize) -> Vec<usize> {
        let Part { op, at, step, .. } = self.ops[id];
        let own = (id > 0 && self.ops[id - 1].at.thread == at.thread).then(|| id - 1);
        let first = step == PartOf::Lapse || own.is_none_or(|own| self.ops[own].at != at);
        let after = op.after.iter().filter(|_| first);
        own.into_iter().chain(after.map(|at| self.number(*at))).collect()
    }

    /// The number of a call; of its last step, if it has two.
    pub fn number(&self, at: At) -> usize {
        self.numbers[at.thread][at.index]
    }

    /// Whether neither happens before the other.
    pub fn overlap(&self, one: usize, other: usize) -> bool {
        one != other && self.before[one] >> other & 1 == 0 && self.before[other] >> one & 1 == 0
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.thread, self.index)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Call::Report { permit, outcome, elapsed: None } => {
                write!(f, "{outcome:?} of {permit}")?
            }
            Call::Report { permit, outcome, elapsed: Some(elapsed) } => {
                write!(f, "{outcome:?} of {permit} in {elapsed:?}")?;
            }
            call => write!(f, "{call:?}")?,
        }
        if self.answer != Answer::Nothing {
            write!(f, " -> {:?}", self.answer)?;
        }
        if let Some(now) = self.now {
            write!(f, "  at {} ns", now.as_nanos())?;
        }
        for Transition { from, to, generation, cause, .. } in &self.heard {
            write!(f, "  [{from} to {to}, generation {generation}: {cause:?}]")?;
        }
        for at in &self.after {
            write!(f, "  after {at}")?;
        }
        Ok(())
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.settings)?;
        for (thread, ops) in self.threads.iter().enumerate() {
            for (index, op) in ops.iter().enumerate() {
                writeln!(f, "  {thread}.{index:<3} {op}")?;
            }
        }
        Ok(())
    }
}
