//! Settings that are changed while calls go on: no reading and no verdict mixes two configurations.

use crate::breaker::engine::{Change, Target};
use crate::breaker::rules::{Config, HalfOpenConfig, HalfOpenKind, Rules, WindowConfig};
use crate::breaker::state::Word;
use crate::event::TransitionCause;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::race::{config, race, race3, Breaker, NO_RULES};
use crate::runner::Model;
use crate::window::counts::Kind;

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("reconfigure::reading_is_of_one_configuration", 3, 2_000, one_configuration),
    Model::bounded("reconfigure::limit_brings_its_version", 3, 65, limit_brings_its_version),
    Model::bounded("reconfigure::new_limit_over_an_old_call", 3, 9_000, new_limit_over_an_old_call),
    Model::bounded("reconfigure::old_limit_over_a_new_call", 3, 290, old_limit_over_a_new_call),
    Model::bounded("reconfigure::two_calls_with_other_limits", 2, 12_000, two_calls),
    Model::bounded(
        "reconfigure::old_limit_over_a_new_probe",
        2,
        11_000,
        old_limit_over_a_new_probe,
    ),
    Model::bounded("reconfigure::change_and_trip", 3, 11_000, change_and_trip),
    Model::bounded("reconfigure::change_and_reset", 1, 1_000, change_and_reset),
    Model::bounded("reconfigure::change_and_last_probe", 2, 5_800, change_and_last_probe),
    Model::bounded("reconfigure::change_and_grant", 3, 7_000, change_and_grant),
    Model::bounded("reconfigure::change_and_half_open", 2, 9_400, change_and_half_open),
    Model::bounded("reconfigure::stopped_change", 3, 130, stopped_change),
    Model::bounded("reconfigure::two_changes", 2, 5, two_changes),
];

const COUNT: WindowConfig = WindowConfig::Count { size: 4 };

const fn with(rules: Rules) -> Config {
    config(COUNT, rules)
}

/// A rate of slow calls, in parts per million, from two calls on.
const fn slow(slow_limit_ns: u64, slow_ppm: u32) -> Config {
    with(Rules { slow_limit_ns, slow_ppm, min_calls: 2, ..NO_RULES })
}

const fn failures(failure_count: u32) -> Config {
    with(Rules { failure_count, ..NO_RULES })
}

const fn probes(places: u32) -> Config {
    let half_open = HalfOpenConfig { kind: HalfOpenKind::Probes, places, decide_at: places };
    Config { half_open, ..failures(1) }
}

/// Closed, with one plain success or one slow call behind it.
fn after(config: &Config, kind: Kind) -> Breaker {
    let breaker = Breaker::new(config);
    breaker.record(0, breaker.name(), kind, 0);
    breaker
}

fn is_slow(breaker: &Breaker, elapsed: u64) -> bool {
    breaker.engine.slow_limit_ns().is_some_and(|limit| elapsed > limit)
}

/// A call of so many nanoseconds, settled as the breaker's face does.
fn settle(breaker: &Breaker, seat: usize, name: Word, elapsed: u64) -> Recorded {
    let kind = if is_slow(breaker, elapsed) { Kind::Slow } else { Kind::Plain };
    breaker.record(seat, name, kind, 0)
}

fn one_configuration() {
    let rules = |number| Rules { slow_ppm: number, min_calls: number, run: number, ..NO_RULES };
    let (read, _, breaker) = race(
        Breaker::new(&with(rules(1))),
        |b| b.engine.limits().rules(),
        move |b| [2, 3].map(|n| b.engine.limits().publish(&with(rules(n)), [true; 2])),
    );
    assert!([1, 2, 3].map(rules).contains(&read), "a reading is of one configuration: {read:?}");
    assert_eq!(breaker.engine.limits().rules(), rules(3), "the last one is in force");
}

fn limit_brings_its_version() {
    let (rate, _, _) = race(
        Breaker::new(&slow(10, 1)),
        |b| (is_slow(b, 5), b.engine.limits().rules().slow_ppm),
        |b| b.engine.limits().publish(&slow(1, 2), [true; 2]),
    );
    assert_ne!(rate, (true, 1), "who reads the new limit reads the new rate");
}

