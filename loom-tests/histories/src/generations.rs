//! In which generations each call can have been, from the answers alone.
//!
//! Every change of state was heard, so the states of all generations are known before the search begins. A call that
//! committed nothing saw one of them; its answer and its neighbours say which. This only spares the search orders that
//! must fail, often long after the call that was put in a wrong generation.

use failfast::{Recorded, State};

use crate::history::{Answer, Call, Ordered, Part, PartOf, Set};

/// The generations that each call may have seen: as it began, for one that has committed a change.
///
/// # Errors
///
/// The number of a call that fits in none.
pub fn possible(ordered: &Ordered<'_>, states: &[State]) -> Result<Vec<Set>, usize> {
    let mut may: Vec<Set> = ordered.ops.iter().map(|part| of_answer(part, states)).collect();
    loop {
        let before = may.clone();
        for id in 0..may.len() {
            for earlier in ordered.direct(id) {
                // Seen first is the earlier generation, counted where the earlier call ends.
                let ends = ordered.ops[earlier].heard.len() as u32;
                may[id] &= from(lowest(may[earlier]) + ends);
                may[earlier] &= to((highest(may[id]) + 1).checked_sub(ends + 1));
            }
            let Part { op, step, .. } = ordered.ops[id];
            if let Call::Report { permit, .. } = op.call {
                let permit = ordered.number(permit);
                // A grant belongs to the generation that it ends in.
                let begun = ordered.ops[permit].heard.len() as u32;
                if step == PartOf::Lapse || op.answer == Answer::Recorded(Recorded::Counted) {
                    may[id] &= may[permit].checked_shl(begun).unwrap_or(0);
                    may[permit] &= may[id].checked_shr(begun).unwrap_or(0);
                } else {
                    may[id] &= from(lowest(may[permit]) + begun + 1);
                    may[permit] &= to(highest(may[id]).checked_sub(begun + 1));
                }
            }
        }
        if let Some(id) = may.iter().position(|set| *set == 0) {
            return Err(id);
        }
        if may == before {
            return Ok(may);
        }
    }
}

/// The generations in which a call could be answered so, whatever the others were answered.
fn of_answer(part: &Part<'_>, states: &[State]) -> Set {
    if let Some(first) = part.heard.first() {
        return first.generation.checked_sub(1).map_or(0, |generation| 1 << generation);
    }
    let timed = part.op.now.is_some();
    let fits = |generation: usize, state: State| match (&part.op.call, &part.op.answer) {
        // Who reads no clock can't take a place, of which the lease would have to know.
        (Call::Acquire, Answer::Granted) => match state {
            State::Closed | State::Disabled | State::MetricsOnly => true,
            State::HalfOpen => timed,
            State::Open | State::ForcedOpen => false,
        },
        (Call::Acquire, Answer::Refused { state: by, .. }) => state == *by,
        (Call::Snapshot, Answer::Snapshot(shown)) => shown.generation == generation as u64,
        (Call::State, Answer::State(shown)) => match shown {
            // Open or half-open is also what time makes of the one or the other.
            State::Open | State::HalfOpen => matches!(state, State::Open | State::HalfOpen),
            shown => state == *shown,
        },
        _ => true,
    };
    let all = states.iter().enumerate().filter(|(generation, state)| fits(*generation, **state));
    all.fold(0, |set, (generation, _)| set | 1 << generation)
}

fn lowest(set: Set) -> u32 {
    set.trailing_zeros()
}

/// The highest member; 0 of an empty set, which nobody will ask again.
fn highest(set: Set) -> u32 {
    Set::BITS - 1 - (set | 1).leading_zeros()
}

/// All from a number on.
fn from(least: u32) -> Set {
    Set::MAX.checked_shl(least).unwrap_or(0)
}

/// All up to a number.
fn to(most: Option<u32>) -> Set {
    match most {
        None => 0,
        Some(most) => Set::MAX >> (Set::BITS - 1 - most.min(Set::BITS - 1)),
    }
}
