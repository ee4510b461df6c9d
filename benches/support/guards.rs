//! One face over our breaker and the mutex baseline, and the loads that both are put under.

use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;

use failfast::clock::{Clock, DefaultClock};
use failfast::{Builder, CircuitBreaker, Outcome};

use super::baseline::{Baseline, Settings};
use super::subject::Subject;

/// What a load needs of a breaker.
pub(crate) trait Guard: Send + Sync + 'static {
    /// Acquires and reports at once; whether the call was let through.
    fn report(&self, outcome: Outcome) -> bool;

    /// Asks, and lets the optimiser think that the refusal is looked at.
    fn ask(&self);

    /// Closes a breaker that the load has tripped.
    fn close(&self) {
        panic!("this load must not trip the breaker");
    }
}

/// What transitions need besides.
pub(crate) trait Control: Guard {
    fn trip(&self);
    fn half_open(&self);
    fn force_open(&self);
    /// Acquires and never reports.
    fn take_place(&self);
}

/// How often the loads of this program have tripped a breaker that they keep closed.
pub(super) static TRIPS: AtomicU64 = AtomicU64::new(0);

fn count_trip() {
    TRIPS.fetch_add(1, Ordering::Relaxed);
}

impl<C: Clock> Guard for CircuitBreaker<C> {
    #[inline(always)]
    fn report(&self, outcome: Outcome) -> bool {
        let Ok(permit) = self.try_acquire() else {
            return false;
        };
        black_box(match outcome {
            Outcome::Success => permit.success(),
            Outcome::Failure => permit.failure(),
            Outcome::Ignored => permit.ignore(),
        });
        true
    }

    #[inline(always)]
    fn ask(&self) {
        black_box(self.try_acquire().err());
    }

    #[cold]
    fn close(&self) {
        count_trip();
        self.reset();
    }
}

impl<C: Clock> Guard for Baseline<C> {
    #[inline(always)]
    fn report(&self, outcome: Outcome) -> bool {
        let Ok(ticket) = self.try_acquire() else {
            return false;
        };
        black_box(self.record(ticket, outcome));
        true
    }

    #[inline(always)]
    fn ask(&self) {
        black_box(self.try_acquire().err());
    }

    #[cold]
    fn close(&self) {
        count_trip();
        self.reset();
    }
}

/// Both have these under the same names.
macro_rules! control_by_methods {
    ($breaker:ident) => {
        impl<C: Clock> Control for $breaker<C> {
            fn trip(&self) {
                $breaker::trip(self);
            }

            fn half_open(&self) {
                $breaker::half_open(self);
            }

            fn force_open(&self) {
                $breaker::force_open(self);
            }

            fn take_place(&self) {
                let _never_reported =
                    ManuallyDrop::new(self.try_acquire().expect("a place is free"));
            }
        }
    };
}

control_by_methods!(CircuitBreaker);
control_by_methods!(Baseline);

/// Our breaker.
pub(crate) fn ours<C: Clock>(builder: Builder<C>) -> CircuitBreaker<C> {
    builder.build().expect("the settings are allowed")
}

/// The baseline, on the clock that ours has by default.
pub(crate) fn mutex(settings: Settings) -> Baseline<DefaultClock> {
    Baseline::new(settings, DefaultClock::new())
}

/// A breaker whose window is full of successes, whatever its size is.
pub(crate) fn healthy<G: Guard>(guard: G) -> Arc<G> {
    warmed(guard, 200_000)
}

/// A breaker with so many successes behind it.
pub(super) fn warmed<G: Guard>(guard: G, successes: u32) -> Arc<G> {
    // On a thread of its own: this one must not take a seat that a measured thread would have.
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..successes {
                assert!(guard.report(Outcome::Success), "closed");
            }
        });
    });
    Arc::new(guard)
}

/// Reports to a breaker that is closed, whatever the load has done to it.
#[inline(always)]
pub(super) fn report_closed<G: Guard>(guard: &G, outcome: Outcome) {
    if !guard.report(outcome) {
        guard.close();
    }
}

/// Acquire and success on a healthy closed breaker.
pub(crate) fn success<G: Guard>(name: impl Into<String>, guard: G) -> Subject {
    let guard = healthy(guard);
    Subject::new(name, move || report_closed(&*guard, Outcome::Success))
}

/// The same with so many failures among a thousand calls.
pub(crate) fn share<G: Guard>(name: impl Into<String>, guard: G, per_mille: u32) -> Subject {
    let guard = healthy(guard);
    let same = Arc::clone(&guard);
    Subject::with_share(
        name,
        per_mille,
        move || report_closed(&*guard, Outcome::Success),
        move || report_closed(&*same, Outcome::Failure),
    )
}

/// Nothing but failures, on a breaker that they do not trip.
pub(crate) fn failure<G: Guard>(name: impl Into<String>, guard: G) -> Subject {
    let guard = healthy(guard);
    Subject::new(name, move || report_closed(&*guard, Outcome::Failure))
}

/// A call that is refused.
pub(crate) fn refusal<G: Control>(name: impl Into<String>, guard: G, close_off: fn(&G)) -> Subject {
    close_off(&guard);
    assert!(!guard.report(Outcome::Ignored), "refused");
    Subject::new(name, move || guard.ask())
}

/// So many readings of a clock.
pub(crate) fn clock_readings(name: impl Into<String>, clock: impl Clock, readings: u32) -> Subject {
    match readings {
        1 => Subject::new(name, move || {
            black_box(clock.now_nanos());
        }),
        _ => Subject::new(name, move || {
            let start = clock.now_nanos();
            black_box(clock.now_nanos().saturating_sub(start));
        }),
    }
}
