//! Retries: a story for each promise, then random settings and outcomes beside a plain twin.
//!
//! The sleeper is the manual clock, which moves itself on: nothing here waits.

use std::panic::{catch_unwind, RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{
    Again, CircuitBreaker, Deadline, Jitter, Retry, RetryBudget, RetryBuilder, RetryStop,
};

mod twin;
mod waits;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Waits of 100, 200, 400 ms and so on, up to 10 s, on that clock.
fn doubling(clock: &ManualClock) -> RetryBuilder<ManualClock> {
    Retry::builder().attempts(5).jitter(Jitter::None).sleeper(clock.clone())
}

fn never(clock: &ManualClock) -> Deadline<ManualClock> {
    Deadline::never_on(clock.clone())
}

/// A time as it may come out of backon's 32-bit floats.
fn about(time: Duration, expected: Duration) -> bool {
    time.abs_diff(expected) <= expected / 100_000 + Duration::from_nanos(1)
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let none = Duration::ZERO;
    let too_long = Duration::from_secs(400 * 24 * 60 * 60);
    let builder = || Retry::builder().jitter(Jitter::None);
    for (wrong, field, given) in [
        (builder().attempts(0), "attempts", "0"),
        (builder().initial(none), "initial", "0ns"),
        (builder().initial(too_long), "initial", "34560000s"),
        (builder().factor(0.99), "factor", "0.99"),
        (builder().factor(1_000.1), "factor", "1000.1"),
        (builder().factor(f32::NAN), "factor", "NaN"),
        (builder().max_delay(99 * MS), "max_delay", "99ms"),
        (builder().max_delay(too_long), "max_delay", "34560000s"),
        (builder().jitter(Jitter::Proportional(0.0)), "jitter", "0"),
        (builder().jitter(Jitter::Proportional(1.1)), "jitter", "1.1"),
        (builder().jitter(Jitter::Proportional(f64::NAN)), "jitter", "NaN"),
        (builder().total_time(none), "total_time", "0ns"),
        (builder().min_attempt(too_long), "min_attempt", "34560000s"),
        // No second attempt would ever be made: 100 ms of waiting leave no time for it.
        (builder().total_time(100 * MS), "total_time", "100ms"),
        (builder().total_time(150 * MS).min_attempt(51 * MS), "total_time", "150ms"),
    ] {
        let error = wrong.build().unwrap_err();
        assert_eq!((error.field(), error.given()), (field, given), "{error}");
    }
    assert!(builder().total_time(150 * MS).min_attempt(50 * MS).build().is_ok());
    assert!(builder().attempts(1).total_time(MS).build().is_ok(), "there is no wait");
    assert!(Retry::builder().total_time(MS).build().is_ok(), "full jitter may wait for nothing");
}

#[test]
fn attempts_end_with_a_success_or_the_last() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).build().unwrap();
    for succeeds_at in 1..=6 {
        let mut made = 0;
        let answer = retry.call(
            &never(&clock),
            |_| Again::Yes,
            |_| {
                made += 1;
                if made == succeeds_at {
                    Ok(made)
                } else {
                    Err(made)
                }
            },
        );
        assert_eq!(made, succeeds_at.min(5));
        match answer {
            Ok(value) => assert_eq!(value, succeeds_at),
            Err(failed) => {
                assert_eq!((succeeds_at, failed.error(), failed.attempts()), (6, Some(&5), 5));
                assert_eq!(failed.stopped(), RetryStop::Attempts);
            }
        }
    }
}

#[test]
fn one_attempt_is_no_retry() {
    let retry = Retry::builder().attempts(1).sleeper(|_| panic!("slept")).build().unwrap();
    let failed =
        retry.call(&Deadline::never(), |_| Again::Yes, |_| Err::<(), _>("no")).unwrap_err();
    assert_eq!((failed.attempts(), failed.stopped()), (1, RetryStop::Attempts));
}

#[test]
fn error_that_is_not_worth_it_ends_the_call() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).build().unwrap();
    let mut errors = ["reset", "reset", "no such item", "reset"].into_iter();
    let classify = |error: &&str| if *error == "reset" { Again::Yes } else { Again::No };
    let failed =
        retry.call(&never(&clock), classify, |_| Err::<(), _>(errors.next().unwrap())).unwrap_err();
    assert_eq!((failed.attempts(), failed.stopped()), (3, RetryStop::NotRetryable));
    assert_eq!(failed.into_inner(), Some("no such item"));
}

