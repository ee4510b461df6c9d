//! An outcome counts in the generation of its permit or nowhere, wherever its thread sleeps.

use crate::breaker::rules::{Config, WindowConfig};
use crate::race::{config, race, race3, rate, Breaker, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::counts::Kind;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("generation::success_across_one", 180, || sleeper(COUNT, [0, 1], Kind::Plain, 1)),
    Model::whole("generation::success_across_two", 1_400, || {
        sleeper(COUNT, [0, 1], Kind::Plain, 2)
    }),
    Model::bounded("generation::failure_across_one", 3, 670, || {
        sleeper(COUNT, [0, 1], Kind::Failure, 1)
    }),
    Model::bounded("generation::failure_across_two", 3, 1_100, || {
        sleeper(COUNT, [0, 1], Kind::Failure, 2)
    }),
    Model::bounded("generation::failure_across_four", 3, 2_600, || {
        // The fourth generation has the same two low bits as the first.
        sleeper(COUNT, [0, 1], Kind::Failure, 4)
    }),
    Model::bounded("generation::seatless_success_across_one", 3, 320, || {
        sleeper(COUNT, [SEATLESS; 2], Kind::Plain, 1)
    }),
    Model::bounded("generation::seatless_success_across_two", 3, 1_100, || {
        sleeper(COUNT, [SEATLESS; 2], Kind::Plain, 2)
    }),
    Model::bounded("generation::bucket_across_one", 3, 330, || {
        sleeper(TIME, [0, 1], Kind::Failure, 1)
    }),
    Model::bounded("generation::bucket_across_two", 3, 710, || {
        sleeper(TIME, [0, 1], Kind::Plain, 2)
    }),
    Model::bounded("generation::seatless_bucket_across_one", 3, 2_100, || {
        sleeper(TIME, [SEATLESS; 2], Kind::Plain, 1)
    }),
    Model::bounded("generation::seatless_bucket_across_two", 3, 4_800, || {
        sleeper(TIME, [SEATLESS; 2], Kind::Failure, 2)
    }),
    Model::bounded("generation::reset_between_two_recorders", 2, 15_000, reset_between),
];

/// Nothing trips, so that every outcome stays to be seen.
const COUNT: Config = config(WindowConfig::Count { size: 4 }, NO_RULES);
const TIME: Config = config(WindowConfig::Time { length_ns: 2, buckets: 2 }, NO_RULES);

/// One thread records in generation 0; another passes some generations and records twice in the last.
fn sleeper(config: Config, seats: [usize; 2], kind: Kind, generations: usize) {
    let breaker = Breaker::new(&config);
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.record(seats[0], name, kind, 0),
        move |b| {
            for _ in 0..generations {
                b.reset();
            }
            b.succeed(seats[1], b.name());
            b.fail(seats[1], b.name());
        },
    );
    let counts = breaker.counts();
    let found = (counts.calls, counts.failures);
    assert_eq!(found, (2, 1), "the last generation holds its own outcomes, all of them, alone");
}

fn reset_between() {
    let breaker = Breaker::new(&config(WindowConfig::Count { size: 4 }, rate(1_000_000, 2)));
    let name = breaker.name();
    let fail = |seat| move |b: &Breaker| b.fail(seat, name);
    let (_, _, _, breaker) = race3(breaker, fail(0), fail(1), Breaker::reset);
    let counts = breaker.counts();
    assert_eq!(counts.calls, 0, "a new window is empty, before or after two failures that trip");
}
