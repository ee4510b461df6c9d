//! The bounds of the progress page: how many atomic steps each call can take, whatever other threads do.
//!
//! [`Size`] holds the formulas, and the page's figures are compared with them. Two kinds of tests hold the code against
//! them: an adversary that moves right before a chosen step of the call, again and again, shows that a bound is
//! approached, so that none is an idle number; a crowd of real threads, each with a clock of its own that may step
//! back, shows that none is passed. A step is a load, a store, a read-modify-write or a fence of any ordering. The
//! clock is no word of ours.

mod adversary;
mod crowd;

use super::Grant;
use crate::breaker::rules::WindowConfig;
use crate::outcome::Outcome;
use crate::phase::State;
use crate::seats::WORDS;

/// `engine::ATTEMPTS`: exchanges of the half-open word that one call may lose.
const LOSSES: usize = 4_096;

/// What every reading of settings takes beside the words that it reads: the version, a fence, the version. As all
/// figures here, while nobody changes them.
const READING: usize = 3;

/// The settings that an open time is made of.
const WAIT: usize = READING + 5;

/// The settings that judge a window, or the outcomes of probes by their rates.
const RULES: usize = READING + 3;

/// One attempt at a transition. The generation, a fence, the ticket counter and the word: 4. The words beside it: 3.
/// Three shared words, each read, and swept if it is old, which asks for the state again: 9. The base: 1. The open
/// period's number and its wait. The exchange: 1.
const TRANSIT: usize = 4 + 3 + 9 + 1 + 1 + WAIT + 1;

/// One attempt at a transition by a verdict: the generation, and since when the settings judge alone.
const DECIDE: usize = 1 + READING + 1 + TRANSIT;

/// Whether an open time that seems very long is so: generation, number, wait, the longest one of other settings.
const LONG_WAIT: usize = 2 + WAIT + 1;

/// The lease, and the stamp.
const LAPSED: usize = READING + 1 + 1;

/// The state word, read in the middle of the settings that half-open goes by: its rules and the lease.
const AROUND: usize = READING + 2 + 1;

/// One turn of an acquire: the word, the stamp, and a lapse to commit. (An open time that is found over takes less: the
/// transition to half-open needs no wait.)
const ACQUIRE_TURN: usize = AROUND + 1 + TRANSIT;

/// One turn of a report in half-open: the word, its generation, the stamp (replaced if it was wild), the rates and
/// numbers that decide, a transition.
const REPORT_TURN: usize = AROUND + 1 + 1 + 2 + RULES + DECIDE;

/// One turn of a control call.
const CONTROL_TURN: usize = 1 + LAPSED + TRANSIT;

/// A reading of the state: the word twice, generation and number of the open period, and what time makes of them: at
/// most, a lease that has lapsed and the wait that follows.
const STATE: usize = 1 + 1 + 2 + LAPSED + WAIT;

/// Writing a mark: the ticket counter before each of three exchanges, and once more. The first exchange supposes an empty
/// slot. The second may lose to a thread with an older ticket of the slot; to one only, since it must have asked for the
/// counter before this call took its ticket, and so have seen what the slot held then (no entry comes twice within 4,096
/// laps). The third loses to a newer ticket only, and then the ring has gone round.
const WRITE: usize = 4 + 3;

/// What the bounds depend on.
#[derive(Clone, Copy)]
struct Size {
    stripes: usize,
    /// Slots of the ring of marks.
    ring: usize,
    /// Of a time window.
    buckets: usize,
    places: usize,
    /// Threads that use the breaker at a time.
    threads: usize,
    /// Whether a limit on runs is set.
    runs: bool,
}

/// Steps of other threads that one call can meet. Calls count what they met, so that the crowd's figures are sharp.
const ANY: usize = usize::MAX;

impl Size {
    /// The plain successes of a generation: the shared word, and two words a stripe.
    fn sum(self) -> usize {
        1 + 2 * self.stripes
    }

    fn acquire_half_open(self) -> usize {
        // The last turn finds that too many are lost; and the facade's look at the word.
        1 + ACQUIRE_TURN * (LOSSES + 1) + 1
    }

