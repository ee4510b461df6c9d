//! The thread-pool bulkhead: stories, a plain twin, threads, and a dependency that hangs beside two that do not.
//!
//! Calls hang until the test lets them go. A timeout here is far longer than the test, or so short that it is over
//! before the test lets go; nothing depends on how long anything takes.

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use failfast::clock::ManualClock;
use failfast::{
    BulkheadReason, CircuitBreaker, Deadline, HalfOpen, IsolatedPool, Outcome, PoolBuilder,
    PoolError, PoolTimeout, Shutdown, Snapshot, State, StillRunning, Window,
};
use proptest::prelude::*;

/// Far more than anything here waits for; a test that needs it is broken.
const LONG: Duration = Duration::from_secs(60);
/// Is over while the test holds the call back.
const BRIEF: Duration = Duration::from_millis(5);

type Breaker = Arc<CircuitBreaker<ManualClock>>;
type Pool = Arc<IsolatedPool<ManualClock>>;

/// A breaker that counts and never trips.
fn counting() -> Breaker {
    let builder = CircuitBreaker::builder().window(Window::count(20_000));
    let breaker = builder.clock(ManualClock::new()).build().unwrap();
    breaker.metrics_only();
    Arc::new(breaker)
}

fn small(threads: u32, queue: u32) -> PoolBuilder {
    IsolatedPool::builder().name("payment").threads(threads).queue(queue)
}

fn pool(threads: u32, queue: u32, breaker: &Breaker) -> Pool {
    Arc::new(small(threads, queue).breaker(Arc::clone(breaker)).build().unwrap())
}

/// Calls and failures that it has counted.
fn counts(breaker: &Breaker) -> (u64, u64) {
    let Snapshot { calls, failures, .. } = breaker.snapshot();
    (calls, failures)
}

fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < LONG, "it never comes");
        thread::yield_now();
    }
}

