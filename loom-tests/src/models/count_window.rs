//! Verdicts of the count window and of runs: what every order demands happens, what no order allows does not.

use crate::breaker::rules::{Rules, WindowConfig};
use crate::orders::check;
use crate::race::{rate, NO_RULES, SEATLESS};
use crate::runner::Model;
use crate::window::counts::Kind::{Failure as F, Plain as S, Slow, SlowFailure};

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("count_window::two_failures_trip", 3, 2_800, || {
        check(count(2), rate(1_000_000, 2), &[], &[(0, &[F]), (1, &[F])]);
    }),
    Model::bounded("count_window::failure_and_success_reach_the_minimum", 3, 610, || {
        check(count(4), rate(400_000, 2), &[], &[(0, &[F]), (1, &[S])]);
    }),
    Model::bounded(
        "count_window::two_successes_after_a_failure_reach_the_minimum",
        3,
        5_200,
        || {
            check(count(4), rate(400_000, 2), &[F], &[(0, &[S]), (1, &[S])]);
        },
    ),
    Model::bounded("count_window::seatless_success_reaches_the_minimum", 3, 340, || {
        check(count(4), rate(400_000, 2), &[], &[(0, &[F]), (SEATLESS, &[S])]);
    }),
    Model::whole("count_window::no_order_demands_a_trip", 9, || {
        check(count(4), rate(500_000, 2), &[S, S], &[(0, &[F]), (1, &[S])]);
    }),
    Model::bounded("count_window::failure_slides_out", 3, 2_100, || {
        check(count(2), rate(1_000_000, 2), &[F], &[(0, &[S, S]), (1, &[F])]);
    }),
    Model::bounded("count_window::totals_are_kept", 3, 10_000, || {
        check(count(8), rate(1_000_000, 2), &[S], &[(0, &[S, F]), (1, &[F, S])]);
    }),
    Model::bounded("count_window::slow_success_and_failure", 3, 4_000, || {
        let rules = Rules { slow_ppm: 1_000_000, failure_count: 2, ..rate(0, 2) };
        check(count(2), rules, &[], &[(0, &[Slow]), (1, &[SlowFailure])]);
    }),
    Model::bounded("count_window::two_failures_behind_a_recount", 3, 950, || {
        check(count(8), TWO_FAILURES, &[Slow, Slow], &[(0, &[F]), (1, &[F])]);
    }),
    Model::bounded("count_window::late_failure_and_recount", 3, 5_000, || {
        check(count(8), TWO_FAILURES, &[Slow], &[(0, &[F]), (1, &[Slow, F])]);
    }),
    Model::bounded("count_window::three_reach_the_minimum", 2, 1_600, || {
        check(count(4), rate(300_000, 3), &[], &[(0, &[F]), (1, &[S]), (SEATLESS, &[S])]);
    }),
    Model::bounded("count_window::two_failures_of_three", 2, 2_400, || {
        check(count(4), rate(600_000, 3), &[], &[(0, &[F]), (1, &[F]), (SEATLESS, &[S])]);
    }),
    Model::bounded("count_window::three_failures", 2, 9_600, || {
        check(count(3), rate(1_000_000, 3), &[], &[(0, &[F]), (1, &[F]), (SEATLESS, &[F])]);
    }),
    Model::bounded("runs::two_failures_trip", 3, 6_100, || {
        check(WindowConfig::Consecutive, run(2), &[], &[(0, &[F]), (1, &[F])]);
    }),
    Model::whole("runs::earlier_success_breaks_the_run", 9, || {
        check(WindowConfig::Consecutive, run(2), &[F], &[(0, &[S, F]), (1, &[S])]);
    }),
    Model::bounded("runs::success_between_breaks_the_run", 3, 3_000, || {
        check(WindowConfig::Consecutive, run(3), &[], &[(0, &[F, S, F]), (1, &[F])]);
    }),
    Model::bounded("runs::beside_a_time_window", 2, 3_200, || {
        let window = WindowConfig::Time { length_ns: 2, buckets: 2 };
        check(window, run(2), &[], &[(0, &[F]), (1, &[F])]);
    }),
];

/// Slow successes leave marks as well, so the filter passes and the recount finds no trip.
const TWO_FAILURES: Rules = Rules { failure_count: 2, ..NO_RULES };

const fn count(size: u32) -> WindowConfig {
    WindowConfig::Count { size }
}

const fn run(run: u32) -> Rules {
    Rules { run, ..NO_RULES }
}
