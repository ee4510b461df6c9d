//! The state word and the words beside it: who begins a generation, and that nobody else does.

use crate::breaker::engine::Target;
use crate::breaker::rules::{Config, WindowConfig};
use crate::event::TransitionCause;
use crate::phase::State;
use crate::race::{config, race, race3, rate, Breaker, SEATLESS, TICK};
use crate::runner::Model;
use crate::window::counts::Kind;

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("state::two_openers", 3, 6_000, two_openers),
    Model::bounded("state::trip_and_reset", 3, 510, trip_and_reset),
    Model::bounded("state::end_of_the_open_time", 3, 2_300, end_of_the_open_time),
    Model::bounded("state::end_of_the_open_time_and_reset", 3, 1_700, end_and_reset),
    Model::bounded("state::end_of_the_open_time_and_trip", 3, 1_900, end_and_trip),
    Model::whole("state::what_happened_before_a_trip", 8, before_a_trip),
    Model::bounded("state::three_at_the_end_of_the_open_time", 1, 4_500, three_at_the_end),
    Model::bounded("state::numbers_of_generation_and_open_period", 3, 30_000, numbers),
    Model::bounded("state::loser_erases_no_mark", 3, 13_000, loser_erases_no_mark),
    Model::bounded("state::loser_erases_no_shared_count", 2, 2_000, loser_erases_no_shared_count),
];

/// A failure rate of all calls, judged from two calls on.
const ALL_OF_TWO: Config = config(WindowConfig::Count { size: 2 }, rate(1_000_000, 2));
const ONE_FAILURE: Config = config(WindowConfig::Count { size: 1 }, rate(1_000_000, 1));

fn two_openers() {
    let breaker = Breaker::new(&ONE_FAILURE);
    let name = breaker.name();
    let (_, _, breaker) = race(breaker, move |b| b.fail(0, name), move |b| b.fail(1, name));
    assert_eq!(breaker.states(), [State::Open], "two failures that trip: one opens");
}

fn trip_and_reset() {
    let (_, _, breaker) = race(Breaker::new(&ALL_OF_TWO), Breaker::trip, Breaker::reset);
    let states = breaker.states();
    assert_eq!(states.len(), 2, "a control call begins a generation");
    assert_eq!(states[1], breaker.state(), "the last change is the state");
}

fn end_of_the_open_time() {
    let breaker = Breaker::new(&ALL_OF_TWO);
    breaker.trip();
    let (a, b, breaker) = race(breaker, |b| b.acquire(TICK), |b| b.acquire(TICK));
    assert!(a.is_some() ^ b.is_some(), "one place: one of two is granted it");
    assert_eq!(breaker.states(), [State::Open, State::HalfOpen], "the open time ends once");
    assert_eq!(breaker.changes()[1].cause, TransitionCause::OpenTimeOver, "and by itself");
}

fn end_and_reset() {
    let breaker = Breaker::new(&ALL_OF_TWO);
    breaker.trip();
    let (grant, _, breaker) = race(breaker, |b| b.acquire(TICK), Breaker::reset);
    let name = grant.expect("granted: the open time is over, or the breaker is closed");
    let states = breaker.states();
    let probe = [State::Open, State::HalfOpen, State::Closed];
    let expected =
        if name.state() == State::HalfOpen { &probe[..] } else { &[State::Open, State::Closed] };
    assert_eq!(states, expected, "the open time ends before the reset or not at all");
    assert_eq!(name.named_generation(), 2, "a permit names the generation of its grant");
}

fn end_and_trip() {
    let breaker = Breaker::new(&ALL_OF_TWO);
    breaker.trip();
    let (grant, _, breaker) =
        race(breaker, |b| b.acquire(TICK), |b| b.control(Target::Open { from: TICK }));
    let probe = [State::Open, State::HalfOpen, State::Open];
    let expected = if grant.is_some() { &probe[..] } else { &[State::Open, State::Open] };
    assert_eq!(breaker.states(), expected, "the open time ends before it is renewed or not at all");
}

/// E2: the cell is no atomic, so that loom finds any access that is not ordered.
fn before_a_trip() {
    race(
        (Breaker::new(&ONE_FAILURE), loom::cell::Cell::new(0)),
        |(b, note)| {
            note.set(7);
            b.fail(0, b.name());
        },
        |(b, note)| {
            // As the breaker's face refuses: by the word alone, with no other reading behind it.
            if b.engine.surely_open_for(b.name(), 0).is_some() {
                assert_eq!(note.get(), 7, "what happened before a trip is seen behind a refusal");
            }
        },
    );
}

fn three_at_the_end() {
    let mut two_places = ALL_OF_TWO;
    (two_places.half_open.places, two_places.half_open.decide_at) = (2, 2);
    let breaker = Breaker::new(&two_places);
    breaker.trip();
    let acquire = |b: &Breaker| b.acquire(TICK).is_some();
    let (a, b, c, breaker) = race3(breaker, acquire, acquire, acquire);
    let granted = [a, b, c].into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 2, "two places are granted to three, no more and no fewer");
    assert_eq!(breaker.states(), [State::Open, State::HalfOpen], "the open time ends once");
}

fn numbers() {
    let breaker = Breaker::new(&ALL_OF_TWO);
    breaker.trip();
    let (_, _, breaker) = race(
        breaker,
        |b| {
            b.trip();
            b.trip();
        },
        Breaker::trip,
    );
    assert_eq!(breaker.states(), [State::Open; 4], "four control calls, four generations");
    let reading = breaker.engine.read(0, 0);
    let numbers = (reading.generation, reading.attempt);
    assert_eq!(numbers, (4, 4), "the words beside the state complete it");
}

/// A thread that loses the race to leave a generation has noted no base in the next one.
fn loser_erases_no_mark() {
    let breaker = Breaker::new(&ALL_OF_TWO);
    let name = breaker.name();
    breaker.fail(1, name);
    let (_, _, breaker) = race(
        breaker,
        move |b| b.record(0, name, Kind::Failure, 0), // Opens, or loses against the reset.
        |b| {
            b.reset();
            b.fail(1, b.name());
        },
    );
    assert_eq!(breaker.state(), State::Closed, "the reset comes last");
    assert_eq!(breaker.counts().failures, 1, "a failure after the reset stays in the window");
}

/// E6: it clears no shared word that has counted in the next generation.
fn loser_erases_no_shared_count() {
    let breaker = Breaker::new(&ONE_FAILURE);
    breaker.succeed(SEATLESS, breaker.name()); // What is there to be cleared.
    breaker.reset();
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.fail(0, name), // Opens, or loses against the reset.
        |b| {
            b.reset();
            b.succeed(SEATLESS, b.name());
        },
    );
    assert_eq!(breaker.state(), State::Closed, "the reset comes last");
    assert_eq!(breaker.counts().calls, 1, "a success after the reset stays in the window");
}
