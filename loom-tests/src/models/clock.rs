//! The clock that is moved by hand: no move is lost, also where a weak exchange fails without a reason.

use core::time::Duration;

use crate::clock::manual::ManualClock;
use crate::clock::Clock;
use crate::race::{race, race3};
use crate::runner::Model;
use crate::sync::throw_coin;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("clock::advance_and_spurious_failure", 2, spurious_failure),
    Model::whole("clock::two_advance", 21_000, two_advance),
];

fn advance(clock: &ManualClock) {
    clock.advance(Duration::from_nanos(1));
}

fn spurious_failure() {
    let (_, _, clock) = race(ManualClock::new(), advance, |_| throw_coin());
    assert_eq!(clock.now_nanos(), 1, "a weak exchange that fails without a reason is tried again");
}

fn two_advance() {
    let (_, _, _, clock) = race3(ManualClock::new(), advance, advance, |_| throw_coin());
    assert_eq!(clock.now_nanos(), 2, "the clock moves by all that it was told");
}