// Calls of 5 ns. By the one configuration none of them is slow; by the other all of them have to be. Only the limit of
// the one and the rate of the other trip at one slow call of two.
const FEW_OF_LONG: Config = slow(10, 400_000);
const ALL_OF_SHORT: Config = slow(1, 1_000_000);

/// A slow call was counted; the limit is raised and the rate lowered.
fn new_limit_over_an_old_call() {
    let breaker = after(&ALL_OF_SHORT, Kind::Slow);
    let name = breaker.name();
    let (_, _, breaker) =
        race(breaker, |b| b.reconfigure(FEW_OF_LONG), move |b| settle(b, 0, name, 0));
    assert_eq!(breaker.state(), State::Closed, "neither configuration trips");
    assert_eq!(breaker.counts().slow, 0, "the call that was slow by another limit is gone");
}

/// The limit is lowered and the rate raised; a call is slow by the new one.
fn old_limit_over_a_new_call() {
    let breaker = after(&FEW_OF_LONG, Kind::Plain);
    let name = breaker.name();
    let (_, _, breaker) =
        race(breaker, |b| b.reconfigure(ALL_OF_SHORT), move |b| settle(b, 0, name, 5));
    assert_eq!(breaker.state(), State::Closed, "neither configuration trips");
}

/// The one who judges has not heard of the limit by which the other's call is slow.
fn two_calls() {
    let breaker = Breaker::new(&FEW_OF_LONG);
    let name = breaker.name();
    let (_, _, _, breaker) = race3(
        breaker,
        |b| b.reconfigure(ALL_OF_SHORT),
        move |b| settle(b, 0, name, 5),
        move |b| settle(b, 1, name, 0),
    );
    assert_eq!(breaker.state(), State::Closed, "neither configuration trips");
}

/// The same by the rate of two probes.
fn old_limit_over_a_new_probe() {
    let half_open = HalfOpenConfig { kind: HalfOpenKind::Rate, places: 2, decide_at: 2 };
    let rate = move |config: Config| Config { half_open, ..config };
    let breaker = Breaker::new(&rate(FEW_OF_LONG));
    breaker.control(Target::HalfOpen { granted: 0 });
    let names = [breaker.acquire(0).unwrap(), breaker.acquire(0).unwrap()];
    breaker.report(names[0], Outcome::Success, 0);
    let (_, _, breaker) = race(
        breaker,
        move |b| b.reconfigure(rate(ALL_OF_SHORT)),
        move |b| {
            let slow = is_slow(b, 5);
            b.report_slow(names[1], Outcome::Success, slow, 0)
        },
    );
    assert_ne!(breaker.state(), State::Open, "neither configuration opens");
}

/// Whether the old settings came to a verdict after so many changes; if not, the generation has ended without one: by
/// the change, by who would have come to it, or by both.
fn one_or_the_other(breaker: &Breaker, before: usize) -> bool {
    let changes = breaker.changes().split_off(before);
    let ended =
        |change: &Change| change.cause == TransitionCause::Reconfigured && change.from == change.to;
    if changes.iter().all(ended) {
        assert!((1..=2).contains(&changes.len()), "a generation ends for the new settings");
        return false;
    }
    assert_eq!(changes.len(), 1, "a verdict or a new generation, and not both");
    true
}

fn change_and_trip() {
    let breaker = Breaker::new(&failures(1));
    let name = breaker.name();
    let (_, _, breaker) = race(breaker, |b| b.reconfigure(failures(2)), move |b| b.fail(0, name));
    if !one_or_the_other(&breaker, 0) {
        breaker.fail(0, breaker.name());
        assert_eq!(breaker.state(), State::Closed, "the failure of the old generation is gone");
        breaker.fail(0, breaker.name());
    }
    assert_eq!(breaker.state(), State::Open, "the limit in force trips");
}

