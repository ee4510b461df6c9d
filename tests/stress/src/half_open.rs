//! Probes: who gets a place, who decides, and what the end of a lease or of the open time does to both.

use failfast::{CircuitBreaker, HalfOpen, State};

use crate::arena::{Order, Race};
use crate::report::{Class, Row};
use crate::stage::{fail, succeed, Did, Hand, Stage, LEFT, SECOND, WAIT};

/// A half-open breaker of so many places, all of them taken if they are dealt.
fn half_open(rule: HalfOpen, dealt: usize) -> (Stage, [Hand; 2]) {
    let stage = Stage::new(CircuitBreaker::builder().half_open(rule).min_calls(2));
    stage.breaker.half_open();
    let hands = [0, 1].map(|hand| if hand < dealt { stage.permit() } else { None });
    (stage, hands)
}

/// An open breaker whose open time is over.
fn open_time_over(places: u32) -> (Stage, [Hand; 2]) {
    let rule = HalfOpen::probes(places);
    let stage = Stage::new(CircuitBreaker::builder().half_open(rule));
    stage.breaker.trip();
    stage.clock.advance(WAIT + SECOND);
    (stage, [None, None])
}

fn acquire(stage: &Stage, _: Hand) -> Did {
    stage.acquire()
}

fn refused(did: Did) -> bool {
    matches!(did, Did::Refused(State::HalfOpen))
}

pub(crate) fn races() -> Vec<Race> {
    vec![
        success_against_failure(),
        success_against_success(),
        rate_of_two(),
        one_place(),
        end_of_open_time(),
        give_back(),
        lapsed_lease(),
        lease_that_lapses(),
        deadline_against_reset(),
        deadline_against_force_open(),
    ]
}

fn success_against_failure() -> Race {
    const COUNTS: &str = "the success counts, the failure opens";
    const STALE: &str = "the failure opens, the success is stale";
    const CLOSES: &str = "it closes";
    Race {
        name: "last probe success against last probe failure",
        rows: &[
            (Class::Interesting, COUNTS),
            (Class::Interesting, STALE),
            (Class::Forbidden, CLOSES),
        ],
        set: || half_open(HalfOpen::probes(2), 2),
        left: succeed,
        right: fail,
        judge: |stage, order, did| match (did, stage.end(), order) {
            (_, Some((State::Closed, _)), _) => CLOSES,
            ([Did::Counted, Did::Counted], Some((State::Open, 2)), order)
                if order != Order::RightFirst =>
            {
                COUNTS
            }
            ([Did::Stale, Did::Counted], Some((State::Open, 2)), order)
                if order != Order::LeftFirst =>
            {
                STALE
            }
            _ => "?",
        },
    }
}

const LEFT_DECIDES: &str = "overlapping, the left one decides";
const RIGHT_DECIDES: &str = "overlapping, the right one decides";
const LATER_DECIDES: &str = "the later one decides";
const ONE_DECIDES: &[Row] = &[
    (Class::Interesting, LEFT_DECIDES),
    (Class::Interesting, RIGHT_DECIDES),
    (Class::Allowed, LATER_DECIDES),
];

/// Both count, and whoever was the second one has made the one change.
fn judge_decision(stage: &Stage, to: State, order: Order, did: [Did; 2]) -> &'static str {
    if did != [Did::Counted; 2] || stage.end() != Some((to, 2)) {
        return "?";
    }
    match (order, stage.changed_by() == LEFT) {
        (Order::Overlap, true) => LEFT_DECIDES,
        (Order::Overlap, false) => RIGHT_DECIDES,
        (Order::LeftFirst, false) | (Order::RightFirst, true) => LATER_DECIDES,
        _ => "?",
    }
}

fn success_against_success() -> Race {
    Race {
        name: "the last two probes succeed",
        rows: ONE_DECIDES,
        set: || half_open(HalfOpen::probes(2), 2),
        left: succeed,
        right: succeed,
        judge: |stage, order, did| judge_decision(stage, State::Closed, order, did),
    }
}

