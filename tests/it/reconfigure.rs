//! The live change of settings: what it changes, what it keeps, what it refuses, and that no verdict mixes two
//! configurations.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::{
    Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, Settings, State,
    TransitionCause, Window,
};

use crate::story::{
    assert_empty, assert_waits, counts, ends, fail, millis, open_and_wait, refused, secs, stage,
    succeed, takes, Breaker, CONTROLS, INSTANT,
};

fn new() -> Builder {
    CircuitBreaker::builder()
}

/// What is set otherwise.
type Change = fn(Builder) -> Builder;

fn changed(breaker: &Breaker, builder: Builder) {
    breaker.reconfigure(&builder).expect("limits that may change");
}

/// Refused, naming all three; and nothing has changed.
#[track_caller]
fn refuses(breaker: &Breaker, builder: Builder, field: &str, given: &str, allowed: &str) {
    let (settings, before) = (breaker.settings(), breaker.snapshot());
    let error = breaker.reconfigure(&builder).expect_err("not allowed");
    assert_eq!((error.field(), error.given(), error.allowed()), (field, given, allowed));
    assert_eq!(breaker.settings(), settings);
    assert_eq!(breaker.snapshot().generation, before.generation);
}

// ===== what is in force =====

/// A builder of nothing but what `settings` says.
fn builder_of(settings: &Settings) -> Builder {
    let Settings { window, open_wait, half_open, probe_timeout, min_calls, .. } = *settings;
    let builder = new().window(window).min_calls(min_calls).open_wait(open_wait);
    let builder = builder.half_open(half_open).probe_timeout(probe_timeout);
    let mut builder = match settings.failure_rate {
        Some(rate) => builder.failure_rate(rate),
        None => builder.no_failure_rate(),
    };
    if let Some(failures) = settings.failure_count {
        builder = builder.failure_count(failures);
    }
    if let Some(failures) = settings.consecutive_failures {
        builder = builder.consecutive_failures(failures);
    }
    if let Some((limit, rate)) = settings.slow_call {
        builder = builder.slow_call(limit, rate);
    }
    builder
}

fn exponential() -> OpenWait {
    OpenWait::exponential(secs(1), 1.7, secs(60)).jitter(1.0 / 3.0)
}

/// Builders that say everything in every way.
fn builders() -> Vec<Builder> {
    let time = Window::time(secs(7)).buckets(13);
    vec![
        new(),
        new().failure_rate(1.0 / 3.0).min_calls(1_000).failure_count(9).consecutive_failures(4),
        new().no_failure_rate().slow_call(millis(250), 2.0 / 3.0).open_wait(exponential()),
        new().half_open(HalfOpen::rate(17)).min_calls(400).probe_timeout(INSTANT),
        new().window(time).failure_count(u32::MAX).consecutive_failures(9).min_calls(u32::MAX),
        new().window(time).failure_rate(0.000_001).slow_call(INSTANT, 0.999_999),
        new().window(Window::consecutive(5)).half_open(HalfOpen::probes(1_000)),
        new().window(Window::consecutive(1)).no_failure_rate().open_wait(OpenWait::fixed(INSTANT)),
    ]
}

#[test]
fn settings_say_what_was_built_and_build_the_same_again() {
    for builder in builders() {
        let breaker = builder.clock(ManualClock::new()).build().expect("legal settings");
        let settings = breaker.settings();
        let again = builder_of(&settings).build().expect("legal settings").settings();
        assert_eq!(again, settings);
        // And they are those in force already.
        breaker.reconfigure(&builder_of(&settings)).expect("the same again");
        assert_eq!((breaker.settings(), breaker.snapshot().generation), (settings, 0));
    }
}

#[test]
fn settings_say_what_was_changed() {
    for from in builders() {
        let (breaker, _, _) = stage(from);
        for to in builders() {
            let to = to.build().expect("legal settings").settings();
            if breaker.reconfigure(&builder_of(&to)).is_ok() {
                assert_eq!(breaker.settings(), to);
            }
        }
    }
}

