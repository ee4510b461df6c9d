//! Policies: one story for each promise of their page. Random compositions are in `composition`.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use failfast::clock::{Clock, ManualClock};
use failfast::policy::{Layer, Off, Timeout};
use failfast::{
    Bulkhead, BulkheadReason, CircuitBreaker, Deadline, Failed, Failure, Fallback, IsolatedPool,
    Jitter, OpenWait, Outcome, Policy, PolicyError, PoolError, RateLimit, Retry, RetryBudget,
    RetryStop, State, Window,
};

const SECOND: Duration = Duration::from_secs(1);

/// Opens after five failures in a row, for 30 s.
fn breaker(clock: &ManualClock) -> Arc<CircuitBreaker<ManualClock>> {
    let builder = CircuitBreaker::builder().consecutive_failures(5).clock(clock.clone());
    Arc::new(builder.build().unwrap())
}

/// So many attempts, a second between two.
fn retry(attempts: u32, clock: &ManualClock) -> Retry<ManualClock> {
    let builder = Retry::builder().attempts(attempts).initial(SECOND).factor(1.0);
    builder.jitter(Jitter::None).sleeper(clock.clone()).build().unwrap()
}

fn limit(burst: u32, clock: &ManualClock) -> RateLimit<ManualClock> {
    RateLimit::per(100 * SECOND, 1).burst(burst).clock(clock.clone()).build().unwrap()
}

fn bulkhead() -> Arc<Bulkhead> {
    Arc::new(Bulkhead::new(1).unwrap())
}

fn layer<T: std::fmt::Debug, E>(result: Result<T, PolicyError<E>>) -> Layer {
    result.map_err(|error| error.layer()).unwrap_err()
}

// ===== the order =====

