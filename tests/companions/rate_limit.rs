//! The rate limit: stories on a manual clock, a plain token bucket beside it, and threads.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{RateLimit, RateLimited};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const NONE: Duration = Duration::ZERO;

fn per_second(calls: u32, burst: u32, clock: &ManualClock) -> RateLimit<ManualClock> {
    RateLimit::per_second(calls).burst(burst).clock(clock.clone()).build().unwrap()
}

fn wait_of(answer: Result<(), RateLimited>) -> Option<Duration> {
    answer.unwrap_err().retry_after()
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let year = Duration::from_secs(366 * 24 * 60 * 60);
    for (wrong, field, given) in [
        (RateLimit::per_second(0), "calls", "0"),
        (RateLimit::per_second(1_000_001), "calls", "1000001"),
        (RateLimit::per(MS, 1_001), "calls", "1001"),
        (RateLimit::per(Duration::from_nanos(999), 1), "calls", "1"),
        (RateLimit::per(NONE, 1), "period", "0ns"),
        (RateLimit::per(2 * year, 1), "period", "63244800s"),
        (RateLimit::per_second(5).burst(0), "burst", "0"),
        (RateLimit::per(year, 1).burst(11), "burst", "11"),
        (RateLimit::per(year, 1).burst(u32::MAX), "burst", "4294967295"),
    ] {
        let error = wrong.build().unwrap_err();
        assert_eq!((error.field(), error.given()), (field, given), "{error}");
    }
    for right in [
        RateLimit::per_second(1_000_000).burst(u32::MAX),
        RateLimit::per(year, u32::MAX),
        RateLimit::per(year, 1).burst(10),
        RateLimit::per(Duration::from_micros(1), 1),
    ] {
        let limit = right.build().unwrap();
        assert!(limit.try_acquire_many(limit.burst()).is_ok(), "it begins full");
    }
}

#[test]
fn burst_is_given_at_once_and_then_the_rate() {
    let clock = ManualClock::new();
    let limit = per_second(10, 5, &clock);
    assert!((0..5).all(|_| limit.try_acquire().is_ok()));
    let limited = limit.try_acquire().unwrap_err();
    assert_eq!(limited.retry_after(), Some(100 * MS));
    assert_eq!(limited.to_string(), "rate limit is reached, retry after 100ms");
    for _ in 0..20 {
        clock.advance(99 * MS);
        assert_eq!(wait_of(limit.try_acquire()), Some(MS));
        clock.advance(MS);
        assert!(limit.try_acquire().is_ok());
    }
    clock.advance(3600 * SECOND);
    assert!((0..5).all(|_| limit.try_acquire().is_ok()), "no more than the burst is saved");
    assert!(limit.try_acquire().is_err());
}

#[test]
fn many_are_given_together_or_not_at_all() {
    let clock = ManualClock::new();
    let limit = per_second(10, 5, &clock);
    assert!(limit.try_acquire_many(3).is_ok());
    assert_eq!(wait_of(limit.try_acquire_many(3)), Some(100 * MS));
    assert!(limit.try_acquire_many(2).is_ok(), "the refused call took none");
    assert!(limit.try_acquire_many(0).is_ok());
    let never = limit.try_acquire_many(6).unwrap_err();
    assert_eq!(never.retry_after(), None);
    assert_eq!(never.to_string(), "rate limit never allows so much at once");
    assert_eq!(wait_of(limit.try_acquire_many(u32::MAX)), None);
}

#[test]
fn unless_set_the_burst_is_that_of_a_period() {
    let limit = RateLimit::per(60 * SECOND, 90).clock(ManualClock::new()).build().unwrap();
    assert_eq!(limit.burst(), 90);
    assert!(limit.try_acquire_many(90).is_ok());
}

#[test]
fn rate_is_never_above_what_was_asked_for() {
    // A third of a second is no whole number of nanoseconds.
    let clock = ManualClock::new();
    let limit = per_second(3, 1, &clock);
    assert!(limit.try_acquire().is_ok());
    clock.advance(Duration::from_nanos(333_333_333));
    assert_eq!(wait_of(limit.try_acquire()), Some(Duration::from_nanos(1)));
}

#[test]
fn clock_that_steps_back_gives_nothing_twice() {
    let clock = ManualClock::new();
    clock.set(100 * SECOND);
    let limit = per_second(1, 2, &clock);
    assert!(limit.try_acquire_many(2).is_ok());
    for earlier in [99 * SECOND, 50 * SECOND, NONE] {
        clock.set(earlier);
        assert!(limit.try_acquire().is_err());
    }
    clock.set(101 * SECOND);
    assert!(limit.try_acquire().is_ok() && limit.try_acquire().is_err());
}