#[test]
fn settings_are_what_was_set_and_not_what_is_used() {
    let (breaker, _, _) = stage(new().window(Window::count(10)).min_calls(50));
    assert_eq!(breaker.settings().min_calls, 50);
    let default = new().build().expect("the defaults").settings();
    let expected = (Window::count(100), Some(0.5), None, None, None, 20);
    let Settings { window, failure_rate, failure_count, .. } = default;
    let Settings { consecutive_failures, slow_call, min_calls, .. } = default;
    let found = (window, failure_rate, failure_count, consecutive_failures, slow_call, min_calls);
    assert_eq!(found, expected);
    assert_eq!(default.open_wait, OpenWait::fixed(secs(30)));
    assert_eq!((default.half_open, default.probe_timeout), (HalfOpen::probes(3), secs(60)));
}

// ===== what is refused =====

#[test]
fn what_build_refuses_is_refused() {
    let (breaker, _, _) = stage(new());
    let rate = "a rate above 0 to 1, at least one part in a million";
    refuses(&breaker, new().failure_rate(1.5), "failure_rate", "1.5", rate);
    let rules = "at least one of failure_rate, failure_count, consecutive_failures, slow_call";
    refuses(&breaker, new().no_failure_rate(), "rules", "none", rules);
    refuses(&breaker, new().min_calls(0), "min_calls", "0", "1 to 4294967295");
}

#[test]
fn the_window_and_the_stripes_stay_as_they_were_built() {
    let time = Window::time(secs(10));
    let (ten_seconds, consecutive) = (time.buckets(10), Window::consecutive(3));
    for (built, as_built) in [
        (Window::count(10), "count(10), as the breaker was built"),
        (ten_seconds, "time(10s).buckets(10), as the breaker was built"),
        (consecutive, "consecutive(..), as the breaker was built"),
    ] {
        let (breaker, _, _) = stage(new().window(built).stripes(4));
        for (other, given) in [
            (Window::count(11), "count(11)"),
            (time.buckets(11), "time(10s).buckets(11)"),
            (Window::time(secs(11)), "time(11s)"),
        ] {
            refuses(&breaker, new().window(other), "window", given, as_built);
        }
        let stripes = new().window(built).stripes(5);
        refuses(&breaker, stripes, "stripes", "5", "4, as the breaker was built");
        changed(&breaker, new().window(built).stripes(4).min_calls(2));
        changed(&breaker, new().window(built));
    }
    // The default number of buckets is the same said otherwise.
    let (breaker, _, _) = stage(new().window(time));
    changed(&breaker, new().window(ten_seconds));
}

#[test]
fn a_limit_on_runs_may_grow_as_far_as_there_is_memory() {
    let runs = |limit| new().window(Window::consecutive(limit));
    let (breaker, _, _) = stage(runs(5).stripes(1));
    let allowed = "1 to 16, which the breaker was built with memory for";
    refuses(&breaker, runs(17), "window", "consecutive(17)", allowed);
    changed(&breaker, runs(16));
    fail(&breaker, 15);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);

    let beside = |limit| new().no_failure_rate().consecutive_failures(limit);
    let (breaker, _, _) = stage(new().stripes(8));
    let allowed = "1 to 112, which the breaker was built with memory for";
    refuses(&breaker, beside(113), "consecutive_failures", "113", allowed);
    changed(&breaker, beside(112));
    fail(&breaker, 111);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);

    // A ring as large as any is made for: longer runs are counted elsewhere, as at the build.
    let (breaker, _, _) = stage(runs(100_000).stripes(1));
    changed(&breaker, runs(u32::MAX));
    assert_eq!(breaker.settings().window, Window::consecutive(u32::MAX));
}

#[test]
fn a_time_window_judges_runs_only_if_it_was_built_to() {
    let time = || new().window(Window::time(secs(10)));
    let (breaker, _, _) = stage(time());
    let allowed = "no limit, since the breaker's time window was built without one";
    refuses(&breaker, time().consecutive_failures(2), "consecutive_failures", "2", allowed);
    let (breaker, _, _) = stage(time().consecutive_failures(9));
    changed(&breaker, time());
    fail(&breaker, 10);
    changed(&breaker, time().consecutive_failures(2));
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    fail(&breaker, 2);
    assert_eq!(breaker.state(), State::Open);
}

