//! What each call does to shared words, counted: the table of the performance page, row by row.
//!
//! Eight stripes, the default on two to four cores. A failure reads all of them; where a figure depends on that the
//! test says so. The clock is no word of ours and counts nothing.

use core::time::Duration;

use super::*;
use crate::sync::tally::{self, Tally};

const STRIPES: u32 = 8;

/// A clock that stands still.
#[derive(Clone, Copy)]
struct Still(Duration);

impl Clock for Still {
    fn now(&self) -> Duration {
        self.0
    }
}

const LENGTH: Duration = Duration::from_secs(10);

fn breaker_with(window: Window, stripes: u32) -> CircuitBreaker<Still> {
    let clock = Still(Duration::from_secs(86_400));
    CircuitBreaker::builder().window(window).stripes(stripes).clock(clock).build().unwrap()
}

fn breaker(window: Window) -> CircuitBreaker<Still> {
    breaker_with(window, STRIPES)
}

/// A breaker whose minimum this thread has seen reached.
fn warm(window: Window) -> CircuitBreaker<Still> {
    warmed(breaker(window))
}

fn warmed(breaker: CircuitBreaker<Still>) -> CircuitBreaker<Still> {
    for _ in 0..200 {
        breaker.try_acquire().unwrap().success();
    }
    breaker
}

/// Loads, stores, read-modify-writes, fences; lines read and not written, lines written.
fn row(
    [loads, stores, changes, fences]: [usize; 4],
    [lines_read, lines_written]: [usize; 2],
) -> Tally {
    Tally { loads, stores, changes, fences, lines_read, lines_written }
}

fn succeed(breaker: &CircuitBreaker<Still>) -> Tally {
    tally::of(|| assert_eq!(breaker.try_acquire().unwrap().success(), Recorded::Counted))
}

fn fail(breaker: &CircuitBreaker<Still>) -> Tally {
    tally::of(|| assert_eq!(breaker.try_acquire().unwrap().failure(), Recorded::Counted))
}

#[test]
fn a_warm_success_stores_once_and_reads_one_line_that_others_write_only_in_transitions() {
    for window in [Window::count(100), Window::count(100_000), Window::consecutive(5)] {
        assert_eq!(succeed(&warm(window)), row([5, 1, 0, 0], [1, 1]), "{window:?}");
    }
    // The bucket is a line of its own, and its stripe's line says which one it is.
    assert_eq!(succeed(&warm(Window::time(LENGTH))), row([8, 1, 0, 0], [2, 1]));
}

#[test]
fn a_cold_success_reads_every_stripe_behind_a_fence() {
    // The first one moves the stripe to the generation; the rest are below the minimum.
    let breaker = breaker(Window::count(100));
    succeed(&breaker);
    assert_eq!(succeed(&breaker), row([38, 1, 0, 1], [12, 1]));
    breaker.reset();
    assert_eq!(succeed(&breaker), row([38, 5, 0, 1], [12, 1]));
}

#[test]
fn without_a_rate_only_the_first_success_of_a_generation_is_cold() {
    let breaker = breaker(Window::consecutive(5));
    assert_eq!(succeed(&breaker).fences, 0);
    assert_eq!(succeed(&breaker), row([5, 1, 0, 0], [1, 1]));
}

#[test]
fn the_first_success_in_a_bucket_reads_every_bucket_behind_a_fence() {
    let breaker = breaker(Window::time(LENGTH));
    succeed(&breaker);
    assert_eq!(succeed(&breaker), row([50, 5, 0, 1], [28, 2]));
}

