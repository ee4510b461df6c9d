//! What a permitted call pays: acquire and success on a closed breaker, beside the mutex baseline.
//!
//! Every window holds its minimum before it is measured, and no load here ever trips a breaker.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use failfast::clock::{Clock, DefaultClock};
use failfast::{Builder, CircuitBreaker, Outcome, State, Window};

use self::support::baseline::{Baseline, Settings, Span};
use self::support::Subject;

mod support;

const TEN_SECONDS: Duration = Duration::from_secs(10);
/// Far above what a call here takes, so that none is slow.
const SLOW_LIMIT: Duration = Duration::from_secs(2);
const SLOW_RATE: f64 = 0.8;
const SLOW_PPM: u32 = 800_000;

fn main() {
    let clock = DefaultClock::new();
    let count = Span::Count { size: 100 };
    let large = Span::Count { size: 100_000 };
    let time = Span::Time { length: TEN_SECONDS, buckets: 10 };
    let defaults = Settings::default();
    let of = |span| Settings { span, ..defaults };
    let run = Settings { span: Span::Consecutive, run: 5, ..defaults };
    let slow = Settings { slow_ppm: SLOW_PPM, slow_limit: SLOW_LIMIT, ..of(count) };
    let counted = || CircuitBreaker::builder().window(Window::count(100));
    let counted_large = || CircuitBreaker::builder().window(Window::count(100_000));

    let subjects = vec![
        mutex_success("mutex, count 100", of(count), &clock),
        success("failfast, count 100", counted()).at_most(
            "mutex, count 100",
            1.0 / 15.0,
            1.0 / 30.0,
        ),
        mutex_one_percent("mutex, count 100, 1 % failures", of(count), &clock),
        one_percent("failfast, count 100, 1 % failures", counted()).at_most(
            "mutex, count 100, 1 % failures",
            1.0 / 10.0,
            1.0 / 20.0,
        ),
        mutex_success("mutex, count 100,000", of(large), &clock),
        success("failfast, count 100,000", counted_large()).at_most(
            "mutex, count 100,000",
            1.0 / 15.0,
            1.0 / 30.0,
        ),
        mutex_one_percent("mutex, count 100,000, 1 % failures", of(large), &clock),
        one_percent("failfast, count 100,000, 1 % failures", counted_large()).at_most(
            "mutex, count 100,000, 1 % failures",
            1.0 / 10.0,
            1.0 / 20.0,
        ),
        mutex_success("mutex, consecutive 5", run, &clock),
        success(
            "failfast, consecutive 5",
            CircuitBreaker::builder().window(Window::consecutive(5)),
        )
        .at_most("mutex, consecutive 5", 1.0 / 15.0, 1.0 / 30.0),
        clock_readings("one clock reading", &clock, 1),
        mutex_success("mutex, time 10 s", of(time), &clock),
        success("failfast, time 10 s", CircuitBreaker::builder().window(Window::time(TEN_SECONDS)))
            .at_most_beyond("one clock reading", 3.0),
        clock_readings("two clock readings", &clock, 2),
        mutex_success("mutex, count 100, slow-call rule", slow, &clock),
        success("failfast, count 100, slow-call rule", counted().slow_call(SLOW_LIMIT, SLOW_RATE))
            .at_most_beyond("two clock readings", 3.0),
    ];
    support::run("closed path", subjects);
}

/// A breaker whose window is full of successes.
fn healthy(builder: Builder) -> Arc<CircuitBreaker> {
    let breaker = Arc::new(builder.build().expect("the settings are allowed"));
    for _ in 0..200_000 {
        breaker.try_acquire().expect("closed").success();
    }
    assert_eq!(breaker.state(), State::Closed);
    breaker
}

fn healthy_mutex(settings: Settings, clock: &DefaultClock) -> Arc<Baseline<DefaultClock>> {
    let breaker = Arc::new(Baseline::new(settings, clock.clone()));
    for _ in 0..200_000 {
        let ticket = breaker.try_acquire().expect("closed");
        breaker.record(ticket, Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Closed);
    breaker
}

fn success(name: &'static str, builder: Builder) -> Subject {
    let breaker = healthy(builder);
    Subject::new(name, move || succeed(&breaker))
}

fn one_percent(name: &'static str, builder: Builder) -> Subject {
    let breaker = healthy(builder);
    let same = Arc::clone(&breaker);
    Subject::with_hundredth(
        name,
        move || succeed(&breaker),
        move || {
            black_box(same.try_acquire().expect("closed").failure());
        },
    )
}

#[inline(always)]
fn succeed(breaker: &CircuitBreaker) {
    black_box(breaker.try_acquire().expect("closed").success());
}

fn mutex_success(name: &'static str, settings: Settings, clock: &DefaultClock) -> Subject {
    let breaker = healthy_mutex(settings, clock);
    Subject::new(name, move || report_to_mutex(&breaker, Outcome::Success))
}

fn mutex_one_percent(name: &'static str, settings: Settings, clock: &DefaultClock) -> Subject {
    let breaker = healthy_mutex(settings, clock);
    let same = Arc::clone(&breaker);
    Subject::with_hundredth(
        name,
        move || report_to_mutex(&breaker, Outcome::Success),
        move || report_to_mutex(&same, Outcome::Failure),
    )
}

#[inline(always)]
fn report_to_mutex(breaker: &Baseline<DefaultClock>, outcome: Outcome) {
    let ticket = breaker.try_acquire().expect("closed");
    black_box(breaker.record(ticket, outcome));
}

fn clock_readings(name: &'static str, clock: &DefaultClock, readings: u32) -> Subject {
    let clock = clock.clone();
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
