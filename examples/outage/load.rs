//! One side of the comparison: an open-loop load, a rayon pool, an HTTP client, and perhaps a breaker.
//!
//! Requests arrive by the schedule, whether or not earlier ones have been answered, and their latency counts from
//! that scheduled arrival: neither a late dispatcher nor a long queue can hide.
//! Both sides run this same code; only [`Side::guard`] differs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use failfast::{CircuitBreaker, Outcome, OwnedPermit, State};
use rayon::{ThreadPool, ThreadPoolBuilder};
use ureq::Agent;

use crate::scenario::{self, CLIENT_TIMEOUT, PATIENCE, WORKERS};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// A good answer while the caller was still waiting.
    Served,
    /// The breaker refused at the door; the pool never saw the request.
    Refused,
    /// Admitted, but the breaker had opened by the time a worker took it up, and no call was made.
    GivenUp,
    /// A good answer after the caller's patience.
    Late,
    /// A bad answer, or a connection reset.
    Failed,
    /// No answer before the client's time-out.
    TimedOut,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// When it should have arrived, since the start of the run.
    pub(crate) arrival: Duration,
    /// From there to its end.
    pub(crate) latency: Duration,
    /// How it ended.
    pub(crate) answer: Answer,
}

impl Record {
    /// When it ended.
    pub(crate) fn end(&self) -> Duration {
        self.arrival + self.latency
    }
}

/// One side: pool, client, counters, and the breaker if this side has one.
pub(crate) struct Side {
    guard: Option<Arc<CircuitBreaker>>,
    pool: ThreadPool,
    agent: Agent,
    url: String,
    busy: AtomicUsize,
    waiting: AtomicUsize,
    records: Mutex<Vec<Record>>,
    /// What each refusal at the door cost the caller.
    refusals: Mutex<Vec<Duration>>,
}

impl Side {
    /// Sets up a side that calls `url`.
    ///
    /// # Errors
    ///
    /// In words, when the system gives no threads.
    pub(crate) fn new(
        name: &'static str,
        url: String,
        guard: Option<Arc<CircuitBreaker>>,
    ) -> Result<Arc<Side>, String> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(WORKERS)
            .thread_name(move |index| format!("{name}-{index}"))
            .build()
            .map_err(|error| format!("cannot start the {name} pool: {error}"))?;
        // No global time-out: under one the client starts a thread for every look-up of the host's name. Connecting
        // on loopback takes no time, so the one for the answer is what a call waits.
        let agent = Agent::config_builder()
            .proxy(None)
            .timeout_connect(Some(CLIENT_TIMEOUT))
            .timeout_recv_response(Some(CLIENT_TIMEOUT))
            .timeout_recv_body(Some(CLIENT_TIMEOUT))
            .max_idle_connections(WORKERS)
            .max_idle_connections_per_host(WORKERS)
            .build()
            .new_agent();
        let expected = scenario::arrivals() as usize;
        Ok(Arc::new(Side {
            guard,
            pool,
            agent,
            url,
            busy: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            records: Mutex::new(Vec::with_capacity(expected)),
            refusals: Mutex::new(Vec::with_capacity(expected)),
        }))
    }

    /// Sends the whole load by its schedule; returns after the last arrival.
    pub(crate) fn run(self: &Arc<Self>, start: Instant) {
        for index in 0..scenario::arrivals() {
            let arrival = scenario::arrival(index);
            let early = arrival.saturating_sub(start.elapsed());
            if !early.is_zero() {
                thread::sleep(early);
            }
            self.offer(start, arrival);
        }
    }

    /// A request arrives: it is refused here, or queued for a worker.
    ///
    /// The breaker is asked before the pool, so that a refusal costs the pool nothing; the permit travels with the
    /// job, and the worker reports through it.
    fn offer(self: &Arc<Self>, start: Instant, arrival: Duration) {
        let permit = match &self.guard {
            None => None,
            Some(breaker) => {
                let asked = Instant::now();
                match breaker.try_acquire_owned() {
                    Ok(permit) => Some(permit),
                    Err(_rejected) => {
                        let cost = asked.elapsed();
                        lock(&self.refusals).push(cost);
                        self.finish(start, arrival, Answer::Refused);
                        return;
                    }
                }
            }
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let side = Arc::clone(self);
        self.pool.spawn(move || {
            side.waiting.fetch_sub(1, Ordering::Relaxed);
            let answer = side.work(permit, start, arrival);
            side.finish(start, arrival, answer);
        });
    }

    /// A worker takes the request up.
    fn work(&self, permit: Option<OwnedPermit>, start: Instant, arrival: Duration) -> Answer {
        let Some(permit) = permit else {
            return self.call(start, arrival);
        };
        // The permit may have waited in the queue for longer than its generation lasted. A second look costs
        // nanoseconds; the call that it saves would cost a worker its time-out.
        if permit.breaker().state() == State::Open {
            permit.ignore();
            return Answer::GivenUp;
        }
        let answer = self.call(start, arrival);
        permit.record(match answer {
            Answer::Failed | Answer::TimedOut => Outcome::Failure,
            // Late for the caller, because it queued; the backend did its work.
            _ => Outcome::Success,
        });
        answer
    }

    /// The call itself, the same on both sides.
    fn call(&self, start: Instant, arrival: Duration) -> Answer {
        self.busy.fetch_add(1, Ordering::Relaxed);
        let result = self
            .agent
            .get(&self.url)
            .call()
            // The body is read to its end so that the connection can be used again.
            .and_then(|mut response| response.body_mut().read_to_vec());
        self.busy.fetch_sub(1, Ordering::Relaxed);
        match result {
            Ok(_) if start.elapsed().saturating_sub(arrival) > PATIENCE => Answer::Late,
            Ok(_) => Answer::Served,
            Err(ureq::Error::Timeout(_)) => Answer::TimedOut,
            Err(_) => Answer::Failed,
        }
    }

    fn finish(&self, start: Instant, arrival: Duration, answer: Answer) {
        let latency = start.elapsed().saturating_sub(arrival);
        lock(&self.records).push(Record { arrival, latency, answer });
    }

    // ===== what the others read =====

    /// Workers that are in a call now.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Requests that wait for a worker now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Requests that have ended.
    pub(crate) fn ended(&self) -> usize {
        lock(&self.records).len()
    }

    /// The requests that ended at `from` or later.
    pub(crate) fn recent(&self, from: Duration) -> Vec<Record> {
        // Records come nearly in the order of their ends; looking back a little further makes it all of them.
        const SLACK: Duration = Duration::from_millis(100);
        lock(&self.records)
            .iter()
            .rev()
            .take_while(|record| record.end() + SLACK >= from)
            .filter(|record| record.end() >= from)
            .copied()
            .collect()
    }

    /// All requests that have ended, in the order of their arrival.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = lock(&self.records).clone();
        records.sort_by_key(|record| record.arrival);
        records
    }

    /// What each refusal at the door cost.
    pub(crate) fn refusals(&self) -> Vec<Duration> {
        lock(&self.refusals).clone()
    }
}

/// No holder of these locks can leave the list half changed, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
