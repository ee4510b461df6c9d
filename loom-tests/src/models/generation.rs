//! An outcome counts in the generation of its permit or nowhere, wherever its thread sleeps.

use crate::breaker::rules::{Config, Rules, WindowConfig};
use crate::outcome::Recorded;
use crate::phase::State;
use crate::race::{config, race, race3, rate, Breaker, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::counts::Kind;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("generation::success_across_one", 180, || sleeper(COUNT, [0, 1], Kind::Plain, 1)),
    Model::whole("generation::success_across_two", 1_400, || {
        sleeper(COUNT, [0, 1], Kind::Plain, 2)
    }),
    Model::bounded("generation::failure_across_one", 3, 1_900, || {
        sleeper(COUNT, [0, 1], Kind::Failure, 1)
    }),
    Model::bounded("generation::failure_across_two", 3, 2_000, || {
        sleeper(COUNT, [0, 1], Kind::Failure, 2)
    }),
    Model::bounded("generation::failure_across_four", 3, 3_800, || {
        // The fourth generation has the same two low bits as the first.
        sleeper(COUNT, [0, 1], Kind::Failure, 4)
    }),
    Model::whole("generation::seatless_success_across_one", 20_000, || {
        sleeper(COUNT, [SEATLESS; 2], Kind::Plain, 1)
    }),
    Model::bounded("generation::seatless_success_across_two", 3, 2_000, || {
        sleeper(COUNT, [SEATLESS; 2], Kind::Plain, 2)
    }),
    Model::bounded("generation::bucket_across_one", 3, 18_000, || {
        sleeper(TIME, [0, 1], Kind::Failure, 1)
    }),
    Model::bounded("generation::bucket_across_two", 3, 23_000, || {
        sleeper(TIME, [0, 1], Kind::Plain, 2)
    }),
    Model::bounded("generation::seatless_bucket_across_one", 3, 2_100, || {
        sleeper(TIME, [SEATLESS; 2], Kind::Plain, 1)
    }),
    Model::bounded("generation::seatless_bucket_across_two", 3, 4_800, || {
        sleeper(TIME, [SEATLESS; 2], Kind::Failure, 2)
    }),
    Model::bounded("generation::run_across_one", 3, 10_000, || {
        sleeper(RUNS, [0, 1], Kind::Failure, 1)
    }),
    Model::bounded("generation::run_across_two", 3, 7_600, || {
        sleeper(RUNS, [0, 1], Kind::Failure, 2)
    }),
    Model::bounded("generation::bucket_and_run_across_one", 2, 1_400, || {
        sleeper(TIME_AND_RUNS, [0, 1], Kind::Failure, 1)
    }),
    Model::whole("generation::permit_recorded_on_another_thread", 510, handed_over),
    Model::bounded("generation::seatless_bucket_of_an_earlier_instant", 3, 1_400, earlier_instant),
    Model::bounded("generation::base_goes_only_forwards", 2, 5_700, base_goes_forwards),
    Model::bounded("generation::minimum_of_each", 3, 3_900, minimum_of_each),
    Model::bounded("generation::skip_ends_after_one", 3, 7_000, || skip_ends(1)),
    Model::bounded("generation::skip_ends_after_four", 3, 14_000, || skip_ends(4)),
    Model::bounded("generation::reset_between_two_recorders", 2, 16_000, reset_between),
];

/// Nothing trips, so that every outcome stays to be seen.
const COUNT: Config = config(WindowConfig::Count { size: 4 }, NO_RULES);
const TIME: Config = config(WindowConfig::Time { length_ns: 2, buckets: 2 }, NO_RULES);
const RUN_OF_THREE: Rules = Rules { run: 3, ..NO_RULES };
const RUNS: Config = config(WindowConfig::Consecutive, RUN_OF_THREE);
const TIME_AND_RUNS: Config = config(WindowConfig::Time { length_ns: 2, buckets: 2 }, RUN_OF_THREE);