#[test]
fn of_two_layers_that_would_refuse_the_outer_one_speaks() {
    let clock = ManualClock::new();
    let (breaker, bulkhead) = (breaker(&clock), bulkhead());
    let policy = Policy::builder()
        .rate_limit(limit(2, &clock))
        .bulkhead(Arc::clone(&bulkhead))
        .breaker(Arc::clone(&breaker))
        .timeout(SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    let over = Deadline::after_on(clock.clone(), Duration::ZERO);
    let ask = || layer(policy.call_within(&over, |_| Err::<(), _>("not called")));
    let place = bulkhead.try_acquire().unwrap();
    breaker.force_open();
    assert_eq!(ask(), Layer::Bulkhead, "before the breaker; a token is spent");
    drop(place);
    assert_eq!(ask(), Layer::Breaker, "before the timeout; and another token");
    let _place = bulkhead.try_acquire().unwrap();
    assert_eq!(ask(), Layer::RateLimit, "before the bulkhead");
    clock.advance(200 * SECOND);
    drop(_place);
    breaker.reset();
    assert_eq!(ask(), Layer::Timeout, "before the call");
}

#[test]
fn each_attempt_has_token_place_and_permit_of_its_own() {
    let clock = ManualClock::new();
    let (breaker, bulkhead) = (breaker(&clock), bulkhead());
    let limit = limit(3, &clock);
    let policy = Policy::builder()
        .retry(retry(3, &clock))
        .rate_limit(&limit)
        .bulkhead(&*bulkhead)
        .breaker(&*breaker)
        .timeout(SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    let seen = Cell::new(0);
    let fallback = Fallback::new().inner(|error: &&str| {
        assert_eq!((bulkhead.in_use(), breaker.snapshot().consecutive_failures), (0, 3));
        assert_eq!(seen.get(), 3, "the retries are over");
        Err::<(), _>(format!("no fallback for {error}"))
    });
    let error = policy
        .call_or(fallback, |deadline| {
            assert_eq!(bulkhead.in_use(), 1);
            assert_eq!(deadline.remaining(), Some(SECOND), "each attempt has its whole timeout");
            assert_eq!(breaker.snapshot().consecutive_failures, seen.get());
            seen.set(seen.get() + 1);
            Err("no route")
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no route (no more attempts after 3); its fallback failed: no fallback for no route"
    );
    assert!(limit.try_acquire().is_err(), "three tokens are spent");
    assert_eq!(clock.now(), 2 * SECOND, "nothing is held while the retry waits");
}

#[test]
fn breaker_around_the_retries_grants_and_hears_once_a_call() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let limit = limit(9, &clock);
    let policy = Policy::builder()
        .retry(retry(3, &clock))
        .rate_limit(&limit)
        .breaker(&*breaker)
        .breaker_around_retries()
        .clock(clock.clone())
        .build()
        .unwrap();
    let mut answers = [Err("1"), Err("2"), Ok(7)].into_iter();
    assert_eq!(policy.call(|_| answers.next().unwrap()), Ok(7));
    let heard = breaker.snapshot();
    assert_eq!((heard.calls, heard.failures), (1, 0), "what the attempts came to");
    assert_eq!(layer(policy.call(|_| Err::<(), _>(()))), Layer::Call);
    let heard = breaker.snapshot();
    assert_eq!((heard.calls, heard.failures), (2, 1));
    breaker.trip();
    let error = policy.call(|_| Ok::<_, ()>(())).unwrap_err();
    assert_eq!((error.layer(), error.attempts(), error.stopped()), (Layer::Breaker, 0, None));
    assert_eq!(error.retry_after(), breaker.try_acquire().unwrap_err().retry_after());
    assert!(limit.try_acquire_many(3).is_ok(), "six attempts have taken a token each, and no more");
    assert!(limit.try_acquire().is_err());
}

// ===== whose failure it was =====

#[test]
fn no_refusal_is_a_failure_of_the_dependency() {
    let clock = ManualClock::new();
    let (breaker, bulkhead) = (breaker(&clock), bulkhead());
    let limit = limit(1, &clock);
    let budget = Arc::new(RetryBudget::new(1e-6, 1).unwrap());
    assert!(budget.try_withdraw(), "spent");
    let again = |attempts| {
        let builder = Retry::builder().attempts(attempts).sleeper(clock.clone());
        builder.budget(Arc::clone(&budget)).build().unwrap()
    };
    let policy = Policy::builder()
        .retry(again(2))
        .rate_limit(&limit)
        .bulkhead(&*bulkhead)
        .breaker(&*breaker)
        .timeout(SECOND)
        .clock(clock.clone());
    let inside = policy.build().unwrap();
    let around = Policy::builder()
        .retry(again(2))
        .rate_limit(&limit)
        .bulkhead(&*bulkhead)
        .breaker(&*breaker)
        .timeout(SECOND)
        .breaker_around_retries()
        .clock(clock.clone())
        .build()
        .unwrap();
    let never =
        |_: &Deadline<ManualClock>| -> Result<(), ()> { panic!("refused calls are not made") };
    let over = Deadline::after_on(clock.clone(), Duration::ZERO);

    let place = bulkhead.try_acquire().unwrap();
    assert_eq!(layer(inside.call(never)), Layer::Bulkhead);
    drop(place);
    let error = inside.call(never).unwrap_err();
    assert_eq!((error.layer(), error.stopped()), (Layer::RateLimit, Some(RetryStop::Budget)));
    assert_eq!(layer(around.call(never)), Layer::RateLimit);
    clock.advance(100 * SECOND);
    let place = bulkhead.try_acquire().unwrap();
    assert_eq!(layer(around.call(never)), Layer::Bulkhead);
    drop(place);
    assert_eq!(layer(inside.call_within(&over, never)), Layer::Retry);
    assert_eq!(layer(around.call_within(&over, never)), Layer::Retry);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    assert_eq!(breaker.snapshot().calls, 0, "nor a call");

    // The budget's refusal adds nothing to the failure that it follows.
    clock.advance(100 * SECOND);
    let error = inside.call(|_| Err::<(), _>("down")).unwrap_err();
    assert_eq!((error.attempts(), error.stopped()), (1, Some(RetryStop::Budget)));
    assert_eq!(breaker.snapshot().failures, 1);

    breaker.force_open();
    clock.advance(100 * SECOND);
    assert_eq!(layer(inside.call(never)), Layer::Breaker);
    assert_eq!(layer(around.call(never)), Layer::Breaker);
    breaker.metrics_only();
    assert_eq!(breaker.snapshot().calls, 0);
}

#[test]
fn refusal_that_is_not_begun_gives_a_probe_back() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let policy =
        Policy::builder().breaker(&*breaker).timeout(SECOND).clock(clock.clone()).build().unwrap();
    breaker.half_open();
    let over = Deadline::after_on(clock.clone(), Duration::ZERO);
    for _ in 0..9 {
        let error = policy.call_within(&over, |_| Ok::<_, String>(())).unwrap_err();
        assert!(matches!(error.failed(), Failed::TimedOut(late) if !late.has_begun()));
        assert_eq!(error.to_string(), "call timed out before it began");
    }
    for _ in 0..3 {
        assert_eq!(policy.call(|_| Ok::<_, String>(())), Ok(()), "three places are still there");
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn refusals_of_a_policy_within_a_policy_are_told_from_failures() {
    let clock = ManualClock::new();
    let (shop, payment) = (breaker(&clock), breaker(&clock));
    let outer = Policy::builder().breaker(&*shop).clock(clock.clone()).build().unwrap();
    let inner =
        Policy::builder().breaker(&*payment).timeout(SECOND).clock(clock.clone()).build().unwrap();
    let ask = |takes, result: Result<(), ()>| {
        let by_whom = |result: &Result<(), PolicyError<()>>| match result {
            Ok(()) => Outcome::Success,
            Err(error) => error.outcome(),
        };
        let answer = outer.call_with(by_whom, |_| {
            inner.call(|_| {
                clock.advance(takes);
                result
            })
        });
        let heard = shop.snapshot();
        (answer.is_ok(), heard.calls, heard.failures)
    };
    assert_eq!(ask(Duration::ZERO, Ok(())), (true, 1, 0));
    assert_eq!(ask(Duration::ZERO, Err(())), (false, 2, 1));
    assert_eq!(ask(SECOND, Ok(())), (false, 3, 2), "too late");
    payment.force_open();
    assert_eq!(ask(Duration::ZERO, Ok(())), (false, 3, 2), "refused");
}

#[test]
fn breaker_around_hears_of_the_last_attempt_that_was_made() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let policy = Policy::builder()
        .retry(retry(3, &clock))
        .rate_limit(limit(1, &clock))
        .breaker(&*breaker)
        .breaker_around_retries()
        .clock(clock.clone())
        .build()
        .unwrap();
    let order = Deadline::after_on(clock.clone(), 9 * SECOND);
    let error = policy.call_within(&order, |_| Err::<(), _>("down")).unwrap_err();
    assert_eq!((error.layer(), error.stopped()), (Layer::RateLimit, Some(RetryStop::Deadline)));
    assert_eq!(breaker.snapshot().failures, 1, "the refused second attempt hides nothing");
}

#[test]
fn what_is_no_failure_is_not_counted_and_not_made_again() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let policy = Policy::builder()
        .retry(retry(5, &clock))
        .breaker(&*breaker)
        .clock(clock.clone())
        .build()
        .unwrap();
    for (outcome, calls) in [(Outcome::Ignored, 0), (Outcome::Success, 1)] {
        let mut made = 0;
        let answer = policy.call_with(
            |_| outcome,
            |_| {
                made += 1;
                Err::<(), _>(404)
            },
        );
        let error = answer.unwrap_err();
        assert_eq!((made, error.stopped()), (1, Some(RetryStop::NotRetryable)));
        assert_eq!((breaker.snapshot().calls, breaker.snapshot().failures), (calls, 0));
        assert_eq!(error.into_inner(), Some(404));
    }
    // A value that is a failure is counted, and is still the answer.
    assert_eq!(policy.call_with(|_| Outcome::Failure, |_| Ok::<_, ()>(503)), Ok(503));
    assert_eq!(breaker.snapshot().failures, 1);
}

// ===== time =====

#[test]
fn result_that_comes_too_late_is_a_timeout_and_a_failure() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let policy =
        Policy::builder().breaker(&*breaker).timeout(SECOND).clock(clock.clone()).build().unwrap();
    let nanosecond = Duration::from_nanos(1);
    let takes = |time, result: Result<(), &'static str>| {
        policy.call(|_| {
            clock.advance(time);
            result
        })
    };
    assert_eq!(takes(SECOND - nanosecond, Ok(())), Ok(()));
    assert_eq!(breaker.snapshot().failures, 0);
    for (number, late) in [Ok(()), Err("reset by peer")].into_iter().enumerate() {
        let error = takes(SECOND, late).unwrap_err();
        assert!(matches!(error.failed(), Failed::TimedOut(late) if late.has_begun()));
        assert_eq!((error.layer(), error.retry_after()), (Layer::Timeout, None));
        assert_eq!(error.to_string(), "call timed out");
        assert_eq!(breaker.snapshot().failures, number as u64 + 1);
    }
    // Whatever the classification, which is not asked of a success.
    let answer = policy.call_with(
        |_| panic!("a late result is not judged"),
        |_| {
            clock.advance(SECOND);
            Ok::<_, ()>(())
        },
    );
    assert_eq!((layer(answer), breaker.snapshot().failures), (Layer::Timeout, 3));
    breaker.half_open();
    assert!(takes(2 * SECOND, Ok(())).is_err());
    assert_eq!(breaker.state(), State::Open, "a late success of a probe opens again");
}

