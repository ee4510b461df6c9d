//! The time window: verdicts, seams between buckets, and the words of threads without seats.

use crate::breaker::rules::WindowConfig;
use crate::breaker::state::Word;
use crate::orders::check;
use crate::phase::State;
use crate::race::{config, race, rate, Breaker, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::buckets::{Buckets, Grid, Placed};
use crate::window::counts::Kind::{self, Failure as F, Plain as S};

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("time_window::two_failures_trip", 3, 4_600, || {
        check(TWO_BUCKETS, rate(1_000_000, 2), &[], &[(0, &[F]), (1, &[F])]);
    }),
    Model::bounded("time_window::failure_and_success_reach_the_minimum", 3, 4_600, || {
        check(TWO_BUCKETS, rate(400_000, 2), &[], &[(0, &[F]), (1, &[S])]);
    }),
    Model::bounded(
        "time_window::two_successes_after_a_failure_reach_the_minimum",
        3,
        5_900,
        || {
            check(TWO_BUCKETS, rate(400_000, 2), &[F], &[(0, &[S]), (1, &[S])]);
        },
    ),
    Model::bounded(
        "time_window::success_between_a_failure_and_the_next_success",
        3,
        110_000,
        || {
            check(ONE_BUCKET, rate(500_000, 2), &[], &[(0, &[S]), (1, &[F, S])]);
        },
    ),
    Model::bounded("time_window::seatless_failures_trip", 3, 2_300, || {
        check(TWO_BUCKETS, rate(1_000_000, 2), &[], &[(SEATLESS, &[F]), (SEATLESS, &[F])]);
    }),
    Model::bounded("time_window::seatless_success_reaches_the_minimum", 3, 710, || {
        check(TWO_BUCKETS, rate(400_000, 2), &[], &[(0, &[F]), (SEATLESS, &[S])]);
    }),
    Model::whole("time_window::no_order_demands_a_trip", 9, || {
        check(TWO_BUCKETS, rate(500_000, 2), &[S, S], &[(0, &[F]), (1, &[S])]);
    }),
    Model::bounded("time_window::totals_are_kept", 3, 1_600, || {
        check(TWO_BUCKETS, rate(1_000_000, 2), &[S], &[(0, &[S, F]), (1, &[F, S])]);
    }),
    Model::bounded("time_window::two_threads_at_a_seam", 3, 1_300, || at_a_seam([0, 1])),
    Model::bounded("time_window::two_seatless_threads_at_a_seam", 3, 5_900, || {
        at_a_seam([SEATLESS; 2])
    }),
    Model::bounded("time_window::two_sides_of_a_seam", 3, 2_200, || two_sides([0, 1], F)),
    Model::bounded("time_window::two_successes_at_a_seam", 3, 2_200, || two_sides([0, 1], S)),
    Model::bounded("time_window::two_failures_at_a_seam", 3, 4_600, two_failures_at_a_seam),
    Model::whole("time_window::two_seatless_sides_of_a_seam", 670, || two_sides([SEATLESS; 2], F)),
    Model::bounded("time_window::seatless_late_bucket", 3, 800, seatless_late_bucket),
    Model::bounded("time_window::two_seatless_late_buckets", 3, 830, two_seatless_late_buckets),
    Model::bounded("time_window::old_window_sees_no_new_count", 3, 3_500, old_window),
    Model::whole("time_window::new_generation_sees_no_old_count", 1_200, new_generation),
    Model::whole("time_window::new_window_sees_no_old_count", 320, new_window),
];

/// Buckets of one nanosecond: the instant is the bucket's number.
const TWO_BUCKETS: WindowConfig = WindowConfig::Time { length_ns: 2, buckets: 2 };

const ONE_BUCKET: WindowConfig = WindowConfig::Time { length_ns: 1, buckets: 1 };

/// Both threads replace a bucket of two successes by one of the same slot.
fn at_a_seam(seats: [usize; 2]) {
    let breaker = Breaker::new(&config(TWO_BUCKETS, rate(1_000_000, 2)));
    let name = breaker.name();
    for seat in seats {
        breaker.record(seat, name, S, 0);
    }
    let fail = |seat| move |b: &Breaker| b.record(seat, name, F, 2);
    let (_, _, breaker) = race(breaker, fail(seats[0]), fail(seats[1]));
    assert_eq!(breaker.states(), [State::Open], "two failures alone in the window trip");
}

