//! Races for places and for transitions: admission is exact, and at most one thread wins each change.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use failfast::{
    CircuitBreaker, HalfOpen, Outcome, Permit, Recorded, State, TransitionCause, Window,
};

use super::{each_with, in_every_width, permits, together, THREADS};
use crate::story::{assert_empty, ends, fail, open_and_wait, secs, stage, succeed, CONTROLS};

// ===== half-open admission =====

#[test]
fn as_many_threads_as_places_are_never_refused() {
    // "an ignored or dropped one gives its place back" (section 3): with at most one permit a thread in hand there is
    // always a place, and a refusal would be of a caller who fitted.
    let (breaker, clock, journal) =
        stage(CircuitBreaker::builder().half_open(HalfOpen::probes(THREADS)));
    open_and_wait(&breaker, &clock);
    together(THREADS, |thread| {
        for _ in 0..5_000 {
            let permit = breaker.try_acquire().expect("a place for every thread");
            match thread % 2 {
                0 => drop(permit),
                _ => assert_eq!(permit.ignore(), Recorded::Counted),
            }
        }
    });
    assert_eq!(journal.len(), 2);
    succeed(&breaker, THREADS);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn more_threads_than_places_never_hold_more_than_there_are() {
    let places = 2;
    let (breaker, clock, _) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(places)));
    open_and_wait(&breaker, &clock);
    let held = AtomicU32::new(0);
    let granted: u32 = together(THREADS, |_| {
        let mut granted = 0;
        for _ in 0..5_000 {
            if let Ok(permit) = breaker.try_acquire() {
                let holders = held.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(holders <= places, "{holders} hold {places} places");
                held.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
                granted += 1;
            }
        }
        granted
    })
    .into_iter()
    .sum();
    assert!(granted > 0);
    succeed(&breaker, places);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_rush_at_the_end_of_the_open_time_is_granted_exactly_n_places() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(4)));
    for round in 1..=100 {
        breaker.reset();
        open_and_wait(&breaker, &clock);
        let granted: Vec<_> =
            together(THREADS, |_| [breaker.try_acquire().ok(), breaker.try_acquire().ok()])
                .into_iter()
                .flatten()
                .flatten()
                .collect();
        assert_eq!(granted.len(), 4);
        assert_eq!(journal.len(), 3 * round);
        assert_eq!(journal.last().cause, TransitionCause::OpenTimeOver);
    }
    journal.assert_without_gaps();
}

#[test]
fn probes_that_report_together_close_once() {
    let (breaker, _, journal) =
        stage(CircuitBreaker::builder().half_open(HalfOpen::probes(THREADS)));
    for round in 1..=100 {
        breaker.half_open();
        together(THREADS, |_| ends(&breaker, Outcome::Success));
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(journal.len(), 2 * round);
    }
    journal.assert_without_gaps();
}

#[test]
fn a_lapsed_lease_is_committed_once() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder().half_open(HalfOpen::probes(2)));
    for round in 1..=100 {
        breaker.half_open();
        std::mem::forget(breaker.try_acquire());
        clock.advance(secs(61));
        together(THREADS, |_| breaker.try_acquire().expect_err("open again"));
        assert_eq!(journal.len(), 2 * round);
        assert_eq!(journal.last().cause, TransitionCause::ProbesLost { outstanding: 1 });
    }
    journal.assert_without_gaps();
}

// ===== transitions =====

#[test]
fn racing_trips_commit_one_transition() {
    let any = || CircuitBreaker::builder().consecutive_failures(1);
    in_every_width(any, |builder| {
        let (breaker, _, journal) = stage(builder);
        for round in 1..=100 {
            // Everybody holds a permit before anybody reports.
            let reports = each_with(permits(&breaker, THREADS), Permit::failure);
            assert!(reports.contains(&Recorded::Counted));
            assert_eq!(breaker.state(), State::Open);
            assert_eq!(journal.len(), 2 * round - 1);
            breaker.reset();
        }
        journal.assert_without_gaps();
    });
}

