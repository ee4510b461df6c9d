//! The buckets of a time window: what a reader may make of words that others are replacing.

use crate::breaker::rules::WindowConfig;
use crate::breaker::state::Word;
use crate::orders::check;
use crate::phase::State;
use crate::race::{config, race, rate, Breaker, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::buckets::{Buckets, Grid, Placed};
use crate::window::counts::Kind::{self, Failure as F, Plain as S};

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("buckets::failure_after_a_success", 2, 1_100, || {
        check(TWO_BUCKETS, rate(700_000, 2), &[], &[(0, &[S, F]), (1, &[F])]);
    }),
    Model::bounded("buckets::seatless_failure_after_a_success", 2, 680, || {
        check(TWO_BUCKETS, rate(700_000, 2), &[], &[(SEATLESS, &[S, F]), (1, &[F])]);
    }),
    Model::bounded("buckets::failure_brings_the_success_before_it", 3, 220, failure_after_success),
    Model::bounded("buckets::bucket_replaced_between_readings", 3, 39_000, between_readings),
    Model::bounded("buckets::seatless_bucket_replaced_before_a_failure", 2, 140, at_a_seam),
    Model::bounded("buckets::replaced_bucket_is_whole_or_gone", 2, 530, || replaced(0)),
    Model::whole("buckets::seatless_replaced_bucket_is_whole_or_gone", 440, || replaced(SEATLESS)),
    Model::bounded("buckets::old_bucket_has_no_new_count", 2, 620, new_counts),
    Model::bounded("buckets::late_generation_replaces_no_newer_bucket", 2, 390, late_generation),
];

/// Buckets of one nanosecond: the instant is the bucket's number.
const TWO_BUCKETS: WindowConfig = WindowConfig::Time { length_ns: 2, buckets: 2 };
const NAME: Word = Word::name(State::Closed, 0);

/// Buckets whose outcomes are counted and settled without being judged, as in metrics-only: no fence helps.
fn filled(seat: usize, kinds: &[Kind]) -> Buckets {
    let buckets = Buckets::new(Grid::new(2, 2), 1);
    for kind in kinds {
        record(&buckets, seat, 0, *kind);
    }
    buckets
}

fn record(buckets: &Buckets, seat: usize, now: u64, kind: Kind) {
    if let Placed::Here(at) = buckets.count(seat, NAME, now, kind, &|| true) {
        buckets.settle(seat, NAME, at, kind, true);
    }
}

/// E9: no zero of a new bucket, and no count of one, under the number of the old one.
fn replaced(seat: usize) {
    let (_, calls, _) = race(
        filled(seat, &[S, F]),
        move |buckets| record(buckets, seat, 2, S),
        |buckets| buckets.counts(NAME, 1).calls,
    );
    assert!(calls == 2 || calls == 0, "a bucket that is replaced is whole or gone: {calls}");
}

/// E9: each count by itself, since no store but the latest is read: counted, settled, warm.
fn new_counts() {
    let (_, calls, _) = race(
        filled(0, &[S, S, S]),
        |buckets| {
            record(buckets, 0, 2, S);
            assert!(buckets.count_warm(0, NAME, 2, || ()), "warm, as settled");
        },
        |buckets| buckets.counts(NAME, 1).calls,
    );
    assert!(calls == 3 || calls == 0, "a bucket that is replaced is whole or gone: {calls}");
}

/// E9: who counts a failure counts the successes before it, whatever it reads first; here a warm one without a fence.
fn failure_after_success() {
    let breaker = Breaker::new(&config(TWO_BUCKETS, rate(450_000, 1)));
    let name = breaker.name();
    breaker.record(0, name, S, 0);
    breaker.record(1, name, S, 0);
    let (_, _, breaker) = race(
        breaker,
        move |b: &Breaker| {
            assert!(b.engine.count_warm(0, name, 0), "warm: the minimum is reached");
            b.record(1, name, F, 0);
        },
        move |b: &Breaker| b.record(SEATLESS, name, F, 0),
    );
    assert_eq!(breaker.states(), [], "one of three or four, then two of five: no trip");
}

/// Three successes and a failure are replaced while another thread judges the window that ends before.
fn at_a_seam() {
    let breaker = Breaker::new(&config(TWO_BUCKETS, rate(600_000, 2)));
    let name = breaker.name();
    for kind in [S, S, S, F] {
        breaker.record(SEATLESS, name, kind, 0);
    }
    let (_, _, breaker) = race(
        breaker,
        move |b: &Breaker| b.record(SEATLESS, name, S, 2),
        move |b: &Breaker| b.record(1, name, F, 1),
    );
    assert_eq!(breaker.states(), [], "two of five, then one of two: no trip");
}

/// A failure is found without the success before it, and then neither: its bucket has been replaced.
fn between_readings() {
    let buckets = Buckets::new(Grid::new(2, 2), 2);
    let (_, (_, cause), _) = race(
        buckets,
        |buckets| {
            for (now, kind) in [(0, S), (0, F), (2, S)] {
                record(buckets, 0, now, kind);
            }
        },
        |buckets| {
            buckets.count(1, NAME, 1, F, &|| true);
            buckets.judge(1, NAME, 1, &rate(700_000, 2))
        },
    );
    assert_eq!(cause, None, "two of three, or one alone: no trip");
}

/// E6: a thread of an ended generation sleeps before it moves a shared bucket on.
fn late_generation() {
    let breaker = Breaker::new(&config(TWO_BUCKETS, NO_RULES));
    let name = breaker.name();
    let (_, _, breaker) = race(
        breaker,
        move |b: &Breaker| b.record(SEATLESS, name, S, 0),
        |b: &Breaker| {
            b.reset();
            b.record(SEATLESS, b.name(), S, 0)
        },
    );
    assert_eq!(breaker.counts().calls, 1, "an old generation replaces no newer bucket");
}