// ===== time =====

#[test]
fn nothing_is_begun_that_the_deadline_forbids() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).min_attempt(50 * MS).build().unwrap();
    let deadline = Deadline::after_on(clock.clone(), 500 * MS);
    // 80 ms each: begun at 0, 180 and 460, but for the last 40 ms are left.
    let failed = retry
        .call(
            &deadline,
            |_| Again::Yes,
            |_| {
                clock.advance(80 * MS);
                Err::<(), _>(())
            },
        )
        .unwrap_err();
    assert_eq!((failed.attempts(), failed.stopped()), (2, RetryStop::Deadline));
    assert!(about(clock.now(), 260 * MS), "and the wait for it is saved: {:?}", clock.now());
}

#[test]
fn there_is_no_attempt_without_time_for_one() {
    let clock = ManualClock::new();
    let budget = Arc::new(RetryBudget::new(1.0, 1).unwrap());
    let retry = doubling(&clock).min_attempt(50 * MS).budget(budget.clone()).build().unwrap();
    assert!(budget.try_withdraw());
    for left in [Duration::ZERO, 49 * MS] {
        let deadline = Deadline::after_on(clock.clone(), left);
        let failed = retry
            .call(&deadline, |_: &()| Again::Yes, |_| -> Result<(), ()> { panic!("attempted") })
            .unwrap_err();
        assert_eq!((failed.error(), failed.attempts()), (None, 0));
        assert_eq!(failed.stopped(), RetryStop::Deadline);
    }
    assert_eq!(budget.available(), 0, "what is not attempted deposits nothing");
}

#[test]
fn sleeper_that_sleeps_too_long_costs_the_attempt() {
    let clock = ManualClock::new();
    let late = clock.clone();
    let retry = doubling(&clock).sleeper(move |time| late.advance(3 * time)).build().unwrap();
    let deadline = Deadline::after_on(clock.clone(), 300 * MS);
    let failed = retry.call(&deadline, |_| Again::Yes, |_| Err::<(), _>(())).unwrap_err();
    assert_eq!((failed.attempts(), failed.stopped()), (1, RetryStop::Deadline));
}

#[test]
fn total_time_is_an_end_that_the_attempts_see() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).total_time(SECOND).build().unwrap();
    let mut lefts = Vec::new();
    let failed = retry
        .call(
            &never(&clock),
            |_| Again::Yes,
            |deadline| {
                lefts.extend(deadline.remaining());
                Err::<(), _>(())
            },
        )
        .unwrap_err();
    // 100 + 200 + 400 ms; 800 more are too many.
    assert_eq!((failed.attempts(), failed.stopped()), (4, RetryStop::TotalTime));
    let expected = [1_000, 900, 700, 300].map(Duration::from_millis);
    assert!(lefts.iter().zip(expected).all(|(left, due)| about(*left, due)), "{lefts:?}");

    // The nearer of the two counts.
    let deadline = Deadline::after_on(clock.clone(), 500 * MS);
    let failed = retry
        .call(
            &deadline,
            |_| Again::Yes,
            |given| {
                assert!(given.remaining() <= Some(500 * MS));
                Err::<(), _>(())
            },
        )
        .unwrap_err();
    assert_eq!((failed.attempts(), failed.stopped()), (3, RetryStop::Deadline));
}

// ===== refusals and budgets =====

#[test]
fn refusal_says_when_to_come_back() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).max_delay(SECOND).build().unwrap();
    let breaker = CircuitBreaker::builder().clock(clock.clone()).build().unwrap();
    breaker.trip(); // for far longer than the longest delay
    let open_time = breaker.try_acquire().unwrap_err().retry_after().unwrap();
    assert!(open_time > SECOND);
    let ask = |deadline: &Deadline<ManualClock>| {
        retry.call(
            deadline,
            |refused: &failfast::Rejected| refused.retry_after().map_or(Again::No, Again::After),
            |_| breaker.try_acquire().map(drop),
        )
    };
    let failed = ask(&Deadline::after_on(clock.clone(), open_time)).unwrap_err();
    assert_eq!((failed.attempts(), failed.stopped()), (1, RetryStop::Deadline));
    assert_eq!(clock.now(), Duration::ZERO, "nobody waits for what comes too late");
    assert!(ask(&never(&clock)).is_ok(), "the second attempt is a probe");
    assert_eq!(clock.now(), open_time);
}

