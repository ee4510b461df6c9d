//! Trips and control calls: two outcomes that trip together, and outcomes against whoever ends their generation.

use failfast::{Builder, CircuitBreaker, Outcome, State, Window};

use crate::arena::{Order, Race};
use crate::report::{Class, Row};
use crate::stage::{fail, succeed, Did, Hand, Stage, LEFT, SECOND};

const LEFT_TRIPS: &str = "overlapping, the left one trips";
const RIGHT_TRIPS: &str = "overlapping, the right one trips";
const LATER_TRIPS: &str = "the later one trips";
const NONE_TRIPS: &str = "none trips";

const ONE_TRIPS: &[Row] = &[
    (Class::Interesting, LEFT_TRIPS),
    (Class::Interesting, RIGHT_TRIPS),
    (Class::Allowed, LATER_TRIPS),
    (Class::Forbidden, NONE_TRIPS),
];

/// Every order of the outcomes demands a trip, so there is exactly one, and whoever took part in it is counted.
fn judge_trip(stage: &Stage, order: Order, did: [Did; 2]) -> &'static str {
    let left = stage.changed_by() == LEFT;
    match (did, stage.end(), order) {
        (_, Some((State::Closed, 0)), _) => NONE_TRIPS,
        ([Did::Counted, Did::Counted], Some((State::Open, 1)), Order::Overlap) => match left {
            true => LEFT_TRIPS,
            false => RIGHT_TRIPS,
        },
        ([Did::Counted, Did::Counted], Some((State::Open, 1)), order)
            if left == (order == Order::RightFirst) =>
        {
            LATER_TRIPS
        }
        _ => "?",
    }
}

fn dealt(builder: Builder) -> (Stage, [Hand; 2]) {
    let stage = Stage::new(builder);
    let hands = [stage.permit(), stage.permit()];
    (stage, hands)
}

fn count(size: u32, min: u32, rate: f64) -> Builder {
    CircuitBreaker::builder().window(Window::count(size)).min_calls(min).failure_rate(rate)
}

fn time(min: u32, rate: f64) -> Builder {
    let window = Window::time(SECOND).buckets(2);
    CircuitBreaker::builder().window(window).min_calls(min).failure_rate(rate)
}

fn trip(name: &'static str, set: fn() -> (Stage, [Hand; 2])) -> Race {
    Race { name, rows: ONE_TRIPS, set, left: fail, right: fail, judge: judge_trip }
}

fn minimum(name: &'static str, set: fn() -> (Stage, [Hand; 2])) -> Race {
    Race { name, rows: ONE_TRIPS, set, left: fail, right: succeed, judge: judge_trip }
}

/// A failure, then two successes that only together reach the minimum of three.
fn successes(name: &'static str, set: fn() -> (Stage, [Hand; 2])) -> Race {
    Race { name, rows: ONE_TRIPS, set, left: succeed, right: succeed, judge: judge_trip }
}

fn after_a_failure(builder: Builder) -> (Stage, [Hand; 2]) {
    let (stage, hands) = dealt(builder);
    stage.call(Outcome::Failure);
    (stage, hands)
}

/// A failure, then three successes at once: whoever comes first makes it one of two, which trips; all may see one of four.
fn overshoot(name: &'static str, set: fn() -> (Stage, [Hand; 2])) -> Race {
    Race {
        name,
        rows: &[
            (Class::Interesting, "overlapping, it trips"),
            (Class::Allowed, "one after the other, it trips"),
            (Class::Forbidden, NONE_TRIPS),
        ],
        set,
        left: succeed,
        right: |stage, hand| {
            succeed(stage, hand);
            stage.call(Outcome::Success)
        },
        judge: |stage, order, _| match (stage.end(), order) {
            (Some((State::Open, 1)), Order::Overlap) => "overlapping, it trips",
            (Some((State::Open, 1)), _) => "one after the other, it trips",
            (Some((State::Closed, 0)), _) => NONE_TRIPS,
            _ => "?",
        },
    }
}

pub(crate) fn races() -> Vec<Race> {
    vec![
        trip("two failures trip together, count window", || dealt(count(2, 2, 1.0))),
        trip("two failures trip together, time window", || dealt(time(2, 1.0))),
        trip("two failures trip together, consecutive window", || {
            dealt(CircuitBreaker::builder().window(Window::consecutive(2)))
        }),
        minimum("a failure and a success reach the minimum, count window", || {
            dealt(count(10, 2, 0.5))
        }),
        minimum("a failure and a success reach the minimum, time window", || dealt(time(2, 0.5))),
        successes("two successes reach the minimum together, count window", || {
            after_a_failure(count(10, 3, 0.3))
        }),
        successes("two successes reach the minimum together, time window", || {
            after_a_failure(time(3, 0.3))
        }),
        overshoot("three successes pass the minimum together, count window", || {
            after_a_failure(count(10, 2, 0.4))
        }),
        overshoot("three successes pass the minimum together, time window", || {
            after_a_failure(time(2, 0.4))
        }),
        trip_against_reset(),
        record_against_control("success against metrics-only, count window", || {
            let (stage, hands) = dealt(count(10, 10, 0.5));
            stage.call(Outcome::Success);
            (stage, hands)
        }),
        record_against_control("success against metrics-only, time window", || {
            let (stage, hands) = dealt(time(10, 0.5));
            stage.call(Outcome::Success);
            (stage, hands)
        }),
        snapshot_against_control(),
        control_against_control(),
    ]
}

