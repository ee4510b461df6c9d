//! Thread-pool bulkheads: the calls to one dependency run on threads of their own, and their callers can walk away.
//!
//! This file holds the face: it asks the breaker, counts the places, and waits. The protocol between worker and caller
//! is in `job`, the threads are in `crew`.

use core::fmt;
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use ::rayon::ThreadPool;

use crate::breaker::{CircuitBreaker, OwnedPermit};
use crate::bulkhead::{Bulkhead, OwnedBulkheadPermit};
use crate::clock::{Clock, DefaultClock};
use crate::deadline::Deadline;
use crate::outcome::Outcome;

mod builder;
mod crew;
mod error;
mod job;

pub use self::builder::PoolBuilder;
pub use self::error::{PoolError, PoolTimeout, StillRunning};

use self::crew::Crew;
use self::job::{Job, Left};

/// Threads of its own for one dependency, with a bounded queue: a bulkhead whose callers wait no longer than they said.
///
/// Synchronous code can't be interrupted. A call that hangs keeps its thread; here that is a thread of this pool, and
/// when all of them hang, and the queue is full, further calls to this dependency are refused at once, and those to
/// all others go on as ever.
///
/// ```
/// use core::time::Duration;
/// use failfast::{IsolatedPool, PoolError};
/// use std::sync::mpsc;
///
/// let payment = IsolatedPool::builder().name("payment").threads(1).build()?;
/// let inventory = IsolatedPool::builder().name("inventory").threads(1).build()?;
///
/// let (answer, never) = mpsc::channel::<()>();
/// let pay = move || never.recv(); // the server accepts, and says nothing
/// let paid = payment.call(Duration::from_millis(10), pay);
/// assert!(paid.unwrap_err().is_timeout());
/// let again = payment.call(Duration::from_millis(10), || Ok::<(), ()>(()));
/// # // On a busy machine the first may have been so late that it never ran.
/// # let again = again.map_or_else(|error| error, |()| PoolError::Inside);
/// assert!(!again.has_begun()); // refused: the only thread still hangs
///
/// let left = inventory.call(Duration::from_secs(60), || Ok::<u32, ()>(12));
/// assert_eq!(left, Ok(12));
/// # drop(answer);
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # What is recorded
///
/// With a [breaker](PoolBuilder::breaker), each call asks it first. The permit goes along with the call and is reported
/// exactly once, by the side that is first:
///
/// | the call | is recorded as | when, and by whom |
/// |---|---|---|
/// | ends in time | success or failure, or what `classify` says | at its end, by the pool's thread, before the caller returns |
/// | panics in time | failure | the same; then the panic goes on in the caller |
/// | is late, running or queued | failure | when the time is over, by the caller |
/// | ends after that, in whatever way | nothing: its result or panic is dropped | |
/// | finds the pool full or shut down | ignored: that is no failure of the dependency | at once |
///
/// One corner: if the time is over in the moment between an end and its recording, the caller returns the result
/// without waiting for the recording.
///
/// Time in the queue is part of a call's time, for the timeout and for a slow-call rule.
///
/// # How many
///
/// At most `threads` calls run, and at most `threads + queue` run or are queued. A queued call that nobody waits for any
/// more never runs; what its closure holds is dropped by the caller when the time is over, but its place comes free
/// only when a thread gets to it, since rayon's queue has no bound of its own.
///
/// # Threads and panics
///
/// The threads are started by `build` and end after [`shutdown`](IsolatedPool::shutdown), or when the pool is dropped:
/// that does not wait. Observers of the breaker may run on them. What a call runs in parallel with rayon runs on them
/// too, and while rayon waits for the parts, it may run another queued call on the same stack; a pool for calls that
/// wait for a dependency is not the place for parallel work.
pub struct IsolatedPool<C = DefaultClock> {
    name: String,
    threads: u32,
    queue: u32,
    breaker: Option<Arc<CircuitBreaker<C>>>,
    /// One for each call that runs or is queued.
    places: Arc<Bulkhead>,
    crew: Crew,
}

/// How a pool is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// Waits until every accepted call has ended, and the threads with them, for ever if one hangs.
    Wait,
    /// Waits for so long at most.
    WaitAtMost(Duration),
    /// Does not wait: the threads end by themselves, after the last accepted call.
    Detach,
}

impl IsolatedPool<DefaultClock> {
    /// Starts a builder with the default settings.
    pub fn builder() -> PoolBuilder<DefaultClock> {
        PoolBuilder::new()
    }
}

