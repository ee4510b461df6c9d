//! Totals as data: tables by the names of states and causes.

use core::time::Duration;

use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::Serialize;

use crate::event::TransitionCause;
use crate::phase::State;

const STATES: usize = State::ALL.len();

#[derive(Serialize)]
struct Changes {
    from: State,
    to: State,
    count: u64,
}

/// The pairs of states between which there were changes.
pub(super) fn transitions<S: Serializer>(
    transitions: &[[u64; STATES]; STATES],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for (from, row) in State::ALL.into_iter().zip(transitions) {
        for (to, count) in State::ALL.into_iter().zip(row).filter(|(_, count)| **count > 0) {
            list.serialize_element(&Changes { from, to, count: *count })?;
        }
    }
    list.end()
}

/// Every cause with its count.
pub(super) fn causes<S: Serializer>(
    causes: &[u64; TransitionCause::KINDS.len()],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(TransitionCause::KINDS.into_iter().zip(causes))
}

/// Every state with its seconds.
pub(super) fn seconds_in<S: Serializer>(
    time_in: &[Duration; STATES],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(STATES))?;
    for (state, time) in State::ALL.iter().zip(time_in) {
        map.serialize_entry(state, &time.as_secs_f64())?;
    }
    map.end()
}