#[test]
fn floor_shorter_than_the_delay_changes_nothing() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).attempts(2).build().unwrap();
    let failed =
        retry.call(&never(&clock), |_| Again::After(99 * MS), |_| Err::<(), _>(())).unwrap_err();
    assert_eq!((failed.attempts(), clock.now()), (2, 100 * MS));
}

#[test]
fn budget_is_charged_when_the_retry_is_decided() {
    let budget = Arc::new(RetryBudget::new(0.1, 3).unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (looked, noted) = (Arc::clone(&budget), Arc::clone(&seen));
    let retry = Retry::builder()
        .attempts(3)
        .jitter(Jitter::None)
        .budget(Arc::clone(&budget))
        .sleeper(move |_| noted.lock().unwrap().push(looked.available()))
        .build()
        .unwrap();
    let fail = |deadline: &Deadline, again: Again| {
        retry.call(deadline, |_| again, |_| Err::<(), _>(())).unwrap_err()
    };
    assert_eq!(fail(&Deadline::never(), Again::Yes).attempts(), 3);
    assert_eq!(*seen.lock().unwrap(), [2, 1], "before the sleep, not after it");

    // What is not going to be made costs nothing.
    assert_eq!(fail(&Deadline::never(), Again::No).stopped(), RetryStop::NotRetryable);
    assert_eq!(fail(&Deadline::after(50 * MS), Again::Yes).stopped(), RetryStop::Deadline);
    assert_eq!(budget.available(), 1);

    let failed = fail(&Deadline::never(), Again::Yes);
    assert_eq!((failed.attempts(), failed.stopped()), (2, RetryStop::Budget));
}

#[test]
fn outage_is_not_tripled_by_its_clients() {
    const CALLS: u32 = 5_000;
    let clock = ManualClock::new();
    let budget = Arc::new(RetryBudget::new(0.1, 20).unwrap());
    let retry = doubling(&clock).attempts(3).budget(budget).build().unwrap();
    let attempts: u32 = thread::scope(|scope| {
        let client = || {
            let fail = |_: u32| {
                retry.call(&never(&clock), |_| Again::Yes, |_| Err::<(), _>(())).unwrap_err()
            };
            (0..CALLS).map(fail).map(|failed| failed.attempts()).sum::<u32>()
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let calls = 4 * CALLS;
    // Some deposits and withdrawals may be lost to other threads', not most.
    assert!(attempts >= calls + calls / 20, "{attempts} attempts of {calls} calls");
    assert!(attempts <= calls + calls / 10 + 20, "{attempts} attempts of {calls} calls");
}

// ===== the rest =====

#[test]
fn panic_passes_through_and_holds_nothing() {
    let clock = ManualClock::new();
    let retry = doubling(&clock).build().unwrap();
    let deadline = never(&clock);
    let panicked = catch_unwind(|| {
        let mut made = 0;
        retry.call(
            &deadline,
            |_| Again::Yes,
            |_| -> Result<(), ()> {
                made += 1;
                assert!(made < 2, "the attempt's own");
                Err(())
            },
        )
    });
    assert!(panicked.is_err());
    assert!(retry.call(&deadline, |_: &()| Again::Yes, |_| Ok(())).is_ok());
}

#[test]
fn errors_tell_why_and_keep_the_cause() {
    use std::error::Error;
    let clock = ManualClock::new();
    let retry = doubling(&clock).attempts(2).build().unwrap();
    let failed =
        retry.call(&never(&clock), |_| Again::Yes, |_| Err::<(), _>(std::fmt::Error)).unwrap_err();
    assert_eq!(failed.to_string(), format!("no more attempts after 2: {}", std::fmt::Error));
    assert!(failed.source().is_some_and(|cause| cause.is::<std::fmt::Error>()));
}

#[test]
fn one_retry_serves_all_threads() {
    fn shared<T: Send + Sync + UnwindSafe + RefUnwindSafe>(_: &T) {}
    shared(&doubling(&ManualClock::new()).build().unwrap());
}
