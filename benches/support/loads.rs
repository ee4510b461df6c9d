//! Loads beyond acquire and report on one closed breaker: the states in between, readers, pools, many breakers.

use std::hint::black_box;
use std::sync::Arc;

use failfast::clock::Clock;
use failfast::{CircuitBreaker, Outcome};

use super::baseline::Baseline;
use super::guards::{healthy, report_closed, warmed, Control, Guard};
use super::subject::Subject;

/// Breakers side by side in [`side_by_side`].
pub(crate) const MANY: usize = 1_024;
/// What fills the window of each of them, by default settings.
const FILLED: u32 = 200;

/// Half-open: a probe is granted and given back; with one place for all, threads refuse it to each other.
pub(crate) fn give_back<G: Control>(name: impl Into<String>, guard: G) -> Subject {
    guard.half_open();
    Subject::new(name, move || {
        black_box(guard.report(Outcome::Ignored));
    })
}

/// Half-open: a call is refused because the only place is taken, by a probe that has not reported.
pub(crate) fn no_place_left<G: Control>(name: impl Into<String>, guard: G) -> Subject {
    guard.half_open();
    guard.take_place();
    Subject::new(name, move || guard.ask())
}

/// A failure trips, a call is refused, the open time is ended, a probe closes, a call succeeds: five calls in one,
/// on a breaker that one failure trips and one probe closes. Threads do it over each other's heads.
pub(crate) fn transitions<G: Control>(name: impl Into<String>, guard: G) -> Subject {
    Subject::new(name, move || {
        black_box(guard.report(Outcome::Failure));
        guard.ask();
        guard.half_open();
        black_box(guard.report(Outcome::Success));
        black_box(guard.report(Outcome::Success));
    })
}

/// One thread reads while the others record.
pub(crate) fn reading<G: Guard>(name: impl Into<String>, guard: G, read: fn(&G)) -> Subject {
    let guard = healthy(guard);
    let same = Arc::clone(&guard);
    Subject::new(name, move || read(&guard)).under(move || report_closed(&*same, Outcome::Success))
}

/// One thread records while the others read.
pub(crate) fn recording<G: Guard>(name: impl Into<String>, guard: G, read: fn(&G)) -> Subject {
    let guard = healthy(guard);
    let same = Arc::clone(&guard);
    Subject::new(name, move || report_closed(&*guard, Outcome::Success)).under(move || read(&same))
}

/// Successes on many breakers, one after the other in an order that nothing can foresee.
pub(crate) fn side_by_side<G: Guard>(name: impl Into<String>, guard: impl Fn() -> G) -> Subject {
    let guards: Vec<Arc<G>> = (0..MANY).map(|_| warmed(guard(), FILLED)).collect();
    Subject::numbered(name, move |number| {
        // Fibonacci hashing.
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let index = (hash >> 32) as usize % MANY;
        report_closed(&*guards[index], Outcome::Success);
    })
}

/// `call` around a closure that does nothing.
pub(crate) fn call_nothing<C: Clock>(
    name: impl Into<String>,
    breaker: CircuitBreaker<C>,
) -> Subject {
    let breaker = healthy(breaker);
    Subject::new(name, move || {
        black_box(breaker.call(|| Ok::<(), ()>(()))).expect("closed");
    })
}

// ===== permits that leave their thread =====

/// An owned permit that stays where it is.
pub(crate) fn owned<C: Clock>(name: impl Into<String>, breaker: CircuitBreaker<C>) -> Subject {
    let breaker = healthy(breaker);
    Subject::new(name, move || {
        black_box(breaker.try_acquire_owned().expect("closed").success());
    })
}

/// What rayon takes for a task that does nothing.
pub(crate) fn rayon_alone(name: impl Into<String>) -> Subject {
    Subject::of_batches(name, |calls| {
        rayon::in_place_scope(|scope| {
            for _ in 0..calls {
                scope.spawn(|_| {
                    black_box(0_u8);
                });
            }
        });
    })
}

/// A permit is acquired here and recorded by a thread of rayon's pool.
pub(crate) fn owned_through_rayon<C: Clock>(
    name: impl Into<String>,
    breaker: CircuitBreaker<C>,
) -> Subject {
    let breaker = healthy(breaker);
    Subject::of_batches(name, move |calls| {
        rayon::in_place_scope(|scope| {
            for _ in 0..calls {
                let permit = breaker.try_acquire_owned().expect("closed");
                scope.spawn(move |_| {
                    black_box(permit.success());
                });
            }
        });
    })
}

/// The same with a borrowed permit, which a scope allows: there is no reference count.
pub(crate) fn borrowed_through_rayon<C: Clock>(
    name: impl Into<String>,
    breaker: CircuitBreaker<C>,
) -> Subject {
    let breaker = healthy(breaker);
    Subject::of_batches(name, move |calls| {
        rayon::in_place_scope(|scope| {
            for _ in 0..calls {
                let permit = breaker.try_acquire().expect("closed");
                scope.spawn(move |_| {
                    black_box(permit.success());
                });
            }
        });
    })
}

/// The same with the baseline and a reference count of its own.
pub(crate) fn mutex_through_rayon<C: Clock>(
    name: impl Into<String>,
    breaker: Baseline<C>,
) -> Subject {
    let breaker = healthy(breaker);
    Subject::of_batches(name, move |calls| {
        rayon::in_place_scope(|scope| {
            for _ in 0..calls {
                let breaker = Arc::clone(&breaker);
                let ticket = breaker.try_acquire().expect("closed");
                scope.spawn(move |_| {
                    black_box(breaker.record(ticket, Outcome::Success));
                });
            }
        });
    })
}
