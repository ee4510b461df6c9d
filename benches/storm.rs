//! The states in between and those who look on: half-open storms, transitions under load, readings while others
//! record.

use std::hint::black_box;
use std::time::Duration;

use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};

use self::support::baseline::{Settings, Span};
use self::support::guards::{mutex, ours};
use self::support::loads::{give_back, no_place_left, reading, recording, transitions};

mod support;

/// Longer than any run of this bench.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

fn main() {
    let breaker = |probes| {
        let builder = CircuitBreaker::builder().half_open(HalfOpen::probes(probes));
        builder.open_wait(OpenWait::fixed(LONG)).probe_timeout(LONG)
    };
    let rival = |probes| Settings { probes, open_wait: LONG, ..Settings::default() };
    let touchy = || breaker(1).window(Window::consecutive(1));
    let touchy_rival = || Settings { span: Span::Consecutive, run: 1, ..rival(1) };
    let subjects = vec![
        give_back("mutex, probe given back", mutex(rival(1_000))),
        give_back("failfast, probe given back", ours(breaker(1_000)))
            .against("mutex, probe given back"),
        give_back("mutex, one place for all", mutex(rival(1))),
        give_back("failfast, one place for all", ours(breaker(1)))
            .against("mutex, one place for all"),
        no_place_left("mutex, no place left", mutex(rival(1))),
        no_place_left("failfast, no place left", ours(breaker(1))).against("mutex, no place left"),
        transitions("mutex, there and back again", mutex(touchy_rival())),
        transitions("failfast, there and back again", ours(touchy()))
            .against("mutex, there and back again"),
        reading("mutex, state while others record", mutex(rival(3)), |mutex| {
            black_box(mutex.state());
        }),
        reading("failfast, state while others record", ours(breaker(3)), |breaker| {
            black_box(breaker.state());
        })
        .against("mutex, state while others record"),
        reading("mutex, snapshot while others record", mutex(rival(3)), |mutex| {
            black_box(mutex.counts());
        }),
        reading("failfast, snapshot while others record", ours(breaker(3)), |breaker| {
            black_box(breaker.snapshot());
        })
        .against("mutex, snapshot while others record"),
        recording("mutex, success while others read", mutex(rival(3)), |mutex| {
            black_box(mutex.counts());
        }),
        recording("failfast, success while others read", ours(breaker(3)), |breaker| {
            black_box(breaker.snapshot());
        })
        .against("mutex, success while others read"),
    ];
    support::run("storm", subjects);
}
