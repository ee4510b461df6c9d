//! What a breaker's totals and history must say of a run: counted by the driver, from the answers that both gave.

use std::time::Duration;

use failfast::{CallError, Outcome, Recorded, State, Totals, Transition, TransitionCause};

use crate::subject::Finish;

/// How many transitions a history holds.
const HISTORY: usize = 16;

pub(crate) struct Ledger {
    /// The instant of the build.
    start: Duration,
    permitted: u64,
    refused: u64,
    succeeded: u64,
    failed: u64,
    ignored: u64,
    stale: u64,
    /// Of permits that were let go: a failure, an ignored outcome or a stale one, which nobody was told.
    untold: u64,
    pub(crate) transitions: Vec<Transition>,
    /// The longest time that was shown of each state.
    shown: [Duration; State::ALL.len()],
}

impl Ledger {
    pub(crate) fn new(start: Duration) -> Self {
        Ledger {
            start,
            permitted: 0,
            refused: 0,
            succeeded: 0,
            failed: 0,
            ignored: 0,
            stale: 0,
            untold: 0,
            transitions: Vec::new(),
            shown: [Duration::ZERO; State::ALL.len()],
        }
    }

    pub(crate) fn acquired(&mut self, granted: bool) {
        *if granted { &mut self.permitted } else { &mut self.refused } += 1;
    }

    pub(crate) fn finished(&mut self, how: Finish, answer: Option<Recorded>) {
        match (how, answer) {
            (Finish::Lost, _) => {}
            (_, Some(Recorded::Stale)) => self.stale += 1,
            (Finish::Report(outcome) | Finish::Timed(outcome, _), Some(_)) => self.counted(outcome),
            (_, _) => self.untold += 1,
        }
    }

    pub(crate) fn called(&mut self, outcome: Outcome, answer: &Result<(), CallError<()>>) {
        let granted = !matches!(answer, Err(CallError::Rejected(_)));
        self.acquired(granted);
        if granted {
            self.counted(outcome);
        }
    }

    fn counted(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Success => &mut self.succeeded,
            Outcome::Failure => &mut self.failed,
            Outcome::Ignored => &mut self.ignored,
        } += 1;
    }

    /// Compares a reading at `now`.
    pub(crate) fn check(&mut self, totals: &Totals, history: &[Transition], now: Duration) {
        let Totals { permitted, refused, succeeded, failed, ignored, stale, .. } = *totals;
        let told = self.succeeded + self.failed + self.ignored + self.stale;
        let over = succeeded + failed + ignored + stale;
        assert_eq!((permitted, refused), (self.permitted, self.refused), "{totals:?}");
        assert_eq!(succeeded, self.succeeded, "{totals:?}");
        assert_eq!(over, told + self.untold, "each permit ends once: {totals:?}");
        assert_eq!(permitted, over + totals.in_flight(), "or is out: {totals:?}");
        for (shown, least) in [(failed, self.failed), (ignored, self.ignored), (stale, self.stale)]
        {
            assert!((least..=least + self.untold).contains(&shown), "{totals:?}");
        }
        self.check_transitions(totals);
        self.check_times(totals, now);
        let first = self.transitions.len().saturating_sub(HISTORY);
        assert_eq!(history, &self.transitions[first..], "the history is the last of them");
    }

    /// The instants at which a state was left, the present one now, less those at which it was entered.
    ///
    /// A clock that steps back takes nothing away of what was shown. Nanoseconds are counted modulo 2^64, and what is
    /// then 2^63 or more is less than nothing.
    fn check_times(&mut self, totals: &Totals, now: Duration) {
        let (mut state, mut since) = (State::Closed, self.start);
        let mut spent = [0; State::ALL.len()];
        let mut spend = |state: State, since: Duration, until: Duration| {
            spent[state as usize] += until.as_nanos() as i128 - since.as_nanos() as i128;
        };
        for transition in &self.transitions {
            spend(state, since, transition.at);
            (state, since) = (transition.to, transition.at);
        }
        spend(state, since, now);
        for ((state, spent), shown) in State::ALL.into_iter().zip(spent).zip(&mut self.shown) {
            let spent = u64::try_from(spent as i64).unwrap_or(0);
            *shown = Duration::from_nanos(spent).max(*shown);
            assert_eq!(totals.time_in(state), *shown, "{state:?} at {now:?}: {totals:?}");
        }
    }

    fn check_transitions(&self, totals: &Totals) {
        let count =
            |is: &dyn Fn(&&Transition) -> bool| self.transitions.iter().filter(is).count() as u64;
        for from in State::ALL {
            for to in State::ALL {
                let heard = count(&|t| (t.from, t.to) == (from, to));
                assert_eq!(totals.transitions(from, to), heard, "{from:?} to {to:?}");
            }
        }
        for (name, shown) in totals.causes() {
            assert_eq!(shown, count(&|t| t.cause.name() == name), "{name}");
        }
        let by_rule =
            |t: &&Transition| t.from == State::Closed && t.to == State::Open && !is_control(t);
        assert_eq!(totals.openings, count(&by_rule), "openings");
        assert!(totals.false_positives <= totals.openings, "{totals:?}");
        let lost = self.transitions.iter().map(|t| match t.cause {
            TransitionCause::ProbesLost { outstanding } => outstanding,
            _ => 0,
        });
        assert_eq!(totals.probes_lost, lost.sum::<u64>(), "probes lost");
    }
}

fn is_control(transition: &Transition) -> bool {
    matches!(transition.cause, TransitionCause::Control)
}
