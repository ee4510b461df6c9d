//! What a story is: calls that a thread may be frozen in, what the others do meanwhile, and the books at rest.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use crossbeam_utils::CachePadded;
use failfast::clock::ManualClock;
use failfast::{Outcome, Recorded};

use crate::signal::{self, PLACES};

/// Threads that are never frozen and work while others are.
pub(crate) const RUNNERS: usize = 2;

pub(crate) type Breaker = failfast::CircuitBreaker<ManualClock>;

/// One row of the table.
pub(crate) trait Story: Sync {
    /// Window and state.
    fn title(&self) -> (&'static str, &'static str);

    /// One operation of a thread that may be frozen in it.
    fn step(&self, hand: &mut Hand<'_>);

    /// What a runner does while others stand frozen; says how many operations that were.
    fn burst(&self, runner: usize, hand: &mut Hand<'_>) -> u64;

    /// Everybody is at rest: holds the breaker against what the hands have counted.
    fn at_rest(&self, round: u64, books: &Books);
}

/// What one thread has done, written by it alone.
#[derive(Default)]
pub(crate) struct Page {
    counts: [AtomicU64; 4],
}

/// What all threads have done, and what was wrong.
pub(crate) struct Books {
    pages: Vec<CachePadded<Page>>,
    faults: Mutex<Vec<String>>,
}

/// Outcomes that were reported and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
    pub(crate) slow_failures: u64,
}

impl Books {
    pub(crate) fn new() -> Self {
        let pages = (0..PLACES + RUNNERS).map(|_| CachePadded::default()).collect();
        Books { pages, faults: Mutex::new(Vec::new()) }
    }

    pub(crate) fn hand(&self, place: usize) -> Hand<'_> {
        let random = 0x9e37_79b9_7f4a_7c15 ^ (place as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
        Hand { place, random, calls: 0, page: &self.pages[place], books: self }
    }

    /// What was counted since the last clearing; at rest.
    pub(crate) fn counted(&self) -> Counted {
        let sum = |index: usize| -> u64 {
            self.pages.iter().map(|page| page.counts[index].load(Ordering::Relaxed)).sum()
        };
        let [good, failed, slow, slow_failed] = [0, 1, 2, 3].map(sum);
        Counted {
            calls: good + failed + slow + slow_failed,
            failures: failed + slow_failed,
            slow: slow + slow_failed,
            slow_failures: slow_failed,
        }
    }

    /// Begins anew; at rest.
    pub(crate) fn clear(&self) {
        for count in self.pages.iter().flat_map(|page| &page.counts) {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Notes what should not be; the controller ends the story at the next round.
    pub(crate) fn expect(&self, holds: bool, law: impl FnOnce() -> String) {
        if !holds {
            let mut faults = self.faults.lock().expect("nobody panics with the faults");
            if faults.len() < 5 {
                faults.push(law());
            }
        }
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("nobody panics with the faults").clone()
    }
}

/// One thread's part in a story.
pub(crate) struct Hand<'a> {
    place: usize,
    random: u64,
    /// Numbers this thread's calls.
    calls: u64,
    page: &'a Page,
    pub(crate) books: &'a Books,
}

impl Hand<'_> {
    /// Runs a call of the breaker.
    #[inline(always)]
    pub(crate) fn inside<T>(&self, call: impl FnOnce() -> T) -> T {
        match self.place {
            victim if victim < PLACES => signal::inside(victim, call),
            _ => call(),
        }
    }

    #[inline]
    pub(crate) fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// A number below `end`, as good as random.
    #[inline]
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % end
    }

    /// Notes a report.
    #[inline]
    pub(crate) fn note(&self, outcome: Outcome, slow: bool, recorded: Recorded) {
        if recorded == Recorded::Counted && outcome != Outcome::Ignored {
            let index = usize::from(outcome == Outcome::Failure) + 2 * usize::from(slow);
            let count = &self.page.counts[index];
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }
}
