//! Windows: nothing is lost and nothing is counted twice, at the seam of two buckets, at the entry of a generation, in
//! words that threads share, and for permits that change hands.

use core::time::Duration;

use failfast::{Builder, CircuitBreaker, Outcome, State, Window};

use crate::arena::{Order, Race};
use crate::report::{Class, Row};
use crate::stage::{fail, succeed, Did, Hand, Stage, SECOND};

const HALF: Duration = Duration::from_millis(500);

/// Two buckets of half a second, at the beginning of the one that starts at a second.
fn two_buckets() -> Builder {
    CircuitBreaker::builder().window(Window::time(SECOND).buckets(2)).failure_rate(1.0)
}

fn count(size: u32) -> Builder {
    CircuitBreaker::builder().window(Window::count(size)).failure_rate(1.0)
}

fn dealt(builder: Builder) -> (Stage, [Hand; 2]) {
    let stage = Stage::new(builder);
    let hands = [stage.permit(), stage.permit()];
    (stage, hands)
}

pub(crate) fn races() -> Vec<Race> {
    vec![
        seam(),
        trip_at_the_seam(),
        both_enter("two seats enter a generation, count window", || entered(count(100), 2)),
        both_enter("two seats enter a generation, time window", || entered(two_buckets(), 2)),
        both_enter("one stripe and the shared words, count window", || entered(count(100), 1)),
        both_enter("one stripe and the shared words, time window", || entered(two_buckets(), 1)),
        last_of_one(),
        run_against_success(),
        handed_over(),
    ]
}

fn seam() -> Race {
    const OLD: &str = "one in each bucket";
    const NEW: &str = "both in the later bucket";
    Race {
        name: "two failures at the seam of two buckets",
        rows: &[(Class::Interesting, OLD), (Class::Interesting, NEW)],
        set: || dealt(two_buckets()),
        left: fail,
        right: |stage, hand| {
            stage.clock.advance(HALF);
            fail(stage, hand)
        },
        judge: |stage, order, did| {
            if did != [Did::Counted; 2] || stage.counts() != (2, 2) {
                return "?";
            }
            // The earlier bucket leaves.
            stage.clock.advance(HALF);
            match (stage.counts(), order) {
                ((1, 1), Order::LeftFirst | Order::Overlap) => OLD,
                ((2, 2), Order::RightFirst | Order::Overlap) => NEW,
                _ => "?",
            }
        },
    }
}

fn trip_at_the_seam() -> Race {
    const OVERLAP: &str = "overlapping, it trips";
    const LATER: &str = "one after the other, it trips";
    const NONE: &str = "none trips";
    Race {
        name: "two failures trip across the seam of two buckets",
        rows: &[(Class::Interesting, OVERLAP), (Class::Allowed, LATER), (Class::Forbidden, NONE)],
        set: || dealt(two_buckets().min_calls(2)),
        left: fail,
        right: |stage, hand| {
            stage.clock.advance(HALF);
            fail(stage, hand)
        },
        judge: |stage, order, did| match (did, stage.end(), order) {
            (_, Some((State::Closed, 0)), _) => NONE,
            ([Did::Counted, Did::Counted], Some((State::Open, 1)), Order::Overlap) => OVERLAP,
            ([Did::Counted, Did::Counted], Some((State::Open, 1)), _) => LATER,
            _ => "?",
        },
    }
}

/// A second generation; the stripe of the thread that sets the stage holds counts of the first.
fn entered(builder: Builder, stripes: u32) -> (Stage, [Hand; 2]) {
    let stage = Stage::with_stripes(builder, stripes);
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Success] {
        stage.call(outcome);
    }
    stage.breaker.reset();
    (stage, [None, None])
}

