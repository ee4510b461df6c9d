//! A log that holds up nobody: lines wait for a thread of their own, which alone waits for whoever reads them.
//!
//! Changes of circuits are logged by the threads that make them, in the middle of a call. A pipe that nobody reads is
//! full after some hundred lines, and then stops who writes to it: here that thread. What there is no room for any more
//! is left out, and the log says how many lines that were.

use std::collections::VecDeque;
use std::io::Write;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that may wait; arbitrary: some minutes of an outage.
pub(crate) const ROOM: usize = 256;

#[derive(Clone, Default)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    /// Left out since the last of `lines`.
    left_out: u64,
    is_writing: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.left_out == 0
    }

    fn note_gap(&mut self) {
        if self.left_out > 0 {
            self.lines.push_back(format!("({} lines left out)", mem::take(&mut self.left_out)));
        }
    }
}

impl Log {
    /// Starts the thread, which ends with the process.
    pub(crate) fn to(mut out: impl Write + Send + 'static) -> Log {
        let log = Log::default();
        let shared = Arc::clone(&log.shared);
        thread::spawn(move || loop {
            let lines = shared.take();
            for line in lines {
                // A reader that has gone is no reason to end, nor is there anybody to tell.
                let _ = writeln!(out, "{line}");
            }
            let _ = out.flush();
        });
        log
    }

    /// Never waits for a reader.
    pub(crate) fn say(&self, line: String) {
        let mut state = self.shared.state();
        if state.lines.len() < ROOM {
            // Nothing has been left out: what is, is taken together with the lines before it.
            state.lines.push_back(line);
        } else {
            state.left_out += 1;
        }
        self.shared.changed.notify_all();
    }

    /// Waits until everything is written, for at most so long.
    pub(crate) fn flush(&self, within: Duration) {
        let unwritten = |state: &mut State| state.is_writing || !state.is_idle();
        drop(self.shared.changed.wait_timeout_while(self.shared.state(), within, unwritten));
    }
}

impl Shared {
    /// No holder can leave it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines to write; those that were taken before have been.
    fn take(&self) -> VecDeque<String> {
        let mut state = self.state();
        state.is_writing = false;
        self.changed.notify_all();
        let nothing = |state: &mut State| state.is_idle();
        let mut state =
            self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        state.note_gap();
        mem::take(&mut state.lines)
    }
}
