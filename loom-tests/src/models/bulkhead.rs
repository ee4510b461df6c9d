//! Bulkheads: never more permits than places, nobody overtaken, and no place that comes free while somebody waits
//! lost on the way.

use loom::cell::UnsafeCell;

use crate::bulkhead::places::{Places, Refusal, TURNS};
use crate::race::{race, race3};
use crate::runner::Model;
use crate::sync::park;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("bulkhead::two_for_one_place", 87, two_for_one_place),
    Model::bounded("bulkhead::three_for_two_places", 3, 2_000, three_for_two_places),
    Model::bounded("bulkhead::place_is_handed_over", 3, 240, place_is_handed_over),
    Model::whole("bulkhead::next_holder_sees_the_last", 1_400, next_holder_sees_the_last),
    Model::bounded("bulkhead::waiter_sees_the_last_holder", 3, 240, waiter_sees_the_last_holder),
    Model::bounded("bulkhead::attempt_hides_a_place", 2, 2_300, attempt_hides_a_place),
    Model::bounded("bulkhead::two_give_back_to_two", 2, 12_800, two_give_back_to_two),
    Model::bounded("bulkhead::giver_while_another_leaves", 2, 5_800, giver_while_another_leaves),
    Model::bounded(
        "bulkhead::giver_while_another_leaves_the_rest",
        2,
        5_600,
        giver_while_another_leaves_the_rest,
    ),
    Model::bounded("bulkhead::late_grant", 4, 690, late_grant),
    Model::bounded("bulkhead::grown_while_one_waits", 4, 2_000, grown_while_one_waits),
    Model::bounded("bulkhead::shrunk_while_one_comes", 4, 1_400, shrunk_while_one_comes),
];

/// Waits until granted, for ever: a place that is lost on the way is a deadlock, which loom reports.
fn wait(places: &Places) {
    let taken = places.take_waiting(|| {
        park();
        true
    });
    assert_eq!(taken, Ok(()));
}

fn full(limit: u32) -> Places {
    filled(Places::new(limit, TURNS), limit)
}

fn filled(places: Places, limit: u32) -> Places {
    for _ in 0..limit {
        places.try_take().expect("fresh");
    }
    places
}

/// Places, and something that only their holders touch.
struct Held(Places, UnsafeCell<u32>);

impl Held {
    fn touch(&self) {
        self.1.with_mut(|_| ());
    }

    fn touch_and_give_back(&self) {
        self.touch();
        self.0.give_back();
    }
}

fn assert_rest(places: &Places, held: u32) {
    let word = places.load();
    assert_eq!((word.held(), word.waiting()), (held, 0), "the books are right at rest");
}

fn two_for_one_place() {
    let take = |places: &Places| places.try_take().is_ok();
    let (a, b, places) = race(Places::new(1, TURNS), take, take);
    assert!(a ^ b, "one place, one permit: {a} {b}");
    assert_rest(&places, 1);
}

fn three_for_two_places() {
    let take = |places: &Places| u32::from(places.try_take().is_ok());
    let (a, b, c, places) = race3(Places::new(2, TURNS), take, take, take);
    assert_eq!(a + b + c, 2, "only an attempt that is refused makes another be refused");
    assert_rest(&places, 2);
}

fn place_is_handed_over() {
    let (_, _, places) = race(full(1), wait, Places::give_back);
    assert_rest(&places, 1);
}

/// B1: what the last holder did is seen by the next.
fn next_holder_sees_the_last() {
    let touch = |held: &Held| {
        if held.0.try_take().is_ok() {
            held.touch_and_give_back();
        }
    };
    race(Held(Places::new(1, TURNS), UnsafeCell::new(0)), touch, touch);
}

/// B1 and B2: the same through the queue.
fn waiter_sees_the_last_holder() {
    let take = |held: &Held| {
        wait(&held.0);
        held.touch();
    };
    race(Held(full(1), UnsafeCell::new(0)), take, Held::touch_and_give_back);
}

/// An attempt that will be refused counts as held for a moment: a waiter that came meanwhile, and a place that was given
/// back meanwhile, must still find each other.
fn attempt_hides_a_place() {
    let attempt = |places: &Places| {
        if places.try_take().is_ok() {
            places.give_back();
        }
    };
    let (_, _, _, places) = race3(full(1), attempt, Places::give_back, wait);
    assert_rest(&places, 1);
}

/// B3: of two that give back, the one that finds the queue locked leaves it to the other; B1 and B2: that one hands on
/// what the first has done.
fn two_give_back_to_two() {
    let give = |held: &Held| held.0.give_back();
    let take_both = |held: &Held| {
        wait(&held.0);
        wait(&held.0);
        held.touch();
    };
    let held = Held(full(2), UnsafeCell::new(0));
    let (_, _, _, held) = race3(held, Held::touch_and_give_back, give, take_both);
    assert_rest(&held.0, 2);
}

/// B3: one that leaves the queue holds its lock while a place comes free for the next.
fn giver_while_another_leaves() {
    leave_wait_and_give(TURNS);
}

/// The same by callers that take one turn at the queue: what is left to them meanwhile they leave to the first in it.
fn giver_while_another_leaves_the_rest() {
    leave_wait_and_give(1);
}

fn leave_wait_and_give(turns: u32) {
    let leave = |places: &Places| match places.take_waiting(|| false) {
        Ok(()) => places.give_back(),
        Err(refusal) => assert!(matches!(refusal, Refusal::Late(_)), "{refusal:?}"),
    };
    let (_, _, _, places) = race3(filled(Places::new(1, turns), 1), leave, wait, Places::give_back);
    assert_rest(&places, 1);
}

/// A grant that comes when the waiter has given up is not lost.
fn late_grant() {
    let (taken, _, places) =
        race(full(1), |places: &Places| places.take_waiting(|| false).is_ok(), Places::give_back);
    assert_rest(&places, u32::from(taken));
}

fn grown_while_one_waits() {
    let (_, _, places) = race(full(1), wait, |places: &Places| places.resize(2));
    assert_rest(&places, 2);
}

fn shrunk_while_one_comes() {
    let take = |places: &Places| u32::from(places.try_take().is_ok());
    let (before, after, places) = race(
        Places::new(2, TURNS),
        move |places: &Places| take(places) + take(places),
        move |places: &Places| {
            places.resize(1);
            take(places)
        },
    );
    assert!(before + after > 0 && (after == 0 || before == 0), "one place: {before}, {after}");
    assert_rest(&places, before + after);
}
