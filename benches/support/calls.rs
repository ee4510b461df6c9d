//! The breaker around other things: `call`, permits that leave their thread, a thousand breakers side by side.

use std::hint::black_box;
use std::sync::Arc;

use failfast::clock::Clock;
use failfast::{CircuitBreaker, Outcome};

use super::baseline::{Baseline, Settings};
use super::cores;
use super::guards::{healthy, mutex, ours, report_closed, success, warmed, Guard};
use super::subject::Subject;

/// Breakers side by side.
const MANY: usize = 1_024;
/// What fills the window of each of them, by default settings.
const FILLED: u32 = 200;

/// All of them, each of ours after the baseline's.
pub(crate) fn subjects() -> Vec<Subject> {
    // Rayon's threads hold seats besides ours.
    let seats = u32::try_from(4 * cores()).unwrap_or(u32::MAX).clamp(8, 1_024);
    let breaker = || ours(CircuitBreaker::builder().stripes(seats));
    let rival = || mutex(Settings::default());
    vec![
        success("mutex, acquire and success", rival()),
        success("failfast, acquire and success", breaker()).against("mutex, acquire and success"),
        call_nothing("failfast, call", breaker()).against("mutex, acquire and success"),
        owned("failfast, owned permit", breaker()).against("mutex, acquire and success"),
        rayon_alone("rayon, a task of nothing"),
        mutex_through_rayon("mutex, through rayon", rival()),
        owned_through_rayon("failfast, owned through rayon", breaker())
            .against("mutex, through rayon"),
        borrowed_through_rayon("failfast, borrowed through rayon", breaker())
            .against("mutex, through rayon"),
        side_by_side("mutex, 1,024 side by side", rival),
        side_by_side("failfast, 1,024 side by side", || ours(CircuitBreaker::builder()))
            .against("mutex, 1,024 side by side"),
    ]
}

/// Successes on many breakers, one after the other in an order that nothing can foresee.
fn side_by_side<G: Guard>(name: impl Into<String>, guard: impl Fn() -> G) -> Subject {
    let guards: Vec<Arc<G>> = (0..MANY).map(|_| warmed(guard(), FILLED)).collect();
    Subject::numbered(name, move |number| {
        // Fibonacci hashing.
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let index = (hash >> 32) as usize % MANY;
        report_closed(&*guards[index], Outcome::Success);
    })
}

/// `call` around a closure that does nothing.
fn call_nothing<C: Clock>(name: impl Into<String>, breaker: CircuitBreaker<C>) -> Subject {
    let breaker = healthy(breaker);
    Subject::new(name, move || {
        black_box(breaker.call(|| Ok::<(), ()>(()))).expect("closed");
    })
}

// ===== permits that leave their thread =====

/// An owned permit that stays where it is.
fn owned<C: Clock>(name: impl Into<String>, breaker: CircuitBreaker<C>) -> Subject {
    let breaker = healthy(breaker);
    Subject::new(name, move || {
        black_box(breaker.try_acquire_owned().expect("closed").success());
    })
}

/// What rayon takes for a task that does nothing.
fn rayon_alone(name: impl Into<String>) -> Subject {
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
fn owned_through_rayon<C: Clock>(name: impl Into<String>, breaker: CircuitBreaker<C>) -> Subject {
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
fn borrowed_through_rayon<C: Clock>(
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
fn mutex_through_rayon<C: Clock>(name: impl Into<String>, breaker: Baseline<C>) -> Subject {
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