/// Tells when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Dropped {
    fn new() -> (Self, Arc<AtomicBool>) {
        let flag = Arc::new(AtomicBool::new(false));
        (Dropped(Arc::clone(&flag)), flag)
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A call that says when it begins, and ends when it is told how, with an error if nobody is there to tell.
fn held_back() -> (impl FnOnce() -> Result<u32, &'static str> + Send, Held) {
    let (say, begun) = channel();
    let (end, told) = channel();
    let call = move || {
        let _ = say.send(());
        match told.recv() {
            Ok(answer) => Ok(answer),
            Err(_) => Err("let go"),
        }
    };
    (call, Held { begun, end })
}

struct Held {
    begun: Receiver<()>,
    end: Sender<u32>,
}

/// A caller with all the time in the world, whose call has begun.
fn occupy(pool: &Pool) -> (Sender<u32>, JoinHandle<Result<u32, PoolError<&'static str>>>) {
    let (call, Held { begun, end }) = held_back();
    let same = Arc::clone(pool);
    let caller = thread::spawn(move || same.call(LONG, call));
    begun.recv_timeout(LONG).expect("a thread is free");
    (end, caller)
}

/// Lets calls run into their timeout until one has begun by then, which on a busy machine takes several. Those before it
/// never run.
fn until_begun<T, F>(pool: &Pool, mut make: impl FnMut() -> (F, Held)) -> Held
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, &'static str> + Send + 'static,
{
    for attempt in 1.. {
        let (call, held) = make();
        let Err(error) = pool.call(BRIEF * attempt, call) else { panic!("it was held back") };
        assert!(error.is_timeout(), "{error}");
        if error.has_begun() {
            held.begun.recv().expect("it has begun");
            return held;
        }
        assert!(held.begun.recv().is_err(), "what never runs is dropped");
        until(|| pool.in_use() == 0);
    }
    unreachable!("some attempt begins in time")
}

// ===== what must not change unnoticed =====

#[test]
fn pools_are_shared_and_their_errors_are_small() {
    fn shared_for_ever<T: Send + Sync + 'static>() {}
    fn error<T: Error + Copy + Eq + Send + Sync + 'static>() {}
    shared_for_ever::<IsolatedPool>();
    shared_for_ever::<IsolatedPool<ManualClock>>();
    shared_for_ever::<PoolError<std::io::Error>>();
    error::<PoolError<std::fmt::Error>>();
    error::<PoolTimeout>();
    error::<StillRunning>();
    assert!(size_of::<PoolError<()>>() <= 24);
    let breaker = counting();
    breaker.force_open();
    let open: PoolError<std::fmt::Error> = breaker.try_acquire().unwrap_err().into();
    let inner = PoolError::Inner(std::fmt::Error);
    for (error, says, has_source) in [
        (open, "circuit breaker is forced open", true),
        (PoolError::Inside, "pool was called from one of its own threads", false),
        (PoolError::ShutDown, "pool has been shut down", false),
        (inner, &std::fmt::Error.to_string(), true),
    ] {
        assert_eq!((error.to_string().as_str(), error.source().is_some()), (says, has_source));
        assert_eq!(error.has_begun(), error == inner);
        assert_eq!(error.into_inner().is_some(), error == inner);
    }
}

// ===== settings =====

#[test]
fn settings_that_are_no_pool_are_refused_by_name() {
    type Set = fn(PoolBuilder) -> PoolBuilder;
    let wrong: [(&str, &str, Set); 5] = [
        ("threads", "0", |builder| builder.threads(0)),
        ("threads", "1025", |builder| builder.threads(1_025)),
        ("threads", "4294967295", |builder| builder.threads(u32::MAX)),
        ("queue", "1000001", |builder| builder.queue(1_000_001)),
        ("name", "\"a\\0b\"", |builder| builder.name("a\0b")),
    ];
    for (field, given, set) in wrong {
        let error = set(IsolatedPool::builder()).build().unwrap_err();
        assert_eq!((error.field(), error.given()), (field, given));
    }
    let pool = IsolatedPool::builder().threads(1).queue(1_000_000).build().unwrap();
    assert_eq!((pool.threads(), pool.queue(), pool.in_use()), (1, 1_000_000, 0));
    let pool = IsolatedPool::builder().build().unwrap();
    assert_eq!((pool.name(), pool.threads(), pool.queue()), ("isolated", 10, 0));
    assert!(pool.breaker().is_none());
}

// ===== ends in time =====

#[test]
fn results_come_back_and_are_recorded_before_the_call_returns() {
    let breaker = counting();
    let pool = pool(2, 2, &breaker);
    let name = pool.call(LONG, || Ok::<_, ()>(thread::current().name().map(str::to_owned)));
    assert!(name.unwrap().is_some_and(|name| name.starts_with("payment-")));
    assert_eq!(counts(&breaker), (1, 0));
    let failed: Result<(), _> = pool.call(LONG, || Err("declined"));
    assert_eq!(failed, Err(PoolError::Inner("declined")));
    assert!(failed.unwrap_err().has_begun());
    assert_eq!(counts(&breaker), (2, 1));
    for number in 0..500_u64 {
        let result =
            pool.call(LONG, move || if number % 2 == 0 { Ok(number) } else { Err(number) });
        assert_eq!(result.is_ok(), number % 2 == 0);
        assert_eq!(counts(&breaker), (3 + number, 1 + number.div_ceil(2)));
        assert_eq!(pool.in_use(), 0, "a call that has returned holds no place");
    }
}

#[test]
fn classifier_decides_what_an_outcome_is() {
    let breaker = counting();
    let pool = pool(1, 0, &breaker);
    for (outcome, expected) in
        [(Outcome::Ignored, (0, 0)), (Outcome::Failure, (1, 1)), (Outcome::Success, (2, 1))]
    {
        let result = pool.call_with(LONG, move |_| outcome, || Ok::<_, ()>(7));
        assert_eq!(result, Ok(7));
        assert_eq!(counts(&breaker), expected, "{outcome:?}");
    }
}

#[test]
fn panic_is_a_failure_and_goes_on_in_the_caller() {
    let breaker = counting();
    let pool = pool(1, 0, &breaker);
    let call = || -> Result<(), ()> { panic!("in the call") };
    let carried = catch_unwind(AssertUnwindSafe(|| pool.call(LONG, call))).unwrap_err();
    assert_eq!(carried.downcast_ref::<&str>(), Some(&"in the call"));
    assert_eq!(counts(&breaker), (1, 1));
    let judge = |_: &Result<(), ()>| -> Outcome { panic!("in the judge") };
    let judged = || pool.call_with(LONG, judge, || Ok(()));
    let carried = catch_unwind(AssertUnwindSafe(judged)).unwrap_err();
    assert_eq!(carried.downcast_ref::<&str>(), Some(&"in the judge"));
    assert_eq!(counts(&breaker), (2, 2));
    assert_eq!(pool.call(LONG, || Ok::<_, ()>("alive")), Ok("alive"));
}

// ===== time =====

#[test]
fn late_call_is_one_failure_at_its_timeout_and_its_end_is_dropped() {
    let breaker = counting();
    let pool = pool(1, 0, &breaker);
    let mut timeouts = 0;
    let held = until_begun(&pool, || {
        timeouts += 1;
        held_back()
    });
    assert_eq!(counts(&breaker), (timeouts, timeouts), "recorded when the time was over");
    assert_eq!(pool.in_use(), 1, "it still has its thread and its place");
    held.end.send(7).unwrap();
    until(|| pool.in_use() == 0);
    assert_eq!(counts(&breaker), (timeouts, timeouts), "a late success is nothing");
    assert_eq!(pool.call(LONG, || Ok::<_, ()>("next")), Ok("next"));
}

#[test]
fn late_values_and_late_panics_are_dropped_on_the_pool() {
    let pool = pool(1, 0, &counting());
    for panics in [false, true] {
        let dropped = Arc::new(AtomicBool::new(false));
        let held = until_begun(&pool, || {
            let (call, held) = held_back();
            let late = Arc::clone(&dropped);
            let late = move || {
                let late = call().map(|_| Dropped(late));
                assert!(!panics, "too late to be heard");
                late
            };
            (late, held)
        });
        held.end.send(1).unwrap();
        until(|| dropped.load(Ordering::SeqCst) && pool.in_use() == 0);
        assert_eq!(pool.call(LONG, || Ok::<_, ()>("alive")), Ok("alive"));
    }
}

/// One that panics when it is dropped, with a payload that does so too.
struct Vicious;

impl Drop for Vicious {
    fn drop(&mut self) {
        if !thread::panicking() {
            std::panic::panic_any(Vicious);
        }
    }
}

#[test]
fn late_value_that_panics_when_dropped_harms_nobody() {
    let pool = pool(1, 0, &counting());
    let held = until_begun(&pool, || {
        let (call, held) = held_back();
        (move || call().map(|_| Vicious), held)
    });
    held.end.send(1).unwrap();
    until(|| pool.in_use() == 0);
    assert_eq!(pool.call(LONG, || Ok::<_, ()>("alive")), Ok("alive"));
}

#[test]
fn call_that_is_queued_when_its_time_is_over_never_runs() {
    let breaker = counting();
    let pool = pool(1, 1, &breaker);
    let (end, caller) = occupy(&pool);
    let (captured, dropped) = Dropped::new();
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let error = pool.call(BRIEF, move || {
        runs.store(true, Ordering::SeqCst);
        drop(captured);
        Ok::<(), ()>(())
    });
    let error = error.unwrap_err();
    assert!(error.is_timeout() && !error.has_begun());
    assert_eq!(counts(&breaker), (1, 1), "a failure, at this moment");
    assert!(dropped.load(Ordering::SeqCst), "what it held is free");
    assert_eq!(pool.in_use(), 2, "its place is held until a thread gets to it");
    let full = pool.call(LONG, || Ok::<(), ()>(())).unwrap_err();
    assert!(full.is_full());
    end.send(1).unwrap();
    assert_eq!(caller.join().unwrap(), Ok(1));
    until(|| pool.in_use() == 0);
    assert!(!ran.load(Ordering::SeqCst), "it never runs");
    assert_eq!(counts(&breaker), (2, 1));
}

#[test]
fn no_time_at_all_asks_and_records_nothing() {
    let breaker = counting();
    let pool = pool(1, 0, &breaker);
    let clock = ManualClock::new();
    let over = Deadline::after_on(clock.clone(), Duration::ZERO);
    let calls = [
        pool.call(Duration::ZERO, || Ok::<(), ()>(())),
        pool.call_until(&over, || Ok::<(), ()>(())),
    ];
    for refused in calls {
        let error = refused.unwrap_err();
        assert!(error.is_timeout() && !error.has_begun());
    }
    assert_eq!(counts(&breaker), (0, 0));
}

#[test]
fn deadlines_say_how_long_a_call_may_take() {
    let pool = pool(1, 1, &counting());
    let never = Deadline::never();
    assert_eq!(pool.call_until(&never, || Ok::<_, ()>(1)), Ok(1));
    assert_eq!(pool.call(Duration::MAX, || Ok::<_, ()>(2)), Ok(2));
    let (end, caller) = occupy(&pool);
    let begun = Instant::now();
    let late = pool.call_until(&never.within(BRIEF), || Ok::<_, ()>(1));
    assert!(late.unwrap_err().is_timeout() && begun.elapsed() >= BRIEF);
    drop(end);
    assert_eq!(caller.join().unwrap(), Err(PoolError::Inner("let go")));
}

// ===== refusals =====

#[test]
fn full_is_no_failure_of_the_dependency() {
    let breaker = counting();
    let pool = pool(2, 0, &breaker);
    let callers = [occupy(&pool), occupy(&pool)];
    let full = pool.call(LONG, || Ok::<(), ()>(())).unwrap_err();
    let PoolError::Full(why) = full else { panic!("{full:?}") };
    assert_eq!((why.reason(), why.in_use()), (BulkheadReason::NoPlace, 2));
    assert!(full.is_full() && !full.has_begun() && full.retry_after().is_none());
    assert_eq!(counts(&breaker), (0, 0));
    for (number, (end, caller)) in callers.into_iter().enumerate() {
        end.send(number as u32).unwrap();
        assert_eq!(caller.join().unwrap(), Ok(number as u32));
    }
    assert_eq!((counts(&breaker), pool.in_use()), ((2, 0), 0));
}

#[test]
fn open_breaker_refuses_without_a_look_at_the_pool() {
    let breaker = counting();
    let pool = pool(1, 0, &breaker);
    let (end, caller) = occupy(&pool);
    breaker.trip();
    let refused = pool.call(LONG, || Ok::<(), ()>(())).unwrap_err();
    assert_eq!(refused.rejected().map(|rejected| rejected.state()), Some(State::Open));
    assert!(refused.retry_after().is_some(), "and says when to come back, full as the pool is");
    assert_eq!(pool.in_use(), 1);
    end.send(1).unwrap();
    assert_eq!(caller.join().unwrap(), Ok(1), "its report is of a generation that is over");
    assert_eq!((breaker.state(), counts(&breaker)), (State::Open, (0, 0)));
}

#[test]
fn call_from_inside_is_refused_and_one_to_another_pool_is_not() {
    let breaker = counting();
    let (payment, fraud) = (pool(2, 2, &breaker), pool(1, 0, &counting()));
    let (same, other) = (Arc::clone(&payment), Arc::clone(&fraud));
    let answers = payment.call(LONG, move || {
        let inside = same.call(LONG, || Ok::<(), ()>(())).unwrap_err();
        let outside = other.call(LONG, || Ok::<_, ()>(7));
        Ok::<_, ()>((inside, outside))
    });
    assert_eq!(answers, Ok((PoolError::Inside, Ok(7))));
    assert_eq!(counts(&breaker), (1, 0), "the refusal counts nowhere");
}

// ===== half-open =====

/// Half-open after a trip, with one probe.
fn probing() -> (Breaker, Pool) {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().half_open(HalfOpen::probes(1)).clock(clock.clone());
    let breaker = Arc::new(builder.build().unwrap());
    breaker.trip();
    clock.advance(breaker.try_acquire().unwrap_err().retry_after().unwrap());
    let pool = pool(1, 0, &breaker);
    (breaker, pool)
}

#[test]
fn probe_goes_through_the_pool() {
    for (result, state) in [(Ok(()), State::Closed), (Err(()), State::Open)] {
        let (breaker, pool) = probing();
        let _ = pool.call(LONG, move || result);
        assert_eq!(breaker.state(), state);
    }
}

#[test]
fn probe_that_hangs_opens_again_and_its_late_success_closes_nothing() {
    let (breaker, pool) = probing();
    let (call, held) = held_back();
    assert!(pool.call(BRIEF, call).unwrap_err().is_timeout());
    assert_eq!(breaker.state(), State::Open, "at the timeout, not when it comes back");
    let _ = held.end.send(1);
    until(|| pool.in_use() == 0);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn probe_that_finds_the_pool_full_gives_its_place_back() {
    let (breaker, pool) = probing();
    breaker.disable();
    let (end, caller) = occupy(&pool);
    breaker.half_open();
    for _ in 0..3 {
        let full = pool.call(LONG, || Ok::<(), ()>(())).unwrap_err();
        assert!(full.is_full(), "not refused for want of a probe: {full:?}");
    }
    end.send(1).unwrap();
    caller.join().unwrap().unwrap();
    assert_eq!(pool.call(LONG, || Ok::<(), ()>(())), Ok(()));
    assert_eq!(breaker.state(), State::Closed);
}

// ===== shutdown =====

#[test]
fn shutdown_that_waits_lets_every_accepted_call_end() {
    let pool = pool(1, 1, &counting());
    let (end, running) = occupy(&pool);
    let same = Arc::clone(&pool);
    let queued = thread::spawn(move || same.call(LONG, || Ok::<_, ()>(2)));
    until(|| pool.in_use() == 2);
    // Its place is taken a moment before rayon has it; what rayon does not have when the shutdown begins is refused.
    let impatient = pool.shutdown(Shutdown::WaitAtMost(BRIEF)).unwrap_err();
    assert!((1..=2).contains(&impatient.calls()), "{impatient}");
    assert_eq!(pool.call(LONG, || Ok::<(), ()>(())), Err(PoolError::ShutDown));
    thread::scope(|scope| {
        let shut = scope.spawn(|| pool.shutdown(Shutdown::Wait));
        end.send(1).unwrap();
        assert_eq!(shut.join().unwrap(), Ok(()));
        assert_eq!(pool.in_use(), 0);
    });
    assert_eq!(running.join().unwrap(), Ok(1));
    assert!(matches!(queued.join().unwrap(), Ok(2) | Err(PoolError::ShutDown)));
    assert_eq!(pool.shutdown(Shutdown::Wait), Ok(()), "again, at once");
    let late = pool.call(LONG, || Ok::<(), ()>(())).unwrap_err();
    assert_eq!((late, late.has_begun()), (PoolError::ShutDown, false));
}

#[test]
fn detached_calls_go_on_and_end_by_themselves() {
    let pool = pool(1, 0, &counting());
    let (end, caller) = occupy(&pool);
    assert_eq!(pool.shutdown(Shutdown::Detach), Ok(()));
    assert_eq!(pool.call(LONG, || Ok::<(), ()>(())), Err(PoolError::ShutDown));
    end.send(1).unwrap();
    assert_eq!(caller.join().unwrap(), Ok(1));
    assert_eq!(pool.shutdown(Shutdown::WaitAtMost(LONG)), Ok(()));
}

#[test]
fn dropping_a_pool_does_not_wait_for_what_hangs_in_it() {
    let pool = pool(1, 0, &counting());
    let (call, held) = held_back();
    let (say, ended) = channel();
    let error = pool.call(BRIEF, move || {
        let told = call();
        let _ = say.send(told);
        told
    });
    assert!(error.is_err());
    drop(pool);
    if held.begun.recv().is_ok() {
        held.end.send(3).unwrap();
        assert_eq!(ended.recv_timeout(LONG), Ok(Ok(3)), "the thread goes on without the pool");
    }
}

#[test]
fn pool_does_not_wait_for_itself() {
    let pool = pool(1, 0, &counting());
    let same = Arc::clone(&pool);
    let refused = pool.call(LONG, move || Ok::<_, ()>(same.shutdown(Shutdown::Wait)));
    assert_eq!(refused.unwrap().unwrap_err().calls(), 1);
    assert_eq!(pool.shutdown(Shutdown::WaitAtMost(LONG)), Ok(()));
}

// ===== a plain twin =====

/// What the test does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A caller with all the time in the world.
    Begin,
    /// A caller whose time is over in the queue, where every thread is busy.
    BeginBrief,
    /// A running call ends.
    End(usize, End),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Succeed,
    Fail,
    Ignore,
    Panic,
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        3 => Just(End::Succeed),
        2 => Just(End::Fail),
        1 => Just(End::Ignore),
        1 => Just(End::Panic),
    ];
    prop_oneof![
        5 => Just(Step::Begin),
        2 => Just(Step::BeginBrief),
        4 => (any::<usize>(), end).prop_map(|(which, end)| Step::End(which, end)),
    ]
}

