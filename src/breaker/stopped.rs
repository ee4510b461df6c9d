//! Threads that stop between two steps for as long as it takes, played one step at a time on one thread.
//!
//! Each test is a schedule that an earlier version got wrong. The models in `loom-tests` look for such schedules; these
//! pin those that need longer sleeps than a model can explore.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::breaker::rules::{HalfOpenConfig, WaitConfig, WindowConfig};
use crate::sync::tally::steps_against;
use crate::window::marks::Mark;
use crate::window::verdict::Known;

/// A count window with a failure rate, and nothing else that matters.
fn config(size: u32, failure_ppm: u32, min_calls: u32) -> Config {
    Config {
        window: WindowConfig::Count { size },
        rules: Rules {
            failure_ppm,
            slow_ppm: 0,
            slow_limit_ns: u64::MAX,
            failure_count: 0,
            run: 0,
            min_calls,
        },
        min_calls,
        half_open: HalfOpenConfig { kind: HalfOpenKind::Probes, places: 3, decide_at: 3 },
        wait: WaitConfig { initial_ns: 1, factor: 1.0, max_ns: u64::MAX, jitter_ppm: 0, seed: 0 },
        lease_ns: 1_000,
        stripes: 1,
    }
}

const SEAT: usize = 0;
const NO_SEAT: usize = usize::MAX;

fn record(engine: &Engine, seat: usize, kind: Kind) -> Recorded {
    let name = engine.load();
    if kind == Kind::Plain && engine.count_warm(seat, name, 0) {
        return Recorded::Counted;
    }
    engine.record(seat, name, &|| (0, 0), kind, &mut |_| ())
}

fn control(engine: &Engine, to: Target) {
    engine.control(to, 0, &mut |_| ());
}

fn counts(engine: &Engine) -> Counts {
    engine.read(0, 0).counts
}

#[test]
fn a_transition_that_slept_clears_no_shared_count_of_a_later_generation() {
    let engine = Engine::new(&config(10, 1_000_000, 10));
    // In generation 0 a thread is about to begin the next one, and stops...
    let ticket = engine.window.next_ticket();
    control(&engine, Target::Plain(State::Closed));
    for _ in 0..5 {
        record(&engine, NO_SEAT, Kind::Plain);
    }
    // ... and goes on in generation 1.
    engine.window.prepare(0, ticket, &|| engine.load() == Word::START);
    assert_eq!(counts(&engine).calls, 5);
}

/// Closed in generation 2, begun by a thread that stopped between noting the ticket counter and its exchange while a
/// hundred failures were recorded: its note is a whole ring too low.
fn begun_by_a_thread_that_slept(failure_ppm: u32, min_calls: u32) -> Engine {
    begun_late(&config(10, failure_ppm, min_calls))
}

fn begun_late(config: &Config) -> Engine {
    let engine = Engine::new(config);
    control(&engine, Target::Plain(State::MetricsOnly));
    let word = engine.load();
    let ticket = engine.window.next_ticket();
    for _ in 0..100 {
        record(&engine, SEAT, Kind::Failure);
    }
    let generation = engine.shared.state.generation(word);
    engine.shared.state.settle(generation, word.state());
    engine.window.prepare(generation, ticket, &|| true);
    assert!(engine.shared.state.exchange(word, Word::name(State::Closed, generation + 1)));
    engine
}

#[test]
fn a_note_that_is_too_low_fills_no_window() {
    let engine = begun_by_a_thread_that_slept(1_000_000, 10);
    record(&engine, SEAT, Kind::Failure);
    assert_eq!(counts(&engine), Counts { calls: 1, failures: 1, ..Counts::default() });
}

#[test]
fn a_note_that_is_too_low_reaches_no_minimum() {
    let engine = begun_by_a_thread_that_slept(100_000, 10);
    record(&engine, SEAT, Kind::Failure);
    assert_eq!(engine.load().state(), State::Closed, "one call of at least ten");
}