impl<C: Clock> IsolatedPool<C> {
    /// Runs `f` on a thread of the pool and waits for at most `timeout`: `Ok` is a success, `Err` a failure.
    ///
    /// A timeout of zero is over before anything is done: nothing is asked, queued or recorded.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{CircuitBreaker, IsolatedPool, PoolError};
    /// use std::sync::Arc;
    ///
    /// let breaker = Arc::new(CircuitBreaker::builder().name("payment").build()?);
    /// let pool = IsolatedPool::builder().threads(2).queue(8).breaker(breaker.clone()).build()?;
    ///
    /// let declined = pool.call(Duration::from_secs(60), || Err::<(), _>("declined"));
    /// assert_eq!(declined, Err(PoolError::Inner("declined")));
    /// assert_eq!(breaker.snapshot().failures, 1);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PoolError`] says which: the breaker refused, no place, no result in time, called from inside, shut down, or
    /// the call's own error.
    ///
    /// # Panics
    ///
    /// With what `f` panicked with, if that came in time.
    ///
    /// # Progress
    ///
    /// Blocks, for at most the timeout and what the scheduler adds: whatever the pool's threads do, and wherever they
    /// stop. Refusals do not wait. Allocates: what is shared with the pool's thread, and rayon an entry of its queue. Takes
    /// a lock for reading that only a shutdown takes for writing. Sleeps by parking its thread, and may leave behind a
    /// wake-up that came too late, as anything that parks may.
    ///
    /// # Memory ordering
    ///
    /// What happened before this call happens before `f`, and what `f` did before the return of its result. After a
    /// timeout nothing orders what `f` does with what the caller does.
    pub fn call<T, E, F>(&self, timeout: Duration, f: F) -> Result<T, PoolError<E>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.submit(Some(timeout), judged(outcome_of, f))
    }

    /// As [`call`](IsolatedPool::call), with what is left of a deadline as the timeout; without end, if it is never over.
    ///
    /// The deadline's clock is read once, at the begin. From then on threads sleep by the system's time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{Deadline, IsolatedPool};
    ///
    /// let inventory = IsolatedPool::builder().threads(2).build()?;
    /// let order = Deadline::after(Duration::from_secs(60));
    /// let part = order.within(Duration::from_secs(30));
    /// assert_eq!(inventory.call_until(&part, || Ok::<_, ()>("reserved")), Ok("reserved"));
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `call`.
    ///
    /// # Panics
    ///
    /// As `call`.
    ///
    /// # Progress
    ///
    /// As `call`.
    ///
    /// # Memory ordering
    ///
    /// As `call`.
    pub fn call_until<D, T, E, F>(&self, deadline: &Deadline<D>, f: F) -> Result<T, PoolError<E>>
    where
        D: Clock,
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.submit(deadline.remaining(), judged(outcome_of, f))
    }

    /// As [`call`](IsolatedPool::call), with a result that `classify` judges, on the pool's thread.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{CircuitBreaker, IsolatedPool, Outcome};
    /// use std::sync::Arc;
    ///
    /// let breaker = Arc::new(CircuitBreaker::builder().build()?);
    /// let pool = IsolatedPool::builder().threads(1).breaker(breaker.clone()).build()?;
    /// // A caller's mistake says nothing about the dependency.
    /// let status = pool.call_with(
    ///     Duration::from_secs(60),
    ///     |answer: &Result<u16, ()>| match answer {
    ///         Ok(400..=499) => Outcome::Ignored,
    ///         Ok(500..) | Err(()) => Outcome::Failure,
    ///         Ok(_) => Outcome::Success,
    ///     },
    ///     || Ok(404),
    /// );
    /// assert_eq!(status, Ok(404));
    /// assert_eq!(breaker.snapshot().calls, 0);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `call`.
    ///
    /// # Panics
    ///
    /// With what `f` or `classify` panicked with, if that came in time.
    ///
    /// # Progress
    ///
    /// As `call`.
    ///
    /// # Memory ordering
    ///
    /// As `call`.
    pub fn call_with<T, E, F, J>(
        &self,
        timeout: Duration,
        classify: J,
        f: F,
    ) -> Result<T, PoolError<E>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        J: FnOnce(&Result<T, E>) -> Outcome + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.submit(Some(timeout), judged(classify, f))
    }

    /// `limit`: how long the caller waits; `None` without end.
    fn submit<T, E, W>(&self, limit: Option<Duration>, work: W) -> Result<T, PoolError<E>>
    where
        W: FnOnce() -> Judged<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let park = parker(limit);
        if self.crew.is_inside() {
            return Err(PoolError::Inside);
        }
        if self.crew.is_dismissed() {
            return Err(PoolError::ShutDown);
        }
        if limit == Some(Duration::ZERO) {
            return Err(PoolError::TimedOut(PoolTimeout::NEVER_RUN));
        }
        // The breaker first: a refusal of its own takes nobody's place.
        let permit = match &self.breaker {
            Some(breaker) => Some(breaker.try_acquire_owned()?),
            None => None,
        };
        let (place, rayon) = match self.admit() {
            Ok(admitted) => admitted,
            Err(refusal) => {
                permit.map(OwnedPermit::ignore);
                return Err(refusal);
            }
        };
        let job = Arc::new(Job::new(work, permit));
        let same = Arc::clone(&job);
        rayon.spawn(move || run(&same, place));
        drop(rayon);
        match job.wait(park) {
            Ok(Ok(result)) => result.map_err(PoolError::Inner),
            Ok(Err(payload)) => resume_unwind(payload),
            Err(Left { permit, work }) => {
                permit.map(OwnedPermit::failure);
                Err(PoolError::TimedOut(match work {
                    Some(_) => PoolTimeout::NEVER_RUN,
                    None => PoolTimeout::BEGUN,
                }))
            }
        }
    }

    /// A place and the threads that go with it.
    fn admit<E>(&self) -> Result<(OwnedBulkheadPermit, Arc<ThreadPool>), PoolError<E>> {
        let place = self.places.try_acquire_owned()?;
        let rayon = self.crew.rayon().ok_or(PoolError::ShutDown)?;
        Ok((place, rayon))
    }

    /// Refuses calls from now on, and waits for those that were accepted, or does not. Accepted calls run to their end
    /// in either case; one that overlaps this call may still be accepted.
    ///
    /// May be called again, to wait for longer. A pool's own thread does not wait for itself: there every shutdown that
    /// waits returns at once, with an error.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{IsolatedPool, PoolError, Shutdown};
    ///
    /// let mail = IsolatedPool::builder().threads(2).build()?;
    /// mail.shutdown(Shutdown::WaitAtMost(Duration::from_secs(60))).expect("nothing runs");
    /// let late = mail.call(Duration::from_secs(1), || Ok::<(), ()>(()));
    /// assert_eq!(late, Err(PoolError::ShutDown));
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`StillRunning`], if it should wait and the calls had not ended by then. `Detach` never fails.
    ///
    /// # Progress
    ///
    /// Blocks as said. With `Detach` only while another thread takes its handle on rayon's pool.
    ///
    /// # Memory ordering
    ///
    /// What the calls did happens before the return of a shutdown that has waited for them.
    pub fn shutdown(&self, how: Shutdown) -> Result<(), StillRunning> {
        self.crew.dismiss();
        let limit = match how {
            Shutdown::Detach => return Ok(()),
            Shutdown::WaitAtMost(limit) => Some(limit),
            Shutdown::Wait => None,
        };
        match !self.crew.is_inside() && self.crew.wait(limit) {
            true => Ok(()),
            false => Err(StillRunning { calls: self.in_use() }),
        }
    }

    // ===== reading =====

    /// The name given to the builder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many calls run at once.
    pub const fn threads(&self) -> u32 {
        self.threads
    }

    /// How many calls may wait for a thread besides.
    pub const fn queue(&self) -> u32 {
        self.queue
    }

    /// Calls that run or are queued, those among them that nobody waits for any more; for a moment also attempts that
    /// are about to be refused.
    ///
    /// # Progress
    ///
    /// Wait-free: one load.
    pub fn in_use(&self) -> u32 {
        self.places.in_use()
    }

    /// The breaker given to the builder.
    pub const fn breaker(&self) -> Option<&Arc<CircuitBreaker<C>>> {
        self.breaker.as_ref()
    }
}

