//! The states in between and those who look on: half-open storms, transitions under load, readings while others
//! record, settings that change in use.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use failfast::{Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Window};

use super::baseline::{Settings, Span};
use super::guards::{healthy, mutex, ours, report_closed, Control, Guard};
use super::subject::Subject;

/// Longer than any run of a bench.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// All of them, each of ours after the baseline's.
pub(crate) fn subjects() -> Vec<Subject> {
    let breaker = |probes| {
        let builder = CircuitBreaker::builder().half_open(HalfOpen::probes(probes));
        builder.open_wait(OpenWait::fixed(LONG)).probe_timeout(LONG)
    };
    let rival = |probes| Settings { probes, open_wait: LONG, ..Settings::default() };
    let touchy = || breaker(1).window(Window::consecutive(1));
    let touchy_rival = || Settings { span: Span::Consecutive, run: 1, ..rival(1) };
    vec![
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
        changing("failfast, settings changed in use", ours(breaker(3))),
        success_meanwhile("failfast, success while settings change", ours(breaker(3))),
    ]
}

/// Half-open: a probe is granted and given back; with one place for all, threads refuse it to each other.
fn give_back<G: Control>(name: impl Into<String>, guard: G) -> Subject {
    guard.half_open();
    Subject::new(name, move || {
        black_box(guard.report(Outcome::Ignored));
    })
}

/// Half-open: a call is refused because the only place is taken, by a probe that has not reported.
fn no_place_left<G: Control>(name: impl Into<String>, guard: G) -> Subject {
    guard.half_open();
    guard.take_place();
    Subject::new(name, move || guard.ask())
}

/// A failure trips, a call is refused, the open time is ended, a probe closes, a call succeeds: five calls in one,
/// on a breaker that one failure trips and one probe closes. Threads do it over each other's heads.
fn transitions<G: Control>(name: impl Into<String>, guard: G) -> Subject {
    Subject::new(name, move || {
        black_box(guard.report(Outcome::Failure));
        guard.ask();
        guard.half_open();
        black_box(guard.report(Outcome::Success));
        black_box(guard.report(Outcome::Success));
    })
}

/// One thread reads while the others record.
fn reading<G: Guard>(name: impl Into<String>, guard: G, read: fn(&G)) -> Subject {
    let guard = healthy(guard);
    let same = Arc::clone(&guard);
    Subject::new(name, move || read(&guard)).under(move || report_closed(&*same, Outcome::Success))
}

/// One thread records while the others read.
fn recording<G: Guard>(name: impl Into<String>, guard: G, read: fn(&G)) -> Subject {
    let guard = healthy(guard);
    let same = Arc::clone(&guard);
    Subject::new(name, move || report_closed(&*guard, Outcome::Success)).under(move || read(&same))
}

/// One thread changes a limit while the others record; each change begins a generation. The number tells which limit.
fn changing(name: impl Into<String>, breaker: CircuitBreaker) -> Subject {
    let breaker = healthy(breaker);
    let same = Arc::clone(&breaker);
    let limits = limits();
    Subject::numbered(name, move |number| change(&breaker, &limits[(number & 1) as usize]))
        .under(move || report_closed(&*same, Outcome::Success))
}

/// One thread records while the others change a limit.
fn success_meanwhile(name: impl Into<String>, breaker: CircuitBreaker) -> Subject {
    let breaker = healthy(breaker);
    let same = Arc::clone(&breaker);
    let limits = limits();
    Subject::new(name, move || report_closed(&*breaker, Outcome::Success)).under(move || {
        for limit in &limits {
            change(&same, limit);
        }
    })
}

/// The same settings with two limits, so that each is news after the other.
fn limits() -> [Builder; 2] {
    [0.5, 0.6].map(|rate| CircuitBreaker::builder().failure_rate(rate))
}

fn change(breaker: &CircuitBreaker, limits: &Builder) {
    breaker.reconfigure(limits).expect("the same window");
}
