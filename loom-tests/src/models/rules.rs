//! Several rules beside each other: one order of the outcomes must do for all of them.
//!
//! In each of these every order trips, by one rule or by another; so it is not enough that each rule has an order in
//! which it does not.

use crate::breaker::rules::{Rules, WindowConfig};
use crate::orders::check;
use crate::race::{rate, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::counts::Kind::{Failure as F, Plain as S, Slow};

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("time_window::rate_or_run", 2, 10, || {
        check(TWO_BUCKETS, rate_or_run(1_000_000, 1), &[], &[(0, &[S]), (1, &[F, F])]);
    }),
    Model::bounded("time_window::rate_or_run_of_two_threads", 1, 10, || {
        check(
            TWO_BUCKETS,
            rate_or_run(1_000_000, 1),
            &[],
            &[(0, &[S]), (1, &[F]), (SEATLESS, &[F])],
        );
    }),
    Model::bounded("time_window::rate_or_run_behind_a_seatless_success", 3, 17_000, || {
        check(TWO_BUCKETS, rate_or_run(1_000_000, 1), &[], &[(SEATLESS, &[S]), (1, &[F, F])]);
    }),
    Model::bounded("time_window::rate_or_run_behind_a_warm_success", 3, 33_000, || {
        check(TWO_BUCKETS, rate_or_run(650_000, 2), &[F, S], &[(0, &[F]), (1, &[S, F])]);
    }),
    Model::bounded("time_window::minimum_or_run", 2, 3_400, || {
        check(TWO_BUCKETS, rate_or_run(500_000, 2), &[F], &[(0, &[S]), (1, &[F])]);
    }),
    Model::bounded("time_window::slow_rate_or_run", 3, 12_700, || {
        let rules = Rules { slow_ppm: 500_000, run: 2, ..NO_RULES };
        check(TWO_BUCKETS, rules, &[F], &[(0, &[Slow]), (1, &[F])]);
    }),
    Model::bounded("time_window::failure_rate_or_slow_rate", 2, 10, || {
        check(TWO_BUCKETS, EITHER_RATE, &[], &[(0, &[Slow]), (1, &[F])]);
    }),
    Model::bounded("time_window::seatless_failure_rate_or_slow_rate", 3, 4_100, || {
        check(TWO_BUCKETS, EITHER_RATE, &[], &[(SEATLESS, &[Slow]), (SEATLESS, &[F])]);
    }),
    Model::bounded("count_window::rate_or_run", 3, 6_500, || {
        check(FOUR_CALLS, rate_or_run(1_000_000, 1), &[], &[(0, &[S]), (1, &[F, F])]);
    }),
    Model::bounded("count_window::slow_rate_or_run", 3, 10_800, || {
        let rules = Rules { slow_ppm: 500_000, run: 2, ..NO_RULES };
        check(FOUR_CALLS, rules, &[F], &[(0, &[Slow]), (1, &[F])]);
    }),
    Model::bounded("count_window::failure_rate_or_slow_rate", 3, 6_000, || {
        check(FOUR_CALLS, EITHER_RATE, &[], &[(0, &[Slow]), (1, &[F])]);
    }),
];

/// Buckets of one nanosecond: the instant is the bucket's number.
const TWO_BUCKETS: WindowConfig = WindowConfig::Time { length_ns: 2, buckets: 2 };
const FOUR_CALLS: WindowConfig = WindowConfig::Count { size: 4 };
/// Trips by the first outcome, whichever it is.
const EITHER_RATE: Rules = Rules { failure_ppm: 1_000_000, slow_ppm: 1_000_000, ..NO_RULES };

/// A failure rate from a number of calls on, or two failures in a row.
const fn rate_or_run(failure_ppm: u32, min_calls: u32) -> Rules {
    Rules { run: 2, ..rate(failure_ppm, min_calls) }
}
