//! Whether the machine let this program run. What is measured in real time proves nothing where it did not.
//!
//! A thread sleeps for a few milliseconds again and again, and notes by how much it has overslept. Where a core is free
//! for whoever is ready, that is next to nothing; where others have the cores, or a hypervisor does, it is what every
//! other thread of this program has had to wait as well.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two beats.
const BEAT: Duration = Duration::from_millis(5);
/// What a machine that has nothing else to do never oversleeps by: the shortest time-outs here are some times as long.
const LONGEST: Duration = Duration::from_millis(50);
/// Out of a hundred beats one may be late by so much at most.
const RARE: Duration = Duration::from_millis(10);

/// A pulse that is being felt, until it is [read](Pulse::read).
pub(crate) struct Pulse {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

/// How late the beats were.
pub(crate) struct Beats {
    longest: Duration,
    rare: Duration,
}

impl Pulse {
    /// Begins to feel it.
    pub(crate) fn feel() -> Pulse {
        let over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut late = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    thread::sleep(BEAT);
                    late.push(begun.elapsed().saturating_sub(BEAT));
                }
                late
            }
        });
        Pulse { over, thread }
    }

    /// What it was from the beginning until now.
    pub(crate) fn read(self) -> Beats {
        self.over.store(true, Ordering::Relaxed);
        let mut late = self.thread.join().unwrap_or_default();
        late.sort_unstable();
        let longest = late.last().copied().unwrap_or_default();
        let rare = late.get(late.len() * 99 / 100).copied().unwrap_or_default();
        Beats { longest, rare }
    }
}

impl Beats {
    /// Whether there was always a core for whoever was ready.
    pub(crate) fn are_steady(&self) -> bool {
        self.longest < LONGEST && self.rare < RARE
    }
}

impl fmt::Display for Beats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (rare, longest) = (ms(self.rare), ms(self.longest));
        write!(f, "who was ready waited for a core for {rare:.0} ms one time in a hundred, and once for {longest:.0} ms")
    }
}