impl<C: Clock> fmt::Debug for IsolatedPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsolatedPool")
            .field("name", &self.name)
            .field("threads", &self.threads)
            .field("queue", &self.queue)
            .field("in_use", &self.in_use())
            .field("breaker", &self.breaker.as_ref().map(|breaker| breaker.name()))
            .finish_non_exhaustive()
    }
}

// ===== a call on its way =====

/// A result, and what it is to the breaker.
type Judged<T, E> = (Result<T, E>, Outcome);
/// What comes back: a result or a panic.
type Ended<T, E> = thread::Result<Result<T, E>>;

fn outcome_of<T, E>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    }
}

fn judged<T, E>(
    classify: impl FnOnce(&Result<T, E>) -> Outcome,
    f: impl FnOnce() -> Result<T, E>,
) -> impl FnOnce() -> Judged<T, E> {
    move || {
        let result = f();
        let outcome = classify(&result);
        (result, outcome)
    }
}

/// What the pool's thread does with a job. Nothing of it panics: rayon would end the process.
fn run<T, E, W, C>(job: &Job<W, Option<OwnedPermit<C>>, Ended<T, E>>, place: OwnedBulkheadPermit)
where
    W: FnOnce() -> Judged<T, E>,
    C: Clock,
{
    let mut place = Some(place);
    let late = job.work(
        |work| match catch_unwind(AssertUnwindSafe(work)) {
            Ok((result, outcome)) => (Ok(result), outcome),
            Err(payload) => (Err(payload), Outcome::Failure),
        },
        |permit, outcome| {
            // The clock is the user's.
            quietly(|| {
                permit.map(|permit| permit.record(outcome));
            });
            // Before the caller returns, so that its next call finds the place.
            place = None;
        },
    );
    quietly(|| drop(late));
    drop(place);
}

/// Runs what nobody hears the panic of.
fn quietly(act: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(act)) {
        // What was thrown may throw again when it is dropped.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(payload);
        }
    }
}

/// Puts the thread to sleep for what is left, and says whether anything was. Threads sleep by the system's time, whatever
/// clock a breaker has.
fn parker(limit: Option<Duration>) -> impl FnMut() -> bool {
    // An end that the system can't name never comes.
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    move || {
        let Some(end) = end else {
            thread::park();
            return true;
        };
        let left = end.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            thread::park_timeout(left);
        }
        !left.is_zero()
    }
}
