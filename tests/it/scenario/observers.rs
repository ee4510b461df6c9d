//! What observers hear, and what they may do.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;

use failfast::clock::ManualClock;
use failfast::{CircuitBreaker, State, Transition, TransitionCause};

use crate::story::{counts, fail, secs, stage, succeed, Breaker, Journal};

/// A breaker whose observers can reach it.
fn reachable(
    limit: u32,
    observer: impl Fn(&Breaker, &Transition) + Send + Sync + 'static,
) -> (Arc<Breaker>, ManualClock, Journal) {
    let handle: Arc<OnceLock<Weak<Breaker>>> = Arc::default();
    let inside = Arc::clone(&handle);
    let builder =
        CircuitBreaker::builder().consecutive_failures(limit).on_transition(move |transition| {
            let breaker = inside.get().and_then(Weak::upgrade).expect("it is alive");
            observer(&breaker, transition);
        });
    let (breaker, clock, journal) = stage(builder);
    let breaker = Arc::new(breaker);
    handle.set(Arc::downgrade(&breaker)).expect("set once");
    (breaker, clock, journal)
}

#[test]
fn observers_run_in_the_order_in_which_they_were_given_on_the_thread_that_acted() {
    let heard: Arc<Mutex<Vec<_>>> = Arc::default();
    let observer = |place: u32| {
        let heard = Arc::clone(&heard);
        move |_: &Transition| heard.lock().unwrap().push((place, thread::current().id()))
    };
    let (breaker, _, _) = stage(
        CircuitBreaker::builder()
            .on_transition(observer(1))
            .on_transition(observer(2))
            .on_transition(observer(3)),
    );
    let actor = thread::scope(|scope| {
        let actor = scope.spawn(|| {
            breaker.trip();
            thread::current().id()
        });
        actor.join().unwrap()
    });
    let heard = heard.lock().unwrap();
    assert_eq!(*heard, [(1, actor), (2, actor), (3, actor)]);
}

#[test]
fn generations_number_the_changes_without_gaps() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder().consecutive_failures(1));
    for round in 0..50 {
        fail(&breaker, 1);
        clock.advance(secs(31));
        succeed(&breaker, 3);
        match round % 5 {
            0 => breaker.disable(),
            1 => breaker.metrics_only(),
            2 => breaker.force_open(),
            3 => breaker.half_open(),
            _ => breaker.trip(),
        }
        breaker.reset();
        breaker.reset();
    }
    assert_eq!(journal.len(), 50 * 6);
    assert_eq!(breaker.snapshot().generation, 50 * 6);
    journal.assert_without_gaps();
}

#[test]
fn an_observer_sees_the_change_committed_and_may_ask_the_breaker_anything() {
    // It writes down what it saw: an assertion in an observer would be a panic, which is caught.
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let notes = Arc::clone(&seen);
    let (breaker, _, journal) = reachable(2, move |breaker, _| {
        let granted = breaker.try_acquire().is_ok();
        let generation = breaker.snapshot().generation;
        notes.lock().unwrap().push((breaker.state(), generation, granted));
    });
    fail(&breaker, 2);
    breaker.disable();
    breaker.reset();
    assert_eq!(
        *seen.lock().unwrap(),
        [(State::Open, 1, false), (State::Disabled, 2, true), (State::Closed, 3, true)]
    );
    assert_eq!(journal.len(), 3);
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
}

#[test]
fn an_observer_may_record_outcomes() {
    // On every reset it makes a failing call, so that the second failure trips from inside.
    let (breaker, _, journal) = reachable(1, |breaker, transition| {
        if transition.to == State::Closed {
            breaker.try_acquire().unwrap().failure();
        }
    });
    breaker.reset();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.len(), 2);
    journal.assert_without_gaps();
}

#[test]
fn an_observer_may_control_the_breaker() {
    // A breaker that refuses to stay open: each opening is answered by a reset, from inside.
    let (breaker, _, journal) = reachable(1, |breaker, transition| {
        if transition.to == State::Open {
            breaker.reset();
        }
    });
    for round in 1..=20 {
        fail(&breaker, 1);
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(breaker.snapshot().generation, 2 * round);
    }
    assert_eq!(journal.len(), 40);
    journal.assert_without_gaps();
}

#[test]
fn a_panicking_observer_harms_neither_the_breaker_nor_the_others() {
    let heard = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&heard);
    let (breaker, clock, journal) = stage(
        CircuitBreaker::builder()
            .consecutive_failures(1)
            .on_transition(|_| panic!("the pager is down"))
            .on_transition(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
            })
            .on_transition(|_| panic!("so is the log")),
    );
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(secs(31));
    succeed(&breaker, 3);
    breaker.trip();
    breaker.reset();
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(heard.load(Ordering::Relaxed), 5);
    assert_eq!(journal.len(), 5);
    journal.assert_without_gaps();
}

#[test]
fn an_observer_may_panic_while_the_call_is_panicking_already() {
    let (breaker, _, journal) = stage(
        CircuitBreaker::builder()
            .consecutive_failures(1)
            .on_transition(|_| panic!("the pager is down")),
    );
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        breaker.call(|| -> Result<(), ()> { panic!("the call is down") })
    }));
    let payload = outcome.expect_err("the call's panic goes on");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the call is down"));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.len(), 1);
}

#[test]
fn nothing_is_heard_where_nothing_changes() {
    let (breaker, clock, journal) = stage(CircuitBreaker::builder());
    succeed(&breaker, 100);
    fail(&breaker, 10);
    clock.advance(secs(1_000));
    breaker.snapshot();
    drop(breaker.try_acquire());
    assert_eq!(journal.len(), 0);
    breaker.trip();
    clock.advance(secs(1_000));
    // The open time is over, but only an acquire begins the next generation.
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.snapshot().generation, 1);
    assert_eq!(journal.causes(), [TransitionCause::Control]);
}
