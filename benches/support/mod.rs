//! What every bench shares: subjects, threads that live as long as the bench, and the table of ratios.
//!
//! A *subject* is a loop to be timed. It is measured twice: by criterion, for its reports and its history, and by the
//! table below, which is what the cost bounds are about. Ratios are only worth something between neighbours, so the
//! table measures all subjects in rounds, one batch each, starting with another subject every round, and quotes
//! medians over the rounds of figures formed within a round.
//!
//! *Net* is less the empty loop of the same round and number of threads. A figure for several threads is the time of
//! the slowest of them for one of its own operations.
//!
//! `cargo bench --bench closed_path` runs both, `-- --quick` both in short, `-- table` the table alone (no criterion
//! benchmark has that name), `-- --test` every subject once.

#![allow(dead_code, reason = "each bench uses its part")]

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};

pub(crate) mod baseline;
mod table;

/// A timed loop: runs its body so many times.
type Batch = Arc<dyn Fn(u64) + Send + Sync>;

/// Something to measure.
pub(crate) struct Subject {
    name: &'static str,
    batch: Batch,
    /// The subject that is the same loop without a body.
    empty: &'static str,
    beside: Option<Beside>,
}

const EMPTY: &str = "empty loop";
const EMPTY_HUNDREDTH: &str = "empty loop, every 100th apart";

/// The empty loops that these subjects need.
fn empty_loops(subjects: &[Subject]) -> Vec<Subject> {
    let body = || {
        // Bodies show their result to the optimiser in the same way.
        black_box(0_u8);
    };
    let mut loops =
        vec![Subject::new(EMPTY, body), Subject::with_hundredth(EMPTY_HUNDREDTH, body, body)];
    loops.retain(|empty| subjects.iter().any(|subject| subject.empty == empty.name));
    loops
}

/// What a subject is compared with, by name, net to net, and what the contract allows.
enum Beside {
    /// As a multiple of the other; the bounds are for one thread and for more.
    Ratio { to: &'static str, bounds: Option<(f64, f64)> },
    /// As nanoseconds above the other.
    Excess { over: &'static str, bound: f64 },
}

impl Subject {
    /// Measures `body`, called over and over.
    pub(crate) fn new(name: &'static str, body: impl Fn() + Send + Sync + 'static) -> Self {
        // A body stands at one place of its loop, so that it is compiled into it; the dynamic call is paid once a
        // batch.
        let batch = move |calls| {
            for _ in 0..calls {
                body();
            }
        };
        Subject { name, batch: Arc::new(batch), empty: EMPTY, beside: None }
    }

    /// Measures `body` with `hundredth` in the place of every hundredth call.
    pub(crate) fn with_hundredth(
        name: &'static str,
        body: impl Fn() + Send + Sync + 'static,
        hundredth: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let batch = move |calls| {
            let mut left = 100_u32;
            for _ in 0..calls {
                left -= 1;
                if left == 0 {
                    left = 100;
                    hundredth();
                } else {
                    body();
                }
            }
        };
        Subject { name, batch: Arc::new(batch), empty: EMPTY_HUNDREDTH, beside: None }
    }

    /// Shows the ratio to another subject.
    pub(crate) fn against(mut self, to: &'static str) -> Self {
        self.beside = Some(Beside::Ratio { to, bounds: None });
        self
    }

    /// Shows the ratio to another subject, and whether it keeps its bound: `alone` on one thread, `shared` on more.
    pub(crate) fn at_most(mut self, to: &'static str, alone: f64, shared: f64) -> Self {
        let bounds = Some((alone, shared));
        self.beside = Some(Beside::Ratio { to, bounds });
        self
    }

    /// Shows the nanoseconds above another subject, and whether they keep their bound.
    pub(crate) fn at_most_beyond(mut self, over: &'static str, bound: f64) -> Self {
        self.beside = Some(Beside::Excess { over, bound });
        self
    }
}

/// How thorough the run is, read from the flags that criterion understands too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// `--list` or `--profile-time`: there is no table.
    None,
    /// `--test`, or `cargo test --benches`: every subject runs, the figures mean nothing.
    Once,
    Quick,
    Full,
}

impl Effort {
    fn from_args() -> Self {
        let given = |flag: &str| std::env::args().any(|arg| arg == flag);
        if given("--list") || given("--profile-time") {
            Effort::None
        } else if given("--test") || !given("--bench") {
            // Cargo passes `--bench` to a bench and nothing to a test; criterion decides by the same sign.
            Effort::Once
        } else if given("--quick") {
            Effort::Quick
        } else {
            Effort::Full
        }
    }

    const fn rounds(self) -> usize {
        match self {
            Effort::None => 0,
            Effort::Once => 1,
            Effort::Quick => 41,
            Effort::Full => 201,
        }
    }

    /// How long a batch shall take: long against the reading of a clock, short against the milliseconds after which
    /// another program gets its turn.
    const fn batch(self) -> Duration {
        match self {
            Effort::None | Effort::Once => Duration::from_micros(10),
            Effort::Quick => Duration::from_millis(1),
            Effort::Full => Duration::from_millis(2),
        }
    }
}

/// Runs one bench program: criterion's benchmarks, then the table, the empty loops first.
pub(crate) fn run(title: &str, mut subjects: Vec<Subject>) {
    subjects.splice(..0, empty_loops(&subjects));
    let effort = Effort::from_args();
    let crew = Crew::new(cores());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group(title);
    for subject in &subjects {
        for threads in sweep() {
            group.bench_function(BenchmarkId::new(subject.name, threads), |bencher| {
                bencher.iter_custom(|calls| crew.run(threads, &subject.batch, calls).slowest);
            });
        }
    }
    group.finish();
    criterion.final_summary();
    if effort != Effort::None {
        table::print(title, &subjects, &crew, effort);
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// One thread, two, four and so on, and as many as there are cores.
fn sweep() -> Vec<usize> {
    let cores = cores();
    let mut counts: Vec<usize> = (0..).map(|power| 1 << power).take_while(|n| *n < cores).collect();
    counts.push(cores);
    counts
}

/// Threads that live as long as the bench: a breaker that numbers its threads has them all registered, and no batch
/// pays for a thread's birth.
struct Crew {
    orders: Vec<Sender<Order>>,
    results: Receiver<BatchTime>,
}

/// What a batch took, or of one thread's part in it.
#[derive(Clone, Copy, Default)]
struct BatchTime {
    slowest: Duration,
    /// Another program took a core away meanwhile, so that the threads may have run one after the other.
    disturbed: bool,
}

struct Order {
    batch: Batch,
    calls: u64,
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
    fn new(size: usize) -> Self {
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

    /// Has `threads` threads run the batch at once.
    fn run(&self, threads: usize, batch: &Batch, calls: u64) -> BatchTime {
        let meeting = Arc::new(Meeting {
            barrier: Barrier::new(threads),
            at_work: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            threads,
        });
        for orders in &self.orders[..threads] {
            let order = Order { batch: Arc::clone(batch), calls, meeting: Arc::clone(&meeting) };
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
        let begin = Instant::now();
        (self.batch)(self.calls);
        let slowest = begin.elapsed();
        self.work_until_all(&self.meeting.done);
        let disturbed = times_preempted() != preempted;
        self.meeting.barrier.wait();
        BatchTime { slowest, disturbed }
    }

    fn work_until_all(&self, arrived: &AtomicUsize) {
        (self.batch)(STRIDE.min(self.calls));
        arrived.fetch_add(1, Ordering::Relaxed);
        while arrived.load(Ordering::Relaxed) < self.meeting.threads {
            (self.batch)(STRIDE.min(self.calls));
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
