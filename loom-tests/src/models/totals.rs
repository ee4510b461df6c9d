//! Totals: no part without its whole, no transition by halves, and the last ones as they were.

use core::time::Duration;

use crate::event::{Transition, TransitionCause};
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::race::{race, race3};
use crate::runner::Model;
use crate::sync::{AtomicU64, Ordering};
use crate::totals::history::{History, SLOTS};
use crate::totals::{Count, Tally, Totals};

pub(crate) const MODELS: &[Model] = &[
    Model::whole("totals::outcome_and_its_permit", 30, outcome_and_its_permit),
    Model::whole("totals::outcome_on_another_thread", 900, outcome_on_another_thread),
    Model::whole("totals::slow_probe_and_its_outcome", 100, slow_probe_and_its_outcome),
    Model::bounded("totals::two_without_a_stripe", 3, 2_000, two_without_a_stripe),
    Model::bounded("totals::reading_during_a_transition", 2, 44_000, reading_during_a_transition),
    Model::bounded("totals::opening_and_its_transition", 2, 390, opening_and_its_transition),
    Model::bounded(
        "totals::false_opening_and_its_opening",
        2,
        7_200,
        false_opening_and_its_opening,
    ),
    Model::bounded("totals::two_trips_at_once", 2, 75, two_trips_at_once),
    Model::bounded("totals::two_rounds_lost_at_once", 2, 75, two_rounds_lost_at_once),
    Model::whole("totals::would_trip_twice", 80, would_trip_twice),
    Model::whole("totals::would_trip_again", 200, would_trip_again),
    Model::bounded("history::two_generations_of_a_slot", 4, 65_000, two_generations_of_a_slot),
    Model::bounded("history::older_one_comes_late", 3, 73_000, older_one_comes_late),
];

/// No stripe of anybody's.
const NO_SEAT: usize = 9;

fn read(tally: &Tally) -> Totals {
    tally.read_calls()
}

/// Who sees an outcome sees its permit.
fn outcome_and_its_permit() {
    let call = |tally: &Tally| {
        tally.add(0, Count::Permitted);
        tally.settled(0, State::Closed, Outcome::Failure, false, Recorded::Counted);
    };
    let (_, totals, tally) = race(Tally::new(1), call, read);
    assert!(totals.failed <= totals.permitted, "an outcome without its permit");
    let totals = read(&tally);
    assert_eq!((totals.permitted, totals.failed, totals.in_flight()), (1, 1, 0));
}

/// The permit went to another thread, which reported.
fn outcome_on_another_thread() {
    let shared = (Tally::new(2), AtomicU64::new(0));
    let acquire = |(tally, handed_over): &(Tally, AtomicU64)| {
        tally.add(0, Count::Permitted);
        handed_over.store(1, Ordering::Release);
    };
    let report = |(tally, handed_over): &(Tally, AtomicU64)| {
        if handed_over.load(Ordering::Acquire) == 1 {
            tally.settled(1, State::Closed, Outcome::Success, false, Recorded::Counted);
        }
    };
    let (_, _, totals, _) = race3(shared, acquire, report, |(tally, _)| read(tally));
    assert!(totals.succeeded <= totals.permitted, "an outcome without its permit");
}

/// Who sees a slow call or a probe sees the outcome.
fn slow_probe_and_its_outcome() {
    let report = |tally: &Tally| {
        tally.settled(0, State::HalfOpen, Outcome::Success, true, Recorded::Counted);
    };
    let (_, totals, tally) = race(Tally::new(1), report, read);
    assert!(totals.slow <= totals.succeeded, "a slow call without its outcome");
    assert!(totals.probes_succeeded <= totals.slow, "these are counted last");
    let totals = read(&tally);
    assert_eq!((totals.succeeded, totals.slow, totals.probes_succeeded), (1, 1, 1));
}

/// Threads that share the overflow words lose nothing of each other.
fn two_without_a_stripe() {
    let call = |tally: &Tally| {
        tally.add(NO_SEAT, Count::Permitted);
        tally.add(NO_SEAT, Count::Succeeded);
    };
    let (_, _, totals, tally) = race3(Tally::new(1), call, call, read);
    assert!(totals.succeeded <= totals.permitted, "an outcome without its permit");
    assert_eq!((read(&tally).permitted, read(&tally).succeeded), (2, 2));
}

const fn change(from: State, to: State, generation: u64) -> Transition {
    Transition { from, to, generation, cause: TransitionCause::Control, at: Duration::ZERO }
}

/// Closed for 10 and open since; a reading at 100 shows the times before the change or after it, not between.
fn reading_during_a_transition() {
    let at_100 = |(tally, generation): &(Tally, AtomicU64)| {
        tally.read(100, &|| match generation.load(Ordering::Acquire) {
            0 => (0, State::Closed),
            _ => (1, State::Open),
        })
    };
    let trip = |(tally, generation): &(Tally, AtomicU64)| {
        generation.store(1, Ordering::Release);
        tally.publish(&change(State::Closed, State::Open, 1), 10);
    };
    let (_, totals, shared) = race((Tally::new(1), AtomicU64::new(0)), trip, at_100);
    let times = |totals: &Totals| {
        [State::Closed, State::Open].map(|state| totals.time_in(state).as_nanos())
    };
    // Zeroes where no reading found a moment without a change under way.
    let whole = [[100, 0], [10, 90], [0, 0]];
    assert!(whole.contains(&times(&totals)), "half a change: {:?}", times(&totals));
    let later = at_100(&shared);
    assert_eq!(later.transitions(State::Closed, State::Open), 1);
    assert_eq!(later.time_in(State::Open).as_nanos(), 90);
}

