//! Totals and history: what they say of every way that a call can go, under threads, and of transitions in time.
//!
//! Properties, over random operations beside a plain count:
//! 1. `permitted` is what was granted; every report counts once, by its answer.
//! 2. Transitions, causes and times are those that an observer was told.
//! 3. The history is the last sixteen of them.

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{
    Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, Totals, Transition,
    TransitionCause, Window,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn builder(clock: &ManualClock) -> Builder<ManualClock> {
    CircuitBreaker::builder()
        .window(Window::count(10))
        .min_calls(4)
        .open_wait(OpenWait::fixed(5 * SECOND))
        .half_open(HalfOpen::probes(2))
        .probe_timeout(20 * SECOND)
        .totals(true)
        .clock(clock.clone())
}

fn build(builder: Builder<ManualClock>) -> CircuitBreaker<ManualClock> {
    builder.build().expect("the settings are allowed")
}

fn report(breaker: &CircuitBreaker<ManualClock>, outcomes: &[Outcome]) {
    for outcome in outcomes {
        breaker.try_acquire().expect("granted").record(*outcome);
    }
}

fn totals(breaker: &CircuitBreaker<ManualClock>) -> Totals {
    breaker.totals().expect("they are kept")
}

#[test]
fn a_breaker_that_was_not_asked_to_keeps_none() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker.trip();
    assert_eq!((breaker.totals(), breaker.history()), (None, vec![]));
}

#[test]
fn every_way_that_a_call_can_end_counts_once() {
    for window in [Window::count(10), Window::time(10 * SECOND), Window::consecutive(100)] {
        let clock = ManualClock::new();
        let breaker = build(builder(&clock).window(window).slow_call(SECOND, 1.0).stripes(1));
        let acquire = || breaker.try_acquire().expect("granted");
        acquire().success();
        acquire().record_timed(Outcome::Success, Duration::ZERO);
        acquire().record_timed(Outcome::Success, 2 * SECOND);
        acquire().record_timed(Outcome::Failure, 2 * SECOND);
        acquire().ignore();
        drop(acquire());
        std::mem::forget(acquire());
        let slow = acquire();
        clock.advance(2 * SECOND);
        slow.success();
        let panicked = catch_unwind(|| {
            let _permit = breaker.try_acquire();
            panic!("of the call");
        });
        assert!(panicked.is_err());
        let late = [acquire(), acquire(), acquire()];
        breaker.force_open();
        for (permit, outcome) in
            late.into_iter().zip([Outcome::Success, Outcome::Failure, Outcome::Ignored])
        {
            assert_eq!(permit.record(outcome), Recorded::Stale);
        }
        assert!(breaker.try_acquire().is_err());
        breaker.disable();
        report(&breaker, &[Outcome::Success, Outcome::Failure, Outcome::Ignored]);
        acquire().record_timed(Outcome::Success, 2 * SECOND);

        let totals = totals(&breaker);
        assert_eq!((totals.permitted, totals.refused), (16, 1), "{window:?}");
        assert_eq!((totals.succeeded, totals.failed), (6, 3), "{window:?}");
        assert_eq!((totals.ignored, totals.stale, totals.slow), (3, 3, 3), "{window:?}");
        assert_eq!(totals.in_flight(), 1, "the one that was forgotten");
    }
}

/// The last instants of a clock are also what permits remember where nothing needs the time.
#[test]
fn calls_at_the_end_of_time_count_once() {
    for window in [Window::count(10), Window::time(10 * SECOND), Window::consecutive(100)] {
        for before_the_end in 0..5 {
            let clock = ManualClock::new();
            let breaker = build(builder(&clock).window(window).slow_call(SECOND, 1.0).min_calls(1));
            report(&breaker, &[Outcome::Success]);
            clock.set(Duration::from_nanos(u64::MAX - before_the_end));
            report(&breaker, &[Outcome::Success, Outcome::Success, Outcome::Failure]);
            breaker.half_open();
            report(&breaker, &[Outcome::Success, Outcome::Success]);
            breaker.metrics_only();
            report(&breaker, &[Outcome::Success, Outcome::Success]);
            let totals = totals(&breaker);
            let counted = (totals.permitted, totals.succeeded, totals.failed, totals.slow);
            assert_eq!(counted, (8, 7, 1, 0), "{window:?} {before_the_end}");
        }
    }
}

