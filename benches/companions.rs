//! What stands around the breaker, beside the obvious alternative: a bulkhead and a count under a mutex or tokio's
//! semaphore, a retry budget and a balance under a mutex, the rate limit and a bare governor, a retry and a bare backon,
//! injected faults and a random source under a mutex.

mod support;

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use failfast::clock::{DefaultClock, StdClock};
use failfast::{Again, Bulkhead, Deadline, Faults, RateLimit, Retry, RetryBudget};
use governor::clock::Clock as _;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use support::Subject;

fn main() {
    let subjects = [bulkheads(), budgets(), rate_limits(), retries(), faults()];
    support::run("companions", subjects.into_iter().flatten().collect());
}

// ===== bulkheads =====

/// Never taken all at once.
const PLACES: u32 = 1_000;

fn bulkheads() -> Vec<Subject> {
    let bulkhead = || Arc::new(Bulkhead::new(PLACES).expect("within the range"));
    let (borrowed, owned) = (bulkhead(), bulkhead());
    let count = Mutex::new(0);
    let semaphore = Semaphore::new(PLACES as usize);
    let owned_semaphore = Arc::new(Semaphore::new(PLACES as usize));

    let full = Arc::new(Bulkhead::new(1).expect("within the range"));
    let taken = full.try_acquire_owned().expect("empty");
    let full_count = Mutex::new(1_u32);
    let full_semaphore = Semaphore::new(0);
    vec![
        Subject::new("mutex count, a place", move || {
            let free = take(&count, PLACES);
            assert!(black_box(free));
            *count.lock() -= 1;
        }),
        Subject::new("tokio semaphore, a place", move || {
            drop(black_box(semaphore.try_acquire().expect("a free place")));
        })
        .against("mutex count, a place"),
        Subject::new("failfast bulkhead, a place", move || {
            drop(black_box(borrowed.try_acquire().expect("a free place")));
        })
        .against("mutex count, a place"),
        Subject::new("failfast bulkhead, an owned place", move || {
            drop(black_box(owned.try_acquire_owned().expect("a free place")));
        })
        .against("mutex count, a place"),
        Subject::new("tokio semaphore, an owned place", move || {
            drop(black_box(
                Arc::clone(&owned_semaphore).try_acquire_owned().expect("a free place"),
            ));
        })
        .against("mutex count, a place"),
        Subject::new("mutex count, refused", move || {
            black_box(take(&full_count, 1));
        }),
        Subject::new("tokio semaphore, refused", move || {
            black_box(full_semaphore.try_acquire().is_ok());
        })
        .against("mutex count, refused"),
        Subject::new("failfast bulkhead, refused", move || {
            let _held = &taken;
            black_box(full.try_acquire().is_ok());
        })
        .against("mutex count, refused"),
    ]
}

fn take(count: &Mutex<u32>, places: u32) -> bool {
    let mut count = count.lock();
    let free = *count < places;
    *count += u32::from(free);
    free
}

// ===== retry budgets =====

fn budgets() -> Vec<Subject> {
    const ONE: u64 = 1_000_000;
    const FULL: u64 = 10 * ONE;
    let balance = Mutex::new(FULL);
    let spent = Mutex::new(FULL);
    let budget = |ratio| RetryBudget::new(ratio, 10).expect("within the range");
    let (full, used) = (budget(0.1), budget(1.0));
    vec![
        Subject::new("mutex balance, a deposit when full", move || {
            let mut balance = balance.lock();
            *balance = (*balance + ONE / 10).min(FULL);
        }),
        Subject::new("failfast budget, a deposit when full", move || full.deposit())
            .against("mutex balance, a deposit when full"),
        Subject::new("mutex balance, a retry and its deposit", move || {
            {
                let mut balance = spent.lock();
                *balance = balance.saturating_sub(ONE);
            }
            let mut balance = spent.lock();
            *balance = (*balance + ONE).min(FULL);
        }),
        Subject::new("failfast budget, a retry and its deposit", move || {
            black_box(used.try_withdraw());
            used.deposit();
        })
        .against("mutex balance, a retry and its deposit"),
    ]
}

// ===== rate limits =====

