//! What the window's kind and size, the share of failures and the clock change.
//!
//! The default rule of half the calls stays on, so that 49 % is next to a trip: where the threads' failures happen to
//! meet, the breaker does trip and is reset at once, and the end of the table says how often.

use std::time::Duration;

use failfast::clock::{Clock, CoarseClock, DefaultClock, StdClock};
use failfast::{Builder, CircuitBreaker, Window};

use super::baseline::{Settings, Span};
use super::guards::{clock_readings, failure, mutex, ours, share, success};
use super::subject::{Subject, PER_CENT};

/// Count windows.
pub(crate) const SIZES: [u32; 4] = [10, 100, 10_000, 100_000];
/// Failures among a thousand calls, beside none.
pub(crate) const SHARES: [u32; 5] = [1, 10, 50, 200, 490];
const BUCKETS: [u32; 3] = [1, 10, 100];
const TEN_SECONDS: Duration = Duration::from_secs(10);
/// Far above what a call here takes.
const SLOW_LIMIT: Duration = Duration::from_secs(2);

/// All of them, each of ours after the baseline's.
pub(crate) fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for size in SIZES {
        subjects.extend(of_size(size));
    }
    for buckets in BUCKETS {
        subjects.extend(of_buckets(buckets));
    }
    subjects.extend(on_clock("CPU counter", DefaultClock::new()));
    subjects.extend(on_clock("std", StdClock::new()));
    // Its thread would disturb the batches at its usual pace; a reading costs the same at any.
    let coarse = CoarseClock::start(Duration::from_millis(200)).expect("a thread keeps the time");
    subjects.extend(on_clock("coarse", coarse));
    subjects
}

/// The name of a subject with a count window.
pub(crate) fn count_name(who: &str, size: u32, load: &str) -> String {
    format!("{who}, count {}, {load}", thousands(size))
}

/// `0.1 %` for one of a thousand.
pub(crate) fn percent(per_mille: u32) -> String {
    format!("{} %", f64::from(per_mille) / f64::from(PER_CENT))
}

/// `100,000`.
pub(crate) fn thousands(number: u32) -> String {
    match number {
        1_000.. => format!("{},{:03}", number / 1_000, number % 1_000),
        _ => number.to_string(),
    }
}

fn counted(size: u32) -> Builder {
    CircuitBreaker::builder().window(Window::count(size))
}

fn of_size(size: u32) -> Vec<Subject> {
    let settings = Settings { span: Span::Count { size }, ..Settings::default() };
    let named = |who, load: &str| count_name(who, size, load);
    let mut subjects = vec![
        success(named("mutex", "success"), mutex(settings)),
        success(named("failfast", "success"), ours(counted(size)))
            .against(named("mutex", "success")),
    ];
    for per_mille in SHARES {
        // Every other call of ten failing is a trip on one thread already.
        if size == 10 && per_mille == 490 {
            continue;
        }
        let load = percent(per_mille);
        subjects.push(share(named("mutex", &load), mutex(settings), per_mille));
        subjects.push(
            share(named("failfast", &load), ours(counted(size)), per_mille)
                .against(named("mutex", &load)),
        );
    }
    // No rule may trip here: the baseline has none, and ours only counts.
    let idle = Settings { failure_ppm: 0, ..settings };
    let counting = ours(counted(size));
    counting.metrics_only();
    subjects.extend([
        failure(named("mutex", "failures alone"), mutex(idle)),
        failure(named("failfast", "failures alone"), counting)
            .against(named("mutex", "failures alone")),
    ]);
    subjects
}

fn of_buckets(buckets: u32) -> Vec<Subject> {
    let span = Span::Time { length: TEN_SECONDS, buckets };
    let settings = Settings { span, ..Settings::default() };
    let window = Window::time(TEN_SECONDS).buckets(buckets);
    let breaker = || ours(CircuitBreaker::builder().window(window));
    let named = |who, load: &str| format!("{who}, {buckets} of 10 s, {load}");
    vec![
        success(named("mutex", "success"), mutex(settings)),
        success(named("failfast", "success"), breaker()).against(named("mutex", "success")),
        share(named("mutex", "1 %"), mutex(settings), PER_CENT),
        share(named("failfast", "1 %"), breaker(), PER_CENT).against(named("mutex", "1 %")),
    ]
}

/// One reading beside a time window, and two beside a slow-call rule.
fn on_clock<C: Clock + Clone>(name: &str, clock: C) -> Vec<Subject> {
    let one = format!("one reading, {name} clock");
    let two = format!("two readings, {name} clock");
    let builder = || CircuitBreaker::builder().clock(clock.clone());
    vec![
        clock_readings(&one, clock.clone(), 1),
        success(
            format!("failfast, time 10 s, {name} clock"),
            ours(builder().window(Window::time(TEN_SECONDS))),
        )
        .at_most_beyond(&one, 3.0),
        clock_readings(&two, clock.clone(), 2),
        success(
            format!("failfast, slow-call rule, {name} clock"),
            ours(builder().slow_call(SLOW_LIMIT, 0.8)),
        )
        .at_most_beyond(&two, 3.0),
    ]
}
