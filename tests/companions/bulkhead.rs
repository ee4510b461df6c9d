//! The semaphore bulkhead: stories, a plain twin, and threads.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use failfast::{Bulkhead, BulkheadReason};
use proptest::prelude::*;

/// Far more than anything here waits for; a test that needs it is broken.
const LONG: Duration = Duration::from_secs(60);
const NONE: Duration = Duration::ZERO;

fn bulkhead(places: u32) -> Arc<Bulkhead> {
    Arc::new(Bulkhead::new(places).expect("within the range"))
}

fn until_waiting(bulkhead: &Bulkhead, callers: u32) {
    while bulkhead.waiting() != callers {
        thread::yield_now();
    }
}

#[test]
fn numbers_that_are_no_bulkhead_are_refused_by_name() {
    for wrong in [0, 1_048_577, u32::MAX] {
        let error = Bulkhead::new(wrong).unwrap_err();
        assert_eq!((error.field(), error.given()), ("max_concurrent", wrong.to_string().as_str()));
        let bulkhead = bulkhead(3);
        assert_eq!(bulkhead.resize(wrong).unwrap_err(), error);
        assert_eq!(bulkhead.max_concurrent(), 3, "nothing has changed");
    }
    assert_eq!(Bulkhead::new(1_048_576).unwrap().available(), 1_048_576);
}

#[test]
fn places_come_back_by_drop_and_in_a_panic() {
    let bulkhead = bulkhead(2);
    let one = bulkhead.try_acquire().unwrap();
    let owned = bulkhead.try_acquire_owned().unwrap();
    let full = bulkhead.try_acquire().unwrap_err();
    assert_eq!(
        (full.reason(), full.in_use(), full.max_concurrent()),
        (BulkheadReason::NoPlace, 2, 2)
    );
    drop(one);
    assert_eq!((bulkhead.in_use(), bulkhead.available()), (1, 1));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _permit = bulkhead.try_acquire().unwrap();
        panic!("the guarded call");
    }));
    assert!(panicked.is_err());
    thread::spawn(move || drop(owned)).join().unwrap();
    assert_eq!((bulkhead.in_use(), bulkhead.available()), (0, 2));
}

#[test]
fn owned_permit_outlives_the_handle() {
    let bulkhead = bulkhead(1);
    let weak = Arc::downgrade(&bulkhead);
    let permit = bulkhead.try_acquire_owned().unwrap();
    drop(bulkhead);
    assert!(weak.upgrade().is_some_and(|bulkhead| bulkhead.in_use() == 1));
    drop(permit);
    assert!(weak.upgrade().is_none());
}

#[test]
fn waiting_ends_with_the_timeout() {
    let bulkhead = bulkhead(1);
    let held = bulkhead.try_acquire().unwrap();
    for timeout in [NONE, Duration::from_millis(5)] {
        let begun = Instant::now();
        let late = bulkhead.acquire_timeout(timeout).unwrap_err();
        assert!(begun.elapsed() >= timeout);
        assert_eq!((late.reason(), late.waiting()), (BulkheadReason::TimedOut, 1));
        assert_eq!((bulkhead.waiting(), bulkhead.in_use()), (0, 1));
    }
    drop(held);
    assert!(bulkhead.acquire_timeout(NONE).is_ok(), "a free place needs no time");
}

#[test]
fn callers_that_wait_are_served_in_order_and_not_overtaken() {
    let bulkhead = bulkhead(1);
    let held = bulkhead.try_acquire().unwrap();
    let (said, heard) = mpsc::channel();
    thread::scope(|scope| {
        for number in 0..4 {
            let (said, bulkhead) = (said.clone(), &bulkhead);
            scope.spawn(move || {
                let permit = bulkhead.acquire_timeout(LONG).unwrap();
                said.send(number).unwrap();
                drop(permit);
            });
            until_waiting(bulkhead, number + 1);
        }
        let refused = bulkhead.try_acquire().unwrap_err();
        assert_eq!((refused.reason(), refused.waiting()), (BulkheadReason::OthersWait, 4));
        drop(held);
        let order: Vec<u32> = heard.iter().take(4).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    });
    assert_eq!((bulkhead.in_use(), bulkhead.waiting()), (0, 0));
}