// ===== closed and metrics-only =====

#[test]
fn what_judges_the_window_begins_a_new_one() {
    let base = || new().min_calls(10);
    let changes: [(&str, Change); 6] = [
        ("failure rate", |b| b.failure_rate(0.9)),
        ("no failure rate", |b| b.no_failure_rate().failure_count(50)),
        ("failure count", |b| b.failure_count(50)),
        ("run", |b| b.consecutive_failures(50)),
        ("slow call", |b| b.slow_call(secs(1), 1.0)),
        ("minimum", |b| b.min_calls(11)),
    ];
    let judged = |state: &State| matches!(state, State::Closed | State::MetricsOnly);
    for (state, control) in CONTROLS.into_iter().filter(|(state, _)| judged(state)) {
        for (what, change) in changes {
            let (breaker, clock, journal) = stage(base());
            control(&breaker);
            fail(&breaker, 3);
            let permit = breaker.try_acquire().expect("this call is granted");
            clock.advance(secs(5));
            changed(&breaker, change(base()));
            assert_empty(&breaker.snapshot());
            assert_eq!(permit.failure(), Recorded::Stale, "{what}");
            let last = journal.last();
            assert_eq!((last.from, last.to), (state, state), "{what}");
            assert_eq!((last.cause, last.at), (TransitionCause::Reconfigured, secs(5)));
            assert_eq!((last.generation, journal.len()), (2, 2));
        }
    }
}

#[test]
fn what_does_not_judge_the_window_leaves_it_alone() {
    let base = || new().min_calls(10);
    let changes: [Change; 6] = [
        |b| b,
        |b| b.open_wait(exponential()),
        |b| b.half_open(HalfOpen::rate(9)),
        |b| b.probe_timeout(secs(1)),
        |b| b.jitter_seed(7),
        |b| b.name("another").totals(true).on_transition(|_| panic!("not heard")),
    ];
    for change in changes {
        let (breaker, _, journal) = stage(base().name("this one"));
        fail(&breaker, 3);
        let permit = breaker.try_acquire().expect("this call is granted");
        changed(&breaker, change(base()));
        assert_eq!(permit.failure(), Recorded::Counted);
        assert_eq!((counts(&breaker), breaker.snapshot().generation), ((4, 4, 0, 0), 0));
        assert_eq!((breaker.name(), breaker.totals().is_none()), ("this one", true));
        succeed(&breaker, 3);
        fail(&breaker, 3);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(journal.len(), 1);
    }
}

#[test]
fn a_minimum_that_is_cut_to_the_same_window_is_the_same() {
    let base = |min| new().window(Window::count(10)).min_calls(min);
    let (breaker, _, journal) = stage(base(50));
    fail(&breaker, 3);
    changed(&breaker, base(60));
    assert_eq!((breaker.settings().min_calls, journal.len()), (60, 0));
}

#[test]
fn a_slow_call_rule_comes_and_goes() {
    let slow = || new().slow_call(secs(1), 1.0).min_calls(2);
    for window in [Window::count(10), Window::time(secs(100))] {
        for totals in [false, true] {
            let builder = new().window(window).min_calls(2).totals(totals);
            let (breaker, clock, _) = stage(builder);
            let before = breaker.try_acquire().expect("this call is granted");
            changed(&breaker, slow().window(window));
            clock.advance(secs(2));
            assert_eq!(before.success(), Recorded::Stale, "and no time is told for it");
            let timed = breaker.try_acquire().expect("this call is granted");
            clock.advance(secs(2));
            timed.success();
            assert_eq!(counts(&breaker), (1, 0, 1, 0));
            let last = breaker.try_acquire().expect("this call is granted");
            changed(&breaker, new().window(window).min_calls(2));
            clock.advance(secs(2));
            assert_eq!(last.success(), Recorded::Stale);
            takes(&breaker, Outcome::Success, secs(9));
            succeed(&breaker, 1);
            assert_eq!(counts(&breaker), (2, 0, 0, 0));
            assert_eq!(breaker.state(), State::Closed);
        }
    }
}

