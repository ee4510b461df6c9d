//! Totals at rest: after the threads are joined every window is exact, and no verdict was missed or made up.

use failfast::{CircuitBreaker, Outcome, Permit, Recorded, State, TransitionCause, Window};

use super::{each_with, in_every_width, permits, together, THREADS};
use crate::story::{assert_empty, counts, fail, secs, stage, succeed, takes};

#[test]
fn a_count_window_that_is_not_full_holds_every_call() {
    let roomy = || {
        CircuitBreaker::builder()
            .window(Window::count(20_000))
            .failure_rate(1.0)
            .slow_call(secs(1), 1.0)
    };
    in_every_width(roomy, |builder| {
        let (breaker, _, journal) = stage(builder);
        // One success first: then no order of the rest is all failures or all slow.
        succeed(&breaker, 1);
        together(THREADS, |_| {
            for call in 0..1_000 {
                let (outcome, elapsed) = match call % 10 {
                    0 => (Outcome::Failure, secs(0)),
                    1 => (Outcome::Success, secs(2)),
                    2 => (Outcome::Failure, secs(2)),
                    3 => (Outcome::Ignored, secs(2)),
                    _ => (Outcome::Success, secs(0)),
                };
                assert_eq!(takes(&breaker, outcome, elapsed), Recorded::Counted);
            }
        });
        let hundreds = u64::from(THREADS) * 100;
        assert_eq!(counts(&breaker), (hundreds * 9 + 1, hundreds * 2, hundreds * 2, hundreds));
        assert_eq!(journal.len(), 0);
    });
}

#[test]
fn a_full_count_window_holds_exactly_its_size() {
    // Each thread alternates success and failure. The last 100 calls hold a gapless run of each thread's calls, in
    // which successes and failures differ by at most one.
    let hundred =
        || CircuitBreaker::builder().window(Window::count(100)).failure_rate(0.9).min_calls(100);
    in_every_width(hundred, |builder| {
        let (breaker, _, journal) = stage(builder);
        for _ in 0..10 {
            together(THREADS, |_| {
                for _ in 0..500 {
                    succeed(&breaker, 1);
                    fail(&breaker, 1);
                }
            });
            let (calls, failures, ..) = counts(&breaker);
            assert_eq!(calls, 100);
            let spread = (2 * failures).abs_diff(calls);
            assert!(spread <= u64::from(THREADS), "{failures} of 100 failed");
        }
        assert_eq!(journal.len(), 0, "no order of these calls reaches 90 %");
    });
}

#[test]
fn after_the_threads_are_gone_the_window_slides_one_call_at_a_time() {
    let ten = || CircuitBreaker::builder().window(Window::count(10)).failure_rate(1.0);
    in_every_width(ten, |builder| {
        let (breaker, _, _) = stage(builder);
        for _ in 0..50 {
            breaker.metrics_only();
            together(THREADS, |_| fail(&breaker, 20));
            assert_eq!(counts(&breaker), (10, 10, 0, 0));
            for left in (0..10).rev() {
                succeed(&breaker, 1);
                assert_eq!(counts(&breaker), (10, left, 0, 0));
            }
        }
    });
}

#[test]
fn a_time_window_holds_every_call_of_its_buckets() {
    let ten_seconds = || {
        CircuitBreaker::builder()
            .window(Window::time(secs(10)))
            .failure_rate(1.0)
            .slow_call(secs(1), 1.0)
    };
    in_every_width(ten_seconds, |builder| {
        let (breaker, clock, journal) = stage(builder);
        let each = u64::from(THREADS) * 100;
        for second in 0..25_u64 {
            clock.set(secs(second));
            succeed(&breaker, 1);
            together(THREADS, |_| {
                for _ in 0..100 {
                    succeed(&breaker, 1);
                    fail(&breaker, 1);
                    takes(&breaker, Outcome::Failure, secs(2));
                }
            });
            let buckets = (second + 1).min(10);
            assert_eq!(
                counts(&breaker),
                (buckets * (3 * each + 1), buckets * 2 * each, buckets * each, buckets * each)
            );
        }
        clock.advance(secs(10));
        assert_empty(&breaker.snapshot());
        assert_eq!(journal.len(), 0);
    });
}

