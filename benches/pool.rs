//! A call through a pool, beside what one would write by hand: rayon's `spawn`, a channel, and `recv_timeout`.
//!
//! Nearly all of it is what two threads take to wake each other. The bare rival records nothing, has no bound, runs
//! what nobody waits for, and ends the process when a call panics.

mod support;

use std::hint::black_box;
use std::sync::mpsc::sync_channel;
use std::sync::Arc;
use std::time::Duration;

use failfast::{CircuitBreaker, IsolatedPool, PoolBuilder};
use rayon::{ThreadPool, ThreadPoolBuilder};
use support::guards::{healthy, ours};
use support::{cores, Subject};

/// Never reached.
const LONG: Duration = Duration::from_secs(60);
const BARE: &str = "rayon, spawn and a channel";
const REFUSED: &str = "failfast, pool is full";

fn main() {
    let breaker = healthy(ours(CircuitBreaker::builder().stripes(64)));
    support::run(
        "pool",
        vec![
            bare(),
            call("failfast, pool without a breaker", pool()).against(BARE),
            call("failfast, pool with a breaker", pool().breaker(breaker)).against(BARE),
            full(),
            open().against(REFUSED),
        ],
    );
}

/// As many threads as callers at most, so that no caller finds it full.
fn threads() -> u32 {
    u32::try_from(2 * cores()).unwrap_or(1_024).min(1_024)
}

fn pool() -> PoolBuilder {
    IsolatedPool::builder().threads(threads())
}

fn bare() -> Subject {
    let rayon: ThreadPool =
        ThreadPoolBuilder::new().num_threads(threads() as usize).build().expect("threads");
    Subject::new(BARE, move || {
        let (give, take) = sync_channel(1);
        rayon.spawn(move || {
            // Nobody may be there any more.
            let _ = give.send(Ok::<(), ()>(()));
        });
        black_box(take.recv_timeout(LONG)).expect("in time").expect("a success");
    })
}

fn call<C: failfast::clock::Clock>(name: &str, builder: PoolBuilder<C>) -> Subject {
    let pool = builder.build().expect("settings");
    Subject::new(name, move || {
        black_box(pool.call(LONG, || Ok::<(), ()>(()))).expect("in time");
    })
}

/// Refused, since the only thread hangs.
fn full() -> Subject {
    let pool = IsolatedPool::builder().threads(1).build().expect("settings");
    let pool = Arc::new(pool);
    let (begun, has_begun) = sync_channel(0);
    let hung = Arc::clone(&pool);
    std::thread::spawn(move || {
        let forever = move || {
            begun.send(()).expect("the bench waits");
            loop {
                std::thread::park();
            }
        };
        let _: Result<(), failfast::PoolError<()>> = hung.call(LONG, forever);
    });
    has_begun.recv().expect("it begins");
    Subject::new(REFUSED, move || {
        black_box(pool.call(LONG, || Ok::<(), ()>(()))).expect_err("full");
    })
}

/// Refused by the breaker.
fn open() -> Subject {
    let breaker = Arc::new(CircuitBreaker::builder().build().expect("settings"));
    breaker.force_open();
    let pool = pool().breaker(breaker).build().expect("settings");
    Subject::new("failfast, pool whose breaker is open", move || {
        black_box(pool.call(LONG, || Ok::<(), ()>(()))).expect_err("open");
    })
}
