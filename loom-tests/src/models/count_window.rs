//! The count window and the runs.

use crate::breaker::rules::{Config, WindowConfig};
use crate::phase::State;
use crate::race::{config, race, race3, rate, Breaker, NO_RULES, TICK};
use crate::runner::Model;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("two_failures_that_together_trip", 100, two_failures),
    Model::whole("a_failure_and_a_success_reach_the_minimum", 100, failure_and_success),
];

const fn count(size: u32, failure_ppm: u32, min_calls: u32) -> Config {
    config(WindowConfig::Count { size }, rate(failure_ppm, min_calls))
}

fn two_failures() {
    let breaker = Breaker::new(&count(2, 1_000_000, 2));
    let name = breaker.name();
    let (_, _, breaker) = race(breaker, move |b| b.fail(0, name), move |b| b.fail(1, name));
    assert_eq!(breaker.states(), [State::Open], "two failures of two trip in every order");
}

fn failure_and_success() {
    let breaker = Breaker::new(&count(4, 400_000, 2));
    let name = breaker.name();
    let (_, _, breaker) = race(breaker, move |b| b.fail(0, name), move |b| b.succeed(1, name));
    assert_eq!(breaker.states(), [State::Open], "one failure of two trips in every order");
}
