//! Control calls, from every state into every state, and the three states that only they reach.

use std::collections::BTreeSet;
use std::mem;
use std::time::Duration;

use failfast::{
    Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, Transition,
    TransitionCause, Window,
};

use crate::story::{
    assert_empty, assert_waits, counts, ends, fail, open_and_wait, refused, secs, stage, succeed,
    Breaker, CONTROLS, LATE,
};

/// Contract, section 3: `open_attempt` is "the number of the open period since the breaker was last closed, disabled
/// or metrics-only (they set it to zero)".
fn attempt_after(attempt: u32, to: State) -> u32 {
    match to {
        State::Closed | State::Disabled | State::MetricsOnly => 0,
        State::Open => attempt + 1,
        State::HalfOpen | State::ForcedOpen => attempt,
    }
}

fn guarded() -> Builder {
    CircuitBreaker::builder()
        .open_wait(OpenWait::fixed(secs(30)))
        .half_open(HalfOpen::probes(3))
        .probe_timeout(secs(60))
        .consecutive_failures(10)
}

/// What a breaker that has just entered `state` grants, refuses and counts.
#[track_caller]
fn assert_admission(breaker: &Breaker, state: State, wait: Duration) {
    match state {
        State::Closed | State::Disabled | State::MetricsOnly => {
            let all: Vec<_> =
                (0..50).map(|_| breaker.try_acquire().expect("all are granted")).collect();
            drop(all);
            fail(breaker, 1);
            let counted = u64::from(state != State::Disabled);
            assert_eq!(counts(breaker), (counted, counted, 0, 0));
        }
        State::HalfOpen => {
            let places: Vec<_> =
                (0..3).map(|_| breaker.try_acquire().expect("three are granted")).collect();
            assert_eq!(refused(breaker).state(), State::HalfOpen);
            assert_eq!(refused(breaker).retry_after(), None);
            drop(places);
        }
        State::Open => {
            assert_eq!(refused(breaker).state(), State::Open);
            assert_waits(refused(breaker).retry_after(), wait);
        }
        State::ForcedOpen => {
            assert_eq!(refused(breaker).state(), State::ForcedOpen);
            assert_eq!(refused(breaker).retry_after(), None);
        }
    }
}

#[test]
fn every_state_leads_to_every_state_by_control() {
    for (from, enter) in CONTROLS {
        for (to, control) in CONTROLS {
            let (breaker, clock, journal) = stage(guarded());
            breaker.trip();
            enter(&breaker);
            let attempt = attempt_after(1, from);
            assert_eq!(breaker.snapshot().open_attempt, attempt);
            // Something for the control call to sweep away, and a permit for it to outdate.
            if !matches!(from, State::Open | State::ForcedOpen) {
                succeed(&breaker, 1);
            }
            let late = breaker.try_acquire().ok();
            clock.advance(secs(5));

            control(&breaker);
            assert_eq!(
                journal.last(),
                Transition {
                    from,
                    to,
                    generation: 3,
                    cause: TransitionCause::Control,
                    at: secs(5),
                }
            );
            assert_eq!(journal.len(), 3, "{from} -> {to}");
            assert_eq!(breaker.state(), to);
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.state, snapshot.generation), (to, 3));
            assert_eq!(snapshot.open_attempt, attempt_after(attempt, to), "{from} -> {to}");
            assert_empty(&snapshot);
            if let Some(permit) = late {
                assert_eq!(permit.failure(), Recorded::Stale, "{from} -> {to}");
            }
            assert_admission(&breaker, to, secs(30));
            journal.assert_without_gaps();
        }
    }
}

#[test]
fn a_trip_while_open_renews_the_wait_and_counts_as_another_open_period() {
    let doubling = guarded().open_wait(OpenWait::exponential(secs(10), 2.0, secs(60)));
    let (breaker, clock, _) = stage(doubling);
    for (attempt, asked) in [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60)] {
        breaker.trip();
        assert_eq!(breaker.snapshot().open_attempt, attempt);
        assert_waits(refused(&breaker).retry_after(), secs(asked));
        clock.advance(secs(7));
    }
}

