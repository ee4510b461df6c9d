//! The state word and the words beside it.

use crate::breaker::cell::StateCell;
use crate::breaker::engine::Target;
use crate::breaker::rules::{Config, WindowConfig};
use crate::breaker::state::Word;
use crate::phase::State;
use crate::race::{config, race, race3, rate, Breaker, NO_RULES, TICK};
use crate::runner::Model;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("two_control_calls_begin_one_generation_each", 10, two_control_calls),
    Model::whole("at_the_end_of_the_open_time_one_opens_half", 10, end_of_the_open_time),
];

const COUNT: Config = config(WindowConfig::Count { size: 2 }, rate(1_000_000, 2));

fn two_control_calls() {
    let (_, _, breaker) = race(Breaker::new(&COUNT), Breaker::trip, Breaker::reset);
    let states = breaker.states();
    assert_eq!(states.len(), 2, "a control call begins a generation");
    assert_eq!(states[1], breaker.state(), "the last change is the state");
}

fn end_of_the_open_time() {
    let breaker = Breaker::new(&COUNT);
    breaker.trip();
    let (a, b, breaker) = race(breaker, |b| b.acquire(TICK), |b| b.acquire(TICK));
    assert!(a.is_some() ^ b.is_some(), "one place: one of two is granted it");
    assert_eq!(breaker.states(), [State::Open, State::HalfOpen], "the open time ends once");
}
