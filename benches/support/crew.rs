//! The threads that do the work: they live as long as the bench, meet at barriers, and time only what all do at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::subject::{Batch, Subject};

/// Threads that live as long as the bench: a breaker that numbers its threads has them all registered, and no batch
/// pays for a thread's birth.
pub(super) struct Crew {
    orders: Vec<Sender<Order>>,
    results: Receiver<BatchTime>,
}

/// What a batch took, or of one thread's part in it.
#[derive(Clone, Copy, Default)]
pub(super) struct BatchTime {
    pub(super) slowest: Duration,
    /// Another program took a core away meanwhile, so that the threads may have run one after the other.
    pub(super) disturbed: bool,
}

struct Order {
    batch: Batch,
    /// How many calls are timed; none of a thread that is only there for its load.
    calls: Option<u64>,
    stride: u64,
    meeting: Arc<Meeting>,
}

/// Where the threads of a batch wait for each other, at work: a thread that has just slept runs late and cold, and one
/// that is left over at the end has the breaker to itself.
struct Meeting {
    barrier: Barrier,
    at_work: AtomicUsize,
    done: AtomicUsize,
    threads: usize,
}

/// Untimed calls between two looks at the meeting.
const STRIDE: u64 = 1_000;

impl Crew {
    pub(super) fn new(size: usize) -> Self {
        let (report, results) = channel();
        let orders = (0..size)
            .map(|_| {
                let (give, orders) = channel::<Order>();
                let report = report.clone();
                thread::spawn(move || {
                    for order in orders {
                        if report.send(order.work()).is_err() {
                            return;
                        }
                    }
                });
                give
            })
            .collect();
        Crew { orders, results }
    }

    /// Has `threads` threads run so many calls of the subject at once.
    pub(super) fn run(&self, threads: usize, subject: &Subject, calls: u64) -> BatchTime {
        let meeting = Arc::new(Meeting {
            barrier: Barrier::new(threads),
            at_work: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            threads,
        });
        for (index, orders) in self.orders[..threads].iter().enumerate() {
            let (batch, timed) = match &subject.load {
                Some(load) if index > 0 => (load, None),
                _ => (&subject.batch, Some(calls)),
            };
            let order = Order {
                batch: Arc::clone(batch),
                calls: timed,
                stride: STRIDE.min(calls),
                meeting: Arc::clone(&meeting),
            };
            orders.send(order).expect("a bench thread has ended");
        }
        (0..threads).map(|_| self.results.recv().expect("a bench thread has ended")).fold(
            BatchTime::default(),
            |whole, part| BatchTime {
                slowest: whole.slowest.max(part.slowest),
                disturbed: whole.disturbed || part.disturbed,
            },
        )
    }
}

impl Order {
    /// Every timed call of every thread runs while all the others are at work too.
    fn work(self) -> BatchTime {
        self.meeting.barrier.wait();
        let preempted = times_preempted();
        self.work_until_all(&self.meeting.at_work);
        let slowest = self.calls.map_or(Duration::ZERO, |calls| {
            let begin = Instant::now();
            (self.batch)(calls);
            begin.elapsed()
        });
        self.work_until_all(&self.meeting.done);
        let disturbed = times_preempted() != preempted;
        self.meeting.barrier.wait();
        BatchTime { slowest, disturbed }
    }

    fn work_until_all(&self, arrived: &AtomicUsize) {
        (self.batch)(self.stride);
        arrived.fetch_add(1, Ordering::Relaxed);
        while arrived.load(Ordering::Relaxed) < self.meeting.threads {
            (self.batch)(self.stride);
        }
    }
}

/// How often this thread was made to give up its core, where the system tells.
fn times_preempted() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/thread-self/status") else {
        return 0;
    };
    let count = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}