#[test]
fn a_note_that_is_too_low_hides_no_minimum() {
    let engine = begun_by_a_thread_that_slept(600_000, 5);
    for kind in [Kind::Failure, Kind::Failure, Kind::Failure, Kind::Plain, Kind::Plain] {
        record(&engine, SEAT, kind);
    }
    assert_eq!(engine.load().state(), State::Open, "three of five");
}

#[test]
fn a_note_that_is_too_low_hides_no_minimum_of_a_window_that_is_all_marks() {
    let mut config = config(4, 250_000, 4);
    config.rules.slow_ppm = 1_000_000;
    config.rules.slow_limit_ns = 5;
    config.stripes = 2;
    let engine = begun_late(&config);
    for kind in [Kind::Failure, Kind::Slow, Kind::Slow] {
        record(&engine, SEAT, kind);
    }
    // A success has counted itself and stops before it judges; it is the fourth call, or the slow one that follows is.
    let name = engine.load();
    assert!(engine.window.parts().1.count(1, name, &|| true));
    record(&engine, SEAT, Kind::Slow);
    assert_eq!(engine.load().state(), State::Open, "one of the first four failed, in every order");
}

#[test]
fn a_slow_failure_that_is_counted_late_leaves_a_later_round_of_probes_alone() {
    let mut config = config(10, 1_000_000, 10);
    config.rules.slow_ppm = 1_000_000;
    config.rules.slow_limit_ns = 5;
    config.half_open = HalfOpenConfig { kind: HalfOpenKind::Rate, places: 10, decide_at: 10 };
    let engine = Engine::new(&config);
    control(&engine, Target::HalfOpen { granted: 0 });
    let earlier = engine.shared.state.generation(engine.load());
    control(&engine, Target::HalfOpen { granted: 0 });
    let probe = engine.acquire(0, &mut |_| ()).expect("ten places are free");
    engine.report(probe, Outcome::Failure, true, 0, &mut |_| ());
    engine.count_slow_failed(earlier);
    assert_eq!(counts(&engine).slow_failures, 1);
}

#[test]
fn a_mark_that_is_written_late_is_judged_where_it_stands() {
    let engine = Engine::new(&config(100, 600_000, 3));
    let name = engine.load();
    let (marks, stripes) = engine.window.parts();
    // The first failure takes its ticket and stops; a second one and a hundred successes go by.
    let crossed_at = marks.crossed_at(name);
    let late = marks.take_ticket();
    record(&engine, SEAT, Kind::Failure);
    for _ in 0..100 {
        record(&engine, SEAT, Kind::Plain);
    }
    assert_eq!(engine.load().state(), State::Closed);
    // It stands before the second one all the same, which has seen no success: two of the first three failed.
    let before = stripes.sum(name);
    marks.write(late, name, Mark { kind: Kind::Failure, before });
    let known = Known { skips: marks.skips(name, late), crossed_at };
    let view = engine.window.view(name, Some(100), before);
    let cause = view.judge_mark(late, known, &engine.limits().rules());
    assert_eq!(cause, Some(TransitionCause::FailureRate { failures: 2, calls: 3 }));
}

#[test]
fn more_marks_in_flight_than_the_window_holds_hide_no_minimum() {
    let mut config = config(4, 500_000, 4);
    config.rules.slow_ppm = 1_000_000;
    config.rules.slow_limit_ns = 5;
    config.stripes = 5;
    let engine = Engine::new(&config);
    let name = engine.load();
    record(&engine, SEAT, Kind::Failure);
    record(&engine, SEAT, Kind::Failure);
    let (marks, stripes) = engine.window.parts();
    // Two successes have counted themselves and stop before they judge; three slow ones have written their marks.
    for seat in [1, 2] {
        assert!(stripes.count(seat, name, &|| true));
    }
    let known = Known { skips: false, crossed_at: marks.crossed_at(name) };
    let slow: Vec<u64> = (0..3).map(|_| marks.take_ticket()).collect();
    for ticket in &slow {
        marks.write(*ticket, name, Mark { kind: Kind::Slow, before: 2 });
    }
    // Whoever judges first: two of the first four failed, in every order.
    let view = engine.window.view(name, Some(4), 2);
    let cause = view.judge_mark(slow[0], known, &engine.limits().rules());
    assert_eq!(cause, Some(TransitionCause::FailureRate { failures: 2, calls: 4 }));
}