/// The calls that first reach the minimum are judged once, also where their verdict ends nothing.
#[test]
fn a_bad_beginning_would_have_tripped_once() {
    let windows = [Window::count(10), Window::time(100 * SECOND)];
    for (window, late) in windows
        .into_iter()
        .flat_map(|window| [Outcome::Failure, Outcome::Success].map(|outcome| (window, outcome)))
    {
        let clock = ManualClock::new();
        let breaker = build(builder(&clock).window(window));
        breaker.metrics_only();
        report(&breaker, &[Outcome::Failure; 4]);
        assert_eq!(totals(&breaker).would_have_tripped, 1);
        report(&breaker, &[Outcome::Success; 10]);
        assert!(breaker.snapshot().failure_rate < Some(0.3));
        clock.advance(6 * SECOND);
        // On a thread that has not yet seen the minimum reached.
        std::thread::scope(|scope| {
            scope.spawn(|| report(&breaker, &[late])).join().unwrap();
        });
        assert_eq!(
            totals(&breaker).would_have_tripped,
            1,
            "{window:?} {late:?}: the window is good"
        );
    }
}

/// Nor does a success trip that meets a window of failures for the first time.
#[test]
fn a_success_after_failures_would_not_have_tripped() {
    let clock = ManualClock::new();
    let breaker = build(builder(&clock).failure_rate(1.0));
    breaker.metrics_only();
    report(&breaker, &[Outcome::Failure; 10]);
    clock.advance(6 * SECOND);
    report(&breaker, &[Outcome::Success]);
    assert_eq!(breaker.snapshot().failure_rate, Some(0.9));
    assert_eq!(totals(&breaker).would_have_tripped, 1);
}

#[test]
fn probes_count_by_how_they_ended() {
    let clock = ManualClock::new();
    let breaker = build(builder(&clock));
    assert_eq!(totals(&breaker).probe_success_rate(), None);
    breaker.half_open();
    report(&breaker, &[Outcome::Success, Outcome::Ignored]);
    assert_eq!(totals(&breaker).probe_success_rate(), Some(1.0));
    report(&breaker, &[Outcome::Failure]);
    clock.advance(6 * SECOND);
    std::mem::forget([breaker.try_acquire(), breaker.try_acquire()]);
    clock.advance(20 * SECOND);
    assert_eq!(totals(&breaker).probes_lost, 0, "nobody has noticed yet");
    breaker.half_open();
    let totals = totals(&breaker);
    assert_eq!((totals.probes_succeeded, totals.probes_failed, totals.probes_lost), (1, 1, 2));
    assert_eq!(totals.probe_success_rate(), Some(0.25));
}

#[test]
fn times_are_those_between_the_transitions() {
    let clock = ManualClock::new();
    clock.advance(1_000 * SECOND);
    let breaker = build(builder(&clock));
    let spent = |states: [State; 3]| states.map(|state| totals(&breaker).time_in(state).as_secs());
    let states = [State::Closed, State::Open, State::HalfOpen];
    clock.advance(10 * SECOND);
    assert_eq!(spent(states), [10, 0, 0]);
    breaker.trip();
    clock.advance(7 * SECOND);
    assert_eq!(spent(states), [10, 7, 0], "open until somebody asks, though its time is over");
    let probes = [breaker.try_acquire(), breaker.try_acquire()];
    clock.advance(30 * SECOND);
    // The lease was over ten seconds ago: half-open for twenty, and open since then.
    drop(probes);
    assert_eq!(spent(states), [10, 17, 20]);
    clock.set(1_000 * SECOND);
    assert_eq!(spent(states), [10, 17, 20], "a clock that steps back takes nothing away");
    breaker.reset();
    clock.set(1_100 * SECOND);
    let [closed, open, half_open] = spent(states);
    assert!(closed >= 10 && open >= 17 && half_open >= 20);
    assert_eq!(closed, 110, "the time that came twice counts twice");
}