#[test]
fn late_error_that_says_nothing_about_the_dependency_is_handed_on() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let policy =
        Policy::builder().breaker(&*breaker).timeout(SECOND).clock(clock.clone()).build().unwrap();
    let answer = policy.call_with(
        |_| Outcome::Ignored,
        |_| {
            clock.advance(SECOND);
            Err::<(), _>("full")
        },
    );
    assert_eq!(answer.unwrap_err().into_inner(), Some("full"));
    let seen = breaker.snapshot();
    assert_eq!((seen.calls, seen.failures), (0, 0), "a refusal within is no failure");
}

#[test]
fn one_deadline_is_shared_by_all_attempts() {
    let clock = ManualClock::new();
    let policy = Policy::builder()
        .retry(retry(9, &clock))
        .timeout(2 * SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    let order = Deadline::after_on(clock.clone(), 6 * SECOND);
    let given = RefCell::new(Vec::new());
    let error = policy
        .call_within(&order, |deadline| {
            given.borrow_mut().push(deadline.remaining().unwrap());
            clock.advance(SECOND);
            Err::<(), _>(())
        })
        .unwrap_err();
    // At 0, 2 and 4 s; the next would begin at 6 s.
    assert_eq!(given.into_inner(), [2 * SECOND; 3]);
    assert_eq!((error.stopped(), clock.now()), (Some(RetryStop::Deadline), 5 * SECOND));

    let order = Deadline::after_on(clock.clone(), SECOND);
    let left = policy.call_within(&order, |deadline| Ok::<_, ()>(deadline.remaining()));
    assert_eq!(left, Ok(Some(SECOND)), "the nearer end counts");
}

#[test]
fn refusal_says_when_to_come_back_and_the_retry_waits_so_long() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().window(Window::consecutive(1));
    let wait = OpenWait::fixed(20 * SECOND);
    let breaker = builder.open_wait(wait).clock(clock.clone()).build().unwrap();
    let policy = Policy::builder()
        .retry(retry(2, &clock))
        .breaker(&breaker)
        .clock(clock.clone())
        .build()
        .unwrap();
    breaker.trip();
    let retry_after = breaker.try_acquire().unwrap_err().retry_after().unwrap();
    assert_eq!(policy.call(|_| Ok::<_, ()>("a probe")), Ok("a probe"));
    assert_eq!(clock.now(), retry_after);

    breaker.trip();
    let brief = Deadline::after_on(clock.clone(), 9 * SECOND);
    let before = clock.now();
    let error = policy.call_within(&brief, |_| Ok::<_, ()>(())).unwrap_err();
    assert_eq!((error.layer(), error.stopped()), (Layer::Breaker, Some(RetryStop::Deadline)));
    assert_eq!(error.retry_after(), breaker.try_acquire().unwrap_err().retry_after());
    assert_eq!(clock.now(), before, "does not sleep for nothing");
    breaker.force_open();
    assert_eq!(
        policy.call(|_| Ok::<_, ()>(())).unwrap_err().stopped(),
        Some(RetryStop::NotRetryable)
    );
}