#[test]
fn clock_at_the_end_of_time_overflows_nothing() {
    let clock = ManualClock::new();
    let year = Duration::from_secs(366 * 24 * 60 * 60);
    let limit = RateLimit::per(year, 1).burst(10).clock(clock.clone()).build().unwrap();
    for end in [u64::MAX / 2 - 1, u64::MAX / 2, u64::MAX] {
        clock.set(Duration::from_nanos(end));
        while limit.try_acquire().is_ok() {}
        assert!(limit.try_acquire_many(10).is_err());
        assert_eq!(wait_of(limit.try_acquire_many(u32::MAX)), None);
    }
    let late = RateLimit::per_second(1).clock(clock).build().unwrap();
    assert!(late.try_acquire().is_ok() && late.try_acquire().is_err());
}

#[test]
fn threads_together_get_what_one_would() {
    const BURST: u64 = 50;
    const TOKENS: u64 = 2_000;
    let clock = ManualClock::new();
    let limit = per_second(1_000, BURST as u32, &clock);
    let granted = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while clock.now() < 2 * SECOND {
                    granted.fetch_add(limit.try_acquire().is_ok().into(), Ordering::Relaxed);
                }
            });
        }
        for _ in 0..TOKENS {
            clock.advance(MS);
            let seen = granted.load(Ordering::Relaxed);
            let most = BURST + clock.now().as_millis() as u64;
            assert!(seen <= most, "{seen} of {most}");
            thread::yield_now();
        }
    });
    while limit.try_acquire().is_ok() {
        granted.fetch_add(1, Ordering::Relaxed);
    }
    let granted = granted.into_inner();
    assert!((BURST..=BURST + TOKENS).contains(&granted), "{granted}");
    println!("{granted} of at most {}", BURST + TOKENS);
}

#[test]
fn one_limit_serves_all_threads() {
    fn shared<T: Send + Sync + UnwindSafe + RefUnwindSafe>(_: &T) {}
    shared(&per_second(1, 1, &ManualClock::new()));
}

// ===== the plain twin =====

/// A bucket of nanoseconds: each token is worth its time.
struct Bucket {
    token: u128,
    size: u128,
    level: u128,
    last: u128,
}

impl Bucket {
    fn new(period: u128, calls: u128, burst: u128) -> Self {
        let token = period.div_ceil(calls);
        Bucket { token, size: burst * token, level: burst * token, last: 0 }
    }

    /// Takes so many, or says how long to wait, if it is not for ever.
    fn take(&mut self, now: u128, tokens: u128) -> Result<(), Option<u128>> {
        self.level = (self.level + now - self.last).min(self.size);
        self.last = now;
        let needed = tokens * self.token;
        if needed > self.size {
            return Err(None);
        }
        if needed > self.level {
            return Err(Some(needed - self.level));
        }
        self.level -= needed;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take,
    TakeMany(u32),
    /// So many thousandths of a token's time.
    Advance(u64),
    /// As long as the last refusal said; the same call is then granted.
    ComeBack,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Take),
        3 => (0..14_u32).prop_map(Step::TakeMany),
        4 => (0..4_000_u64).prop_map(Step::Advance),
        1 => (0..40_000_u64).prop_map(Step::Advance),
        2 => Just(Step::ComeBack),
    ]
}

proptest! {
    #[test]
    fn answers_as_a_plain_bucket_does(
        period in 1_000_000..100_000_000_000_u64,
        calls in 1..1_000_u32,
        burst in 1..12_u32,
        begin in 0..u64::MAX / 4,
        steps in proptest::collection::vec(step(), 1..100),
    ) {
        let clock = ManualClock::new();
        clock.set(Duration::from_nanos(begin));
        let limit = RateLimit::per(Duration::from_nanos(period), calls)
            .burst(burst)
            .clock(clock.clone())
            .build()
            .unwrap();
        let mut twin = Bucket::new(period.into(), calls.into(), burst.into());
        twin.last = begin.into();
        let token = period.div_ceil(calls.into());
        let mut wait = None;
        for step in steps {
            let (answer, due) = match step {
                Step::Advance(thousandths) => {
                    clock.advance(Duration::from_nanos(token * thousandths / 1_000));
                    continue;
                }
                Step::ComeBack => {
                    let Some((tokens, time)) = wait.take() else { continue };
                    clock.advance(time);
                    (limit.try_acquire_many(tokens), twin.take(clock.now_nanos().into(), tokens.into()))
                }
                Step::Take => (limit.try_acquire(), twin.take(clock.now_nanos().into(), 1)),
                Step::TakeMany(tokens) => (
                    limit.try_acquire_many(tokens),
                    twin.take(clock.now_nanos().into(), tokens.into()),
                ),
            };
            let answer = answer.map_err(|limited| limited.retry_after().map(|wait| wait.as_nanos()));
            prop_assert_eq!(answer, due);
            wait = match (step, answer) {
                (Step::Take, Err(Some(time))) => Some((1, Duration::from_nanos(time as u64))),
                (Step::TakeMany(n), Err(Some(time))) => {
                    Some((n, Duration::from_nanos(time as u64)))
                }
                _ => None,
            };
        }
    }
}
