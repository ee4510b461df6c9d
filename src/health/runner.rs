//! The background thread that runs the checks again and again.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::Checks;
use crate::clock::{Clock, DefaultClock};

/// Runs the checks of a registry in the background until it is dropped; see
/// [`Registry::run_checks_every`](crate::Registry::run_checks_every).
///
/// Dropping it wakes the thread and waits for its end, which does not wait for any check: one that is running goes on to
/// its end, and what it says is noted.
#[must_use = "the background runs end when this is dropped"]
pub struct CheckRunner<C: Clock + Clone = DefaultClock> {
    checks: Arc<Checks<C>>,
    number: u64,
    thread: Option<JoinHandle<()>>,
}

impl<C: Clock + Clone> CheckRunner<C> {
    pub(crate) fn start(checks: &Arc<Checks<C>>, period: Duration) -> io::Result<Self> {
        let number = checks.table().enrol();
        let mut runner = CheckRunner { checks: Arc::clone(checks), number, thread: None };
        let checks = Arc::clone(checks);
        let thread = thread::Builder::new().name("checks".to_owned());
        runner.thread = Some(thread.spawn(move || rounds(&checks, number, period))?);
        Ok(runner)
    }
}

/// One round after another, each a period after the last one began, or at once if that took longer.
fn rounds<C: Clock + Clone>(checks: &Arc<Checks<C>>, number: u64, period: Duration) {
    loop {
        let began = Instant::now();
        checks.run(|table| !table.is_enrolled(number));
        let mut table = checks.table();
        loop {
            if !table.is_enrolled(number) {
                return;
            }
            let left = period.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            table = checks.wait(table, left);
        }
    }
}

impl<C: Clock + Clone> Drop for CheckRunner<C> {
    fn drop(&mut self) {
        self.checks.announce(|table| table.dismiss(self.number));
        // Should it be dropped on its own thread, as what a check held may be, there is nobody to wait for.
        let others = self.thread.take().filter(|it| it.thread().id() != thread::current().id());
        if let Some(thread) = others {
            // Its panic could only be the clock's, and has been reported where it happened.
            let _ = thread.join();
        }
    }
}

impl<C: Clock + Clone> fmt::Debug for CheckRunner<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckRunner").finish_non_exhaustive()
    }
}
