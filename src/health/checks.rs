//! The program's own checks: what each last said, and who runs them.
//!
//! A check has at most one run at a time, on a thread of its own. That thread alone ends the run, under the lock, and
//! whether it was in time is decided there, by the system's clock; whoever waits for it goes by the same clock under the
//! same lock, so both say the same. Nobody ends a thread that hangs: its check is not run again until it answers.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Instant, SystemTime};

use super::{CheckHealth, CheckStatus};
use crate::clock::Clock;
use crate::event::contain;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A check with its error in words.
type Ask = dyn Fn() -> Result<(), String> + Send + Sync;

pub(crate) struct Checks<C> {
    clock: C,
    table: Mutex<Table>,
    /// A run is over, a check is gone, or a runner is to stop.
    news: Condvar,
}

#[derive(Default)]
pub(crate) struct Table {
    checks: BTreeMap<String, Check>,
    /// Background runners that go on.
    runners: BTreeSet<u64>,
    /// Numbers of checks, runs and runners that were given out.
    numbers: u64,
}

struct Check {
    limit: Duration,
    ask: Arc<Ask>,
    last: Option<Ran>,
    run: Option<Run>,
}

/// A run under way.
#[derive(Clone, Copy)]
struct Run {
    number: u64,
    /// By the system's clock, for the limit.
    started: Instant,
    /// By the registry's clock, for reports.
    at: Duration,
    /// Where the check is asked, once it is.
    thread: Option<ThreadId>,
}

/// A run that is over.
struct Ran {
    result: Result<(), String>,
    late: bool,
    at: Duration,
    took: Duration,
}

impl Table {
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn enrol(&mut self) -> u64 {
        let runner = self.number();
        self.runners.insert(runner);
        runner
    }

    pub(super) fn is_enrolled(&self, runner: u64) -> bool {
        self.runners.contains(&runner)
    }

    pub(super) fn dismiss(&mut self, runner: u64) {
        self.runners.remove(&runner);
    }

    /// Whether a check is being asked on this very thread.
    fn is_asking_here(&self) -> bool {
        let here = Some(thread::current().id());
        self.checks.values().any(|check| check.run.is_some_and(|run| run.thread == here))
    }

    /// The check that has this run under way, unless it is gone.
    fn running(&mut self, name: &str, number: u64) -> Option<&mut Check> {
        self.checks.get_mut(name).filter(|check| check.run.is_some_and(|run| run.number == number))
    }

    /// How long the slowest of these runs may still take; `None` when all are over or beyond their limits.
    fn left(&self, runs: &[(String, u64)]) -> Option<Duration> {
        let left = |(name, number): &(String, u64)| {
            let check = self.checks.get(name)?;
            let run = check.run.filter(|run| run.number == *number)?;
            check.limit.checked_sub(run.started.elapsed()).filter(|left| !left.is_zero())
        };
        runs.iter().filter_map(left).max()
    }
}

impl<C: Clock> Checks<C> {
    pub(crate) fn new(clock: C) -> Self {
        Checks { clock, table: Mutex::default(), news: Condvar::new() }
    }

    /// No foreign code runs under this lock, so one that is poisoned holds a good table.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the table and wakes everybody who waits for that.
    pub(crate) fn announce<R>(&self, change: impl FnOnce(&mut Table) -> R) -> R {
        let changed = change(&mut self.table());
        self.news.notify_all();
        changed
    }

