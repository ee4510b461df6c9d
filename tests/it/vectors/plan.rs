//! From a trace to the stretches of it that are compared.
//!
//! A [`Planner`] (one a peer) turns each operation into a call of ours and the answer that the contract demands. At the
//! first operation where the contract differs from the peer on purpose it stops, with the reason; a new stretch begins
//! where the peer next is as if newly built.

use failfast::State;

use crate::subject::Control;

use super::course::{Course, Reading, Stop};
use super::replay::{control_into, Answer, Call, Settings, Step};
use super::scale::{Scale, Wait};
use super::trace::{whole, Kind, Op, Trace};

/// What a planner makes of one operation.
pub(crate) type Planned = Result<(Call, Answer, Reading), Stop>;

/// One peer's semantics, as documented beside the traces.
pub(crate) trait Planner: Sized {
    /// The times in the configuration that have to be whole units.
    fn times(trace: &Trace) -> Vec<u64>;
    /// Reads a configuration: an error if we have no such setting, `None` if it is out of our range at this scale.
    fn read(trace: &Trace, scale: Scale) -> Result<Option<Self>, &'static str>;
    /// Our settings for it; several where more than one of ours means the same.
    fn settings(&self) -> Vec<Settings>;
    /// The longest period of absolute time that matters, in the trace's time.
    fn cycle(&self) -> Option<u64> {
        None
    }
    /// Our open wait.
    fn wait(&self) -> Wait;
    /// Forgets the past: a breaker newly built, or one that has just entered this state with an empty window.
    fn begin(&mut self, course: &mut Course, initial: State);
    /// Plans one operation.
    fn plan(&mut self, course: &mut Course, op: &Op) -> Planned;
    /// Whether the peer is, after this operation, as one newly built in the state that it shows.
    fn starts_afresh(before: State, op: &Op) -> bool;
    /// The state in which the peer was built.
    fn initial(_trace: &Trace) -> State {
        State::Closed
    }
}

/// A part of a trace, from a fresh state to the first operation on which the two differ on purpose.
pub(crate) struct Stretch {
    pub(crate) settings: Vec<Settings>,
    pub(crate) clock_start: u64,
    pub(crate) initial: Option<Control>,
    pub(crate) steps: Vec<Step>,
    pub(crate) stop: Stop,
}

/// A whole trace, planned twice.
pub(crate) struct Plan {
    /// In the trace's own nanoseconds.
    pub(crate) as_recorded: Vec<Stretch>,
    /// At the scale that compares most.
    pub(crate) stretched: Vec<Stretch>,
}

/// Plans a trace; an error says which setting we do not have.
pub(crate) fn plan<P: Planner>(trace: &Trace) -> Result<Plan, &'static str> {
    let advances = trace.ops.iter().filter_map(|op| match op.kind {
        Kind::Advance { ns } => Some(ns),
        _ => None,
    });
    let times = advances.chain(P::times(trace));
    let at = |scale| -> Result<Vec<Stretch>, &'static str> {
        let planner = P::read(trace, scale)?;
        Ok(planner.map_or_else(Vec::new, |planner| stretches(planner, trace, scale)))
    };
    let as_recorded = at(Scale::AS_RECORDED)?;
    let mut stretched = Vec::new();
    let steps = |stretches: &[Stretch]| stretches.iter().map(|s| s.steps.len()).sum::<usize>();
    for scale in Scale::stretched(times) {
        let planned = at(scale)?;
        if steps(&planned) > steps(&stretched) {
            stretched = planned;
        }
    }
    Ok(Plan { as_recorded, stretched })
}

fn stretches<P: Planner>(mut planner: P, trace: &Trace, scale: Scale) -> Vec<Stretch> {
    let mut clock = whole(&trace.config["clock_start_ns"]);
    let mut stretches = Vec::new();
    let mut state = P::initial(trace);
    let mut course: Option<(Course, Stretch)> = Some(begin(&mut planner, scale, clock, state));
    for (index, op) in trace.ops.iter().enumerate() {
        if let Kind::Advance { ns } = op.kind {
            clock += ns;
        }
        if let Some((course, stretch)) = &mut course {
            match step(&mut planner, course, op, index) {
                Ok(step) => stretch.steps.push(step),
                Err(stop) => stretch.stop = stop,
            }
        }
        let before = state;
        state = op.state.unwrap_or(state);
        if matches!(&course, Some((_, stretch)) if stretch.stop != Stop::End) {
            stretches.extend(course.take().map(|(_, stretch)| stretch));
        }
        if course.is_none() && P::starts_afresh(before, op) {
            course = Some(begin(&mut planner, scale, clock, state));
        }
    }
    stretches.extend(course.map(|(_, stretch)| stretch));
    stretches.retain(|stretch| !stretch.steps.is_empty());
    stretches
}

fn begin<P: Planner>(
    planner: &mut P,
    scale: Scale,
    clock: u64,
    initial: State,
) -> (Course, Stretch) {
    let settings = planner.settings();
    let mut course = Course::new(scale, planner.wait(), &settings[0]);
    planner.begin(&mut course, initial);
    let stretch = Stretch {
        settings,
        clock_start: scale.start(clock, planner.cycle()),
        initial: control_into(initial),
        steps: Vec::new(),
        stop: Stop::End,
    };
    (course, stretch)
}

fn step<P: Planner>(
    planner: &mut P,
    course: &mut Course,
    op: &Op,
    index: usize,
) -> Result<Step, Stop> {
    if let Kind::Advance { ns } = op.kind {
        course.pass(ns)?;
    }
    let (call, answer, reading) = planner.plan(course, op)?;
    Ok(Step { op: index, call, expected: course.expected(answer, reading) })
}