type Caller = (Sender<End>, JoinHandle<Result<u64, PoolError<u64>>>);

/// The real pool, and what a plain count says of it. While the twin has calls queued it has none given up, and the other
/// way round: rayon's order among those is not to be seen from outside.
struct Twin {
    pool: Pool,
    breaker: Breaker,
    begun: Receiver<u64>,
    say: Sender<u64>,
    running: BTreeMap<u64, Caller>,
    queued: BTreeMap<u64, Caller>,
    given_up: usize,
    calls: u64,
    failures: u64,
    next: u64,
}

impl Twin {
    fn new(threads: u32, queue: u32) -> Self {
        let breaker = counting();
        let (say, begun) = channel();
        Twin {
            pool: pool(threads, queue, &breaker),
            breaker,
            begun,
            say,
            running: BTreeMap::new(),
            queued: BTreeMap::new(),
            given_up: 0,
            calls: 0,
            failures: 0,
            next: 0,
        }
    }

    fn has_free_thread(&self) -> bool {
        self.running.len() < self.pool.threads() as usize
    }

    fn in_use(&self) -> usize {
        self.running.len() + self.queued.len() + self.given_up
    }

    fn is_full(&self) -> bool {
        self.in_use() == (self.pool.threads() + self.pool.queue()) as usize
    }