#[test]
fn what_was_granted_before_a_reset_is_not_counted_after_it() {
    // Reported before the reset it is swept away, reported after it is stale: at rest nothing of it is there.
    for window in [Window::count(100), Window::time(secs(10)), Window::consecutive(1_000)] {
        let held = || CircuitBreaker::builder().window(window);
        in_every_width(held, |builder| {
            let (breaker, _, _) = stage(builder);
            for _ in 0..50 {
                let hands: Vec<_> = (0..THREADS).map(|_| permits(&breaker, 3)).collect();
                each_with(hands.into_iter().enumerate().collect(), |(thread, hand)| {
                    if thread == 0 {
                        breaker.reset();
                    }
                    for (call, permit) in hand.into_iter().enumerate() {
                        match call {
                            1 => permit.success(),
                            _ => permit.failure(),
                        };
                    }
                });
                assert_empty(&breaker.snapshot());
            }
        });
    }
}

#[test]
fn what_was_granted_after_the_last_control_call_is_counted_to_the_call() {
    let size = 100_000;
    let counting = || CircuitBreaker::builder().window(Window::count(size));
    in_every_width(counting, |builder| {
        let (breaker, _, _) = stage(builder);
        let over = AtomicBool::new(false);
        let (after, all) = (AtomicU64::new(0), AtomicU64::new(0));
        breaker.metrics_only();
        together(THREADS, |thread| {
            if thread == 0 {
                for _ in 0..200 {
                    breaker.metrics_only();
                }
                over.store(true, Ordering::SeqCst);
                return;
            }
            let mut left = 500;
            while left > 0 {
                let is_over = over.load(Ordering::SeqCst);
                let recorded = ends(&breaker, Outcome::Failure);
                all.fetch_add(u64::from(recorded == Recorded::Counted), Ordering::SeqCst);
                if is_over {
                    assert_eq!(recorded, Recorded::Counted);
                    after.fetch_add(1, Ordering::SeqCst);
                    left -= 1;
                } else {
                    thread::yield_now();
                }
            }
        });
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.calls, snapshot.failures);
        assert!(snapshot.calls >= after.into_inner());
        assert!(snapshot.calls <= all.into_inner().min(u64::from(size)));
        assert_eq!(snapshot.generation, 201);
    });
}

#[test]
fn observers_hear_each_generation_once_while_threads_control() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder().consecutive_failures(2));
    together(THREADS, |thread| {
        for step in 0..300_usize {
            if step % 3 == 0 {
                let (_, control) = CONTROLS[(step / 3 + thread as usize) % 6];
                control(&breaker);
            }
            if let Ok(permit) = breaker.try_acquire() {
                match step % 4 {
                    0 => permit.success(),
                    1 => permit.ignore(),
                    _ => permit.failure(),
                };
            }
            if step % 50 == 0 {
                clock.advance(secs(31));
            }
        }
    });
    assert!(journal.len() >= THREADS as usize * 100);
    assert_eq!(breaker.snapshot().generation, journal.len() as u64);
    journal.assert_without_gaps();
}

#[test]
fn a_snapshot_never_mixes_two_generations() {
    // Odd generations see failures only, even ones successes only. Whoever reads meanwhile sees the one or the other.
    let (breaker, _, _) = stage(
        CircuitBreaker::builder().window(Window::count(1_000)).failure_rate(1.0).min_calls(1_000),
    );
    together(2, |thread| {
        if thread == 0 {
            for generation in 1..=500_u64 {
                breaker.reset();
                match generation % 2 {
                    0 => succeed(&breaker, 20),
                    _ => fail(&breaker, 20),
                }
            }
            return;
        }
        for _ in 0..5_000 {
            let snapshot = breaker.snapshot();
            let expected = match snapshot.generation % 2 {
                0 => 0,
                _ => snapshot.calls,
            };
            assert_eq!(snapshot.failures, expected, "{snapshot:?}");
            assert!(snapshot.calls <= 20, "{snapshot:?}");
        }
    });
    assert_eq!(breaker.snapshot().generation, 500);
}