/// At its last instant, where the next reading resets the breaker that asks for the time.
#[derive(Clone, Default)]
struct Resetting(Arc<Mutex<Option<Arc<CircuitBreaker<Resetting>>>>>);

impl Clock for Resetting {
    fn now(&self) -> Duration {
        let breaker = self.0.lock().unwrap().take();
        if let Some(breaker) = breaker {
            breaker.reset();
        }
        Duration::from_nanos(u64::MAX)
    }
}

/// Panics where it is told to.
#[derive(Clone, Default)]
struct Fused(Arc<AtomicBool>);

impl Clock for Fused {
    fn now(&self) -> Duration {
        assert!(!self.0.load(Ordering::Relaxed), "blown");
        Duration::ZERO
    }
}

#[test]
fn a_clock_that_panics_grants_no_permit_and_counts_none() {
    let clock = Fused::default();
    let builder = CircuitBreaker::builder().totals(true).clock(clock.clone());
    let breaker = builder.slow_call(SECOND, 0.5).build().unwrap();
    for is_warm in [false, true] {
        clock.0.store(true, Ordering::Relaxed);
        let asked = catch_unwind(AssertUnwindSafe(|| breaker.try_acquire().map(drop)));
        assert!(asked.is_err(), "a slow-call rule asks for the time");
        clock.0.store(false, Ordering::Relaxed);
        assert_eq!(breaker.totals().unwrap().permitted, u64::from(is_warm));
        breaker.try_acquire().expect("it is closed").failure();
    }
}

/// As a thread finds it that another one overtakes between the state and the time. The last instant looked like the mark
/// of a permit that nobody counts, and its success was not.
#[test]
fn a_breaker_that_closes_while_the_last_instant_is_read_counts_its_permit() {
    for window in [Window::count(10), Window::time(10 * SECOND), Window::consecutive(5)] {
        let clock = Resetting::default();
        let builder = CircuitBreaker::builder().window(window).totals(true).clock(clock.clone());
        let breaker = Arc::new(builder.build().unwrap());
        breaker.half_open();
        *clock.0.lock().unwrap() = Some(Arc::clone(&breaker));
        let permit = breaker.try_acquire().expect("it is closed by now");
        assert_eq!(breaker.state(), State::Closed);
        for _ in 0..30 {
            breaker.try_acquire().expect("it is closed").success();
        }
        assert_eq!(permit.success(), Recorded::Counted);
        let totals = breaker.totals().unwrap();
        assert_eq!((totals.succeeded, totals.in_flight()), (31, 0), "{window:?}");
    }
}

/// The breaker's own time has an end, and runs on where the clock was wrong at the build; the times shown do neither.
#[test]
fn times_are_those_of_the_clock_up_to_its_last_instant() {
    let clock = ManualClock::new();
    let spent = |breaker: &CircuitBreaker<ManualClock>| {
        [State::Closed, State::Open].map(|state| totals(breaker).time_in(state))
    };
    clock.set(Duration::from_nanos(u64::MAX) - 3 * SECOND);
    let breaker = build(builder(&clock));
    clock.advance(SECOND);
    breaker.trip();
    clock.advance(5 * SECOND);
    assert_eq!(spent(&breaker), [SECOND, 2 * SECOND], "it stands at its last instant");
    breaker.reset();
    assert_eq!(spent(&breaker), [SECOND, 2 * SECOND]);

    let years = 365 * 24 * 60 * 60 * SECOND;
    clock.set(10 * years);
    let breaker = build(builder(&clock));
    clock.set(SECOND);
    assert_eq!(spent(&breaker), [Duration::ZERO; 2], "it was wrong by ten years");
    clock.set(10 * years + SECOND);
    assert_eq!(spent(&breaker), [SECOND, Duration::ZERO], "it has caught up");

    for (age, shown) in [(292 * years, 292 * years), (293 * years, Duration::ZERO)] {
        clock.set(Duration::ZERO);
        let breaker = build(builder(&clock));
        clock.advance(age);
        assert_eq!(spent(&breaker), [shown, Duration::ZERO]);
    }
}

