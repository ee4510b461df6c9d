//! Laws that hold whatever the scheduler does, on real threads: no sleeps, no luck, no wall time.
//!
//! A run that happens to meet no race passes too; the models in `loom-tests` and the oracle prove what these only
//! exercise. Each story is told with fewer stripes than threads, with more, and with the default.

mod races;
mod totals;

use std::sync::Barrier;
use std::thread;

use failfast::clock::ManualClock;
use failfast::{Builder, Permit};

use crate::story::Breaker;

const THREADS: u32 = 6;

/// The same builder with one stripe, so that five threads of six share words; with half as many as threads; with one
/// for each; and with the default.
fn in_every_width(builder: impl Fn() -> Builder, story: impl Fn(Builder)) {
    for stripes in [1, THREADS / 2, THREADS * 2] {
        story(builder().stripes(stripes));
    }
    story(builder());
}

/// Runs `act` on this many threads, which start together, and joins them.
fn together<T: Send>(threads: u32, act: impl Fn(u32) -> T + Sync) -> Vec<T> {
    each_with((0..threads).collect(), act)
}

/// Gives each thread one of the items; all start together.
fn each_with<I: Send, T: Send>(items: Vec<I>, act: impl Fn(I) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(items.len());
    thread::scope(|scope| {
        let handles: Vec<_> = items
            .into_iter()
            .map(|item| {
                let (start, act) = (&start, &act);
                scope.spawn(move || {
                    start.wait();
                    act(item)
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().expect("no thread of the story panics"))
            .collect()
    })
}

fn permits(breaker: &Breaker, count: u32) -> Vec<Permit<'_, ManualClock>> {
    (0..count).map(|_| breaker.try_acquire().expect("this call is granted")).collect()
}