fn trip_against_reset() -> Race {
    const TRIPS: &str = "it trips, the reset closes";
    const STALE: &str = "the reset comes first, the failure is stale";
    const LOSES: &str = "the failure is counted, its trip loses to the reset";
    Race {
        name: "trip against reset",
        rows: &[
            (Class::Interesting, TRIPS),
            (Class::Interesting, STALE),
            (Class::Interesting, LOSES),
        ],
        set: || {
            let stage = Stage::new(CircuitBreaker::builder().window(Window::consecutive(1)));
            let hand = stage.permit();
            (stage, [hand, None])
        },
        left: fail,
        right: |stage, _| {
            stage.breaker.reset();
            Did::Done
        },
        judge: |stage, order, [left, _]| match (left, stage.end(), order) {
            (Did::Counted, Some((State::Closed, 2)), Order::LeftFirst | Order::Overlap) => TRIPS,
            (Did::Stale, Some((State::Closed, 1)), Order::RightFirst | Order::Overlap) => STALE,
            (Did::Counted, Some((State::Closed, 1)), Order::Overlap) => LOSES,
            _ => "?",
        },
    }
}

/// The outcome is counted in its own generation, which the control call ends, or nowhere: the new window is empty.
fn record_against_control(name: &'static str, set: fn() -> (Stage, [Hand; 2])) -> Race {
    const COUNTED: &str = "counted, and gone with its generation";
    const STALE: &str = "stale";
    const CROSSED: &str = "counted in a generation that it is not of";
    Race {
        name,
        rows: &[
            (Class::Interesting, COUNTED),
            (Class::Interesting, STALE),
            (Class::Forbidden, CROSSED),
        ],
        set,
        left: succeed,
        right: |stage, _| {
            stage.breaker.metrics_only();
            Did::Done
        },
        judge: |stage, order, [left, _]| {
            if stage.counts() != (0, 0) {
                return CROSSED;
            }
            match (left, stage.end(), order) {
                (
                    Did::Counted,
                    Some((State::MetricsOnly, 1)),
                    Order::LeftFirst | Order::Overlap,
                ) => COUNTED,
                (Did::Stale, Some((State::MetricsOnly, 1)), Order::RightFirst | Order::Overlap) => {
                    STALE
                }
                _ => "?",
            }
        },
    }
}

fn snapshot_against_control() -> Race {
    const OLD: &str = "the old generation: three successes";
    const EMPTY: &str = "the new one, empty";
    const BEGUN: &str = "the new one: a success";
    const NEW: &str = "the new one: a success and a failure";
    Race {
        name: "snapshot against a control call and two calls",
        rows: &[
            (Class::Interesting, OLD),
            (Class::Interesting, EMPTY),
            (Class::Allowed, BEGUN),
            (Class::Interesting, NEW),
        ],
        set: || {
            let stage = Stage::new(count(10, 10, 1.0));
            for _ in 0..3 {
                stage.call(Outcome::Success);
            }
            (stage, [None, None])
        },
        left: |stage, _| {
            stage.breaker.metrics_only();
            stage.call(Outcome::Success);
            stage.call(Outcome::Failure)
        },
        right: |stage, _| stage.read(),
        judge: |stage, order, did| match (did, order) {
            _ if stage.counts() != (2, 1) => "?",
            ([Did::Counted, Did::Read(0, 3, 0)], Order::RightFirst | Order::Overlap) => OLD,
            ([Did::Counted, Did::Read(1, 0, 0)], Order::Overlap) => EMPTY,
            ([Did::Counted, Did::Read(1, 1, 0)], Order::Overlap) => BEGUN,
            ([Did::Counted, Did::Read(1, 2, 1)], Order::LeftFirst | Order::Overlap) => NEW,
            _ => "?",
        },
    }
}

fn control_against_control() -> Race {
    const LEFT_LAST: &str = "the left one is the last";
    const RIGHT_LAST: &str = "the right one is the last";
    Race {
        name: "control call against control call",
        rows: &[(Class::Interesting, LEFT_LAST), (Class::Interesting, RIGHT_LAST)],
        set: || (Stage::new(CircuitBreaker::builder()), [None, None]),
        left: |stage, _| {
            stage.breaker.trip();
            Did::Done
        },
        right: |stage, _| {
            stage.breaker.force_open();
            Did::Done
        },
        judge: |stage, order, _| match (stage.end(), order) {
            (Some((State::Open, 2)), Order::RightFirst | Order::Overlap) => LEFT_LAST,
            (Some((State::ForcedOpen, 2)), Order::LeftFirst | Order::Overlap) => RIGHT_LAST,
            _ => "?",
        },
    }
}
