//! What is counted: one function a subject, never inlined, so that the counter can be switched on inside it alone.
//!
//! The bodies use the public interface as a user would. The clock is a number that stands still: its reading is one
//! load, so that the counts are the breaker's own.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use failfast::clock::Clock;
use failfast::{Builder, CallError, CircuitBreaker, Recorded, Window};

/// A clock that stands still.
pub(crate) struct Still {
    nanos: u64,
}

impl Clock for Still {
    #[inline]
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    #[inline]
    fn now_nanos(&self) -> u64 {
        self.nanos
    }
}

/// Arbitrary: a day, so that no instant is near the clock's zero.
const NOW: Duration = Duration::from_secs(86_400);

type Breaker = CircuitBreaker<Still>;

/// Successes before anything is counted: more than the largest window holds.
const WARM_UP: u32 = 200_000;

/// Stripes of every breaker here. The default depends on the machine, and a failure reads them all.
const STRIPES: u32 = 8;

/// What one run counts.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The function that is counted: the end of its path.
    pub(crate) function: &'static str,
    pub(crate) path: Path,
    /// Sets up, and calls the function this many times.
    pub(crate) run: fn(u32),
}

/// What is asked of the compiled code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// No locked instruction, no fence; calls nothing but its other halves: `_slow`, `_timed`.
    Success,
    /// No locked instruction, no fence.
    Refusal,
    /// Nothing.
    Other,
}

const fn subject(name: &'static str, function: &'static str, path: Path, run: fn(u32)) -> Subject {
    Subject { name, function, path, run }
}

pub(crate) const SUBJECTS: [Subject; 11] = [
    subject("success, count 100", "acquire_and_succeed", Path::Success, |times| {
        succeed(Window::count(100), times)
    }),
    subject("success, count 100,000", "acquire_and_succeed", Path::Success, |times| {
        succeed(Window::count(100_000), times)
    }),
    subject("success, consecutive 5", "acquire_and_succeed", Path::Success, |times| {
        succeed(Window::consecutive(5), times)
    }),
    subject("success, time 10 s", "acquire_and_succeed", Path::Success, |times| {
        succeed(Window::time(Duration::from_secs(10)), times)
    }),
    subject("success, count 100, slow-call rule", "acquire_and_succeed", Path::Success, |times| {
        let limit = Duration::from_secs(2);
        repeat_success(&healthy(builder(Window::count(100)).slow_call(limit, 0.8)), times)
    }),
    subject("call, count 100", "call_nothing", Path::Success, |times| {
        let breaker = healthy(builder(Window::count(100)));
        for _ in 0..times {
            black_box(call_nothing(black_box(&breaker))).expect("closed");
        }
    }),
    subject("owned permit, count 100", "acquire_owned_and_succeed", Path::Other, |times| {
        let breaker = Arc::new(healthy(builder(Window::count(100))));
        for _ in 0..times {
            assert_eq!(acquire_owned_and_succeed(black_box(&breaker)), Recorded::Counted);
        }
    }),
    subject("failure, count 100", "acquire_and_fail", Path::Other, |times| fail(100, times)),
    subject("failure, count 100,000", "acquire_and_fail", Path::Other, |times| {
        fail(100_000, times)
    }),
    subject("refused, open", "acquire_in_vain", Path::Refusal, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.trip();
        refuse(&breaker, times);
    }),
    subject("refused, forced open", "acquire_in_vain", Path::Refusal, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.force_open();
        refuse(&breaker, times);
    }),
];

// ===== the functions that are counted =====

#[inline(never)]
fn acquire_and_succeed(breaker: &Breaker) -> Recorded {
    match breaker.try_acquire() {
        Ok(permit) => permit.success(),
        Err(_) => Recorded::Stale,
    }
}

#[inline(never)]
fn acquire_and_fail(breaker: &Breaker) -> Recorded {
    match breaker.try_acquire() {
        Ok(permit) => permit.failure(),
        Err(_) => Recorded::Stale,
    }
}

#[inline(never)]
fn acquire_owned_and_succeed(breaker: &Arc<Breaker>) -> Recorded {
    match breaker.try_acquire_owned() {
        Ok(permit) => permit.success(),
        Err(_) => Recorded::Stale,
    }
}

#[inline(never)]
fn acquire_in_vain(breaker: &Breaker) -> bool {
    breaker.try_acquire().is_err()
}

#[inline(never)]
fn call_nothing(breaker: &Breaker) -> Result<(), CallError<()>> {
    breaker.call(|| Ok(()))
}

// ===== the breakers =====

fn builder(window: Window) -> Builder<Still> {
    let clock = Still { nanos: NOW.as_nanos() as u64 };
    CircuitBreaker::builder().window(window).stripes(STRIPES).clock(clock)
}

/// A breaker whose window is full of successes.
fn healthy(builder: Builder<Still>) -> Breaker {
    let breaker = builder.build().expect("the settings are allowed");
    for _ in 0..WARM_UP {
        breaker.try_acquire().expect("closed").success();
    }
    breaker
}

fn succeed(window: Window, times: u32) {
    repeat_success(&healthy(builder(window)), times);
}

fn repeat_success(breaker: &Breaker, times: u32) {
    for _ in 0..times {
        assert_eq!(acquire_and_succeed(black_box(breaker)), Recorded::Counted);
    }
}

/// One failure among a hundred calls; only the failures are counted.
fn fail(size: u32, times: u32) {
    let breaker = healthy(builder(Window::count(size)));
    for _ in 0..times {
        assert_eq!(acquire_and_fail(black_box(&breaker)), Recorded::Counted);
        for _ in 1..100 {
            breaker.try_acquire().expect("closed").success();
        }
    }
}

fn refuse(breaker: &Breaker, times: u32) {
    for _ in 0..times {
        assert!(acquire_in_vain(black_box(breaker)), "refused");
    }
}
