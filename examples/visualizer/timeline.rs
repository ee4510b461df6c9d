//! The states of one breaker over the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use failfast::State;

use crate::track::{Columns, SPAN};

/// A breaker that changes its state a thousand times a minute is drawn no better with more.
const MOST: usize = 2_048;

/// Which states began when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    begun: VecDeque<(Duration, State)>,
}

impl Timeline {
    /// A state began. An instant before the last counts as the last's; the state that lasts anyway begins nothing.
    pub(crate) fn begin(&mut self, at: Duration, state: State) {
        let at = match self.begun.back() {
            Some(&(_, last)) if last == state => return,
            Some(&(begun, _)) => at.max(begun),
            None => at,
        };
        while self.begun.len() >= MOST
            || self.begun.get(1).is_some_and(|next| at.saturating_sub(next.0) > SPAN)
        {
            self.begun.pop_front();
        }
        self.begun.push_back((at, state));
    }

    /// The state that lasts, and when it began.
    pub(crate) fn last(&self) -> Option<(Duration, State)> {
        self.begun.back().copied()
    }

    /// The state to show in each column, of those that it held: a change to half-open lasts milliseconds and tells most.
    pub(crate) fn columns(&self, columns: &Columns) -> Vec<Option<State>> {
        (0..columns.count)
            .map(|column| {
                let (from, to) = columns.bounds(column)?;
                let next = self.begun.partition_point(|&(at, _)| at <= from);
                let within = self.begun.range(next..).take_while(|&&(at, _)| at < to);
                let before = next.checked_sub(1).and_then(|index| self.begun.get(index));
                before.into_iter().chain(within).map(|&(_, state)| state).max_by_key(telling)
            })
            .collect()
    }
}

/// The more, the rarer and the worse.
fn telling(state: &State) -> u8 {
    match state {
        State::Closed => 0,
        State::Disabled => 1,
        State::MetricsOnly => 2,
        State::Open => 3,
        State::ForcedOpen => 4,
        State::HalfOpen => 5,
    }
}