fn both_enter(name: &'static str, set: fn() -> (Stage, [Hand; 2])) -> Race {
    const OVERLAP: &str = "overlapping, all are counted";
    const APART: &str = "one after the other, all are counted";
    const LOST: &str = "one is missing";
    const TWICE: &str = "one is there too often";
    const ROWS: &[Row] = &[
        (Class::Interesting, OVERLAP),
        (Class::Allowed, APART),
        (Class::Forbidden, LOST),
        (Class::Forbidden, TWICE),
    ];
    fn side(stage: &Stage, _: Hand) -> Did {
        stage.call(Outcome::Success);
        stage.call(Outcome::Failure)
    }
    Race {
        name,
        rows: ROWS,
        set,
        left: side,
        right: side,
        judge: |stage, order, did| match (stage.counts(), order) {
            _ if did != [Did::Counted; 2] || stage.end() != Some((State::Closed, 1)) => "?",
            ((4, 2), Order::Overlap) => OVERLAP,
            ((4, 2), _) => APART,
            ((calls, failures), _) if calls < 4 || failures < 2 => LOST,
            _ => TWICE,
        },
    }
}

fn last_of_one() -> Race {
    const FAILURE: &str = "the failure is the last";
    const SUCCESS: &str = "the success is the last";
    Race {
        name: "a failure and a success in a window of one",
        rows: &[(Class::Interesting, FAILURE), (Class::Interesting, SUCCESS)],
        // No rate that one failure reaches: the count alone is of interest.
        set: || dealt(count(1).no_failure_rate().slow_call(SECOND, 1.0)),
        left: fail,
        right: succeed,
        judge: |stage, order, did| match (did, stage.counts(), order) {
            ([Did::Counted, Did::Counted], (1, 1), Order::RightFirst | Order::Overlap) => FAILURE,
            ([Did::Counted, Did::Counted], (1, 0), Order::LeftFirst | Order::Overlap) => SUCCESS,
            _ => "?",
        },
    }
}

fn run_against_success() -> Race {
    const KEPT: &str = "the failure comes last: a run of one";
    const ENDED: &str = "the success comes last: no run";
    Race {
        name: "a failure and a success in a consecutive window",
        rows: &[(Class::Interesting, KEPT), (Class::Interesting, ENDED)],
        set: || dealt(CircuitBreaker::builder().window(Window::consecutive(5))),
        left: fail,
        right: succeed,
        judge: |stage, order, did| {
            let run = stage.breaker.snapshot().consecutive_failures;
            match (did, run, order) {
                ([Did::Counted, Did::Counted], 1, Order::RightFirst | Order::Overlap) => KEPT,
                ([Did::Counted, Did::Counted], 0, Order::LeftFirst | Order::Overlap) => ENDED,
                _ => "?",
            }
        },
    }
}

fn handed_over() -> Race {
    const RECORDED: &str = "overlapping, recorded by the other thread: it trips";
    const AFTER: &str = "handed over before, recorded by the other thread: it trips";
    const MISSED: &str = "not there yet";
    Race {
        name: "an owned permit is recorded on the other thread",
        rows: &[
            (Class::Interesting, RECORDED),
            (Class::Allowed, AFTER),
            (Class::Interesting, MISSED),
        ],
        set: || {
            let stage = Stage::new(CircuitBreaker::builder().window(Window::consecutive(1)));
            (stage, [None, None])
        },
        left: |stage, _| stage.acquire(),
        right: |stage, _| {
            let handed = stage.slot.lock().expect("no side panics").pop();
            match handed {
                Some(permit) => fail(stage, Some(permit)),
                None => Did::Nothing,
            }
        },
        judge: |stage, order, did| match (did, stage.end(), order) {
            ([Did::Granted, Did::Counted], Some((State::Open, 1)), Order::Overlap) => RECORDED,
            ([Did::Granted, Did::Counted], Some((State::Open, 1)), Order::LeftFirst) => AFTER,
            (
                [Did::Granted, Did::Nothing],
                Some((State::Closed, 0)),
                Order::RightFirst | Order::Overlap,
            ) => MISSED,
            _ => "?",
        },
    }
}