const TRIP: Transition = Transition {
    cause: TransitionCause::FailureCount { failures: 1 },
    ..change(State::Closed, State::Open, 1)
};

/// One look at what transitions have added, though one of them may be half added.
fn look(tally: &Tally) -> Totals {
    let mut totals = Totals::default();
    tally.read_changes(&mut totals, 100, &|| (1, State::Open));
    totals
}

/// Who sees an opening sees the transition.
fn opening_and_its_transition() {
    let (_, totals, _) = race(Tally::new(1), |tally| tally.publish(&TRIP, 10), look);
    assert!(totals.openings <= totals.transitions(State::Closed, State::Open));
}

/// Who sees that an opening was false sees the opening. (If another thread has added that: the history brings it.)
fn false_opening_and_its_opening() {
    let closed = Transition {
        cause: TransitionCause::ProbesSucceeded { calls: 1, failures: 0 },
        ..change(State::HalfOpen, State::Closed, 3)
    };
    let there_and_back = move |tally: &Tally| {
        tally.publish(&TRIP, 10);
        tally.publish(&closed, 30);
    };
    let (_, totals, _) = race(Tally::new(1), there_and_back, look);
    assert!(totals.false_positives <= totals.openings);
}

/// Two threads add transitions of one kind, in either order: both are there.
fn two_added_at_once(cause: TransitionCause) -> Totals {
    let trip = |generation, at| {
        move |tally: &Tally| {
            let change = change(State::Closed, State::Open, generation);
            tally.publish(&Transition { cause, ..change }, at);
        }
    };
    let (_, _, tally) = race(Tally::new(1), trip(1, 10), trip(3, 30));
    let totals = tally.read(50, &|| (2, State::Open));
    assert_eq!(totals.transitions(State::Closed, State::Open), 2);
    assert_eq!(totals.causes().map(|(_, changes)| changes).sum::<u64>(), 2);
    let times = [State::Closed, State::Open].map(|state| totals.time_in(state).as_nanos());
    assert_eq!(times, [10 + 30, 50 - 10 - 30], "a transition was not added");
    totals
}

fn two_trips_at_once() {
    assert_eq!(two_added_at_once(TransitionCause::FailureCount { failures: 1 }).openings, 2);
}

fn two_rounds_lost_at_once() {
    let totals = two_added_at_once(TransitionCause::ProbesLost { outstanding: 3 });
    assert_eq!(totals.probes_lost, 6);
}

/// Two failures find at once that a metrics-only breaker would have tripped: once.
fn would_trip_twice() {
    let note = |tally: &Tally| tally.would_trip(50, 30);
    let (first, second, tally) = race(Tally::new(1), note, note);
    assert!(first != second);
    let totals = tally.read(0, &|| (0, State::Closed));
    assert_eq!(totals.would_have_tripped, 1);
}

/// The same, an open time apart: as often as each was told so.
fn would_trip_again() {
    let note = |now| move |tally: &Tally| tally.would_trip(now, 30);
    let (first, second, tally) = race(Tally::new(1), note(50), note(100));
    let totals = tally.read(0, &|| (0, State::Closed));
    assert_eq!(totals.would_have_tripped, u64::from(first) + u64::from(second));
}

/// A transition whose numbers tell its generation.
fn telling(generation: u64) -> Transition {
    Transition {
        from: State::Closed,
        to: State::Open,
        generation,
        cause: TransitionCause::FailureRate { failures: generation, calls: 2 * generation },
        at: Duration::from_nanos(3 * generation),
    }
}

/// Whatever stands in the slot must be whole.
fn tells_the_truth(history: &History) -> bool {
    history.look(1).is_none_or(|transition| transition == telling(transition.generation))
}

/// A reader of a slot that is written twice sees one of the two, or nothing.
fn two_generations_of_a_slot() {
    let write = |history: &History| {
        history.write(&telling(1));
        history.write(&telling(1 + SLOTS));
    };
    let (_, whole, history) = race(History::new(), write, tells_the_truth);
    assert!(whole, "two transitions were mixed");
    assert_eq!(history.all(), [telling(1 + SLOTS)]);
}

/// Two threads write the same slot: nobody sees a mixture, and the older never takes the place of the younger.
fn older_one_comes_late() {
    let write = |generation| move |history: &History| history.write(&telling(generation));
    let (_, _, whole, history) = race3(History::new(), write(1), write(1 + SLOTS), tells_the_truth);
    assert!(whole && tells_the_truth(&history), "two transitions were mixed");
    assert_eq!(history.all().len(), 1, "one of the two found the slot free");
}
