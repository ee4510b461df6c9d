//! Probes that never report: lost, leaked, hung. They cannot hold the breaker.
//!
//! circuitbreaker-rs and gobreaker stay half-open for ever when a probe is lost. Here "while probes are outstanding,
//! and from `probe_timeout` after the last grant, report or give-back on (at most 1.1 ms later), they have failed: the
//! breaker is open again as of that moment" (contract, section 3).

use std::mem;

use failfast::{
    Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, TransitionCause,
};

use crate::story::{
    assert_empty, assert_waits, ends, open_and_wait, refused, secs, stage, succeed, INSTANT, LATE,
};

/// Three probes with a lease of 60 s; open for 30 s, then 60 s, ...
fn leased() -> Builder {
    CircuitBreaker::builder()
        .half_open(HalfOpen::probes(3))
        .probe_timeout(secs(60))
        .open_wait(OpenWait::exponential(secs(30), 2.0, secs(3_600)))
}

#[test]
fn a_leaked_probe_fails_when_its_lease_is_over() {
    let (breaker, clock, journal) = stage(leased());
    open_and_wait(&breaker, &clock);
    mem::forget(breaker.try_acquire());
    clock.advance(secs(60) - INSTANT);
    assert_eq!(breaker.state(), State::HalfOpen);
    clock.advance(LATE + INSTANT);
    assert_eq!(breaker.state(), State::Open, "without any call");
    assert_eq!(journal.len(), 2, "but nobody has committed it yet");

    let wait = refused(&breaker).retry_after().unwrap();
    assert!(wait <= secs(60) + LATE && wait + LATE * 2 >= secs(60), "{wait:?}");
    let heard = journal.last();
    assert_eq!((heard.from, heard.to), (State::HalfOpen, State::Open));
    assert_eq!(heard.cause, TransitionCause::ProbesLost { outstanding: 1 });
    assert_eq!(breaker.snapshot().open_attempt, 2);
    journal.assert_without_gaps();
}

#[test]
fn the_transition_says_when_the_lease_ended_not_when_somebody_noticed() {
    let (breaker, clock, journal) = stage(leased());
    clock.set(secs(1_000));
    breaker.half_open();
    mem::forget(breaker.try_acquire());
    clock.advance(secs(75));
    refused(&breaker);
    let at = journal.last().at;
    assert!(at >= secs(1_060) && at <= secs(1_060) + LATE, "{at:?}");
}

#[test]
fn the_open_time_after_a_lost_probe_runs_from_the_end_of_the_lease() {
    let (breaker, clock, _) = stage(leased());
    breaker.half_open(); // no open period yet: the lost probe begins the first
    mem::forget(breaker.try_acquire());
    clock.advance(secs(80));
    let wait = refused(&breaker).retry_after().unwrap();
    assert!(wait >= secs(10) && wait <= secs(10) + LATE * 2, "{wait:?}");
}

#[test]
fn when_nobody_comes_for_long_the_next_call_is_a_new_probe_at_once() {
    // "when the open time has gone by since then too, the next acquire is already a new probe"
    let (breaker, clock, journal) = stage(leased());
    breaker.half_open();
    for _ in 0..3 {
        mem::forget(breaker.try_acquire());
    }
    refused(&breaker);
    clock.advance(secs(90) + LATE * 2);
    assert_eq!(breaker.state(), State::HalfOpen);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.generation), (State::HalfOpen, 1));
    assert_eq!(snapshot.open_attempt, 1);
    assert_empty(&snapshot);
    assert_eq!(journal.len(), 1);

    let probes: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    refused(&breaker);
    assert_eq!(
        journal.causes()[1..],
        [TransitionCause::ProbesLost { outstanding: 3 }, TransitionCause::OpenTimeOver]
    );
    journal.assert_without_gaps();
    for probe in probes {
        assert_eq!(probe.success(), Recorded::Counted);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_hung_probe_that_reports_after_the_lease_is_stale() {
    // "the next call that changes something commits it, and a report that comes after it is `Stale`"
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        let (breaker, clock, journal) = stage(leased());
        breaker.half_open();
        let hung = breaker.try_acquire().unwrap();
        clock.advance(secs(60) + LATE);
        assert_eq!(hung.record(outcome), Recorded::Stale);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(journal.causes()[1..], [TransitionCause::ProbesLost { outstanding: 1 }]);
    }
}

