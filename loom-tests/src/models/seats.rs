//! Seats: one owner at a time, and nothing lost when they change hands.

use crate::breaker::state::Word;
use crate::race::{race, race3};
use crate::runner::Model;
use crate::seats::{Seats, WORDS};
use crate::sync::AtomicU64;
use crate::window::stripes::Stripes;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("seats::two_claimers", 87, two_claimers),
    Model::whole("seats::owner_after_owner", 2_700, owner_after_owner),
    Model::bounded("seats::release_between_two_claims", 3, 1_500, release_between),
];

fn seats() -> Seats {
    Seats::over([0; WORDS].map(AtomicU64::new))
}

fn two_claimers() {
    let (a, b, _) = race(seats(), Seats::claim, Seats::claim);
    assert!(a.is_some() && b.is_some(), "there are seats for both");
    assert_ne!(a, b, "a seat has one owner");
}

/// E7: the next owner of a seat reads what the last has written.
fn owner_after_owner() {
    let count = |shared: &(Seats, Stripes)| {
        let (seats, stripes) = shared;
        let seat = seats.claim().expect("two seats for two threads");
        stripes.count(seat, Word::START, &|| true);
        seats.release(seat);
    };
    let (_, _, shared) = race((seats(), Stripes::new(2)), count, count);
    assert_eq!(shared.1.sum(Word::START), 2, "no count is lost when a seat changes hands");
}

fn release_between() {
    let seats = seats();
    let first = seats.claim().unwrap();
    let (_, a, b, _) = race3(seats, move |s| s.release(first), Seats::claim, Seats::claim);
    assert!(a.is_some() && a != b, "a seat has one owner");
}