fn rate_limits() -> Vec<Subject> {
    // As many as there may be, so that none is refused; a full bucket lasts longer than the bench.
    let bare = RateLimiter::direct(Quota::per_second(NonZeroU32::MAX));
    let generous = || RateLimit::per_second(1_000_000).burst(u32::MAX);
    let ours = generous().build().expect("within the range");
    let on_std = generous().clock(StdClock::new()).build().expect("within the range");

    let bare_spent = Arc::new(RateLimiter::direct(Quota::per_hour(NonZeroU32::MIN)));
    assert!(bare_spent.check().is_ok());
    let hourly = RateLimit::per(Duration::from_secs(3_600), 1);
    let ours_spent = hourly.clone().build().expect("within the range");
    let std_spent = hourly.clock(StdClock::new()).build().expect("within the range");
    assert!(ours_spent.try_acquire().is_ok() && std_spent.try_acquire().is_ok());
    vec![
        // Without its default features it reads the standard library's clock.
        Subject::new("bare governor, a token", move || {
            assert!(black_box(bare.check()).is_ok());
        }),
        Subject::new("failfast rate limit, the same clock, a token", move || {
            assert!(black_box(on_std.try_acquire()).is_ok());
        })
        .against("bare governor, a token"),
        Subject::new("failfast rate limit, a token", move || {
            assert!(black_box(ours.try_acquire()).is_ok());
        })
        .against("bare governor, a token"),
        Subject::new("bare governor, refused", {
            let bare = Arc::clone(&bare_spent);
            move || assert!(black_box(bare.check()).is_err())
        }),
        // What it takes to know when to come back.
        Subject::new("bare governor, refused until", move || {
            let refused = bare_spent.check().expect_err("the token is taken");
            black_box(refused.wait_time_from(bare_spent.clock().now()));
        })
        .against("bare governor, refused"),
        Subject::new("failfast rate limit, the same clock, refused", move || {
            assert!(black_box(std_spent.try_acquire()).is_err());
        })
        .against("bare governor, refused until"),
        Subject::new("failfast rate limit, refused", move || {
            assert!(black_box(ours_spent.try_acquire()).is_err());
        })
        .against("bare governor, refused until"),
    ]
}

// ===== retries =====

/// Three attempts, doubled delays with jitter, and a sleeper that does not sleep: the same of both, but that a backon
/// without `std` draws the same jitter each time.
fn retries() -> Vec<Subject> {
    fn backon(succeeds_at: u32) -> u32 {
        let mut made = 0;
        let attempt = || attempt(&mut made, succeeds_at);
        let delays = ExponentialBuilder::default().with_jitter().with_max_times(2);
        attempt.retry(delays).sleep(|_| ()).call().expect("it succeeds in the end")
    }
    let retry = || Retry::builder().sleeper(|_| ()).build().expect("sound settings");
    let ours = |deadline: Deadline, succeeds_at| {
        let retry = retry();
        move || {
            let mut made = 0;
            let answer = retry.call(&deadline, |_| Again::Yes, |_| attempt(&mut made, succeeds_at));
            black_box(answer.expect("it succeeds in the end"));
        }
    };
    let in_time = || Deadline::after_on(DefaultClock::new(), Duration::from_secs(86_400));
    vec![
        Subject::new("bare backon, success at once", || {
            black_box(backon(1));
        }),
        Subject::new("failfast retry, success at once", ours(Deadline::never(), 1))
            .against("bare backon, success at once"),
        Subject::new("failfast retry, success at once, a deadline", ours(in_time(), 1))
            .against("bare backon, success at once"),
        Subject::new("bare backon, success at the third", || {
            black_box(backon(3));
        }),
        Subject::new("failfast retry, success at the third", ours(Deadline::never(), 3))
            .against("bare backon, success at the third"),
        Subject::new("failfast retry, success at the third, a deadline", ours(in_time(), 3))
            .against("bare backon, success at the third"),
    ]
}

fn attempt(made: &mut u32, succeeds_at: u32) -> Result<u32, u32> {
    *made += 1;
    if *made < black_box(succeeds_at) {
        Err(*made)
    } else {
        Ok(*made)
    }
}

// ===== faults =====

fn faults() -> Vec<Subject> {
    let xorshift = Mutex::new(0x9E37_79B9_7F4A_7C15_u64);
    let builder = || Faults::builder().seed(7);
    let healed = builder().build().expect("sound settings");
    let failing = builder().errors(0.1).build().expect("sound settings");
    let call = |faults: Faults| {
        move || {
            black_box(faults.call(|| (), || Ok(())).is_ok());
        }
    };
    vec![
        Subject::new("mutex random source, a tenth fails", move || {
            let mut state = xorshift.lock();
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            black_box(*state % 1_000_000 >= 100_000);
        }),
        Subject::new("failfast faults, a tenth fails", call(failing))
            .against("mutex random source, a tenth fails"),
        Subject::new("failfast faults, healed", call(healed))
            .against("mutex random source, a tenth fails"),
    ]
}