#[test]
fn a_report_just_in_time_counts() {
    let (breaker, clock, _) = stage(leased().half_open(HalfOpen::probes(1)));
    breaker.half_open();
    let probe = breaker.try_acquire().unwrap();
    clock.advance(secs(60) - INSTANT);
    assert_eq!(probe.success(), Recorded::Counted);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn grants_reports_and_give_backs_each_renew_the_lease() {
    let (breaker, clock, journal) = stage(leased());
    breaker.half_open();
    let first = breaker.try_acquire().unwrap();
    clock.advance(secs(50));
    let second = breaker.try_acquire().unwrap();
    clock.advance(secs(50));
    drop(breaker.try_acquire().unwrap());
    clock.advance(secs(50));
    assert_eq!(first.success(), Recorded::Counted);
    clock.advance(secs(50));
    assert_eq!(breaker.state(), State::HalfOpen, "200 s in");
    assert_eq!(second.success(), Recorded::Counted);
    assert_eq!(journal.len(), 1);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn one_lost_probe_of_three_ends_the_recovery_of_the_others() {
    let (breaker, clock, journal) = stage(leased());
    breaker.half_open();
    mem::forget(breaker.try_acquire());
    succeed(&breaker, 2);
    assert_eq!(refused(&breaker).state(), State::HalfOpen);
    clock.advance(secs(60) + LATE);
    assert_eq!(refused(&breaker).state(), State::Open);
    assert_eq!(journal.last().cause, TransitionCause::ProbesLost { outstanding: 1 });
}

#[test]
fn without_outstanding_probes_there_is_no_lease_to_end() {
    let (breaker, clock, journal) = stage(leased());
    breaker.half_open();
    clock.advance(secs(86_400));
    assert_eq!(breaker.state(), State::HalfOpen, "nobody has asked yet");
    succeed(&breaker, 2);
    assert_eq!(ends(&breaker, Outcome::Ignored), Recorded::Counted);
    clock.advance(secs(86_400));
    assert_eq!(breaker.state(), State::HalfOpen, "all have answered");
    assert_eq!(breaker.snapshot().calls, 2);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(journal.len(), 2);
}

#[test]
fn a_lapsed_breaker_shows_itself_open_before_anybody_commits_it() {
    let (breaker, clock, journal) = stage(leased());
    breaker.half_open();
    succeed(&breaker, 1);
    mem::forget(breaker.try_acquire());
    clock.advance(secs(61));
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.state, State::Open);
    assert_eq!(snapshot.generation, 1, "the last committed one");
    assert_eq!(snapshot.open_attempt, 1);
    assert_empty(&snapshot);
    assert_eq!(journal.len(), 1);
}

#[test]
fn a_report_of_an_older_generation_commits_no_lapsed_lease() {
    let (breaker, clock, journal) = stage(leased());
    let old = breaker.try_acquire().unwrap();
    breaker.half_open();
    mem::forget(breaker.try_acquire());
    clock.advance(secs(61));
    assert_eq!(old.failure(), Recorded::Stale);
    assert_eq!(journal.len(), 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn probes_may_be_lost_again_and_again() {
    let (breaker, clock, journal) = stage(leased().open_wait(OpenWait::fixed(secs(30))));
    breaker.trip();
    for round in 1..=200_u32 {
        clock.advance(secs(30) + LATE * 2);
        assert_eq!(breaker.snapshot().open_attempt, round);
        mem::forget(breaker.try_acquire().expect("a new probe"));
        clock.advance(secs(60) + LATE);
        assert_eq!(breaker.state(), State::Open);
    }
    clock.advance(secs(31));
    succeed(&breaker, 3);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().open_attempt, 0);
    journal.assert_without_gaps();
}

#[test]
fn the_lease_wait_is_as_long_as_the_attempt_it_begins() {
    let (breaker, clock, _) = stage(leased());
    open_and_wait(&breaker, &clock);
    let hung = breaker.try_acquire().unwrap();
    clock.advance(secs(60) + LATE);
    // Committed by the report: the second open period of 60 s began when the lease ended.
    assert_eq!(hung.success(), Recorded::Stale);
    assert_eq!(breaker.snapshot().open_attempt, 2);
    let left = refused(&breaker).retry_after().unwrap();
    assert!(left <= secs(60) + LATE && left + LATE * 2 >= secs(60), "{left:?}");
    clock.advance(left);
    drop(breaker.try_acquire().expect("a new probe"));
    breaker.trip();
    assert_waits(refused(&breaker).retry_after(), secs(120));
}

#[test]
fn a_clock_that_steps_back_does_not_end_a_lease() {
    let (breaker, clock, journal) = stage(leased().half_open(HalfOpen::probes(1)));
    clock.set(secs(1_000));
    breaker.half_open();
    let probe = breaker.try_acquire().unwrap();
    clock.set(secs(5));
    assert_eq!(breaker.state(), State::HalfOpen);
    clock.set(secs(1_060) - INSTANT);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(probe.success(), Recorded::Counted);
    assert_eq!(journal.len(), 2);
}
