//! What could not be done at once and must still be done: confirmations to send, payments to void.
//!
//! One thread works the queue off, through the same guarded lines as everybody; where a circuit is open it waits. So it
//! is often this thread that probes, and no customer has to wait for that. When the service ends it has some time to finish.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use failfast::Deadline;

use crate::line::Line;

/// A service that is down for long must not take all memory; a real shop would have this on disk.
pub(crate) const ROOM: usize = 10_000;
/// Between two tries that were in vain.
const PAUSE: Duration = Duration::from_millis(100);

/// How the queue stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) waiting: usize,
    pub(crate) sent: u64,
    /// For want of room or time.
    pub(crate) lost: u64,
}

/// The queue and its thread; dropping it ends the thread, and what waits is lost with it unless it was
/// [finished](Later::finish) before.
pub(crate) struct Later {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// What to ask, by line, so that what waits for one dependency keeps nobody from another.
    errands: [VecDeque<String>; 4],
    sent: u64,
    lost: u64,
    /// No more are taken.
    is_closed: bool,
    stop: bool,
}

impl Queue {
    fn len(&self) -> usize {
        self.errands.iter().map(VecDeque::len).sum()
    }
}

impl Later {
    pub(crate) fn start(lines: Arc<[Line; 4]>) -> Later {
        let shared = Arc::<Shared>::default();
        let same = Arc::clone(&shared);
        let worker = thread::spawn(move || same.work(&*lines));
        Later { shared, worker: Mutex::new(Some(worker)) }
    }

    /// Asks this of one of the shop's lines, later; gives whether there was room, and still time.
    pub(crate) fn add(&self, line: usize, path: String) -> bool {
        let mut queue = self.shared.queue();
        let has_room = queue.len() < ROOM && !queue.is_closed;
        match has_room {
            true => queue.errands[line].push_back(path),
            false => queue.lost += 1,
        }
        self.shared.changed.notify_all();
        has_room
    }

    /// Takes no more, and waits until all that is there is done, for at most so long and the time of one call. What is
    /// not done then is lost.
    pub(crate) fn finish(&self, within: Duration) -> Tally {
        let mut queue = self.shared.queue();
        queue.is_closed = true;
        let unfinished = |queue: &mut Queue| queue.len() > 0;
        drop(self.shared.changed.wait_timeout_while(queue, within, unfinished));
        self.stop();
        let mut queue = self.shared.queue();
        queue.lost +=
            queue.errands.iter_mut().map(|line| line.drain(..).count() as u64).sum::<u64>();
        drop(queue);
        self.tally()
    }

    /// Ends the thread when it is through with the errand that it is at.
    fn stop(&self) {
        self.shared.queue().stop = true;
        self.shared.changed.notify_all();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            let _ = worker.join();
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        let queue = self.shared.queue();
        Tally { waiting: queue.len(), sent: queue.sent, lost: queue.lost }
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// No holder can leave it half changed.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, lines: &[Line]) {
        while self.wait_for_some() {
            let done = (0..lines.len()).filter(|&at| self.try_one(lines, at)).count();
            if done == 0 {
                let going_on = |queue: &mut Queue| !queue.stop;
                drop(self.changed.wait_timeout_while(self.queue(), PAUSE, going_on));
            }
        }
    }

    /// Whether an errand of this line was done.
    fn try_one(&self, lines: &[Line], at: usize) -> bool {
        let line = &lines[at];
        if line.breaker.open_for().is_some() {
            return false;
        }
        let Some(path) = self.queue().errands[at].front().cloned() else {
            return false;
        };
        let is_done = line.ask(&path, &Deadline::after(line.timeout)).is_ok();
        if is_done {
            // Others add at the other end.
            let mut queue = self.queue();
            queue.errands[at].pop_front();
            queue.sent += 1;
            self.changed.notify_all();
        }
        is_done
    }

    /// Whether there is one; not, once it is over.
    fn wait_for_some(&self) -> bool {
        let nothing = |queue: &mut Queue| queue.len() == 0 && !queue.stop;
        let queue =
            self.changed.wait_while(self.queue(), nothing).unwrap_or_else(PoisonError::into_inner);
        !queue.stop
    }
}