#[test]
fn totals_are_data_under_stable_names() {
    let clock = ManualClock::new();
    let breaker = build(builder(&clock));
    report(&breaker, &[Outcome::Failure; 4]);
    clock.advance(Duration::from_millis(2_500));
    let json = serde_json::to_value(totals(&breaker)).expect("plain data");
    let expected = serde_json::json!({
        "permitted": 4, "refused": 0, "succeeded": 0, "failed": 4, "slow": 0, "ignored": 0, "stale": 0,
        "probes_succeeded": 0, "probes_failed": 0, "probes_lost": 0,
        "would_have_tripped": 0, "openings": 1, "false_positives": 0,
        "transitions": [{ "from": "closed", "to": "open", "count": 1 }],
        "causes": {
            "failure_rate": 1, "slow_rate": 0, "failure_count": 0, "consecutive_failures": 0,
            "open_time_over": 0, "probe_failed": 0, "probe_slow": 0, "probes_succeeded": 0,
            "probes_lost": 0, "control": 0, "reconfigured": 0,
        },
        "seconds_in": {
            "closed": 0.0, "open": 2.5, "half_open": 0.0, "forced_open": 0.0, "disabled": 0.0,
            "metrics_only": 0.0,
        },
    });
    assert_eq!(json, expected);
}

#[test]
fn the_history_tells_the_last_sixteen_with_their_causes() {
    let clock = ManualClock::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = Arc::clone(&told);
    let breaker =
        build(builder(&clock).on_transition(move |t| observer.lock().unwrap().push(t.clone())));
    report(&breaker, &[Outcome::Failure; 4]);
    let cause = TransitionCause::FailureRate { failures: 4, calls: 4 };
    assert_eq!(breaker.history()[0].cause, cause);
    for _ in 0..20 {
        clock.advance(6 * SECOND);
        report(&breaker, &[Outcome::Failure]);
    }
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 41);
    assert_eq!(breaker.history(), told[told.len() - 16..]);
}

#[test]
fn metrics_only_says_how_often_it_would_have_tripped() {
    let clock = ManualClock::new();
    let breaker = build(builder(&clock));
    breaker.metrics_only();
    report(&breaker, &[Outcome::Failure; 3]);
    assert_eq!(totals(&breaker).would_have_tripped, 0, "below the minimum");
    report(&breaker, &[Outcome::Failure; 30]);
    assert_eq!(totals(&breaker).would_have_tripped, 1, "it would be open, and refuse the rest");
    clock.advance(5 * SECOND);
    report(&breaker, &[Outcome::Failure; 30]);
    assert_eq!(totals(&breaker).would_have_tripped, 2);
    clock.advance(50 * SECOND);
    report(&breaker, &[Outcome::Success; 30]);
    assert_eq!(totals(&breaker).would_have_tripped, 2, "all is well again");
    report(&breaker, &[Outcome::Failure; 4]);
    assert_eq!(totals(&breaker).would_have_tripped, 2, "four of ten");
    report(&breaker, &[Outcome::Failure]);
    assert_eq!((totals(&breaker).would_have_tripped, totals(&breaker).openings), (3, 0));
    assert_eq!(breaker.state(), State::MetricsOnly);
    breaker.metrics_only();
    report(&breaker, &[Outcome::Failure; 4]);
    assert_eq!(totals(&breaker).would_have_tripped, 4, "who begins anew would be closed");
}

#[test]
fn an_opening_that_the_first_probes_end_may_have_been_needless() {
    let clock = ManualClock::new();
    let breaker = build(builder(&clock));
    let round = |probe: Outcome| {
        clock.advance(6 * SECOND);
        for _ in 0..2 {
            let _ = breaker.try_acquire().map(|permit| permit.record(probe));
        }
    };
    let false_ones = || (totals(&breaker).openings, totals(&breaker).false_positives);
    report(&breaker, &[Outcome::Failure; 4]);
    round(Outcome::Success);
    assert_eq!((breaker.state(), false_ones()), (State::Closed, (1, 1)));
    report(&breaker, &[Outcome::Failure; 4]);
    round(Outcome::Failure);
    round(Outcome::Success);
    assert_eq!((breaker.state(), false_ones()), (State::Closed, (2, 1)), "it was needed");
    breaker.trip();
    round(Outcome::Success);
    assert_eq!((breaker.state(), false_ones()), (State::Closed, (2, 1)), "no rule opened it");
}

