//! One call on its way through a pool: the word that decides between the worker's end and the caller's timeout.
//!
//! Each side sets a bit and learns from the same step whether the other was there before: no exchange, nothing to try
//! again. What changes hands lies beside the word, each thing behind a lock of its own. The word says whose a thing is
//! before anybody touches it, so nobody ever waits for such a lock; it is there because this crate has no `unsafe`.

use core::fmt;
use std::sync::PoisonError;

use crate::sync::{current, AtomicU64, Mutex, Ordering, Thread};

/// Set by the worker that takes the work.
const STARTED: u64 = 1;
/// Set by the worker once the result lies beside the word.
const ENDED: u64 = 1 << 1;
/// Set by the worker once it has settled what a call in time settles.
const SETTLED: u64 = 1 << 2;
/// Set by the caller whose time is over.
const LEFT: u64 = 1 << 3;

/// A reading of the word.
///
/// | seen | the work is | the permit is | the result is |
/// |---|---|---|---|
/// | nothing | whose bit comes first | whose bit comes first | not there |
/// | started | the worker's | whose bit comes first | not there |
/// | ended before left | run | the worker's | the caller's |
/// | left before started | the caller's, never run | the caller's | never there |
/// | started, left before ended | the worker's | the caller's | late: the worker's |
///
/// No bit is ever taken back. Ended without started and settled without ended can't be: one thread sets them in this
/// order. Each is set at most once.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u64);

impl Word {
    const fn has_started(self) -> bool {
        self.0 & STARTED != 0
    }

    const fn has_ended(self) -> bool {
        self.0 & ENDED != 0
    }

    const fn is_settled(self) -> bool {
        self.0 & SETTLED != 0
    }

    const fn is_left(self) -> bool {
        self.0 & LEFT != 0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word")
            .field("bits", &format_args!("{:#06x}", self.0))
            .field("started", &self.has_started())
            .field("ended", &self.has_ended())
            .field("settled", &self.is_settled())
            .field("left", &self.is_left())
            .finish()
    }
}

/// Work that one thread hands to another, the permit that goes with it, and the result that comes back.
pub(crate) struct Job<W, P, R> {
    word: AtomicU64,
    work: Mutex<Option<W>>,
    permit: Mutex<Option<P>>,
    result: Mutex<Option<R>>,
    caller: Thread,
}

/// What is the caller's when its time was over before the end.
#[derive(Debug)]
pub(crate) struct Left<W, P> {
    /// To report the timeout with.
    pub(crate) permit: P,
    /// The work, if it was not begun: then it never is.
    pub(crate) work: Option<W>,
}

impl<W, P, R> Job<W, P, R> {
    /// A job of the running thread, which is the one to [wait](Job::wait) for it.
    pub(crate) fn new(work: W, permit: P) -> Self {
        Job {
            word: AtomicU64::new(0),
            work: Mutex::new(Some(work)),
            permit: Mutex::new(Some(permit)),
            result: Mutex::new(None),
            caller: current(),
        }
    }

    // ===== the worker =====

    /// Does the work, unless the caller has gone. Answers a result that nobody waits for any more.
    ///
    /// `settle` is run if the end was in time, before the caller goes on. It must not panic.
    pub(crate) fn work<O>(
        &self,
        run: impl FnOnce(W) -> (R, O),
        settle: impl FnOnce(P, O),
    ) -> Option<R> {
        let work = self.start()?;
        let (result, outcome) = run(work);
        match self.end(result) {
            Ok(permit) => {
                settle(permit, outcome);
                self.hand_over();
                None
            }
            Err(late) => Some(late),
        }
    }

    fn start(&self) -> Option<W> {
        // Relaxed: the work lies behind its lock.
        let seen = Word(self.word.fetch_or(STARTED, Ordering::Relaxed));
        if seen.is_left() {
            return None;
        }
        Some(take(&self.work))
    }