fn rate_of_two() -> Race {
    Race {
        name: "a success and a failure decide by rate",
        rows: ONE_DECIDES,
        set: || half_open(HalfOpen::rate(2), 2),
        left: succeed,
        right: fail,
        judge: |stage, order, did| judge_decision(stage, State::Open, order, did),
    }
}

const LEFT_GETS: &str = "overlapping, the left one gets it";
const RIGHT_GETS: &str = "overlapping, the right one gets it";
const FIRST_GETS: &str = "the first one gets it";
const BOTH_GET: &str = "both get it";
const NONE_GETS: &str = "none gets it";

fn one_place() -> Race {
    Race {
        name: "two acquires for one half-open place",
        rows: &[
            (Class::Interesting, LEFT_GETS),
            (Class::Interesting, RIGHT_GETS),
            (Class::Allowed, FIRST_GETS),
            (Class::Forbidden, BOTH_GET),
            (Class::Forbidden, NONE_GETS),
        ],
        set: || half_open(HalfOpen::probes(1), 0),
        left: acquire,
        right: acquire,
        judge: |stage, order, did| match (did, order) {
            _ if stage.end() != Some((State::HalfOpen, 1)) => "?",
            ([Did::Granted, Did::Granted], _) => BOTH_GET,
            ([Did::Granted, other], Order::Overlap) if refused(other) => LEFT_GETS,
            ([other, Did::Granted], Order::Overlap) if refused(other) => RIGHT_GETS,
            ([Did::Granted, other], Order::LeftFirst) if refused(other) => FIRST_GETS,
            ([other, Did::Granted], Order::RightFirst) if refused(other) => FIRST_GETS,
            ([left, right], _) if refused(left) && refused(right) => NONE_GETS,
            _ => "?",
        },
    }
}

fn end_of_open_time() -> Race {
    const LEFT_BEGINS: &str = "overlapping, both are granted, the left one begins half-open";
    const RIGHT_BEGINS: &str = "overlapping, both are granted, the right one begins half-open";
    const FIRST_BEGINS: &str = "both are granted, the first one begins half-open";
    Race {
        name: "two acquires at the end of the open time",
        rows: &[
            (Class::Interesting, LEFT_BEGINS),
            (Class::Interesting, RIGHT_BEGINS),
            (Class::Allowed, FIRST_BEGINS),
        ],
        set: || open_time_over(2),
        left: acquire,
        right: acquire,
        judge: |stage, order, did| match (order, stage.changed_by() == LEFT) {
            // Both places are taken, and there is no third.
            _ if did != [Did::Granted; 2] || stage.end() != Some((State::HalfOpen, 2)) => "?",
            _ if stage.breaker.try_acquire().is_ok() => "?",
            (Order::Overlap, true) => LEFT_BEGINS,
            (Order::Overlap, false) => RIGHT_BEGINS,
            (Order::LeftFirst, true) | (Order::RightFirst, false) => FIRST_BEGINS,
            _ => "?",
        },
    }
}

fn give_back() -> Race {
    const IN_TIME: &str = "given back in time, granted again";
    const TOO_LATE: &str = "refused, and free afterwards";
    Race {
        name: "give-back against acquire",
        rows: &[(Class::Interesting, IN_TIME), (Class::Interesting, TOO_LATE)],
        set: || half_open(HalfOpen::probes(1), 1),
        left: |_, hand| {
            drop(hand);
            Did::Done
        },
        right: acquire,
        judge: |stage, order, [_, right]| {
            let free = stage.breaker.try_acquire().is_ok();
            match (right, free, order) {
                _ if stage.end() != Some((State::HalfOpen, 1)) => "?",
                (Did::Granted, false, Order::LeftFirst | Order::Overlap) => IN_TIME,
                (other, true, Order::RightFirst | Order::Overlap) if refused(other) => TOO_LATE,
                _ => "?",
            }
        },
    }
}