    /// Waits for news, for at most so long.
    pub(super) fn wait<'a>(
        &self,
        table: MutexGuard<'a, Table>,
        most: Duration,
    ) -> MutexGuard<'a, Table> {
        self.news.wait_timeout(table, most).unwrap_or_else(PoisonError::into_inner).0
    }

    // ===== the checks =====

    /// Adds a check; false if the name is taken.
    pub(crate) fn add<E: Display>(
        &self,
        name: &str,
        limit: Duration,
        check: impl Fn() -> Result<(), E> + Send + Sync + 'static,
    ) -> bool {
        let ask: Arc<Ask> = Arc::new(move || check().map_err(|error| error.to_string()));
        let mut table = self.table();
        let is_free = !table.checks.contains_key(name);
        if is_free {
            // A clone stays here, so that nothing is dropped under the lock.
            let check = Check { limit, ask: Arc::clone(&ask), last: None, run: None };
            table.checks.insert(name.to_owned(), check);
        }
        drop(table);
        is_free
    }

    /// Takes a check out; false if there is none. A run of it that is under way is left to itself.
    pub(crate) fn remove(&self, name: &str) -> bool {
        self.announce(|table| table.checks.remove(name)).is_some()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.table().checks.keys().cloned().collect()
    }

    // ===== runs =====

    /// Runs every check that is not running, and waits until all runs are over or beyond their limits, or until
    /// `is_stopped`.
    pub(super) fn run(self: &Arc<Self>, is_stopped: impl Fn(&Table) -> bool)
    where
        C: Clone,
    {
        let runs = self.start();
        let mut table = self.table();
        while let (false, Some(left)) = (is_stopped(&table), table.left(&runs)) {
            table = self.wait(table, left);
        }
    }

    /// Runs the checks, and says how all of them are afterwards; on the thread of a check, says how they are.
    pub(crate) fn run_all(self: &Arc<Self>, wall: SystemTime) -> Vec<CheckHealth>
    where
        C: Clone,
    {
        let began = Instant::now();
        // A check would wait for itself; and two that run the checks, each for the other.
        let is_nested = self.table().is_asking_here();
        if !is_nested {
            self.run(|_| false);
        }
        self.read(wall.checked_add(began.elapsed()).unwrap_or(wall))
    }

    /// Starts every check that is not running; the answer is all runs that are under way.
    fn start(self: &Arc<Self>) -> Vec<(String, u64)>
    where
        C: Clone,
    {
        let at = self.clock.now();
        let (mut runs, mut fresh) = (Vec::new(), Vec::new());
        let mut table = self.table();
        let Table { checks, numbers, .. } = &mut *table;
        for (name, check) in checks {
            let run = *check.run.get_or_insert_with(|| {
                *numbers += 1;
                fresh.push((name.clone(), *numbers, Arc::clone(&check.ask)));
                Run { number: *numbers, started: Instant::now(), at, thread: None }
            });
            runs.push((name.clone(), run.number));
        }
        drop(table);
        for (name, run, ask) in fresh {
            let (checks, check) = (Arc::clone(self), name.clone());
            // The system cuts names and takes no NUL.
            let thread = thread::Builder::new().name(format!("check-{name}").replace('\0', "?"));
            let started = thread.spawn(move || {
                checks.note_thread(&check, run);
                let result = answer(&*ask);
                checks.finish(&check, run, result);
            });
            if let Err(error) = started {
                self.finish(&name, run, Err(format!("no thread could be started: {error}")));
            }
        }
        runs
    }

    /// Notes that a check is asked on this thread, unless it is gone.
    fn note_thread(&self, name: &str, number: u64) {
        if let Some(run) = self.table().running(name, number).and_then(|check| check.run.as_mut()) {
            run.thread = Some(thread::current().id());
        }
    }

    /// Notes how a run went, unless its check is gone.
    fn finish(&self, name: &str, number: u64, result: Result<(), String>) {
        let now = self.clock.now();
        self.announce(|table| {
            let Some(check) = table.running(name, number) else { return };
            let Some(run) = check.run.take() else { return };
            check.last = Some(Ran {
                result,
                late: run.started.elapsed() >= check.limit,
                at: run.at,
                took: now.saturating_sub(run.at),
            });
        });
    }

    // ===== reading =====

    /// What every check last said.
    pub(crate) fn read(&self, wall: SystemTime) -> Vec<CheckHealth> {
        let now = self.clock.now();
        self.table().checks.iter().map(|(name, check)| check.read(name, now, wall)).collect()
    }
}

impl Check {
    fn read(&self, name: &str, now: Duration, wall: SystemTime) -> CheckHealth {
        let late = || Some(format!("no answer within {:?}", self.limit));
        let hanging = self.run.filter(|run| run.started.elapsed() >= self.limit);
        let (status, error, took, at) = match (hanging, &self.last) {
            (Some(run), _) => {
                (CheckStatus::TimedOut, late(), Some(now.saturating_sub(run.at)), Some(run.at))
            }
            (None, None) => (CheckStatus::NeverRan, None, None, None),
            (None, Some(ran)) => {
                let (status, error) = match &ran.result {
                    _ if ran.late => (CheckStatus::TimedOut, late()),
                    Ok(()) => (CheckStatus::Passed, None),
                    Err(error) => (CheckStatus::Failed, Some(error.clone())),
                };
                (status, error, Some(ran.took), Some(ran.at))
            }
        };
        let age = at.map(|at| now.saturating_sub(at));
        CheckHealth {
            name: name.to_owned(),
            status,
            error,
            took,
            last_ran: age.and_then(|age| wall.checked_sub(age)),
            age,
            time_limit: self.limit,
            running: self.run.is_some(),
        }
    }
}

/// Asks, and turns a panic into an error.
fn answer(ask: &Ask) -> Result<(), String> {
    let payload = match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(answer) => return answer,
        Err(payload) => payload,
    };
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => format!("panicked: {message}"),
        (None, Some(message)) => format!("panicked: {message}"),
        (None, None) => "panicked".to_owned(),
    };
    // What was thrown may throw again when it is dropped.
    contain(|| drop(payload));
    Err(message)
}