#[test]
fn a_run_of_failures_is_as_long_as_all_threads_made_it() {
    let run = || CircuitBreaker::builder().window(Window::consecutive(THREADS * 1_000));
    in_every_width(run, |builder| {
        let (breaker, _, journal) = stage(builder);
        let all = u64::from(THREADS) * 1_000;
        together(THREADS, |_| fail(&breaker, 999));
        assert_eq!(breaker.snapshot().consecutive_failures, all - u64::from(THREADS));
        succeed(&breaker, 1);
        assert_eq!(breaker.snapshot().consecutive_failures, 0);
        together(THREADS, |_| fail(&breaker, 1_000));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(journal.causes(), [TransitionCause::ConsecutiveFailures { failures: all }]);
    });
}

#[test]
fn a_run_is_at_most_what_came_after_the_last_success() {
    let run = || CircuitBreaker::builder().window(Window::consecutive(u32::MAX));
    in_every_width(run, |builder| {
        let (breaker, _, _) = stage(builder);
        for _ in 0..100 {
            together(THREADS, |_| {
                fail(&breaker, 7);
                succeed(&breaker, 1);
                fail(&breaker, 3);
            });
            // After its own success no thread has more than three failures to add, and the last success of all is
            // followed by at least that thread's three.
            let run = breaker.snapshot().consecutive_failures;
            assert!((3..=3 * u64::from(THREADS)).contains(&run), "{run}");
            succeed(&breaker, 1);
        }
    });
}

#[test]
fn outcomes_that_reach_the_minimum_together_are_judged_there() {
    // A failure, then three successes at once, minimum 2, rate 0.4: every order of them has 1 of 2 at the minimum, so
    // every order trips, though each thread alone may see 1 of 4 when it looks.
    let two = || CircuitBreaker::builder().window(Window::count(10)).min_calls(2).failure_rate(0.4);
    in_every_width(two, |builder| {
        let (breaker, _, journal) = stage(builder);
        for round in 1..=100 {
            fail(&breaker, 1);
            each_with(permits(&breaker, 3), Permit::success);
            assert_eq!(breaker.state(), State::Open, "in round {round}");
            assert_eq!(journal.len(), 2 * round - 1);
            breaker.reset();
        }
    });
}

#[test]
fn failures_that_overlap_trip_when_every_order_of_them_does() {
    for window in [Window::count(THREADS), Window::time(secs(10))] {
        let full = || CircuitBreaker::builder().window(window).min_calls(THREADS).failure_rate(1.0);
        in_every_width(full, |builder| {
            let (breaker, _, journal) = stage(builder);
            for round in 1..=100 {
                together(THREADS, |_| fail(&breaker, 1));
                assert_eq!(breaker.state(), State::Open, "in round {round}");
                assert_eq!(journal.len(), 2 * round - 1);
                breaker.reset();
            }
        });
    }
}

#[test]
fn no_trip_happens_that_no_order_asks_for() {
    // Three threads fail once, three succeed twice: however they interleave, a window of nine never holds four.
    let counting =
        || CircuitBreaker::builder().window(Window::count(9)).no_failure_rate().failure_count(4);
    in_every_width(counting, |builder| {
        let (breaker, _, journal) = stage(builder);
        for _ in 0..200 {
            together(THREADS, |thread| match thread % 2 {
                0 => fail(&breaker, 1),
                _ => succeed(&breaker, 2),
            });
            assert_eq!(counts(&breaker), (9, 3, 0, 0));
            succeed(&breaker, 9);
            assert_eq!(counts(&breaker), (9, 0, 0, 0));
        }
        assert_eq!(journal.len(), 0);
    });
}

#[test]
fn many_short_lived_threads_lose_no_count() {
    // More threads in all than there can be stripes: their numbers are handed back and used again.
    let patient = || CircuitBreaker::builder().window(Window::count(5_000)).min_calls(5_000);
    in_every_width(patient, |builder| {
        let (breaker, _, _) = stage(builder);
        for wave in 1..=60_u64 {
            together(THREADS, |_| {
                succeed(&breaker, 1);
                fail(&breaker, 1);
            });
            let ends = wave * u64::from(THREADS);
            assert_eq!(counts(&breaker), (2 * ends, ends, 0, 0));
        }
    });
}
