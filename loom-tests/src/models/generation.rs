//! An outcome counts in the generation of its permit or nowhere, wherever its thread sleeps.

use crate::breaker::rules::{Config, Rules, WindowConfig};
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
    Model::bounded("generation::seatless_success_across_one", 3, 310, || {
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
    Model::bounded("generation::run_across_one", 3, 10_000, || sleeper(RUNS, [0, 1], Kind::Failure, 1)),
    Model::bounded("generation::run_across_two", 3, 7_600, || sleeper(RUNS, [0, 1], Kind::Failure, 2)),
    Model::bounded("generation::bucket_and_run_across_one", 2, 1_400, || {
        sleeper(TIME_AND_RUNS, [0, 1], Kind::Failure, 1)
    }),
    Model::bounded("generation::permit_recorded_on_another_thread", 3, 120, handed_over),
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
