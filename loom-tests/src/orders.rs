//! What a window may do under overlapping outcomes, by trying every order of them one after the other.
//!
//! A breaker at rest must be what one of the orders makes of it: open if all of them trip, closed if none does, and
//! if it is closed, with the window of an order that does not trip.

use crate::breaker::rules::{reaches, Rules, WindowConfig};
use crate::outcome::Recorded;
use crate::phase::State;
use crate::race::{config, start, Breaker};
use crate::window::counts::{Counts, Kind};
use std::sync::Arc;

/// What an order ends with: open, or a window and a run of failures.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Open,
    Closed { counts: Counts, run: u64 },
}

/// Records `before` one after the other on the last thread's seat, then lets the threads race, and holds the breaker
/// at rest against the orders. A thread is a seat and its outcomes; all are recorded at the instant 0.
pub(crate) fn check(
    window: WindowConfig,
    rules: Rules,
    before: &[Kind],
    threads: &[(usize, &'static [Kind])],
) {
    let breaker = Arc::new(Breaker::new(&config(window, rules)));
    let name = breaker.name();
    let (&(last_seat, last_outcomes), others) = threads.split_last().expect("a thread");
    for kind in before {
        assert_eq!(breaker.record(last_seat, name, *kind, 0), Recorded::Counted);
    }
    let record_all = move |breaker: &Breaker, seat, outcomes: &[Kind]| {
        for kind in outcomes {
            breaker.record(seat, name, *kind, 0);
        }
    };
    let spawned: Vec<_> = others
        .iter()
        .zip(1..)
        .map(|(&(seat, outcomes), number)| {
            start(number, &breaker, move |breaker| record_all(breaker, seat, outcomes))
        })
        .collect();
    record_all(&breaker, last_seat, last_outcomes);
    for thread in spawned {
        thread.join().unwrap();
    }
    let reading = breaker.engine.read(0, 0);
    let end = match reading.state {
        State::Closed => End::Closed { counts: reading.counts, run: reading.run },
        _ => End::Open,
    };
    assert!(breaker.changes().len() <= 1, "an open breaker is not opened again");
    let mut ends = Vec::new();
    let left: Vec<&[Kind]> = threads.iter().map(|(_, outcomes)| *outcomes).collect();
    try_orders(window, &rules, before.to_vec(), &left, &mut ends);
    assert!(ends.contains(&end), "no order of the outcomes ends with {end:?}, but with {ends:?}");
}

/// Adds what every order of the outcomes that are left ends with, after those that are done.
fn try_orders(
    window: WindowConfig,
    rules: &Rules,
    done: Vec<Kind>,
    left: &[&[Kind]],
    ends: &mut Vec<End>,
) {
    if left.iter().all(|outcomes| outcomes.is_empty()) {
        ends.push(end_of(window, rules, &done));
    }
    for (index, outcomes) in left.iter().enumerate() {
        if let Some((next, rest)) = outcomes.split_first() {
            let mut left = left.to_vec();
            left[index] = rest;
            try_orders(window, rules, [done.as_slice(), &[*next]].concat(), &left, ends);
        }
    }
}

fn end_of(window: WindowConfig, rules: &Rules, order: &[Kind]) -> End {
    let size = match window {
        WindowConfig::Count { size } => size as usize,
        WindowConfig::Time { .. } => usize::MAX,
        WindowConfig::Consecutive => 0,
    };
    let mut end = End::Closed { counts: Counts::default(), run: 0 };
    for last in 1..=order.len() {
        let mut counts = Counts::default();
        for kind in order[..last].iter().rev().take(size) {
            counts.add(*kind, 1);
        }
        let run = order[..last].iter().rev().take_while(|kind| kind.failed()).count() as u64;
        let trips = (counts.calls >= u64::from(rules.min_calls)
            && (reaches(rules.failure_ppm.into(), counts.failures, counts.calls)
                || reaches(rules.slow_ppm.into(), counts.slow, counts.calls)))
            || (rules.failure_count > 0 && counts.failures >= rules.failure_count.into())
            || (rules.run > 0 && run >= rules.run.into());
        if trips {
            return End::Open;
        }
        end = End::Closed { counts, run: if rules.run > 0 { run } else { 0 } };
    }
    end
}