    fn end(&self, result: R) -> Result<P, R> {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        // Relaxed: result and permit lie behind their locks.
        let seen = Word(self.word.fetch_or(ENDED, Ordering::Relaxed));
        if seen.is_left() {
            return Err(take(&self.result));
        }
        Ok(take(&self.permit))
    }

    fn hand_over(&self) {
        // J1, release: what was settled.
        self.word.fetch_or(SETTLED, Ordering::Release);
        self.caller.unpark();
    }

    // ===== the caller =====

    /// Waits for the result. `park` sleeps until the thread is woken, perhaps for no reason, and answers whether the
    /// caller goes on waiting.
    ///
    /// A result that is there is returned even if the time is over and the worker has not yet settled everything.
    pub(crate) fn wait(&self, mut park: impl FnMut() -> bool) -> Result<R, Left<W, P>> {
        loop {
            // J1, acquire.
            if Word(self.word.load(Ordering::Acquire)).is_settled() {
                return Ok(take(&self.result));
            }
            if !park() {
                return self.leave();
            }
        }
    }

    fn leave(&self) -> Result<R, Left<W, P>> {
        // J1, acquire: it may have been settled since the last look.
        let seen = Word(self.word.fetch_or(LEFT, Ordering::Acquire));
        if seen.has_ended() {
            return Ok(take(&self.result));
        }
        let work = if seen.has_started() { None } else { Some(take(&self.work)) };
        Err(Left { permit: take(&self.permit), work })
    }
}

impl<W, P, R> fmt::Debug for Job<W, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Word(self.word.load(Ordering::Relaxed));
        f.debug_struct("Job").field("word", &word).finish_non_exhaustive()
    }
}

/// Takes what the word has said is the caller's of this.
fn take<X>(thing: &Mutex<Option<X>>) -> X {
    let taken = thing.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken.expect("the word gives each thing to one side, once")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Plain = Job<&'static str, u32, u32>;

    fn never() -> bool {
        unreachable!("it has been handed over")
    }

    #[test]
    fn end_in_time_is_settled_by_the_worker_and_returned_to_the_caller() {
        let job = Plain::new("work", 7);
        let mut settled = None;
        let late =
            job.work(|work| (work.len() as u32, 'o'), |permit, o| settled = Some((permit, o)));
        assert_eq!((late, settled), (None, Some((7, 'o'))));
        assert_eq!(job.wait(never).unwrap(), 4);
    }

    #[test]
    fn caller_that_leaves_a_queued_job_takes_the_work_with_it() {
        let job = Plain::new("work", 7);
        let left = job.wait(|| false).unwrap_err();
        assert_eq!((left.permit, left.work), (7, Some("work")));
        assert_eq!(job.work(|_| unreachable!("never run"), |_, ()| ()), None);
    }

    #[test]
    fn late_end_is_the_worker_s_to_drop() {
        let job = Plain::new("work", 7);
        let run = |_| {
            let left = job.wait(|| false).unwrap_err();
            assert_eq!((left.permit, left.work), (7, None));
            (4, ())
        };
        assert_eq!(job.work(run, |_, ()| unreachable!("the caller has reported")), Some(4));
    }

    #[test]
    fn time_that_is_over_while_the_worker_settles_costs_no_result() {
        let job = Plain::new("work", 7);
        let late = job.work(|_| (4, ()), |_, ()| assert_eq!(job.wait(|| false).unwrap(), 4));
        assert_eq!(late, None);
    }

    #[test]
    fn reading_shows_its_bits() {
        let shown = format!("{:?}", Plain::new("work", 7));
        assert!(shown.contains("0x0000") && shown.contains("settled: false"), "{shown}");
        let all = Word(STARTED | ENDED | SETTLED | LEFT);
        assert!(all.has_started() && all.has_ended() && all.is_settled() && all.is_left());
        assert_eq!(all.0, 0b1111, "each has a bit of its own");
    }
}