    fn report_half_open(self) -> usize {
        // The facade's two looks at the slow limit and one at the word; the turns; and the word of slow failures, which
        // others exchange once a report.
        3 + REPORT_TURN * LOSSES + self.places + self.threads
    }

    /// Walks of the ring from as many ends as tickets were taken since one's own, each with `each` steps beside them.
    fn walks(self, taken: usize, each: usize) -> usize {
        let ends = taken.saturating_add(1).min(self.ring);
        (0..ends).map(|behind| each + self.ring - behind).sum()
    }

    /// The windows that end with a mark or with one written since. An end is read, the filter reads five words at most,
    /// the recount two beside its walk; a skip is noted once.
    fn judge_windows(self, met: usize) -> usize {
        self.walks(met, 1 + 5 + 1) + 1
    }

    /// The window that ends at the minimum: the sum, the ticket counter, the base twice; a fence, the ticket counter again; turns; a note of two steps. A
    /// turn walks the ring twice, and another one follows only if an entry was written or overwritten in between: each
    /// can be overwritten once, and every other thread can be late with one.
    fn judge_minimum(self, met: usize) -> usize {
        let turns = met.saturating_add(1).min(self.ring + self.threads);
        self.sum() + 5 + turns * (2 * self.ring + 1) + 2
    }

    /// The runs that end with a mark or with one written since.
    fn judge_runs(self, met: usize) -> usize {
        if self.runs {
            self.walks(met, 1 + 2 + 1)
        } else {
            0
        }
    }

    /// A marked outcome, in a window that it is judged in or beside one. What was crossed, the ticket, a fence, the
    /// state, the skip and the base: 7. The sum; the mark; the run's two sums and twelve words of its own. A fence and
    /// the ticket counter.
    fn mark(self, met: usize) -> usize {
        let run = if self.runs { self.sum() + 11 } else { 0 };
        7 + self.sum() + WRITE + run + 1 + 1 + self.judge_runs(met)
    }

    /// A report in a count window that leaves a mark: a failure, or a slow success.
    fn count_mark(self, met: usize) -> usize {
        let judging = self.judge_windows(met) + self.judge_minimum(met);
        SETTLE_MARKED + RECORD + self.mark(met) + judging + DECIDE
    }

    /// A cold success in a count window: stripe, fence, sum, the note that the minimum is crossed, judged, looked at again;
    /// warm.
    fn count_success(self, met: usize) -> usize {
        let judging = 1 + self.sum() + 1 + self.judge_minimum(met) + 1 + 1;
        SETTLE_COLD + RECORD + STRIPE + judging + DECIDE
    }

    /// All buckets of all stripes: their numbers, twice, and four counts; and the shared ones.
    fn find(self) -> usize {
        self.stripes * (1 + 6 * self.buckets) + 6 * self.buckets
    }

    /// Readings of all buckets: one of each of two windows, another one where a rate seems reached, and one more for each
    /// bucket that another call begins or replaces in between. Alone, the second reading finds what the first one did,
    /// so that only the last window has one.
    fn readings(self, met: usize) -> usize {
        let most = 2 * (2 + 2 * (self.stripes + 1) * self.buckets);
        if met == 0 {
            3
        } else {
            met.saturating_add(4).min(most)
        }
    }

    /// Any report in a time window, but a warm one: beside a run, the stripe or a mark; the bucket, which is entered and
    /// turned; a fence; the readings; settled.
    fn time(self, met: usize) -> usize {
        let beside = if self.runs { STRIPE.max(self.mark(met)) } else { 0 };
        let bucket = (1 + 1 + 2 + self.buckets + 1) + 7 + 2;
        SETTLE_COLD_TIMED
            + RECORD
            + beside
            + bucket
            + 1
            + self.readings(met) * self.find()
            + DECIDE
            + 5
    }

    /// A cold success in a consecutive window: no judgement, so no transition.
    fn run_success(self) -> usize {
        SETTLE_COLD + RECORD + STRIPE + 1
    }

    fn run_failure(self, met: usize) -> usize {
        SETTLE_MARKED + RECORD + self.mark(met) + DECIDE
    }