/// Another generation begins, by somebody who need not know of the change.
fn change_and_reset() {
    let (_, _, breaker) = race(
        Breaker::new(&failures(1)),
        |b| b.reconfigure(failures(2)),
        |b| {
            b.reset();
            b.fail(0, b.name())
        },
    );
    let changes = breaker.changes();
    let renewed = changes.iter().filter(|c| c.cause == TransitionCause::Reconfigured).count();
    // If the change came first, the one failure of the reset generation does not trip it.
    let tripped = changes.iter().any(|change| change.to == State::Open);
    assert!(tripped || renewed > 0, "a generation of the old limit trips or ends");
    assert!(renewed <= 2, "by the change, and by the failure in its place");
}

fn change_and_last_probe() {
    let breaker = Breaker::new(&probes(1));
    breaker.control(Target::HalfOpen { granted: 0 });
    let name = breaker.acquire(0).unwrap();
    let (_, _, breaker) =
        race(breaker, |b| b.reconfigure(probes(2)), move |b| b.report(name, Outcome::Success, 0));
    if !one_or_the_other(&breaker, 1) {
        let names = [breaker.acquire(0), breaker.acquire(0)].map(|name| name.expect("a place"));
        assert!(breaker.acquire(0).is_none(), "two places, and no more");
        for name in names {
            assert_eq!(breaker.report(name, Outcome::Success, 0), Recorded::Counted);
        }
    }
    assert_eq!(breaker.state(), State::Closed, "the probes that are asked for close it");
}

/// Fewer places than are taken.
fn change_and_grant() {
    let breaker = Breaker::new(&probes(2));
    breaker.control(Target::HalfOpen { granted: 0 });
    breaker.acquire(0).unwrap();
    let (first, second, breaker) = race(
        breaker,
        |b| {
            b.reconfigure(probes(1));
            b.acquire(0)
        },
        |b| b.acquire(0),
    );
    let generation = breaker.changes().len() as u64;
    assert_eq!(generation, 2, "the probes begin anew");
    let names = [first, second, breaker.acquire(0)].into_iter().flatten();
    let granted = names.filter(|name| name.named_generation() == generation).count();
    assert_eq!(granted, 1, "one place, and it can be had");
}

/// The change judges the present generation no otherwise, and another thread begins one that it does.
fn change_and_half_open() {
    let (_, granted, breaker) = race(
        Breaker::new(&probes(2)),
        |b| b.reconfigure(probes(1)),
        |b| {
            b.control(Target::HalfOpen { granted: 0 });
            [b.acquire(0), b.acquire(0)].map(|name| name.map(Word::named_generation))
        },
    );
    let last = breaker.changes().len() as u64;
    if granted == [Some(1); 2] {
        assert_eq!(last, 2, "a generation of two places ends");
    }
    assert_ne!(granted, [Some(2); 2], "the one that the change began has a single place");
}

/// A thread stops after it has published the settings; who comes to a verdict goes on in its place.
fn stopped_change() {
    let breaker = Breaker::new(&failures(1));
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        |b| b.engine.limits().publish(&failures(2), [true; 2]),
        move |b| b.fail(0, name),
    );
    let by_the_old = breaker.state() == State::Open;
    for _ in 0..3 {
        breaker.fail(0, breaker.name());
    }
    let causes: Vec<_> = breaker.changes().iter().map(|change| change.cause).collect();
    let [ended, tripped] =
        [TransitionCause::Reconfigured, TransitionCause::FailureCount { failures: 2 }];
    if by_the_old {
        assert_eq!(causes, [TransitionCause::FailureCount { failures: 1 }]);
    } else {
        assert_eq!(causes, [ended, tripped], "one generation ends for it, the next one trips");
    }
}

fn two_changes() {
    let (_, _, breaker) = race(
        Breaker::new(&failures(1)),
        |b| b.reconfigure(failures(2)),
        |b| b.reconfigure(failures(3)),
    );
    assert_eq!(breaker.changes().len(), 2, "each ends a generation");
    for failed in 1..=3 {
        assert_eq!(breaker.state(), State::Closed, "{failed}");
        breaker.fail(0, breaker.name());
        if breaker.state() == State::Open {
            assert!(failed >= 2, "the limit of the last change");
            return;
        }
    }
    panic!("nothing trips");
}