fn lapsed_lease() -> Race {
    const LEFT_NOTES: &str = "overlapping, the late report opens";
    const RIGHT_NOTES: &str = "overlapping, the acquire opens";
    const FIRST_NOTES: &str = "the first one opens";
    Race {
        name: "report against acquire, the lease has lapsed",
        rows: &[
            (Class::Interesting, LEFT_NOTES),
            (Class::Interesting, RIGHT_NOTES),
            (Class::Allowed, FIRST_NOTES),
        ],
        set: || {
            let (stage, hands) = half_open(HalfOpen::probes(1), 1);
            stage.clock.advance(SECOND);
            (stage, hands)
        },
        left: succeed,
        right: acquire,
        judge: |stage, order, did| match (order, stage.changed_by() == LEFT) {
            _ if did != [Did::Stale, Did::Refused(State::Open)] => "?",
            _ if stage.end() != Some((State::Open, 2)) => "?",
            (Order::Overlap, true) => LEFT_NOTES,
            (Order::Overlap, false) => RIGHT_NOTES,
            (Order::LeftFirst, true) | (Order::RightFirst, false) => FIRST_NOTES,
            _ => "?",
        },
    }
}

fn lease_that_lapses() -> Race {
    const IN_TIME: &str = "reported in time: closed, the acquire is granted";
    const TOO_LATE: &str = "too late: open, the acquire is refused";
    Race {
        name: "report against the clock that ends the lease",
        rows: &[(Class::Interesting, IN_TIME), (Class::Interesting, TOO_LATE)],
        set: || half_open(HalfOpen::probes(1), 1),
        left: succeed,
        right: |stage, _| {
            stage.clock.advance(SECOND);
            stage.acquire()
        },
        judge: |stage, order, did| match (did, stage.end(), order) {
            ([Did::Counted, Did::Granted], Some((State::Closed, 2)), order)
                if order != Order::RightFirst =>
            {
                IN_TIME
            }
            (
                [Did::Stale, Did::Refused(State::Open)],
                Some((State::Open, 2)),
                Order::RightFirst | Order::Overlap,
            ) => TOO_LATE,
            _ => "?",
        },
    }
}

/// What the permit that was granted in the race reports afterwards.
fn late_report(stage: &Stage) -> Option<Did> {
    let permit = stage.slot.lock().expect("no side panics").pop()?;
    Some(succeed(stage, Some(permit)))
}

fn deadline_against_reset() -> Race {
    const PROBE: &str = "a probe is granted, the reset ends its generation";
    const CLOSED: &str = "the reset comes first, a closed call is granted";
    Race {
        name: "acquire at the deadline against reset",
        rows: &[(Class::Interesting, PROBE), (Class::Interesting, CLOSED)],
        set: || open_time_over(1),
        left: acquire,
        right: |stage, _| {
            stage.breaker.reset();
            Did::Done
        },
        judge: |stage, order, [left, _]| match (left, stage.end(), order) {
            (Did::Granted, Some((State::Closed, 3)), Order::LeftFirst | Order::Overlap)
                if late_report(stage) == Some(Did::Stale) && stage.counts() == (0, 0) =>
            {
                PROBE
            }
            (Did::Granted, Some((State::Closed, 2)), Order::RightFirst | Order::Overlap)
                if late_report(stage) == Some(Did::Counted) && stage.counts() == (1, 0) =>
            {
                CLOSED
            }
            _ => "?",
        },
    }
}

fn deadline_against_force_open() -> Race {
    const PROBE: &str = "a probe is granted, then everything is refused";
    const REFUSED: &str = "refused";
    Race {
        name: "acquire at the deadline against force-open",
        rows: &[(Class::Interesting, PROBE), (Class::Interesting, REFUSED)],
        set: || open_time_over(1),
        left: acquire,
        right: |stage, _| {
            stage.breaker.force_open();
            Did::Done
        },
        judge: |stage, order, [left, _]| match (left, stage.end(), order) {
            (Did::Granted, Some((State::ForcedOpen, 3)), Order::LeftFirst | Order::Overlap) => {
                PROBE
            }
            (
                Did::Refused(State::ForcedOpen),
                Some((State::ForcedOpen, 2)),
                Order::RightFirst | Order::Overlap,
            ) => REFUSED,
            _ => "?",
        },
    }
}