#[test]
fn waiting_for_a_place_ends_with_the_deadline() {
    let clock = ManualClock::new();
    let bulkhead = bulkhead();
    let policy = Policy::builder()
        .bulkhead_waiting(Arc::clone(&bulkhead), 60 * SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    assert_eq!(policy.call(|_| Ok::<_, ()>(bulkhead.in_use())), Ok(1));
    let _place = bulkhead.try_acquire().unwrap();
    let over = Deadline::after_on(clock.clone(), Duration::ZERO);
    let begun = Instant::now();
    let error = policy.call_within(&over, |_| Ok::<_, ()>(())).unwrap_err();
    let Failed::Refused(failfast::Refusal::Bulkhead(full)) = error.failed() else {
        panic!("{error:?}");
    };
    assert_eq!(full.reason(), BulkheadReason::TimedOut);
    assert!(begun.elapsed() < 60 * SECOND, "it did not wait for its whole patience");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| policy.call(|_| Ok::<_, ()>(())));
        while bulkhead.waiting() == 0 {
            thread::yield_now();
        }
        drop(_place);
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}

// ===== panics =====

#[test]
fn panic_is_a_failure_gives_the_place_back_and_goes_on() {
    let clock = ManualClock::new();
    let (breaker, bulkhead) = (breaker(&clock), bulkhead());
    let inside = Policy::builder()
        .retry(retry(3, &clock))
        .bulkhead(&*bulkhead)
        .breaker(&*breaker)
        .timeout(SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    let around = Policy::builder()
        .retry(retry(3, &clock))
        .bulkhead(&*bulkhead)
        .breaker(&*breaker)
        .breaker_around_retries()
        .clock(clock.clone())
        .build()
        .unwrap();
    let panics = |f: &dyn Fn() -> Result<(), PolicyError<()>>| {
        *catch_unwind(AssertUnwindSafe(f)).unwrap_err().downcast::<&str>().unwrap()
    };
    assert_eq!(panics(&|| inside.call(|_| resume_unwind(Box::new("the call")))), "the call");
    assert_eq!((breaker.snapshot().failures, bulkhead.in_use()), (1, 0));
    assert_eq!(panics(&|| around.call(|_| resume_unwind(Box::new("all of it")))), "all of it");
    assert_eq!((breaker.snapshot().failures, bulkhead.in_use()), (2, 0));
    let judge = |_: &Result<(), ()>| resume_unwind(Box::new("the judge"));
    assert_eq!(panics(&|| inside.call_with(judge, |_| Ok(()))), "the judge");
    assert_eq!((breaker.snapshot().failures, bulkhead.in_use()), (3, 0));
}

// ===== what makes no sense =====

#[test]
fn layers_that_do_not_fit_together_are_refused_with_the_reason() {
    let clock = ManualClock::new();
    let said = |error: failfast::ConfigError| error.to_string();
    let total = |time| {
        Retry::builder().jitter(Jitter::None).total_time(time).min_attempt(SECOND).build().unwrap()
    };
    let lease = |time| CircuitBreaker::builder().probe_timeout(time).build().unwrap();
    assert_eq!(
        said(Policy::builder().build().unwrap_err()),
        "layers: given none, allowed is at least one of retry, rate_limit, bulkhead, breaker and timeout"
    );
    for wrong in [Duration::ZERO, Duration::MAX] {
        let error = Policy::builder().timeout(wrong).build().unwrap_err();
        assert_eq!((error.field(), error.allowed()), ("timeout", "1 ns to 366 days"));
        let error = Policy::builder().bulkhead_waiting(bulkhead(), wrong).build().unwrap_err();
        assert_eq!((error.field(), error.allowed()), ("bulkhead_waiting", "1 ns to 366 days"));
    }
    assert_eq!(
        said(Policy::builder().retry(total(2 * SECOND)).timeout(3 * SECOND).build().unwrap_err()),
        "timeout: given 3s, allowed is at most the retry's total_time"
    );
    assert_eq!(
        said(Policy::builder().retry(total(2 * SECOND)).timeout(SECOND / 2).build().unwrap_err()),
        "min_attempt: given 1s, allowed is at most the policy's timeout"
    );
    let patient =
        Policy::builder().retry(total(2 * SECOND)).bulkhead_waiting(bulkhead(), 3 * SECOND);
    assert_eq!(
        said(patient.build().unwrap_err()),
        "bulkhead_waiting: given 3s, allowed is at most the retry's total_time"
    );
    assert_eq!(
        said(Policy::builder().breaker(lease(SECOND)).timeout(2 * SECOND).build().unwrap_err()),
        "timeout: given 2s, allowed is at most the breaker's probe_timeout"
    );
    let inside = Policy::builder().breaker(lease(SECOND)).retry(total(2 * SECOND));
    assert!(inside.build().is_ok(), "each attempt has a permit of its own");
    let around = Policy::builder().breaker(lease(SECOND)).retry(total(2 * SECOND));
    assert_eq!(
        said(around.breaker_around_retries().build().unwrap_err()),
        "total_time: given 2s, allowed is at most the probe_timeout of the breaker around the retries"
    );
    let equal = Policy::builder().breaker(lease(SECOND)).timeout(SECOND).clock(clock);
    assert!(equal.build().is_ok());
}

// ===== the error =====

#[test]
fn error_names_layer_reason_and_source() {
    let clock = ManualClock::new();
    let policy = Policy::builder()
        .retry(retry(2, &clock))
        .rate_limit(limit(2, &clock))
        .clock(clock.clone())
        .build()
        .unwrap();
    let error = policy.call(|_| Err::<(), _>(std::fmt::Error)).unwrap_err();
    assert_eq!(error.layer().to_string(), "call");
    assert!(error.source().is_some_and(|source| source.is::<std::fmt::Error>()));
    assert_eq!((error.attempts(), error.retry_after()), (2, None));
    let order = Deadline::after_on(clock.clone(), 9 * SECOND);
    let error = policy.call_within(&order, |_| Err::<(), _>(std::fmt::Error)).unwrap_err();
    assert_eq!((error.layer().to_string().as_str(), error.attempts()), ("rate limit", 1));
    assert_eq!(error.retry_after(), Some(99 * SECOND));
    assert!(error.source().is_some_and(|source| source.is::<failfast::RateLimited>()));
    assert_eq!(
        error.to_string(),
        "rate limit is reached, retry after 99s (no time before the deadline for another attempt after 1)"
    );
    assert_eq!(error.into_inner(), None);
}

// ===== many threads =====

#[test]
fn threads_share_one_policy() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 5_000;
    let clock = ManualClock::new();
    let bulkhead = Arc::new(Bulkhead::new(2).unwrap());
    let breaker = CircuitBreaker::builder().clock(clock.clone()).build().unwrap();
    breaker.metrics_only();
    let policy = Policy::builder()
        .retry(Retry::builder().attempts(2).sleeper(|_| ()).build().unwrap())
        .bulkhead(Arc::clone(&bulkhead))
        .breaker(breaker)
        .timeout(SECOND)
        .clock(clock)
        .build()
        .unwrap();
    let (made, refused, inside) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (policy, made, refused, inside) = (&policy, &made, &refused, &inside);
            scope.spawn(move || {
                for call in 0..CALLS {
                    let answer = policy.call(|_| {
                        assert!(inside.fetch_add(1, Ordering::Relaxed) < 2, "two places");
                        made.fetch_add(1, Ordering::Relaxed);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        if (call + thread) % 3 == 0 {
                            Err(())
                        } else {
                            Ok(())
                        }
                    });
                    if answer.is_err_and(|error| error.layer() == Layer::Bulkhead) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (made, refused) = (made.into_inner(), refused.into_inner());
    println!("{made} attempts were made, {refused} calls refused");
    assert!(made + refused >= THREADS * CALLS);
    assert_eq!((bulkhead.in_use(), bulkhead.waiting()), (0, 0));
}

#[test]
fn policies_are_shared_and_unused_layers_take_no_room() {
    fn shared<P: Send + Sync + UnwindSafe + RefUnwindSafe + 'static>(_: &P) {}
    type Guarded = Policy<Off, Off, Off, CircuitBreaker<ManualClock>, Off, ManualClock>;
    type Limited = Policy<Off, Off, Off, Off, Timeout, ManualClock>;
    let clock = ManualClock::new();
    let policy: Limited = Policy::builder().timeout(SECOND).clock(clock.clone()).build().unwrap();
    shared(&policy);
    let (breaker, deadline) =
        (size_of::<CircuitBreaker<ManualClock>>(), size_of::<Deadline<ManualClock>>());
    assert!(size_of::<Guarded>() <= (breaker + deadline).next_multiple_of(align_of::<Guarded>()));
    assert_eq!(size_of::<Limited>(), size_of::<Duration>() + deadline);
    assert!(size_of::<PolicyError<()>>() <= 32, "{}", size_of::<PolicyError<()>>());
}

// ===== with a pool inside =====

#[test]
fn pool_within_a_policy_returns_early_and_its_refusals_are_no_failures() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let policy = Policy::builder().breaker(&*breaker).build().unwrap();
    let pool = IsolatedPool::builder().name("payment").threads(1).queue(0).build().unwrap();
    let (hang, until) = mpsc::channel::<()>();
    let by_whom = |result: &Result<(), PoolError<&'static str>>| match result {
        Ok(()) => Outcome::Success,
        Err(error) => error.outcome(),
    };
    let mut hangs = Some(move || until.recv().map_err(|_| "let go"));
    let late = policy.call_with(by_whom, |_| {
        pool.call(Duration::from_millis(20), hangs.take().expect("one attempt"))
    });
    assert!(matches!(late.unwrap_err().into_inner(), Some(PoolError::TimedOut(_))));
    assert_eq!(breaker.snapshot().failures, 1, "the caller is back, and the thread still hangs");
    for _ in 0..9 {
        let full = policy.call_with(by_whom, |deadline| pool.call_until(deadline, || Ok(())));
        let error = full.unwrap_err();
        assert_eq!((error.layer(), error.attempts()), (Layer::Call, 1));
        assert!(error.into_inner().is_some_and(|error| error.is_full()));
    }
    assert_eq!(breaker.snapshot().calls, 1, "a full pool says nothing about the dependency");
    drop(hang);
}