/// More threads than stripes, of which some end and hand their seats on; a reader looks on.
#[test]
fn totals_are_exact_at_rest_and_no_part_is_ahead_of_its_whole_before() {
    const THREADS: u64 = 6;
    const CALLS: u64 = 20_000;
    for (stripes, window) in [(2, Window::count(100)), (16, Window::time(10 * SECOND))] {
        let clock = ManualClock::new();
        let breaker = build(
            builder(&clock)
                .window(window)
                .failure_rate(1.0)
                .slow_call(SECOND, 1.0)
                .stripes(stripes),
        );
        let (barrier, over) = (Barrier::new(THREADS as usize + 1), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (breaker, barrier) = (&breaker, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        for call in 0..CALLS {
                            let permit = breaker.try_acquire().expect("never all of them fail");
                            match (call + thread) % 10 {
                                0 => permit.failure(),
                                1 => permit.ignore(),
                                2 => permit.record_timed(Outcome::Success, 2 * SECOND),
                                3 if call % 1_000 == 3 => {
                                    // Reported by a thread that lives for this one call.
                                    std::thread::scope(|inner| {
                                        inner.spawn(|| permit.success()).join().unwrap()
                                    })
                                }
                                _ => permit.success(),
                            };
                        }
                    })
                })
                .collect();
            let reader = scope.spawn(|| {
                let mut before = totals(&breaker);
                while !over.load(Ordering::Relaxed) {
                    let now = totals(&breaker);
                    let settled = now.succeeded + now.failed + now.ignored + now.stale;
                    assert!(settled <= now.permitted, "an outcome without its permit");
                    assert!(now.slow <= now.succeeded, "a slow call without its outcome");
                    assert!(now.permitted >= before.permitted && now.succeeded >= before.succeeded);
                    before = now;
                }
            });
            barrier.wait();
            for caller in callers {
                caller.join().unwrap();
            }
            over.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        let totals = totals(&breaker);
        let tenth = THREADS * CALLS / 10;
        assert_eq!((totals.permitted, totals.refused), (10 * tenth, 0));
        assert_eq!((totals.failed, totals.ignored, totals.slow), (tenth, tenth, tenth));
        assert_eq!((totals.succeeded, totals.stale, totals.in_flight()), (8 * tenth, 0, 0));
    }
}

/// Every transition of a storm is in the totals, and their times sum to the time that went by.
#[test]
fn a_storm_of_transitions_is_counted_to_the_last() {
    let clock = ManualClock::new();
    let told = Arc::new(Mutex::new(BTreeMap::<&str, u64>::new()));
    let observer = Arc::clone(&told);
    let count =
        move |t: &Transition| *observer.lock().unwrap().entry(t.cause.name()).or_default() += 1;
    let breaker = build(builder(&clock).consecutive_failures(1).on_transition(count));
    // A thread may be stopped with an old reading of the clock in its hand, and take from one state what it gives to the
    // next: each has more than that to begin with.
    let before = 50_000 * SECOND;
    for control in [CircuitBreaker::trip, CircuitBreaker::half_open, CircuitBreaker::reset] {
        clock.advance(before);
        control(&breaker);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for call in 0..5_000 {
                    clock.advance(SECOND);
                    match breaker.try_acquire() {
                        Ok(permit) if call % 3 == 0 => permit.failure(),
                        Ok(permit) => permit.success(),
                        Err(_) => Recorded::Stale,
                    };
                    if call % 100 == 0 {
                        breaker.reset();
                    }
                }
            });
        }
    });
    let totals = totals(&breaker);
    let causes: BTreeMap<_, _> = totals.causes().filter(|(_, changes)| *changes > 0).collect();
    assert_eq!(causes, *told.lock().unwrap());
    assert_eq!(causes.values().sum::<u64>(), breaker.snapshot().generation);
    let pairs = State::ALL.map(|from| State::ALL.map(|to| totals.transitions(from, to)));
    assert_eq!(pairs.into_iter().flatten().sum::<u64>(), breaker.snapshot().generation);
    assert_eq!(totals.permitted + totals.refused, 20_000);
    assert_eq!(totals.in_flight(), 0);
    let spent: Duration = State::ALL.into_iter().map(|state| totals.time_in(state)).sum();
    assert_eq!(spent, 3 * before + 20_000 * SECOND, "every instant belongs to one state");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    /// Of the permits that are held, by number.
    Settle(usize, Outcome),
    Wait(u64),
    Control(State),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        2 => Just(Outcome::Success),
        3 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored)
    ];
    prop_oneof![
        8 => Just(Step::Acquire),
        8 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        2 => (0..30_u64).prop_map(Step::Wait),
        1 => (0..State::ALL.len()).prop_map(|state| Step::Control(State::ALL[state])),
    ]
}

