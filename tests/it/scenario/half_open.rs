//! Half-open: exact admission, and what the probes decide.

use failfast::{
    Builder, CircuitBreaker, HalfOpen, Outcome, Recorded, State, TransitionCause, Window,
};

use crate::story::{
    assert_empty, counts, ends, fail, open_and_wait, refused, secs, stage, succeed, takes, INSTANT,
    SLOW_LIMIT,
};

fn probing(half_open: HalfOpen) -> Builder {
    CircuitBreaker::builder().half_open(half_open)
}

#[test]
fn exactly_n_probes_are_admitted() {
    // recloser and failsafe admit every caller in half-open.
    for places in [1_u32, 2, 3, 10, 1_000] {
        for half_open in [HalfOpen::probes(places), HalfOpen::rate(places)] {
            let (breaker, clock, _) = stage(probing(half_open));
            open_and_wait(&breaker, &clock);
            let probes: Vec<_> =
                (0..places).map(|_| breaker.try_acquire().expect("a place is free")).collect();
            for _ in 0..3 {
                assert_eq!(refused(&breaker).state(), State::HalfOpen);
                assert_eq!(refused(&breaker).retry_after(), None);
            }
            drop(probes);
        }
    }
}

#[test]
fn a_finished_probe_keeps_its_place() {
    // "At most n permits are granted in one half-open generation" (section 3): not n at a time.
    let (breaker, clock, _) = stage(probing(HalfOpen::probes(2)));
    open_and_wait(&breaker, &clock);
    succeed(&breaker, 1);
    let second = breaker.try_acquire().expect("the second place");
    refused(&breaker);
    second.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn an_ignored_probe_gives_its_place_back_and_so_does_a_dropped_one() {
    let (breaker, clock, journal) = stage(probing(HalfOpen::probes(2)));
    open_and_wait(&breaker, &clock);
    let kept = breaker.try_acquire().unwrap();
    for _ in 0..1_000 {
        assert_eq!(ends(&breaker, Outcome::Ignored), Recorded::Counted);
        drop(breaker.try_acquire().expect("the place is back"));
    }
    let second = breaker.try_acquire().expect("the place is back");
    refused(&breaker);
    assert_eq!(journal.len(), 2, "giving back decides nothing");
    second.success();
    assert_eq!(breaker.snapshot().calls, 1, "ignored probes are no calls");
    kept.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_first_failing_probe_opens_whatever_the_others_say() {
    let (breaker, clock, journal) = stage(probing(HalfOpen::probes(5)));
    open_and_wait(&breaker, &clock);
    let late = breaker.try_acquire().unwrap();
    succeed(&breaker, 3);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.last().cause, TransitionCause::ProbeFailed);
    assert_eq!(breaker.snapshot().open_attempt, 2);
    assert_eq!(late.success(), Recorded::Stale);
    assert_eq!(journal.len(), 3);
}

#[test]
fn a_slow_probe_opens_where_a_slow_call_rule_is_set_and_only_there() {
    let (breaker, clock, journal) = stage(probing(HalfOpen::probes(1)).slow_call(SLOW_LIMIT, 1.0));
    open_and_wait(&breaker, &clock);
    takes(&breaker, Outcome::Success, SLOW_LIMIT + INSTANT);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(journal.last().cause, TransitionCause::ProbeSlow);
    clock.advance(secs(31));
    takes(&breaker, Outcome::Success, SLOW_LIMIT);
    assert_eq!(breaker.state(), State::Closed);

    let (breaker, clock, _) = stage(probing(HalfOpen::probes(1)));
    open_and_wait(&breaker, &clock);
    takes(&breaker, Outcome::Success, secs(3_600));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_time_of_a_probe_is_measured_by_the_clock() {
    let (breaker, clock, journal) = stage(probing(HalfOpen::probes(1)).slow_call(SLOW_LIMIT, 1.0));
    open_and_wait(&breaker, &clock);
    let probe = breaker.try_acquire().unwrap();
    clock.advance(SLOW_LIMIT + INSTANT);
    assert_eq!(probe.success(), Recorded::Counted);
    assert_eq!(journal.last().cause, TransitionCause::ProbeSlow);
}

#[test]
fn rules_for_the_window_do_not_judge_probes() {
    // "the failure rate and the slow rate decide, no other rule" (section 3).
    let rules = probing(HalfOpen::rate(10))
        .failure_rate(0.5)
        .min_calls(10)
        .failure_count(1)
        .consecutive_failures(1);
    let (breaker, clock, journal) = stage(rules);
    open_and_wait(&breaker, &clock);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::HalfOpen);
    succeed(&breaker, 6);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(journal.last().cause, TransitionCause::ProbesSucceeded { calls: 10, failures: 4 });
}

#[test]
fn half_open_by_rate_decides_when_the_smaller_of_minimum_and_places_is_in() {
    // "`min_calls` as configured, not as clamped" (section 3): the count window of 4 does not shorten the verdict.
    for (min_calls, places, decides_at) in [(5, 10, 5), (10, 10, 10), (20, 10, 10), (8, 9, 8)] {
        let rules = probing(HalfOpen::rate(places)).window(Window::count(4)).min_calls(min_calls);
        let (breaker, clock, journal) = stage(rules);
        open_and_wait(&breaker, &clock);
        succeed(&breaker, decides_at - 1);
        assert_eq!(breaker.state(), State::HalfOpen);
        succeed(&breaker, 1);
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(
            journal.last().cause,
            TransitionCause::ProbesSucceeded { calls: u64::from(decides_at), failures: 0 }
        );
    }
}

#[test]
fn half_open_by_rate_opens_at_the_rate_and_closes_below_it() {
    let rules =
        || probing(HalfOpen::rate(10)).failure_rate(0.5).slow_call(SLOW_LIMIT, 0.6).min_calls(5);
    let decide = |failures: u32, slow: u32| {
        let (breaker, clock, journal) = stage(rules());
        open_and_wait(&breaker, &clock);
        fail(&breaker, failures);
        for _ in 0..slow {
            takes(&breaker, Outcome::Success, SLOW_LIMIT + INSTANT);
        }
        assert_eq!(breaker.state(), State::HalfOpen, "it waits for the fifth");
        succeed(&breaker, 5 - failures - slow);
        journal.last().cause
    };
    assert_eq!(decide(2, 2), TransitionCause::ProbesSucceeded { calls: 5, failures: 2 });
    assert_eq!(decide(3, 1), TransitionCause::FailureRate { failures: 3, calls: 5 });
    assert_eq!(decide(1, 3), TransitionCause::SlowRate { slow_calls: 3, calls: 5 });
}

#[test]
fn half_open_by_rate_admits_all_places_though_fewer_decide() {
    let (breaker, clock, _) = stage(probing(HalfOpen::rate(4)).min_calls(2));
    open_and_wait(&breaker, &clock);
    let mut probes: Vec<_> = (0..4).map(|_| breaker.try_acquire().unwrap()).collect();
    refused(&breaker);
    assert_eq!(probes.pop().unwrap().success(), Recorded::Counted);
    assert_eq!(probes.pop().unwrap().success(), Recorded::Counted);
    assert_eq!(breaker.state(), State::Closed);
    for late in probes {
        assert_eq!(late.failure(), Recorded::Stale);
    }
    assert_empty(&breaker.snapshot());
}

#[test]
fn without_any_rate_probes_by_rate_always_close() {
    let rules = probing(HalfOpen::rate(2)).no_failure_rate().consecutive_failures(5);
    let (breaker, clock, _) = stage(rules);
    open_and_wait(&breaker, &clock);
    fail(&breaker, 2);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_snapshot_shows_the_probes() {
    let rules =
        probing(HalfOpen::rate(6)).slow_call(SLOW_LIMIT, 0.9).min_calls(4).consecutive_failures(50);
    let (breaker, clock, _) = stage(rules);
    open_and_wait(&breaker, &clock);
    // Half-open before its first probe: zeros, and the generation is still that of the open period.
    let before = breaker.snapshot();
    assert_eq!((before.state, before.generation), (State::HalfOpen, 1));
    assert_empty(&before);
    let probe = breaker.try_acquire().unwrap();
    assert_eq!(breaker.snapshot().generation, 2);
    assert_eq!(counts(&breaker), (0, 0, 0, 0), "it has not ended yet");
    fail(&breaker, 1);
    takes(&breaker, Outcome::Failure, SLOW_LIMIT + INSTANT);
    takes(&breaker, Outcome::Success, SLOW_LIMIT + INSTANT);
    let probes = breaker.snapshot();
    assert_eq!(counts(&breaker), (3, 2, 2, 1));
    assert_eq!((probes.failure_rate, probes.slow_rate), (None, None));
    assert_eq!(probes.open_attempt, 1);
    drop(probe);
    assert_eq!(counts(&breaker), (3, 2, 2, 1));
}

#[test]
fn many_threads_worth_of_callers_asking_at_once_start_one_generation() {
    let (breaker, clock, journal) = stage(probing(HalfOpen::probes(3)));
    open_and_wait(&breaker, &clock);
    let granted: Vec<_> = (0..100).filter_map(|_| breaker.try_acquire().ok()).collect();
    assert_eq!(granted.len(), 3);
    assert_eq!(journal.len(), 2);
    assert_eq!(journal.last().cause, TransitionCause::OpenTimeOver);
}

#[test]
fn outcomes_of_calls_older_than_the_outage_are_no_probes() {
    // resilience4j counts them: there a slow failure of the outage fails the recovery, and a late success closes it.
    let (breaker, clock, journal) = stage(probing(HalfOpen::probes(3)));
    let old: Vec<_> = (0..6).map(|_| breaker.try_acquire().unwrap()).collect();
    open_and_wait(&breaker, &clock);
    let probe = breaker.try_acquire().unwrap();
    for (place, permit) in old.into_iter().enumerate() {
        let outcome = [Outcome::Failure, Outcome::Success, Outcome::Ignored][place % 3];
        assert_eq!(permit.record(outcome), Recorded::Stale);
    }
    assert_eq!(counts(&breaker), (0, 0, 0, 0));
    let others = [breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap()];
    refused(&breaker);
    assert_eq!(journal.len(), 2);
    probe.success();
    for probe in others {
        assert_eq!(breaker.state(), State::HalfOpen);
        probe.success();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn probes_of_an_earlier_recovery_are_no_probes_of_this_one() {
    let (breaker, clock, _) = stage(probing(HalfOpen::probes(3)));
    open_and_wait(&breaker, &clock);
    let earlier: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 1);
    clock.advance(secs(31));
    succeed(&breaker, 1);
    for probe in earlier {
        assert_eq!(probe.success(), Recorded::Stale);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    succeed(&breaker, 2);
    assert_eq!(breaker.state(), State::Closed);
}
