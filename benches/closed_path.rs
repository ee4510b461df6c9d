//! What a permitted call pays: acquire and success on a closed breaker, beside the mutex baseline; and with totals, beside
//! the same without.
//!
//! Every window holds its minimum before it is measured, and no load here ever trips a breaker.

use std::time::Duration;

use failfast::clock::DefaultClock;
use failfast::{CircuitBreaker, Window};

use self::support::baseline::{Settings, Span};
use self::support::guards::{clock_readings, mutex, ours, share, success};
use self::support::PER_CENT;

mod support;

const TEN_SECONDS: Duration = Duration::from_secs(10);
/// Far above what a call here takes, so that none is slow.
const SLOW_LIMIT: Duration = Duration::from_secs(2);
const SLOW_RATE: f64 = 0.8;
const SLOW_PPM: u32 = 800_000;

fn main() {
    let count = Span::Count { size: 100 };
    let large = Span::Count { size: 100_000 };
    let time = Span::Time { length: TEN_SECONDS, buckets: 10 };
    let defaults = Settings::default();
    let of = |span| Settings { span, ..defaults };
    let run = Settings { span: Span::Consecutive, run: 5, ..defaults };
    let slow = Settings { slow_ppm: SLOW_PPM, slow_limit: SLOW_LIMIT, ..of(count) };
    let windowed = |window| CircuitBreaker::builder().window(window);
    let counted = || windowed(Window::count(100));
    let counted_large = || windowed(Window::count(100_000));

    let subjects = vec![
        success("mutex, count 100", mutex(of(count))),
        success("failfast, count 100", ours(counted())).at_most(
            "mutex, count 100",
            1.0 / 15.0,
            1.0 / 30.0,
        ),
        share("mutex, count 100, 1 % failures", mutex(of(count)), PER_CENT),
        share("failfast, count 100, 1 % failures", ours(counted()), PER_CENT).at_most(
            "mutex, count 100, 1 % failures",
            1.0 / 10.0,
            1.0 / 20.0,
        ),
        success("mutex, count 100,000", mutex(of(large))),
        success("failfast, count 100,000", ours(counted_large())).at_most(
            "mutex, count 100,000",
            1.0 / 15.0,
            1.0 / 30.0,
        ),
        share("mutex, count 100,000, 1 % failures", mutex(of(large)), PER_CENT),
        share("failfast, count 100,000, 1 % failures", ours(counted_large()), PER_CENT).at_most(
            "mutex, count 100,000, 1 % failures",
            1.0 / 10.0,
            1.0 / 20.0,
        ),
        success("mutex, consecutive 5", mutex(run)),
        success("failfast, consecutive 5", ours(windowed(Window::consecutive(5)))).at_most(
            "mutex, consecutive 5",
            1.0 / 15.0,
            1.0 / 30.0,
        ),
        clock_readings("one clock reading", DefaultClock::new(), 1),
        success("mutex, time 10 s", mutex(of(time))),
        success("failfast, time 10 s", ours(windowed(Window::time(TEN_SECONDS))))
            .at_most_beyond("one clock reading", 3.0),
        clock_readings("two clock readings", DefaultClock::new(), 2),
        success("mutex, count 100, slow-call rule", mutex(slow)),
        success(
            "failfast, count 100, slow-call rule",
            ours(counted().slow_call(SLOW_LIMIT, SLOW_RATE)),
        )
        .at_most_beyond("two clock readings", 3.0),
        success("failfast, count 100, totals", ours(counted().totals(true)))
            .against("failfast, count 100"),
        share("failfast, count 100, 1 % failures, totals", ours(counted().totals(true)), PER_CENT)
            .against("failfast, count 100, 1 % failures"),
        success(
            "failfast, time 10 s, totals",
            ours(windowed(Window::time(TEN_SECONDS)).totals(true)),
        )
        .against("failfast, time 10 s"),
    ];
    support::run("closed path", subjects);
}