proptest! {
    #[test]
    fn totals_are_those_of_a_plain_count(steps in prop::collection::vec(step(), 1..200)) {
        let clock = ManualClock::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let observer = Arc::clone(&told);
        let breaker = build(
            builder(&clock).on_transition(move |t: &Transition| observer.lock().unwrap().push(t.clone())),
        );
        let (mut held, mut plain) = (Vec::new(), Totals::default());
        for step in steps {
            match step {
                Step::Acquire => match breaker.try_acquire() {
                    Ok(permit) => {
                        plain.permitted += 1;
                        held.push(permit);
                    }
                    Err(_) => plain.refused += 1,
                },
                Step::Settle(..) if held.is_empty() => {}
                Step::Settle(which, outcome) => {
                    let permit = held.swap_remove(which % held.len());
                    *match (permit.record(outcome), outcome) {
                        (Recorded::Stale, _) => &mut plain.stale,
                        (_, Outcome::Success) => &mut plain.succeeded,
                        (_, Outcome::Failure) => &mut plain.failed,
                        (_, Outcome::Ignored) => &mut plain.ignored,
                    } += 1;
                }
                Step::Wait(seconds) => clock.advance(Duration::from_secs(seconds)),
                Step::Control(State::Closed) => breaker.reset(),
                Step::Control(State::Open) => breaker.trip(),
                Step::Control(State::HalfOpen) => breaker.half_open(),
                Step::Control(State::ForcedOpen) => breaker.force_open(),
                Step::Control(State::Disabled) => breaker.disable(),
                Step::Control(State::MetricsOnly) => breaker.metrics_only(),
            }
        }
        let totals = totals(&breaker);
        prop_assert_eq!(
            [totals.permitted, totals.refused, totals.succeeded, totals.failed, totals.ignored, totals.stale],
            [plain.permitted, plain.refused, plain.succeeded, plain.failed, plain.ignored, plain.stale]
        );
        prop_assert_eq!(totals.in_flight(), held.len() as u64);
        let told = told.lock().unwrap();
        let last = told.len().saturating_sub(16);
        prop_assert_eq!(&breaker.history(), &told[last..]);
        let mut spent = State::ALL.map(|_| Duration::ZERO);
        let (mut state, mut since) = (State::Closed, Duration::ZERO);
        let index = |state| State::ALL.iter().position(|one| *one == state).unwrap();
        for transition in told.iter() {
            spent[index(state)] += transition.at - since;
            (state, since) = (transition.to, transition.at);
        }
        spent[index(state)] += clock.now() - since;
        prop_assert_eq!(State::ALL.map(|state| totals.time_in(state)), spent);
        for from in State::ALL {
            for to in State::ALL {
                let changes = told.iter().filter(|t| (t.from, t.to) == (from, to)).count() as u64;
                prop_assert_eq!(totals.transitions(from, to), changes);
            }
        }
    }
}