// ===== a change of settings that stops =====

/// Stops a change of settings before each of its steps in turn, for as long as `calls` take; says how many steps there
/// were. All that is committed is heard.
fn stop_everywhere(
    begin: impl Fn() -> Engine,
    next: &Config,
    calls: impl Fn(&Engine, &mut dyn FnMut(Change)) + Copy + 'static,
) -> usize {
    for at in 0.. {
        let engine = Rc::new(begin());
        let heard = Rc::new(RefCell::new(Vec::new()));
        let step = Rc::new(Cell::new(0));
        let (stopped, hears, steps) = (Rc::clone(&engine), Rc::clone(&heard), Rc::clone(&step));
        let adversary = move |_| {
            if steps.replace(steps.get() + 1) == at {
                calls(&stopped, &mut |change| hears.borrow_mut().push(change));
            }
        };
        steps_against(adversary, || {
            let changes = engine.reconfigure(next.clone(), None, &|| 0);
            heard.borrow_mut().extend(changes);
        });
        if at >= step.get() {
            return at;
        }
        let mut heard: Vec<Change> = heard.take();
        heard.sort_by_key(|change| change.generation);
        let generations: Vec<u64> = heard.iter().map(|change| change.generation).collect();
        let first = generations[0];
        assert!(generations.iter().copied().eq(first..first + heard.len() as u64), "{heard:?}");
        assert_eq!(&engine.in_force(next.window, next.stripes), next);
    }
    unreachable!("a change has an end")
}

fn fail(engine: &Engine, heard: &mut dyn FnMut(Change)) {
    engine.record(SEAT, engine.load(), &|| (0, 0), Kind::Failure, heard);
}

fn tripping_at(failure_count: u32) -> Config {
    let mut config = config(10, 0, 1);
    config.rules.failure_count = failure_count;
    config
}

#[test]
fn a_change_that_stops_keeps_no_rule_from_tripping() {
    let steps = stop_everywhere(
        || Engine::new(&tripping_at(2)),
        &tripping_at(3),
        |engine, heard| {
            let mut failures = 0;
            while engine.load().state() == State::Closed {
                fail(engine, heard);
                failures += 1;
            }
            // By the old settings, by the new ones, or by the new ones after a generation that ended for them.
            assert!([2, 3, 6].contains(&failures), "{failures}");
        },
    );
    assert!(steps > 30, "{steps}");
}

#[test]
fn a_change_that_stops_keeps_no_probe_waiting() {
    let probes = |places| {
        let half_open = HalfOpenConfig { kind: HalfOpenKind::Probes, places, decide_at: places };
        Config { half_open, ..tripping_at(2) }
    };
    let begin = move || {
        let engine = Engine::new(&probes(3));
        control(&engine, Target::HalfOpen { granted: 0 });
        // A place is taken, and never given back.
        engine.acquire(0, &mut |_| ()).expect("a place is free");
        engine
    };
    for places in [1, 2] {
        stop_everywhere(begin, &probes(places), |engine, heard| {
            let mut granted = Vec::new();
            while let Ok(name) = engine.acquire(0, heard) {
                assert!(granted.len() < 3, "no more places than either has");
                granted.push(name);
            }
            for name in granted {
                engine.report(name, Outcome::Success, false, 0, heard);
            }
            // What the lost place leaves open the lease ends.
            if engine.load().state() == State::HalfOpen {
                assert!(engine.acquire(2_000 + (1 << 20), heard).is_ok());
            }
        });
    }
}

#[test]
fn a_change_that_stops_leaves_one_configuration_to_be_read() {
    let new = || Config { lease_ns: 7, min_calls: 9, ..tripping_at(3) };
    stop_everywhere(
        || Engine::new(&tripping_at(2)),
        &new(),
        move |engine, heard| {
            let Config { window, stripes, .. } = new();
            let read = engine.in_force(window, stripes);
            assert!([tripping_at(2), new()].contains(&read), "{read:?}");
            engine.control(Target::Plain(State::Closed), 0, heard);
        },
    );
}