#[test]
fn caller_that_gives_up_lets_the_next_one_through() {
    let bulkhead = bulkhead(1);
    let held = bulkhead.try_acquire().unwrap();
    thread::scope(|scope| {
        let brief = scope.spawn(|| bulkhead.acquire_timeout(Duration::from_millis(50)).is_ok());
        until_waiting(&bulkhead, 1);
        let patient = scope.spawn(|| bulkhead.acquire_timeout(LONG).is_ok());
        assert!(!brief.join().unwrap());
        until_waiting(&bulkhead, 1);
        drop(held);
        assert!(patient.join().unwrap());
    });
}

#[test]
fn shrinking_takes_nothing_away_and_growing_serves_the_queue() {
    let bulkhead = bulkhead(3);
    let mut held: Vec<_> = (0..3).map(|_| bulkhead.try_acquire().unwrap()).collect();
    bulkhead.resize(1).unwrap();
    assert_eq!((bulkhead.in_use(), bulkhead.max_concurrent(), bulkhead.available()), (3, 1, 0));
    for left in [2, 1] {
        held.pop();
        assert_eq!(bulkhead.in_use(), left);
        assert!(bulkhead.try_acquire().is_err(), "{left} are out, one is allowed");
    }
    thread::scope(|scope| {
        let waiter = scope.spawn(|| bulkhead.acquire_timeout(LONG).is_ok());
        until_waiting(&bulkhead, 1);
        bulkhead.resize(2).unwrap();
        assert!(waiter.join().unwrap(), "the new place is the waiter's");
    });
}

#[test]
fn never_more_than_the_places_are_out() {
    const PLACES: u32 = 3;
    const ROUNDS: u32 = 4_000;
    let bulkhead = bulkhead(PLACES);
    let (inside, granted) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for number in 0..6 {
            let (bulkhead, inside, granted) = (&bulkhead, &inside, &granted);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let permit = match number {
                        0 | 1 => bulkhead.acquire_timeout(LONG),
                        2 => bulkhead.acquire_timeout(Duration::from_micros(20)),
                        _ => bulkhead.try_acquire(),
                    };
                    if permit.is_ok() {
                        granted.fetch_add(1, Ordering::Relaxed);
                        let before = inside.fetch_add(1, Ordering::Relaxed);
                        assert!(before < PLACES, "{} are inside", before + 1);
                        inside.fetch_sub(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(granted.into_inner() >= 2 * ROUNDS, "those who wait are all served");
    assert_eq!((bulkhead.in_use(), bulkhead.waiting(), bulkhead.available()), (0, 0, PLACES));
}

/// What one thread may do; the twin is a number and a limit.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take,
    TakeOwned,
    TakeOrWaitNoTime,
    GiveBack(usize),
    Resize(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Take),
        2 => Just(Step::TakeOwned),
        1 => Just(Step::TakeOrWaitNoTime),
        5 => any::<usize>().prop_map(Step::GiveBack),
        1 => (1..6_u32).prop_map(Step::Resize),
    ]
}

proptest! {
    #[test]
    fn answers_as_a_plain_counter_does(
        places in 1..6_u32,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let bulkhead = bulkhead(places);
        let mut limit = places;
        let mut held: Vec<Box<dyn std::any::Any + '_>> = Vec::new();
        let bulkhead: &'static Arc<Bulkhead> = Box::leak(Box::new(bulkhead));
        for step in steps {
            let free = (held.len() as u32) < limit;
            match step {
                Step::Take => {
                    let permit = bulkhead.try_acquire();
                    prop_assert_eq!(permit.is_ok(), free);
                    held.extend(permit.ok().map(|permit| Box::new(permit) as Box<_>));
                }
                Step::TakeOwned => {
                    let permit = bulkhead.try_acquire_owned();
                    prop_assert_eq!(permit.is_ok(), free);
                    held.extend(permit.ok().map(|permit| Box::new(permit) as Box<_>));
                }
                Step::TakeOrWaitNoTime => {
                    let permit = bulkhead.acquire_timeout(NONE);
                    prop_assert_eq!(permit.is_ok(), free);
                    held.extend(permit.ok().map(|permit| Box::new(permit) as Box<_>));
                }
                Step::GiveBack(which) if !held.is_empty() => {
                    held.swap_remove(which % held.len());
                }
                Step::GiveBack(_) => {}
                Step::Resize(places) => {
                    bulkhead.resize(places).unwrap();
                    limit = places;
                }
            }
            prop_assert_eq!(bulkhead.in_use() as usize, held.len());
            prop_assert_eq!(bulkhead.available(), limit.saturating_sub(held.len() as u32));
            prop_assert_eq!(bulkhead.max_concurrent(), limit);
        }
    }
}
