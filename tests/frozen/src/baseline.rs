//! The mutex baseline under the same harness: it blocks, and the harness must say so.

use failfast::clock::ManualClock;
use failfast::{Outcome, Recorded};

use self::mutex::{Baseline, Settings};
use crate::story::{Books, Hand, Story};

#[allow(dead_code)] // The benches ask more of it.
#[path = "../../../benches/support/baseline.rs"]
mod mutex;

pub(crate) struct Locked {
    baseline: Baseline<ManualClock>,
}

impl Locked {
    pub(crate) fn new() -> Self {
        let settings = Settings { failure_ppm: 900_000, ..Settings::default() };
        Locked { baseline: Baseline::new(settings, ManualClock::new()) }
    }
}

impl Story for Locked {
    fn title(&self) -> (&'static str, &'static str) {
        ("mutex, count 100", "closed, failing")
    }

    fn step(&self, hand: &mut Hand<'_>) {
        let outcome = match hand.next_call() % 4 {
            3 => Outcome::Failure,
            _ => Outcome::Success,
        };
        match hand.inside(|| self.baseline.try_acquire()) {
            Ok(ticket) => {
                let recorded = hand.inside(|| self.baseline.record(ticket, outcome));
                hand.note(outcome, false, recorded);
                hand.books.expect(recorded == Recorded::Counted, || format!("{recorded:?}"));
            }
            Err(refused) => hand.books.expect(false, || format!("{refused:?}")),
        }
    }

    fn burst(&self, _: usize, hand: &mut Hand<'_>) -> u64 {
        (0..2_000).for_each(|_| self.step(hand));
        2_000
    }

    fn at_rest(&self, round: u64, books: &Books) {
        let counted = books.counted();
        let found = self.baseline.counts();
        books.expect(found.calls == counted.calls.min(100), || {
            format!("round {round}: counted {counted:?}, shown {found:?}")
        });
    }
}