/// One thread records in the bucket before the seam, another behind it; both are in the window.
fn two_sides(seats: [usize; 2], kind: Kind) {
    let breaker = Breaker::new(&config(TWO_BUCKETS, NO_RULES));
    let name = breaker.name();
    breaker.record(seats[0], name, S, 0);
    let record = |seat, now| move |b: &Breaker| b.record(seat, name, kind, now);
    let (_, _, breaker) = race(breaker, record(seats[0], 1), record(seats[1], 2));
    assert_eq!(breaker.engine.read(2, 2).counts.calls, 2, "no outcome at a seam is lost");
}

/// Whoever is the slower one sees both, also if the faster one is in the later bucket.
fn two_failures_at_a_seam() {
    let breaker = Breaker::new(&config(TWO_BUCKETS, rate(1_000_000, 2)));
    let name = breaker.name();
    let fail = |seat, now| move |b: &Breaker| b.record(seat, name, F, now);
    let (_, _, breaker) = race(breaker, fail(0, 1), fail(1, 2));
    assert_eq!(breaker.state(), State::Open, "two failures of one window, two of two calls");
}

/// E6: a thread that slept since the bucket before the last finds a newer one in its slot.
fn seatless_late_bucket() {
    let breaker = Breaker::new(&config(TWO_BUCKETS, NO_RULES));
    let name = breaker.name();
    let succeed = |now| move |b: &Breaker| b.record(SEATLESS, name, S, now);
    let (_, _, breaker) = race(breaker, succeed(0), succeed(2));
    assert_eq!(breaker.engine.read(2, 2).counts.calls, 1, "an old bucket replaces no newer one");
}

/// Two buckets of the same slot, neither of which has been counted in before.
fn two_seatless_late_buckets() {
    let breaker = Breaker::new(&config(TWO_BUCKETS, NO_RULES));
    let name = breaker.name();
    let succeed = |now| move |b: &Breaker| b.record(SEATLESS, name, S, now);
    let (_, _, breaker) = race(breaker, succeed(2), succeed(4));
    assert_eq!(breaker.engine.read(4, 4).counts.calls, 1, "an old bucket replaces no newer one");
}

// ===== buckets by themselves =====

const NAME: Word = Word::name(State::Closed, 0);

fn record(buckets: &Buckets, now: u64, kind: Kind) {
    if let Placed::Here(at) = buckets.count(0, NAME, now, kind, &|| true) {
        buckets.settle(0, NAME, at, kind, true);
    }
}

/// Two successes in bucket 0, which its owner will replace by bucket 2.
fn two_successes() -> Buckets {
    let buckets = Buckets::new(Grid::new(2, 2), 1);
    record(&buckets, 0, S);
    record(&buckets, 0, S);
    buckets
}

/// E9: the number is withdrawn before the counts are.
fn old_window() {
    let (_, calls, _) = race(
        two_successes(),
        |buckets| {
            record(buckets, 2, S);
            assert!(buckets.count_warm(0, NAME, 2, || ()), "warm, as settled");
        },
        |buckets| buckets.counts(NAME, 1).calls,
    );
    assert!(calls == 2 || calls == 0, "a bucket that is replaced is whole or gone: {calls}");
}

/// E9: the counts are zero before the number is the new one.
fn new_window() {
    let (_, calls, buckets) = race(
        two_successes(),
        |buckets| record(buckets, 2, S),
        |buckets| buckets.counts(NAME, 2).calls,
    );
    assert!(calls <= 1, "a new bucket holds no count of the old one: {calls}");
    assert_eq!(buckets.counts(NAME, 2).calls, 1, "no outcome is lost");
}

/// E5: the buckets are empty before they have the new generation's name.
fn new_generation() {
    const NEXT: Word = Word::name(State::Closed, 1);
    let (_, calls, _) = race(
        two_successes(),
        |buckets| buckets.count(0, NEXT, 0, S, &|| true),
        |buckets| buckets.counts(NEXT, 0).calls,
    );
    assert!(calls <= 1, "a new generation holds no count of the old one: {calls}");
}
