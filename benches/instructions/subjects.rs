//! What is counted: one function a subject, never inlined, so that the counter can be switched on inside it alone.
//!
//! The bodies use the public interface as a user would. The clock is a number that stands still: its reading is one
//! load, so that the counts are the breaker's own.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use failfast::clock::Clock;
use failfast::policy::{Off, PolicyError};
use failfast::{
    Builder, Bulkhead, CallError, CircuitBreaker, Fallback, HalfOpen, Policy, Recorded, Window,
};

/// A clock that stands still.
#[derive(Clone)]
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
    /// No locked instruction, no fence; calls nothing but its other halves: `_slow`, `_timed`, `_counted`.
    Success,
    /// No locked instruction, no fence.
    Unlocked,
    /// Nothing.
    Other,
}

const fn subject(name: &'static str, function: &'static str, path: Path, run: fn(u32)) -> Subject {
    Subject { name, function, path, run }
}

pub(crate) const SUBJECTS: [Subject; 25] = [
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
    // Counted on top; the breaker's other halves do it.
    subject("success, count 100, totals", "acquire_and_succeed", Path::Unlocked, |times| {
        repeat_success(&healthy(builder(Window::count(100)).totals(true)), times)
    }),
    subject("success, time 10 s, totals", "acquire_and_succeed", Path::Unlocked, |times| {
        let window = Window::time(Duration::from_secs(10));
        repeat_success(&healthy(builder(window).totals(true)), times)
    }),
    subject("success, slow-call rule, totals", "acquire_and_succeed", Path::Unlocked, |times| {
        let limit = Duration::from_secs(2);
        let builder = builder(Window::count(100)).slow_call(limit, 0.8);
        repeat_success(&healthy(builder.totals(true)), times)
    }),
    subject("call, count 100", "call_nothing", Path::Success, |times| {
        let breaker = healthy(builder(Window::count(100)));
        for _ in 0..times {
            black_box(call_nothing(black_box(&breaker))).expect("closed");
        }
    }),
    // Layers that are not set cost nothing: as many instructions as what a user would write without a policy. Only
    // whether it went well is asked, since the errors differ in size, which is a matter of how they are handed over.
    subject("call, asked if it went well", "is_well", Path::Success, |times| {
        let breaker = healthy(builder(Window::count(100)));
        for _ in 0..times {
            assert!(is_well(black_box(&breaker)), "closed");
        }
    }),
    subject("the same by a policy", "is_well_by_policy", Path::Success, |times| {
        let policy = guarded();
        for _ in 0..times {
            assert!(is_well_by_policy(black_box(&policy)), "closed");
        }
    }),
    subject("the same, fallback at hand", "is_well_by_fallback", Path::Success, |times| {
        let policy = guarded();
        for _ in 0..times {
            assert!(is_well_by_fallback(black_box(&policy)), "closed");
        }
    }),
    subject("call by policy, with its error", "call_by_policy", Path::Success, |times| {
        let policy = guarded();
        for _ in 0..times {
            black_box(call_by_policy(black_box(&policy))).expect("closed");
        }
    }),
    subject("refused, by hand", "is_well", Path::Unlocked, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.trip();
        for _ in 0..times {
            assert!(!is_well(black_box(&breaker)), "open");
        }
    }),
    subject("refused, by policy", "is_well_by_policy", Path::Unlocked, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.trip();
        let policy = Policy::builder().breaker(breaker).clock(still()).build().expect("a breaker");
        for _ in 0..times {
            assert!(!is_well_by_policy(black_box(&policy)), "open");
        }
    }),
    subject("bulkhead and breaker by hand", "both_by_hand", Path::Other, |times| {
        let both = (Bulkhead::new(8).expect("places"), healthy(builder(Window::count(100))));
        for _ in 0..times {
            assert!(both_by_hand(black_box(&both)), "a place, and closed");
        }
    }),
    subject("bulkhead and breaker by policy", "both_by_policy", Path::Other, |times| {
        let builder = Policy::builder().breaker(healthy(builder(Window::count(100))));
        let builder = builder.bulkhead(Bulkhead::new(8).expect("places"));
        let policy = builder.clock(still()).build().expect("both");
        for _ in 0..times {
            assert!(both_by_policy(black_box(&policy)), "a place, and closed");
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
    subject("refused, open", "acquire_in_vain", Path::Unlocked, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.trip();
        refuse(&breaker, times);
    }),
    subject("refused, forced open", "acquire_in_vain", Path::Unlocked, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.force_open();
        refuse(&breaker, times);
    }),
    subject("refused, open, totals", "acquire_in_vain", Path::Unlocked, |times| {
        let breaker = healthy(builder(Window::count(100)).totals(true));
        breaker.trip();
        refuse(&breaker, times);
    }),
    subject("half-open, no place left", "acquire_in_vain", Path::Other, |times| {
        let breaker = healthy(builder(Window::count(100)).half_open(HalfOpen::probes(1)));
        breaker.half_open();
        let _probe = breaker.try_acquire().expect("a place");
        refuse(&breaker, times);
    }),
    subject("half-open, a place given back", "acquire_and_give_back", Path::Other, |times| {
        let breaker = healthy(builder(Window::count(100)));
        breaker.half_open();
        for _ in 0..times {
            assert_eq!(acquire_and_give_back(black_box(&breaker)), Recorded::Counted);
        }
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
fn acquire_and_give_back(breaker: &Breaker) -> Recorded {
    match breaker.try_acquire() {
        Ok(permit) => permit.ignore(),
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

type Guarded = Policy<Off, Off, Off, Breaker, Off, Still>;
type Bounded = Policy<Off, Off, Bulkhead, Breaker, Off, Still>;

#[inline(never)]
fn call_by_policy(policy: &Guarded) -> Result<(), PolicyError<()>> {
    policy.call(|_| Ok(()))
}

#[inline(never)]
fn is_well(breaker: &Breaker) -> bool {
    breaker.call(|| Ok::<_, ()>(())).is_ok()
}

#[inline(never)]
fn is_well_by_policy(policy: &Guarded) -> bool {
    policy.call(|_| Ok::<_, ()>(())).is_ok()
}

#[inline(never)]
fn is_well_by_fallback(policy: &Guarded) -> bool {
    policy.call_or(Fallback::new().refused(|_| Err(())), |_| Ok::<_, ()>(())).is_ok()
}

#[inline(never)]
fn both_by_hand((bulkhead, breaker): &(Bulkhead, Breaker)) -> bool {
    let Ok(_place) = bulkhead.try_acquire() else {
        return false;
    };
    breaker.call(|| Ok::<_, ()>(())).is_ok()
}

#[inline(never)]
fn both_by_policy(policy: &Bounded) -> bool {
    policy.call(|_| Ok::<_, ()>(())).is_ok()
}

// ===== the breakers =====

fn still() -> Still {
    Still { nanos: NOW.as_nanos() as u64 }
}

/// A policy of a breaker and nothing else.
fn guarded() -> Guarded {
    let breaker = healthy(builder(Window::count(100)));
    Policy::builder().breaker(breaker).clock(still()).build().expect("a breaker")
}

fn builder(window: Window) -> Builder<Still> {
    CircuitBreaker::builder().window(window).stripes(STRIPES).clock(still())
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