#[test]
fn half_open_ends_an_open_time_at_once() {
    let (breaker, _, journal) = stage(guarded());
    breaker.trip();
    refused(&breaker);
    breaker.half_open();
    succeed(&breaker, 3);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(journal.len(), 3);
}

/// What a health check may do: no other state is touched, not even by a new generation.
#[test]
fn only_an_open_breaker_is_half_opened_by_trying() {
    for (state, control) in CONTROLS {
        let (breaker, clock, _) = stage(guarded());
        control(&breaker);
        let before = breaker.snapshot().generation;
        assert_eq!(breaker.try_half_open(), state == State::Open, "{state}");
        let expected = if state == State::Open { State::HalfOpen } else { state };
        let committed = before + u64::from(state == State::Open);
        assert_eq!((breaker.state(), breaker.snapshot().generation), (expected, committed));
        // A lapsed lease is committed first; what it opened is open.
        if state == State::HalfOpen {
            mem::forget(breaker.try_acquire());
            clock.advance(secs(60) + LATE);
            assert!(breaker.try_half_open());
            assert_eq!(breaker.snapshot().generation, before + 2);
        }
    }
}

#[test]
fn half_open_while_half_open_gives_every_place_anew() {
    let (breaker, _, _) = stage(guarded());
    breaker.half_open();
    let old: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    breaker.half_open();
    let new: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    refused(&breaker);
    for permit in old {
        assert_eq!(permit.ignore(), Recorded::Stale, "no place is given back");
    }
    refused(&breaker);
    for permit in new {
        assert_eq!(permit.success(), Recorded::Counted);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_control_call_does_not_commit_an_open_time_that_is_merely_over() {
    // "A control call first commits a lapsed lease, but not an open time that is merely over" (section 3).
    for (to, control) in CONTROLS {
        let (breaker, clock, journal) = stage(guarded());
        open_and_wait(&breaker, &clock);
        assert_eq!(breaker.state(), State::HalfOpen);
        control(&breaker);
        assert_eq!(journal.len(), 2, "-> {to}");
        assert_eq!(journal.last().from, State::Open, "-> {to}");
        assert_eq!(journal.last().cause, TransitionCause::Control);
        assert_eq!(breaker.snapshot().open_attempt, attempt_after(1, to));
        assert_admission(&breaker, to, secs(30));
    }
}

#[test]
fn a_control_call_commits_a_lapsed_lease_first() {
    // Whether the open time after the lease is still running or over too: the control call finds an open breaker.
    for idle in [secs(61), secs(600)] {
        for (to, control) in CONTROLS {
            let (breaker, clock, journal) = stage(guarded());
            breaker.half_open();
            let hung = breaker.try_acquire().unwrap();
            clock.advance(idle);
            control(&breaker);
            let [_, lapse, change] = journal.entries().try_into().expect("three changes");
            assert_eq!((lapse.from, lapse.to), (State::HalfOpen, State::Open));
            assert_eq!(lapse.cause, TransitionCause::ProbesLost { outstanding: 1 });
            assert!(lapse.at >= secs(60) && lapse.at <= secs(60) + LATE);
            assert_eq!((change.from, change.to), (State::Open, to));
            assert_eq!(change.cause, TransitionCause::Control);
            assert_eq!(change.at, idle);
            assert_eq!(breaker.snapshot().open_attempt, attempt_after(1, to));
            journal.assert_without_gaps();
            assert_eq!(hung.success(), Recorded::Stale);
            assert_admission(&breaker, to, secs(30));
        }
    }
}

#[test]
fn only_an_outstanding_probe_has_a_lease_for_a_control_call_to_commit() {
    let (breaker, clock, journal) = stage(guarded());
    breaker.half_open();
    succeed(&breaker, 1);
    clock.advance(secs(600));
    breaker.reset();
    assert_eq!(journal.len(), 2);
    assert_eq!(journal.last().from, State::HalfOpen);
}

#[test]
fn open_attempt_counts_open_periods_until_something_sets_it_to_zero() {
    let (breaker, clock, _) = stage(guarded());
    let attempt = |breaker: &Breaker| breaker.snapshot().open_attempt;
    fail(&breaker, 10);
    assert_eq!(attempt(&breaker), 1);
    clock.advance(secs(31));
    assert_eq!(attempt(&breaker), 1);
    fail(&breaker, 1);
    assert_eq!(attempt(&breaker), 2);
    breaker.half_open();
    assert_eq!(attempt(&breaker), 2);
    mem::forget(breaker.try_acquire());
    clock.advance(secs(61));
    refused(&breaker);
    assert_eq!(attempt(&breaker), 3);
    breaker.force_open();
    assert_eq!(attempt(&breaker), 3);
    breaker.trip();
    assert_eq!(attempt(&breaker), 4);
    clock.advance(secs(31));
    succeed(&breaker, 2);
    assert_eq!(attempt(&breaker), 4);
    succeed(&breaker, 1);
    assert_eq!(attempt(&breaker), 0, "closed by its probes");
    for forget in [Breaker::reset, Breaker::disable, Breaker::metrics_only] {
        breaker.trip();
        breaker.trip();
        forget(&breaker);
        assert_eq!(attempt(&breaker), 0);
        breaker.force_open();
        assert_eq!(attempt(&breaker), 0);
        breaker.half_open();
        assert_eq!(attempt(&breaker), 0);
        breaker.trip();
        assert_eq!(attempt(&breaker), 1);
        breaker.reset();
    }
}

// ===== waits =====

/// The waits of this many open periods in a row.
fn waits(builder: Builder, periods: usize) -> Vec<Duration> {
    let (breaker, _, _) = stage(builder);
    (0..periods)
        .map(|_| {
            breaker.trip();
            refused(&breaker).retry_after().unwrap()
        })
        .collect()
}

#[test]
fn an_exponential_wait_grows_by_its_factor_up_to_its_max() {
    for (factor, asked) in [
        (1.0, [1_000, 1_000, 1_000, 1_000, 1_000]),
        (1.5, [1_000, 1_500, 2_250, 3_375, 5_000]),
        (3.0, [1_000, 3_000, 5_000, 5_000, 5_000]),
        (1e308, [1_000, 5_000, 5_000, 5_000, 5_000]),
    ] {
        let wait = OpenWait::exponential(secs(1), factor, secs(5));
        for (given, asked) in waits(guarded().open_wait(wait), 5).into_iter().zip(asked) {
            assert_waits(Some(given), Duration::from_millis(asked));
        }
    }
}

#[test]
fn jitter_moves_a_wait_by_at_most_its_ratio_either_way() {
    let wait = OpenWait::fixed(secs(100)).jitter(0.2);
    let drawn = waits(guarded().open_wait(wait).jitter_seed(7), 500);
    assert!(drawn.iter().all(|wait| *wait >= secs(80)));
    assert!(drawn.iter().all(|wait| *wait <= secs(120) + LATE));
    // Seeded, so this is no luck: it uses both halves of its range, and most draws differ.
    assert!(drawn.iter().any(|wait| *wait < secs(90)));
    assert!(drawn.iter().any(|wait| *wait > secs(110)));
    assert!(drawn.iter().collect::<BTreeSet<_>>().len() > 400);
}

#[test]
fn the_same_seed_gives_the_same_waits_and_another_seed_others() {
    let seeded = |seed| {
        let wait = OpenWait::exponential(secs(1), 2.0, secs(60)).jitter(0.5);
        waits(guarded().open_wait(wait).jitter_seed(seed), 30)
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn without_a_seed_each_breaker_draws_its_own_waits() {
    let unseeded = || waits(guarded().open_wait(OpenWait::fixed(secs(1_000)).jitter(0.9)), 30);
    // Thirty draws of some millions each: that all agree happens to nobody.
    assert_ne!(unseeded(), unseeded());
}

#[test]
fn jitter_grows_with_an_exponential_wait_and_stays_below_the_max() {
    let wait = OpenWait::exponential(secs(1), 2.0, secs(10)).jitter(0.5);
    for seed in 0..50 {
        let drawn = waits(guarded().open_wait(wait).jitter_seed(seed), 4);
        for (given, base) in drawn.into_iter().zip([1_000, 2_000, 4_000, 8_000]) {
            let base = Duration::from_millis(base);
            assert!(given >= base / 2, "{given:?}");
            assert!(given <= (base * 3 / 2).min(secs(10)) + LATE, "{given:?}");
        }
    }
}

#[test]
fn the_cut_to_the_max_comes_after_the_jitter() {
    // "jittered by at most its ratio either way, then cut to `max`" (section 3): a wait far above the max is the max,
    // however it is jittered.
    let wait = OpenWait::exponential(secs(1), 10.0, secs(10)).jitter(0.5);
    let drawn = waits(guarded().open_wait(wait).jitter_seed(3), 40);
    for given in &drawn[2..] {
        assert_waits(Some(*given), secs(10));
    }
}

#[test]
fn without_jitter_every_wait_is_the_one_asked_for() {
    for wait in waits(guarded().open_wait(OpenWait::fixed(secs(9)).jitter(0.0)), 20) {
        assert_waits(Some(wait), secs(9));
    }
}

// ===== the states that only control reaches =====

#[test]
fn disabled_grants_everything_and_counts_nothing() {
    let (breaker, clock, journal) =
        stage(guarded().consecutive_failures(1).slow_call(secs(1), 0.1));
    fail(&breaker, 1);
    breaker.disable();
    let held: Vec<_> = (0..1_000).map(|_| breaker.try_acquire().unwrap()).collect();
    clock.advance(secs(10));
    for permit in held {
        assert_eq!(permit.failure(), Recorded::Counted);
    }
    assert_empty(&breaker.snapshot());
    assert_eq!(breaker.state(), State::Disabled);
    assert_eq!(journal.len(), 2);
}

#[test]
fn metrics_only_grants_everything_counts_and_never_trips() {
    let (breaker, clock, journal) = stage(
        guarded()
            .window(Window::count(50))
            .failure_count(1)
            .consecutive_failures(1)
            .slow_call(secs(1), 0.1),
    );
    breaker.metrics_only();
    for _ in 0..1_000 {
        let permit = breaker.try_acquire().expect("granted");
        clock.advance(secs(2));
        assert_eq!(permit.failure(), Recorded::Counted);
    }
    let snapshot = breaker.snapshot();
    assert_eq!(counts(&breaker), (50, 50, 50, 50));
    assert_eq!(snapshot.consecutive_failures, 1_000);
    assert_eq!(snapshot.failure_rate, Some(1.0));
    assert_eq!(snapshot.slow_rate, Some(1.0));
    assert_eq!(journal.len(), 1);
    // Only then does the window count for something: a reset starts with an empty one.
    breaker.reset();
    assert_empty(&breaker.snapshot());
}

#[test]
fn metrics_only_ages_its_window_like_any_other() {
    let (breaker, clock, _) = stage(guarded().window(Window::time(secs(10))));
    breaker.metrics_only();
    fail(&breaker, 100);
    clock.advance(secs(10));
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
    assert_eq!(ends(&breaker, Outcome::Ignored), Recorded::Counted);
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
}

#[test]
fn forced_open_refuses_and_names_no_time() {
    let (breaker, clock, _) = stage(guarded());
    breaker.force_open();
    for _ in 0..10 {
        clock.advance(secs(31));
        assert_eq!(refused(&breaker).state(), State::ForcedOpen);
        assert_eq!(refused(&breaker).retry_after(), None);
    }
    assert_empty(&breaker.snapshot());
}