#[test]
fn a_breaker_with_totals_counts_on() {
    let (breaker, _, _) = stage(new().totals(true));
    fail(&breaker, 3);
    changed(&breaker, new().min_calls(3));
    succeed(&breaker, 2);
    let totals = breaker.totals().expect("asked for");
    assert_eq!((totals.permitted, totals.failed, totals.succeeded), (5, 3, 2));
    assert_eq!(totals.transitions(State::Closed, State::Closed), 1);
    assert_eq!(breaker.history().last().map(|t| t.cause), Some(TransitionCause::Reconfigured));
}

// ===== open, forced open, disabled =====

#[test]
fn an_open_period_keeps_its_deadline_and_the_next_one_has_the_new_wait() {
    let (breaker, clock, journal) = stage(new().open_wait(OpenWait::fixed(secs(30))));
    breaker.trip();
    clock.advance(secs(10));
    changed(&breaker, new().open_wait(OpenWait::fixed(secs(5))).failure_rate(0.9).min_calls(1));
    assert_eq!(journal.len(), 1);
    assert_waits(refused(&breaker).retry_after(), secs(20));
    clock.advance(secs(21));
    let probe = breaker.try_acquire().expect("the open time is over");
    probe.failure();
    assert_waits(refused(&breaker).retry_after(), secs(5));
}