#[test]
fn a_failure_makes_two_changes_and_reads_every_stripe() {
    assert_eq!(fail(&warm(Window::count(100))), row([29, 0, 2, 2], [12, 2]));
    assert_eq!(fail(&warm(Window::count(100_000))), row([29, 0, 2, 2], [12, 2]));
    // A line and a load for each stripe that nobody uses; a load more for each that somebody does.
    for stripes in [32, 128, 512] {
        let more = stripes as usize - STRIPES as usize;
        let breaker = warmed(breaker_with(Window::count(100), stripes));
        assert_eq!(fail(&breaker), row([29 + more, 0, 2, 2], [12 + more, 2]), "{stripes}");
    }
    // A slot that has been used before: the first exchange of it supposes that it has not.
    let breaker = warmed(breaker_with(Window::count(10), STRIPES));
    for _ in 0..100 {
        fail(&breaker);
        for _ in 0..20 {
            succeed(&breaker);
        }
    }
    let tally = fail(&breaker);
    assert_eq!((tally.changes, tally.lines_written), (3, 2));
    // Its own buckets: no change, one fence.
    assert_eq!(fail(&warm(Window::time(LENGTH))), row([47, 5, 0, 1], [28, 2]));
}

#[test]
fn a_refusal_reads_one_line_and_writes_nothing() {
    let breaker = warm(Window::count(100));
    let refused = || tally::of(|| assert!(breaker.try_acquire().is_err()));
    breaker.trip();
    assert_eq!(refused(), row([1, 0, 0, 0], [1, 0]));
    breaker.force_open();
    assert_eq!(refused(), row([1, 0, 0, 0], [1, 0]));
    breaker.half_open();
    let probes = [(); 3].map(|()| breaker.try_acquire().unwrap());
    assert_eq!(refused(), row([8, 0, 0, 0], [1, 0]));
    drop(probes);
}

#[test]
fn half_open_steps_change_the_stamp_and_the_word_on_one_line() {
    let breaker = warm(Window::count(100));
    breaker.half_open();
    let mut probes = Vec::with_capacity(3);
    assert_eq!(
        tally::of(|| probes.push(breaker.try_acquire().unwrap())),
        row([7, 0, 2, 0], [0, 1])
    );
    let probe = probes.pop().unwrap();
    assert_eq!(
        tally::of(|| assert_eq!(probe.success(), Recorded::Counted)),
        row([10, 0, 2, 0], [0, 1])
    );
    let probe = breaker.try_acquire().unwrap();
    assert_eq!(
        tally::of(|| assert_eq!(probe.ignore(), Recorded::Counted)),
        row([8, 0, 2, 0], [0, 1])
    );
}

#[test]
fn a_transition_changes_four_words_at_most_and_passes_one_fence() {
    let breaker = warm(Window::count(100));
    assert_eq!(tally::of(|| breaker.trip()), row([15, 0, 3, 1], [3, 2]));
    assert_eq!(tally::of(|| breaker.half_open()), row([8, 0, 4, 1], [2, 3]));
    let probes = [(); 3].map(|()| breaker.try_acquire().unwrap());
    let [first, second, third] = probes;
    first.success();
    second.success();
    // With the stamp of the last report.
    assert_eq!(
        tally::of(|| assert_eq!(third.success(), Recorded::Counted)),
        row([21, 0, 5, 1], [3, 3])
    );
    assert_eq!(breaker.state(), State::Closed);
}

/// Two counts in a line of the thread's own, and nobody's change.
#[test]
fn totals_cost_two_stores_a_call_in_a_line_of_the_threads_own() {
    let builder = |window| {
        let clock = Still(Duration::from_secs(86_400));
        CircuitBreaker::builder().window(window).stripes(STRIPES).totals(true).clock(clock)
    };
    let warm = |window| warmed(builder(window).build().unwrap());
    assert_eq!(succeed(&warm(Window::count(100))), row([9, 3, 0, 0], [1, 2]));
    assert_eq!(succeed(&warm(Window::time(LENGTH))), row([13, 3, 0, 0], [2, 2]));
    assert_eq!(fail(&warm(Window::count(100))), row([33, 2, 2, 2], [12, 3]));
    let breaker = warm(Window::count(100));
    breaker.force_open();
    let refused = tally::of(|| assert!(breaker.try_acquire().is_err()));
    assert_eq!(refused, row([2, 1, 0, 0], [1, 1]));
}