    /// One attempt of a reading of a count window.
    fn read_count(self) -> usize {
        let run = if self.runs { self.sum() + 2 + self.ring + 2 + 6 * self.stripes } else { 0 };
        READ + self.sum() + 2 + self.ring + run
    }

    fn read_time(self) -> usize {
        let run = if self.runs { self.sum() + 2 + self.ring + 2 + 6 * self.stripes } else { 0 };
        READ + self.find() + run
    }
}

/// The facade before a cold success: the state, the warm name, the slow limit twice.
const SETTLE_COLD: usize = 4;
/// The same with a bucket, whose first instant and length are asked for as well.
const SETTLE_COLD_TIMED: usize = 6;
/// Before a failure or a slow success: the slow limit twice.
const SETTLE_MARKED: usize = 2;
/// The slow limit, the state, two words of a time window's stripe, the state.
const DISABLED: usize = 5;
/// The state, and the rules.
const RECORD: usize = 1 + RULES;
/// A stripe that enters a generation, a fence and four stores; and counts.
const STRIPE: usize = 1 + 5 + 2;
/// A reading of a state that counts: the word, what time makes of it, generation, rules; a fence and the word.
const READ: usize = STATE - 1 + 1 + RULES + 1 + 2;

/// The default settings on up to four cores, and as many threads as the page's machine has cores.
const DEFAULT: Size =
    Size { stripes: 8, ring: 128, buckets: 10, places: 3, threads: 2, runs: false };

/// The table of the progress page: each call, its bound when nobody else is around and its bound whatever others do.
#[test]
fn the_figures_of_the_progress_page_are_these() {
    let page = include_str!("../docs/progress.md");
    let (_, page) = page.split_once("## Bounded steps").expect("a section of the page");
    let runs = Size { ring: 32, runs: true, ..DEFAULT };
    for (call, alone, most) in [
        ("`try_acquire`, closed, metrics-only", 2, 2),
        ("`try_acquire`, disabled, forced open", 1, 1),
        ("`try_acquire`, open", 1, 1 + AROUND + LONG_WAIT),
        ("`try_acquire`, open time over", 1 + ACQUIRE_TURN, ACQUIRE_TURN),
        ("`success`, warm, count or consecutive window", 4, 5),
        ("`success`, warm, time window", 7, 11),
        ("`ignore`, a drop, not in half-open", 1, 1),
        ("any report, disabled", DISABLED, DISABLED),
        ("a thread's first report, on top", 2, WORDS + WORDS * u64::BITS as usize),
        ("a thread's end", 1, 1),
        ("`try_acquire`, half-open", 1 + 11, DEFAULT.acquire_half_open()),
        ("any report, half-open", 3 + REPORT_TURN, DEFAULT.report_half_open()),
        ("`success`, cold, count window", DEFAULT.count_success(0), DEFAULT.count_success(ANY)),
        ("`failure`, count window", DEFAULT.count_mark(0), DEFAULT.count_mark(ANY)),
        ("any report, cold, time window", DEFAULT.time(0), DEFAULT.time(ANY)),
        ("`success`, cold, consecutive window", runs.run_success(), runs.run_success()),
        ("`failure`, consecutive window", runs.run_failure(0), runs.run_failure(ANY)),
        ("`state`", STATE, STATE),
        ("`snapshot`, count window", DEFAULT.read_count(), DEFAULT.read_count()),
        ("`snapshot`, time window", DEFAULT.read_time(), DEFAULT.read_time()),
        ("control", CONTROL_TURN, CONTROL_TURN),
    ] {
        let line = page.lines().find(|line| line.starts_with(&format!("| {call} |")));
        let columns: Vec<&str> = line.expect(call).split('|').map(str::trim).collect();
        let figures = columns[3..5].iter().map(|figure| figure.replace(',', ""));
        let figures: Vec<usize> = figures
            .map(|figure| figure.split(' ').next().unwrap_or("").parse().expect("a number"))
            .collect();
        assert_eq!(figures, [alone, most], "{call}");
    }
}
