//! A call through a pool: one of worker and caller reports, work that was given up never runs, and what is handed over
//! arrives.

use loom::cell::UnsafeCell;

use crate::bulkhead::places::{Places, TURNS};
use crate::pool::job::Job;
use crate::race::race;
use crate::runner::Model;
use crate::sync::{current, park, AtomicU64, Ordering, Thread};

pub(crate) const MODELS: &[Model] = &[
    Model::whole("pool::queued_call_against_timeout", 500, queued_call_against_timeout),
    Model::whole("pool::end_against_timeout", 20_800, end_against_timeout),
    Model::whole("pool::result_is_handed_over", 1_900, result_is_handed_over),
    Model::whole("pool::woken_once_then_too_late", 6_700, woken_once_then_too_late),
    Model::whole(
        "pool::settled_before_the_caller_goes_on",
        1_900,
        settled_before_the_caller_goes_on,
    ),
    Model::whole("pool::last_look_sees_what_was_settled", 7_800, last_look_sees_what_was_settled),
    Model::whole("pool::place_is_free_after_the_call", 1_900, place_is_free_after_the_call),
];

/// Neither can be copied: who has it is the only one.
#[derive(Debug, PartialEq)]
struct Work;
#[derive(Debug, PartialEq)]
struct Permit;

type Call = Job<Work, Permit, u32>;

/// What each side had in the end.
#[derive(Debug, Default)]
struct Side {
    ran: bool,
    permit: Option<Permit>,
    work: Option<Work>,
    result: Option<u32>,
}

fn worker(call: &Call) -> Side {
    let mut side = Side::default();
    let (ran, permit) = (&mut side.ran, &mut side.permit);
    let late = call.work(
        |Work| {
            *ran = true;
            (42, ())
        },
        |taken, ()| *permit = Some(taken),
    );
    side.result = late;
    side
}

fn caller(call: &Call, park: impl FnMut() -> bool) -> Side {
    match call.wait(park) {
        Ok(result) => Side { result: Some(result), ..Side::default() },
        Err(left) => Side { permit: Some(left.permit), work: left.work, ..Side::default() },
    }
}

fn wait_for_ever() -> bool {
    park();
    true
}

/// The laws of a call, whoever was first.
fn assert_lawful(worker: &Side, caller: &Side) {
    let both = format!("worker {worker:?}, caller {caller:?}");
    assert!(worker.permit.is_some() ^ caller.permit.is_some(), "reported exactly once: {both}");
    assert!(worker.ran ^ caller.work.is_some(), "work that was given up never runs: {both}");
    assert_eq!(
        worker.permit.is_some(),
        caller.result == Some(42),
        "a result is returned if its end was reported, and only then: {both}"
    );
    let late = worker.ran && caller.permit.is_some();
    assert_eq!(worker.result == Some(42), late, "a late result is dropped by the worker: {both}");
}

fn queued_call_against_timeout() {
    let (by_worker, by_caller, _) =
        race(Call::new(Work, Permit), worker, |call| caller(call, || false));
    assert_lawful(&by_worker, &by_caller);
}

/// The same when the work has been begun in any case: it ends while the time does.
fn end_against_timeout() {
    struct Begun(Call, Thread, AtomicU64);
    let work = |call: &Begun| {
        let mut side = Side { ran: true, ..Side::default() };
        let permit = &mut side.permit;
        let run = |Work| {
            call.2.store(1, Ordering::Release);
            call.1.unpark();
            (42, ())
        };
        side.result = call.0.work(run, |taken, ()| *permit = Some(taken));
        side
    };
    let give_up = |call: &Begun| {
        while call.2.load(Ordering::Acquire) == 0 {
            park();
        }
        caller(&call.0, || false)
    };
    let fresh = Begun(Call::new(Work, Permit), current(), AtomicU64::new(0));
    let (by_worker, by_caller, _) = race(fresh, work, give_up);
    assert!(by_caller.work.is_none(), "begun work is not taken back");
    assert_lawful(&by_worker, &by_caller);
}

/// A wake-up that is lost on the way is a deadlock, which loom reports.
fn result_is_handed_over() {
    let (by_worker, by_caller, _) =
        race(Call::new(Work, Permit), worker, |call| caller(call, wait_for_ever));
    assert_lawful(&by_worker, &by_caller);
    assert_eq!(by_caller.result, Some(42), "without a timeout there is always a result");
}

fn woken_once_then_too_late() {
    let (by_worker, by_caller, _) = race(Call::new(Work, Permit), worker, |call| {
        let mut time = true;
        caller(call, || {
            if time {
                park();
            }
            std::mem::replace(&mut time, false)
        })
    });
    assert_lawful(&by_worker, &by_caller);
}

/// J1: the recording happens before the call returns.
fn settled_before_the_caller_goes_on() {
    struct Recorded(Job<Work, Permit, u32>, UnsafeCell<u32>);
    let record = |call: &Recorded| {
        let late = call.0.work(|Work| (42, ()), |Permit, ()| call.1.with_mut(|_| ()));
        assert_eq!(late, None);
    };
    let read = |call: &Recorded| {
        assert_eq!(call.0.wait(wait_for_ever).unwrap(), 42);
        call.1.with(|_| ());
    };
    race(Recorded(Call::new(Work, Permit), UnsafeCell::new(0)), record, read);
}

/// J1: the same when the caller's time is over and only its last step finds that all is settled.
fn last_look_sees_what_was_settled() {
    struct Recorded(Call, UnsafeCell<u32>, AtomicU64);
    let record = |call: &Recorded| {
        call.0.work(|Work| (42, ()), |Permit, ()| call.1.with_mut(|_| ()));
        // Tells the caller that its last step will find all bits; relaxed, so that it orders nothing.
        call.2.store(1, Ordering::Relaxed);
    };
    let read = |call: &Recorded| {
        let all_bits = call.2.load(Ordering::Relaxed) == 1;
        let ended = call.0.wait(|| false).is_ok();
        if all_bits && ended {
            call.1.with(|_| ());
        }
    };
    let fresh = Recorded(Call::new(Work, Permit), UnsafeCell::new(0), AtomicU64::new(0));
    race(fresh, record, read);
}

/// J1: with the place given back in time, the caller's next call finds it.
fn place_is_free_after_the_call() {
    let places = Places::new(1, TURNS);
    places.try_take().expect("fresh");
    let run = |shared: &(Call, Places)| {
        shared.0.work(|Work| (42, ()), |Permit, ()| shared.1.give_back());
    };
    let call_again = |shared: &(Call, Places)| {
        shared.0.wait(wait_for_ever).expect("no timeout");
        assert!(shared.1.try_take().is_ok(), "a call that has returned holds no place");
    };
    race((Call::new(Work, Permit), places), run, call_again);
}
