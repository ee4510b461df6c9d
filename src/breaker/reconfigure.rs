//! The live change of settings: what it does to the present generation, and why no verdict mixes two configurations.
//!
//! The words are those of `breaker::limits`; the argument is on the architecture page.

use std::sync::PoisonError;

use crate::breaker::engine::{Change, Engine};
use crate::breaker::rules::{Config, HalfOpenKind};
use crate::phase::State;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// What changes of one breaker have in common.
pub(super) struct Changing {
    /// Held by who changes settings; no call takes it.
    turn: Mutex<()>,
    /// The longest wait that settings which were replaced could ask for: an open period of theirs may still run.
    longest_ns: AtomicU64,
}

impl Changing {
    pub(super) fn new() -> Self {
        Changing { turn: Mutex::new(()), longest_ns: AtomicU64::new(0) }
    }

    pub(super) fn longest_ns(&self) -> u64 {
        // Relaxed: who has read a wait that was set later has acquired this with its version (E15).
        self.longest_ns.load(Ordering::Relaxed)
    }
}

impl Engine {
    /// Puts settings in force, with the jitter's seed that is in force if none is given; says what followed.
    ///
    /// `now` reads the clock, since the engine's zero; it is called once.
    ///
    /// Blocks while another thread changes settings; otherwise lock-free: it looks again only if another thread has
    /// exchanged the state word.
    pub(crate) fn reconfigure(
        &self,
        mut next: Config,
        seed: Option<u64>,
        now: &dyn Fn() -> u64,
    ) -> Vec<Change> {
        let _turn = self.changing.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.limits().in_force(next.window, next.stripes);
        next.wait.seed = seed.unwrap_or(old.wait.seed);
        let mut changes = Vec::new();
        if next == old {
            return changes;
        }
        let now = now();
        // By the old lease: who has seen these probes lapsed sees them come back by no longer one.
        self.commit_lapses(now, &mut changes);
        let longest = self.changing.longest_ns().max(old.wait.longest_ns());
        self.changing.longest_ns.store(longest, Ordering::Relaxed);
        let judging = [old.rules != next.rules, old.judges_probes_unlike(&next)];
        let version = self.limits().publish(&next, judging);
        self.settle(version, judging, now, &mut changes);
        changes
    }

    /// Ends the present generation if the settings of this version judge it otherwise, and sees to it that all later ones
    /// know of them.
    fn settle(&self, version: u64, judging: [bool; 2], now: u64, changes: &mut Vec<Change>) {
        // Another turn needs an exchange of the word by another thread, or follows a lapse that this one has committed.
        loop {
            self.commit_lapses(now, changes);
            let word = self.load();
            let judged = match word.state() {
                State::Closed | State::MetricsOnly => judging[0],
                State::HalfOpen => judging[1],
                State::Open | State::ForcedOpen | State::Disabled => false,
            };
            if judged {
                if let Some(change) = self.renew(word, version) {
                    changes.push(change);
                    return;
                }
            } else {
                let generation = self.shared.state.generation(word);
                // E2: by the same word. Whatever follows it acquires what happened before this.
                if self.shared.state.exchange(word, word) {
                    self.limits().note_since(version, generation);
                    return;
                }
            }
        }
    }

    fn commit_lapses(&self, now: u64, changes: &mut Vec<Change>) {
        loop {
            let word = self.load();
            let lapsed = match word.state() {
                State::HalfOpen => self.lapsed(word, now),
                _ => None,
            };
            let Some(at) = lapsed else {
                return;
            };
            self.commit_lapse(word, at, &mut |change| changes.push(change));
        }
    }
}

impl Config {
    /// Whether half-open probes may be judged otherwise by other settings.
    fn judges_probes_unlike(&self, other: &Config) -> bool {
        let rates = |config: &Config| (config.rules.failure_ppm, config.rules.slow_ppm);
        self.half_open != other.half_open
            || self.rules.slow_limit_ns != other.rules.slow_limit_ns
            || (self.half_open.kind == HalfOpenKind::Rate && rates(self) != rates(other))
    }
}
