//! What a refused call pays, beside one reading of the clock and the mutex baseline.

use std::hint::black_box;
use std::time::Duration;

use failfast::clock::{Clock, DefaultClock};
use failfast::{CircuitBreaker, OpenWait};

use self::support::baseline::{Baseline, Settings};
use self::support::Subject;

mod support;

/// Longer than any run of this bench.
const OPEN_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

fn main() {
    let clock = DefaultClock::new();
    let reading = clock.clone();
    let subjects = vec![
        mutex_refusal("mutex, open", &clock, Baseline::trip),
        Subject::new("one clock reading", move || {
            black_box(reading.now_nanos());
        }),
        refusal("failfast, open", CircuitBreaker::trip).at_most("one clock reading", 1.3, 1.3),
        mutex_refusal("mutex, forced open", &clock, Baseline::force_open),
        refusal("failfast, forced open", CircuitBreaker::force_open).against("mutex, forced open"),
    ];
    support::run("open path", subjects);
}

fn refusal(name: &'static str, close_off: fn(&CircuitBreaker)) -> Subject {
    let breaker = CircuitBreaker::builder()
        .open_wait(OpenWait::fixed(OPEN_WAIT))
        .build()
        .expect("the settings are allowed");
    close_off(&breaker);
    Subject::new(name, move || {
        black_box(breaker.try_acquire().err());
    })
}

fn mutex_refusal(
    name: &'static str,
    clock: &DefaultClock,
    close_off: fn(&Baseline<DefaultClock>),
) -> Subject {
    let settings = Settings { open_wait: OPEN_WAIT, ..Settings::default() };
    let breaker = Baseline::new(settings, clock.clone());
    close_off(&breaker);
    Subject::new(name, move || {
        black_box(breaker.try_acquire().err());
    })
}
