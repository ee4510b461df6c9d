//! A reading shows one generation, never half of one and half of another.

use crate::breaker::engine::Target;
use crate::breaker::rules::{Config, HalfOpenConfig, HalfOpenKind, WindowConfig};
use crate::outcome::Outcome;
use crate::race::{config, race, Breaker, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::counts::{Counts, Kind};

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("reading::number_of_the_open_period", 3, 12_000, open_period),
    Model::bounded("reading::successes", 3, 3_400, || {
        one_generation(COUNT, 0, Kind::Plain, &[Step::Reset, Step::Record, Step::Record])
    }),
    Model::bounded("reading::failures", 3, 17_000, || {
        one_generation(COUNT, 0, Kind::Failure, &[Step::Reset, Step::Reset])
    }),
    Model::bounded("reading::seatless_successes", 3, 52_000, || {
        one_generation(COUNT, SEATLESS, Kind::Plain, &[Step::Reset, Step::Reset])
    }),
    Model::bounded("reading::buckets", 2, 11_000, || {
        one_generation(TIME, 0, Kind::Plain, &[Step::Reset, Step::Record])
    }),
    Model::bounded("reading::seatless_buckets", 3, 810, || {
        one_generation(TIME, SEATLESS, Kind::Plain, &[Step::Reset, Step::Record])
    }),
    Model::bounded("reading::slow_failures_of_probes", 3, 26_000, slow_failures_of_probes),
];

const COUNT: Config = config(WindowConfig::Count { size: 4 }, NO_RULES);
const TIME: Config = config(WindowConfig::Time { length_ns: 2, buckets: 2 }, NO_RULES);

enum Step {
    Reset,
    Record,
}

fn open_period() {
    let breaker = Breaker::new(&COUNT);
    breaker.trip();
    let (_, reading, _) = race(
        breaker,
        |b| {
            b.trip();
            b.trip();
        },
        |b| b.engine.read(0, 0),
    );
    let attempt = u64::from(reading.attempt);
    assert_eq!(attempt, reading.generation, "every generation was another open period");
}

/// Generation 0 holds one outcome when it is left.
fn one_generation(config: Config, seat: usize, kind: Kind, steps: &'static [Step]) {
    let breaker = Breaker::new(&config);
    breaker.record(seat, breaker.name(), kind, 0);
    let (_, reading, _) = race(
        breaker,
        move |b| {
            for step in steps {
                match step {
                    Step::Reset => b.reset(),
                    Step::Record => drop(b.record(seat, b.name(), kind, 0)),
                }
            }
        },
        |b| b.engine.read(0, 0),
    );
    let records = steps.iter().filter(|step| matches!(step, Step::Record)).count() as u64;
    let most = if reading.generation == 0 { 1 } else { records };
    assert!(reading.counts.calls <= most, "a reading shows outcomes of its own generation only");
    if reading.generation == 0 {
        assert_eq!(reading.counts.calls, 1, "a reading of the first generation shows its window");
    }
}

/// The count of slow failures stands beside the word that counts the other outcomes of probes.
fn slow_failures_of_probes() {
    let kind = HalfOpenKind::Rate;
    let half_open = HalfOpenConfig { kind, places: 3, decide_at: 3 };
    let breaker = Breaker::new(&Config { half_open, ..COUNT });
    let fail_in_a_new_generation = |b: &Breaker| {
        b.control(Target::HalfOpen { granted: 0 });
        let name = b.acquire(0).expect("a place");
        b.engine.report(name, Outcome::Failure, true, 0, &mut |_| ());
    };
    fail_in_a_new_generation(&breaker);
    let (_, reading, _) = race(breaker, fail_in_a_new_generation, |b| b.engine.read(0, 0));
    let Counts { failures, slow_failures, .. } = reading.counts;
    assert!(slow_failures <= failures, "a slow failure is one of the failures that are shown");
    if reading.generation == 1 {
        assert_eq!(reading.counts.slow_failures, 1, "a reading of the first generation is whole");
    }
}