/// A rest of far more than the wait in force is no mistake of the clock if it was asked for.
#[test]
fn a_wait_of_a_year_is_waited_for_though_the_next_one_is_short() {
    let days = |days: u64| secs(days * 24 * 3_600);
    let (breaker, clock, _) = stage(new().open_wait(OpenWait::fixed(days(365))));
    breaker.trip();
    changed(&breaker, new().open_wait(OpenWait::fixed(secs(1))));
    clock.advance(days(300));
    assert_waits(refused(&breaker).retry_after(), days(65));
    changed(&breaker, new().open_wait(OpenWait::fixed(secs(2))));
    assert_eq!(breaker.state(), State::Open);
    clock.advance(days(66));
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn forced_and_disabled_states_keep_everything_and_know_the_new_settings_afterwards() {
    for (state, control) in CONTROLS {
        if !matches!(state, State::Open | State::ForcedOpen | State::Disabled) {
            continue;
        }
        let (breaker, _, journal) = stage(new());
        control(&breaker);
        let permit = breaker.try_acquire().ok();
        changed(&breaker, new().no_failure_rate().failure_count(2).half_open(HalfOpen::probes(1)));
        assert_eq!((breaker.state(), journal.len()), (state, 1));
        if let Some(permit) = permit {
            assert_eq!(permit.failure(), Recorded::Counted, "a permit of a disabled breaker");
        }
        breaker.reset();
        fail(&breaker, 2);
        assert_eq!(breaker.state(), State::Open);
    }
}

// ===== half-open =====

#[test]
fn fewer_places_than_are_taken_hold_nobody_up() {
    let probes = |places| new().half_open(HalfOpen::probes(places));
    let (breaker, clock, journal) = stage(probes(5));
    open_and_wait(&breaker, &clock);
    let held: Vec<_> = (0..4).map(|_| breaker.try_acquire().expect("a place")).collect();
    changed(&breaker, probes(1));
    assert_eq!(journal.last().cause, TransitionCause::Reconfigured);
    assert!(held.into_iter().all(|permit| permit.success() == Recorded::Stale));
    let probe = breaker.try_acquire().expect("the one place");
    assert_eq!(refused(&breaker).state(), State::HalfOpen);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
    journal.assert_without_gaps();
}

#[test]
fn open_periods_are_numbered_on_through_a_change_of_the_probes() {
    let doubling = OpenWait::exponential(secs(1), 2.0, secs(60));
    let (breaker, clock, _) = stage(new().open_wait(doubling));
    open_and_wait(&breaker, &clock);
    let _probe = breaker.try_acquire().expect("a place");
    changed(&breaker, new().open_wait(doubling).half_open(HalfOpen::probes(1)));
    assert_eq!((breaker.state(), breaker.snapshot().open_attempt), (State::HalfOpen, 1));
    fail(&breaker, 1);
    assert_waits(refused(&breaker).retry_after(), secs(2));
}

#[test]
fn probes_go_on_if_nothing_judges_them_otherwise() {
    let probes = || new().half_open(HalfOpen::probes(2));
    let rate = || new().half_open(HalfOpen::rate(2)).min_calls(1_000);
    let cases: [(Builder, Builder, bool); 8] = [
        (probes(), probes().failure_rate(0.9), true),
        (probes(), probes().min_calls(3), true),
        (probes(), probes().failure_count(9).consecutive_failures(7), true),
        (probes(), probes().slow_call(secs(1), 0.5), false),
        (rate(), rate().failure_rate(0.9), false),
        (rate(), rate().min_calls(2), true),
        (rate(), rate().min_calls(1), false),
        (rate(), probes(), false),
    ];
    for (number, (built, next, go_on)) in cases.into_iter().enumerate() {
        let (breaker, clock, journal) = stage(built);
        open_and_wait(&breaker, &clock);
        let probe = breaker.try_acquire().expect("a place");
        changed(&breaker, next);
        assert_eq!(journal.len(), if go_on { 2 } else { 3 }, "case {number}");
        let recorded = if go_on { Recorded::Counted } else { Recorded::Stale };
        assert_eq!(probe.success(), recorded, "case {number}");
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}

#[test]
fn a_lease_that_has_run_out_is_committed_by_the_old_settings_first() {
    let lease = |seconds| new().probe_timeout(secs(seconds)).half_open(HalfOpen::probes(1));
    let (breaker, clock, journal) = stage(lease(10).open_wait(OpenWait::fixed(secs(100))));
    breaker.half_open();
    let _probe = breaker.try_acquire().expect("a place");
    clock.advance(secs(15));
    changed(&breaker, lease(1_000).open_wait(OpenWait::fixed(secs(7))));
    assert_eq!(breaker.state(), State::Open, "it does not come back");
    let lost = journal.last();
    assert_eq!((lost.cause, lost.at), (TransitionCause::ProbesLost { outstanding: 1 }, secs(10)));
    assert_waits(refused(&breaker).retry_after(), secs(95));
}

#[test]
fn a_new_lease_counts_from_the_last_sign_of_life() {
    let lease = |seconds| new().probe_timeout(secs(seconds)).half_open(HalfOpen::probes(1));
    let (breaker, clock, journal) = stage(lease(10));
    breaker.half_open();
    let probe = breaker.try_acquire().expect("a place");
    clock.advance(secs(8));
    changed(&breaker, lease(60));
    clock.advance(secs(50));
    assert_eq!((breaker.state(), journal.len()), (State::HalfOpen, 1));
    changed(&breaker, lease(20));
    let lost = journal.last();
    assert_eq!((lost.cause, lost.at), (TransitionCause::ProbesLost { outstanding: 1 }, secs(20)));
    assert_eq!(probe.success(), Recorded::Stale);
}

// ===== observers =====

#[test]
fn an_observer_may_change_the_settings_again() {
    let breaker: Arc<OnceLock<Breaker>> = Arc::default();
    let heard = Arc::clone(&breaker);
    let (clock, once) = (ManualClock::new(), AtomicBool::new(true));
    let built = new()
        .clock(clock)
        .on_transition(move |_| {
            if once.swap(false, Ordering::Relaxed) {
                let breaker = heard.get().expect("built before it changes");
                breaker.reconfigure(&new().min_calls(7)).expect("legal settings");
            }
        })
        .build()
        .expect("legal settings");
    let breaker = breaker.get_or_init(|| built);
    changed(breaker, new().min_calls(5));
    assert_eq!((breaker.settings().min_calls, breaker.snapshot().generation), (7, 2));
}

// ===== threads =====

/// Calls of 5 ns and of none in turn. By the one configuration no call is slow; by the other one of two is, and all
/// have to be. The limit of the one and the rate of the other would trip. All of them fail, which no rule minds, so that
/// each is judged.
#[test]
fn no_verdict_mixes_two_configurations() {
    for window in [Window::count(20), Window::time(secs(10))] {
        let base = move || new().window(window).no_failure_rate().min_calls(8);
        let few_of_long = move || base().slow_call(INSTANT * 10, 0.4);
        let all_of_short = move || base().slow_call(INSTANT, 1.0);
        let (breaker, _, journal) = stage(few_of_long());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        for elapsed in [INSTANT * 5, Duration::ZERO] {
                            takes(&breaker, Outcome::Failure, elapsed);
                        }
                    }
                });
            }
            for _ in 0..5_000 {
                changed(&breaker, all_of_short());
                changed(&breaker, few_of_long());
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(breaker.state(), State::Closed);
        let reconfigured = |cause: &TransitionCause| *cause == TransitionCause::Reconfigured;
        assert!(journal.causes().iter().all(reconfigured), "neither configuration trips");
        assert!(journal.len() >= 10_000);
        journal.assert_without_gaps();
    }
}