/// One thread records in generation 0; another, which has recorded there, passes some generations and records twice in
/// the last.
fn sleeper(config: Config, seats: [usize; 2], kind: Kind, generations: usize) {
    let breaker = Breaker::new(&config);
    let name = breaker.name();
    breaker.succeed(seats[1], name);
    let (_, _, breaker) = race(
        breaker,
        move |b| b.record(seats[0], name, kind, 0),
        move |b| {
            for _ in 0..generations {
                b.reset();
            }
            assert_eq!(
                b.succeed(seats[1], name),
                Recorded::Stale,
                "a permit ends with its generation"
            );
            b.succeed(seats[1], b.name());
            b.fail(seats[1], b.name());
        },
    );
    let reading = breaker.engine.read(0, 0);
    let found = (reading.counts.calls, reading.counts.failures);
    let counts = if config.window == WindowConfig::Consecutive { (0, 0) } else { (2, 1) };
    assert_eq!(found, counts, "the last generation holds its own outcomes, all of them, alone");
    let run = u64::from(config.rules.run > 0);
    assert_eq!(reading.run, run, "the run is that of the last generation");
}

/// One thread records a failure, then hands a permit to another, which fails as well.
fn handed_over() {
    let rules = Rules { failure_count: 2, ..NO_RULES };
    let breaker = Breaker::new(&config(WindowConfig::Count { size: 3 }, rules));
    let (hand, take) = loom::sync::mpsc::channel();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.fail(1, take.recv().expect("a permit")),
        move |b| {
            let names = [b.name(), b.name()];
            b.fail(0, names[0]);
            hand.send(names[1]).expect("a thread that takes it");
            b.succeed(0, names[1]);
        },
    );
    assert_eq!(breaker.states(), [State::Open], "a later record counts what happened before it");
}

fn reset_between() {
    let breaker = Breaker::new(&config(WindowConfig::Count { size: 4 }, rate(1_000_000, 2)));
    let name = breaker.name();
    let fail = |seat| move |b: &Breaker| b.fail(seat, name);
    let (_, _, _, breaker) = race3(breaker, fail(0), fail(1), Breaker::reset);
    let counts = breaker.counts();
    assert_eq!(counts.calls, 0, "a new window is empty, before or after two failures that trip");
}

/// The clock of the later generation's thread is two buckets behind.
fn earlier_instant() {
    let breaker = Breaker::new(&TIME);
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.record(SEATLESS, name, Kind::Plain, 4),
        |b| {
            b.reset();
            b.record(SEATLESS, b.name(), Kind::Plain, 2);
        },
    );
    let calls = breaker.engine.read(2, 2).counts.calls;
    assert_eq!(calls, 1, "a bucket of an ended generation keeps none of a new one out");
}

/// A thread that sleeps before it notes a base does not uncover marks that have the same bits of generation.
fn base_goes_forwards() {
    let breaker = Breaker::new(&config(WindowConfig::Count { size: 4 }, rate(1_000_000, 1)));
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.fail(0, name), // Opens, or loses against the first reset.
        |b| {
            b.reset();
            b.fail(1, b.name());
            for _ in 0..3 {
                b.reset();
            }
        },
    );
    assert_eq!(breaker.state(), State::Closed, "a reset comes last");
    assert_eq!(breaker.counts().calls, 0, "the last generation is empty");
}

/// The minimum was reached in generation 0; in the next it is to be judged again, by whoever reaches it.
fn minimum_of_each() {
    let breaker = Breaker::new(&config(WindowConfig::Count { size: 4 }, rate(600_000, 3)));
    for _ in 0..3 {
        breaker.succeed(1, breaker.name());
    }
    breaker.reset();
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.fail(0, name),
        move |b| {
            b.fail(1, name);
            b.succeed(1, name);
        },
    );
    assert_eq!(breaker.state(), State::Open, "two failures of three calls, in every order");
}

/// That no trip was possible in generation 0 says nothing about another.
fn skip_ends(generations: usize) {
    let breaker = Breaker::new(&config(WindowConfig::Count { size: 8 }, rate(500_000, 2)));
    let name = breaker.name();
    for _ in 0..4 {
        breaker.record(0, name, Kind::Slow, 0);
    }
    let (_, _, breaker) = race(
        breaker,
        move |b| b.record(0, name, Kind::Slow, 0),
        move |b| {
            for _ in 0..generations {
                b.reset();
            }
            let name = b.name();
            b.succeed(1, name);
            b.succeed(1, name);
            b.fail(1, name);
            b.fail(1, name);
        },
    );
    assert_eq!(breaker.state(), State::Open, "two failures of four calls");
}