    fn caller(&mut self) -> Caller {
        let (end, told) = channel();
        let (pool, say, number) = (Arc::clone(&self.pool), self.say.clone(), self.next);
        let call = move || {
            say.send(number).expect("the test listens");
            match told.recv().expect("the test lets every call end") {
                End::Succeed => Ok(number),
                End::Fail => Err(number),
                End::Ignore => Err(u64::MAX),
                End::Panic => std::panic::resume_unwind(Box::new(number)),
            }
        };
        let judge = |result: &Result<u64, u64>| match result {
            Ok(_) => Outcome::Success,
            Err(u64::MAX) => Outcome::Ignored,
            Err(_) => Outcome::Failure,
        };
        (end, thread::spawn(move || pool.call_with(LONG, judge, call)))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Begin if self.is_full() => {
                let (_, caller) = self.caller();
                assert!(caller.join().unwrap().unwrap_err().is_full());
            }
            Step::Begin if self.has_free_thread() => {
                let caller = self.caller();
                assert_eq!(self.begun.recv_timeout(LONG), Ok(self.next), "a thread is free");
                self.running.insert(self.next, caller);
            }
            Step::Begin if self.given_up == 0 => {
                let caller = self.caller();
                self.queued.insert(self.next, caller);
                let expected = self.in_use();
                until(|| self.pool.in_use() as usize == expected);
            }
            Step::BeginBrief if !self.has_free_thread() && self.queued.is_empty() => {
                let error =
                    self.pool.call(BRIEF / 5, || -> Result<(), ()> { panic!("never runs") });
                let error = error.unwrap_err();
                assert!(!error.has_begun());
                assert_eq!(error.is_full(), self.is_full());
                if error.is_timeout() {
                    self.given_up += 1;
                    self.calls += 1;
                    self.failures += 1;
                }
            }
            Step::End(which, end) if !self.running.is_empty() => {
                let number = *self.running.keys().nth(which % self.running.len()).unwrap();
                let (tell, caller) = self.running.remove(&number).unwrap();
                tell.send(end).unwrap();
                self.check_end(number, end, caller.join());
                // The thread goes through all that was given up.
                self.given_up = 0;
                let expected = self.in_use();
                until(|| self.pool.in_use() as usize == expected);
                if !self.queued.is_empty() {
                    let next = self.begun.recv_timeout(LONG).expect("a queued call begins");
                    let caller = self.queued.remove(&next).expect("it was queued");
                    self.running.insert(next, caller);
                }
            }
            _ => return,
        }
        self.next += 1;
        assert_eq!(self.pool.in_use() as usize, self.in_use());
        assert_eq!(counts(&self.breaker), (self.calls, self.failures));
    }

    fn check_end(
        &mut self,
        number: u64,
        end: End,
        joined: thread::Result<Result<u64, PoolError<u64>>>,
    ) {
        match (end, joined) {
            (End::Succeed, Ok(result)) => assert_eq!(result, Ok(number)),
            (End::Fail, Ok(result)) => assert_eq!(result, Err(PoolError::Inner(number))),
            (End::Ignore, Ok(result)) => assert_eq!(result, Err(PoolError::Inner(u64::MAX))),
            (End::Panic, Err(payload)) => assert_eq!(payload.downcast_ref(), Some(&number)),
            (end, joined) => panic!("{end:?} came back as {joined:?}"),
        }
        self.calls += u64::from(end != End::Ignore);
        self.failures += u64::from(matches!(end, End::Fail | End::Panic));
    }

    fn finish(mut self) {
        while !self.running.is_empty() {
            self.step(Step::End(0, End::Succeed));
        }
        assert_eq!(self.in_use(), 0);
        assert_eq!(self.pool.shutdown(Shutdown::WaitAtMost(LONG)), Ok(()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn answers_as_a_plain_count_does(
        threads in 1..4_u32,
        queue in 0..4_u32,
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let mut twin = Twin::new(threads, queue);
        for step in steps {
            twin.step(step);
        }
        twin.finish();
    }
}

// ===== threads =====

/// Timeouts about as short as the calls: every call that was let in is recorded once, as what its caller was told.
#[test]
fn each_call_is_recorded_once_and_as_its_caller_was_told() {
    const CALLERS: u64 = 4;
    const CALLS: u64 = 600;
    const THREADS: u32 = 2;
    /// What the calls of all callers came to.
    #[derive(Default)]
    struct Tally {
        succeeded: AtomicU64,
        late: AtomicU64,
        never_ran: AtomicU64,
        refused: AtomicU64,
        ran: AtomicU64,
        inside: AtomicU32,
    }
    let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    let breaker = counting();
    let pool = pool(THREADS, 1, &breaker);
    let tally = Arc::new(Tally::default());
    let call = |micros: u64, timeout: u64| {
        let inner = Arc::clone(&tally);
        let result = pool.call(Duration::from_micros(timeout), move || {
            add(&inner.ran);
            let others = inner.inside.fetch_add(1, Ordering::SeqCst);
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(micros) {
                std::hint::spin_loop();
            }
            inner.inside.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(others)
        });
        match result {
            Ok(others) => {
                assert!(others < THREADS, "no more run than there are threads");
                add(&tally.succeeded)
            }
            Err(PoolError::TimedOut(timeout)) if timeout.has_begun() => add(&tally.late),
            Err(PoolError::TimedOut(_)) => add(&tally.never_ran),
            Err(PoolError::Full(_)) => {
                add(&tally.refused);
                return false;
            }
            Err(error) => panic!("{error:?}"),
        };
        true
    };
    thread::scope(|scope| {
        for number in 0..CALLERS {
            let call = &call;
            scope.spawn(move || {
                let mut admitted = 0;
                while admitted < CALLS {
                    let timeout = 20 + (number * 31 + admitted * 7) % 120;
                    match call(admitted % 60, timeout) {
                        true => admitted += 1,
                        false => thread::yield_now(),
                    }
                }
            });
        }
    });
    pool.shutdown(Shutdown::WaitAtMost(LONG)).expect("every call ends");
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let Tally { succeeded, late, never_ran, refused, ran, .. } = &*tally;
    let (succeeded, late, never_ran) = (count(succeeded), count(late), count(never_ran));
    let refused = count(refused);
    println!("{succeeded} in time, {late} late, {never_ran} never run, {refused} refused");
    assert_eq!(succeeded + late + never_ran, CALLERS * CALLS);
    let failures = late + never_ran;
    assert_eq!(counts(&breaker), (succeeded + failures, failures), "each is recorded once");
    assert_eq!(count(ran), succeeded + late, "and run as its caller was told");
    assert_eq!(pool.in_use(), 0);
}

// ===== the story =====

const CLERKS: usize = 4;
const ROUNDS: usize = 300;

/// A department whose calls all run at once: each round four callers meet inside the pool. Answers how many were served.
fn serve(pool: &Arc<IsolatedPool>) -> usize {
    let meeting = Arc::new(Barrier::new(CLERKS));
    let served = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..CLERKS {
            let (meeting, served) = (&meeting, &served);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let meeting = Arc::clone(meeting);
                    let meet = move || Ok::<_, ()>(meeting.wait());
                    pool.call(LONG, meet).expect("a thread for each, whatever else hangs");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    served.into_inner() as usize
}

fn department(name: &str, breaker: Option<&Arc<CircuitBreaker>>) -> Arc<IsolatedPool> {
    let builder = IsolatedPool::builder().name(name).threads(CLERKS as u32).queue(2);
    Arc::new(match breaker {
        Some(breaker) => builder.breaker(Arc::clone(breaker)).build().unwrap(),
        None => builder.build().unwrap(),
    })
}

#[test]
fn payment_hangs_and_inventory_and_shipping_keep_their_full_rate() {
    let breaker = Arc::new(CircuitBreaker::builder().consecutive_failures(6).build().unwrap());
    let payment = department("payment", Some(&breaker));
    let (inventory, shipping) = (department("inventory", None), department("shipping", None));
    let both = || {
        let begun = Instant::now();
        let served = thread::scope(|scope| {
            let shipped = scope.spawn(|| serve(&shipping));
            (serve(&inventory), shipped.join().unwrap())
        });
        (served, begun.elapsed())
    };
    let (healthy, before) = both();
    assert_eq!(healthy, (CLERKS * ROUNDS, CLERKS * ROUNDS));

    // Payment accepts and says nothing, until the test drops `server`.
    let (server, answer) = channel::<()>();
    let answer = Arc::new(Mutex::new(answer));
    let hung = Arc::new(AtomicU32::new(0));
    let pay = || {
        let (answer, hung) = (Arc::clone(&answer), Arc::clone(&hung));
        payment.call(BRIEF, move || {
            hung.fetch_add(1, Ordering::SeqCst);
            answer.lock().unwrap().recv().map_err(|_| "the server is gone")
        })
    };
    while hung.load(Ordering::SeqCst) < CLERKS as u32 {
        // On a busy machine some time out before they begin, and do not hang yet.
        if pay().is_err_and(|error| error.rejected().is_some()) {
            breaker.reset();
        }
    }
    let closed = AtomicBool::new(false);
    thread::scope(|scope| {
        let customers = scope.spawn(|| {
            let (mut timed_out, mut refused) = (0, 0);
            while refused == 0 || !closed.load(Ordering::Relaxed) {
                match pay().expect_err("nobody can pay") {
                    PoolError::TimedOut(_) => timed_out += 1,
                    PoolError::Full(_) | PoolError::Rejected(_) => refused += 1,
                    other => panic!("{other:?}"),
                }
                thread::yield_now();
            }
            (timed_out, refused)
        });
        let (during, took) = both();
        assert_eq!(during, healthy, "every call is served while payment hangs");
        // They meet on one core if need be; only a stall of the kind that a hung dependency makes is found here.
        assert!(took < 20 * before + LONG / 2, "{took:?} after {before:?}");
        assert!(payment.in_use() >= CLERKS as u32, "payment hung to the last");
        closed.store(true, Ordering::Relaxed);
        let (timed_out, refused) = customers.join().unwrap();
        println!("inventory and shipping: {before:?}, with payment hung {took:?};");
        println!("payment: {timed_out} timed out, {refused} refused at once");
        assert!(timed_out <= 2, "as many as may be queued, the others at once: {timed_out}");
    });
    drop(server);
    payment.shutdown(Shutdown::WaitAtMost(LONG)).expect("payment comes back");
}

/// The same shop on one pool, to show what the other test would have seen.
#[test]
fn without_isolation_one_that_hangs_takes_everything() {
    let shop = pool(CLERKS as u32, 2, &counting());
    let payments: Vec<_> = (0..CLERKS).map(|_| occupy(&shop)).collect();
    for _ in 0..2 {
        let inventory = shop.call(BRIEF, || Ok::<(), ()>(()));
        assert!(inventory.unwrap_err().is_timeout(), "inventory waits for payment");
    }
    let inventory = shop.call(LONG, || Ok::<(), ()>(()));
    assert!(inventory.unwrap_err().is_full(), "and then nobody gets anything");
    for (end, caller) in payments {
        drop(end);
        assert_eq!(caller.join().unwrap(), Err(PoolError::Inner("let go")));
    }
}