/// Two threads change, others read: what is read was set by one of them.
#[test]
fn settings_are_read_whole() {
    let numbered = |number: u32| {
        let time = secs(number.into());
        let builder = new().min_calls(number).failure_count(number).probe_timeout(time);
        builder.slow_call(time, 0.5).open_wait(OpenWait::fixed(time))
    };
    let (breaker, _, journal) = stage(numbered(1));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let changers = [1, 2].map(|first| {
            let breaker = &breaker;
            scope.spawn(move || {
                for number in 0..1_000 {
                    changed(breaker, numbered(first + number % 90));
                }
            })
        });
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let found = breaker.settings();
                    let time = secs(found.min_calls.into());
                    assert_eq!(found.failure_count, Some(found.min_calls));
                    assert_eq!(found.slow_call, Some((time, 0.5)));
                    assert_eq!(found.open_wait, OpenWait::fixed(time));
                    assert_eq!(found.probe_timeout, time);
                }
            })
        });
        changers.into_iter().for_each(|thread| thread.join().expect("it changes"));
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|thread| thread.join().expect("it reads"));
    });
    journal.assert_without_gaps();
    assert_eq!(ends(&breaker, Outcome::Success), Recorded::Counted);
}

/// However places come and go and their number changes, somebody gets one in the end.
#[test]
fn places_survive_every_change_of_their_number() {
    let probes = |places| new().half_open(HalfOpen::probes(places));
    let (breaker, _, journal) = stage(probes(3));
    breaker.half_open();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    if let Ok(permit) = breaker.try_acquire() {
                        permit.ignore();
                    }
                }
            });
        }
        for number in 0..1_000 {
            changed(&breaker, probes(1 + number % 3));
        }
        done.store(true, Ordering::Relaxed);
    });
    journal.assert_without_gaps();
    assert_eq!(breaker.state(), State::HalfOpen);
    changed(&breaker, probes(2));
    succeed(&breaker, 2);
    assert_eq!(breaker.state(), State::Closed);
}

/// It has the consecutive rule alone; half-open may judge its probes by a rate.
#[test]
fn a_consecutive_window_has_no_failure_rate_unless_its_probes_have() {
    let rate = |builder: Builder| builder.build().unwrap().settings().failure_rate;
    let builder = || CircuitBreaker::builder().window(Window::consecutive(3));
    assert_eq!(rate(builder()), None);
    assert_eq!(rate(builder().half_open(HalfOpen::rate(4))), Some(0.5));
    assert_eq!(rate(builder().failure_rate(0.2)), Some(0.2), "set, and idle, as a warning says");
}
