//! The sliding windows: what a generation has counted, and what its rules make of it.
//!
//! [`Window`] brings the parts together; it knows nothing of states but the name of the generation that it is asked
//! about, reads no clock and calls no user code. The protocol is on the architecture page.

pub(crate) mod buckets;
pub(crate) mod counts;
pub(crate) mod marks;
pub(crate) mod stripes;
pub(crate) mod verdict;

use self::buckets::{Buckets, Counted, Grid, Placed};
use self::counts::{Counts, Kind};
use self::marks::{Mark, Marks};
use self::stripes::Stripes;
use self::verdict::{Known, View};
use crate::breaker::rules::{Rules, WindowConfig};
use crate::breaker::state::Word;
use crate::event::TransitionCause;
use crate::sync::{fence, Ordering};

/// Longest run that is judged by positions, which is exact under every schedule; longer limits are judged by the
/// threads' own counts, which are exact at rest. Arbitrary: a ring of half a mebibyte.
const MAX_RUN_RING: u32 = 65_536;

/// Slots of the ring beyond what the window needs, at least; and at least two a stripe: a thread can leave one hole for
/// good, with a ticket taken for a generation that was over, and hold another ticket that it has not written yet.
const MIN_SPARE: usize = 16;

pub(crate) struct Window {
    kind: Kinds,
    stripes: Stripes,
    marks: Marks,
}

enum Kinds {
    Count {
        size: u64,
    },
    /// `runs`: a run limit stands beside the window, so successes are counted in the stripes as well.
    Time {
        buckets: Buckets,
        runs: bool,
    },
    Consecutive,
}

/// What a record has to do after it was counted.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The rule that trips, if one does.
    pub(crate) cause: Option<TransitionCause>,
    /// What to settle once the consequences are committed.
    settle: Option<(Counted, Kind, bool)>,
}

impl Window {
    pub(crate) fn new(config: WindowConfig, rules: &Rules, stripes: usize) -> Self {
        let run = rules.run.min(MAX_RUN_RING) as usize;
        let (kind, entries) = match config {
            WindowConfig::Count { size } => (Kinds::Count { size: size.into() }, size as usize),
            WindowConfig::Time { length_ns, buckets } => {
                let grid = Grid::new(length_ns, buckets);
                let buckets = Buckets::new(grid, stripes);
                (Kinds::Time { buckets, runs: rules.run > 0 }, 1)
            }
            WindowConfig::Consecutive => (Kinds::Consecutive, 1),
        };
        // A time window counts in its buckets; its stripes are for runs alone.
        let counting = match config {
            WindowConfig::Time { .. } if rules.run == 0 => 0,
            _ => stripes,
        };
        Window {
            kind,
            stripes: Stripes::new(counting),
            marks: Marks::new(entries.max(run), MIN_SPARE.max(2 * stripes)),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        let buckets = match &self.kind {
            Kinds::Time { buckets, .. } => buckets.heap(),
            Kinds::Count { .. } | Kinds::Consecutive => 0,
        };
        buckets + self.stripes.heap() + self.marks.heap()
    }

    /// The longest limit on runs that this window judges as exactly as one that it was built with; zero if it judges
    /// none.
    pub(crate) fn longest_run(&self) -> u32 {
        let room = u32::try_from(self.marks.room()).unwrap_or(u32::MAX);
        match self.kind {
            Kinds::Time { runs: false, .. } => 0,
            // As large as any ring is made for: beyond it the stripes judge.
            _ if room >= MAX_RUN_RING => u32::MAX,
            _ => room,
        }
    }

    /// Whether outcomes need the instant at which they are recorded.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self.kind, Kinds::Time { .. })
    }

    /// Counts a success that can change no verdict in a window that needs no time; `false`, and nothing is counted, when it
    /// might.
    ///
    /// Wait-free, without a locked instruction.
    #[inline]
    pub(crate) fn count_untimed(&self, seat: usize, name: Word) -> bool {
        self.stripes.count_warm(seat, name)
    }

    /// Counts a success that can change no verdict; `false`, and nothing is counted, when it might.
    ///
    /// Wait-free, without a locked instruction. `now` matters to time windows only.
    #[inline]
    pub(crate) fn count_warm(&self, seat: usize, name: Word, now: u64) -> bool {
        match &self.kind {
            // Among the runs first: who finds it in its bucket counts it there as well.
            Kinds::Time { buckets, runs } => buckets.count_warm(seat, name, now, || {
                if *runs {
                    // Cannot fail: this thread has a stripe of its own.
                    self.stripes.count(seat, name, &|| true);
                }
            }),
            _ => self.stripes.count_warm(seat, name),
        }
    }

    /// Notes where a generation that is about to begin begins, and clears what the one that ends can't need.
    ///
    /// `ticket` was read while `current` was the generation; `still_current` asks whether it still is.
    pub(crate) fn prepare(&self, current: u64, ticket: u64, still_current: &dyn Fn() -> bool) {
        self.stripes.sweep(current, still_current);
        self.marks.note_base(current + 1, ticket);
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> (&Marks, &Stripes) {
        (&self.marks, &self.stripes)
    }

    pub(crate) fn next_ticket(&self) -> u64 {
        self.marks.next_ticket()
    }

    // ===== recording =====

    /// Counts an outcome and judges it; `None` when its generation was over before it was counted.
    pub(crate) fn record(&self, record: &Record<'_>) -> Option<Verdict> {
        match &self.kind {
            Kinds::Time { buckets, runs } => {
                let mut verdict = self.record_in_bucket(record, buckets)?;
                if *runs {
                    // After the bucket, and before it is settled: so the order of the runs is one in which the rates
                    // were judged. Once in its bucket the outcome is not stale, whatever the run finds.
                    let by_run = self.record_in_run(record);
                    verdict.cause = verdict.cause.or(by_run);
                }
                Some(verdict)
            }
            Kinds::Count { size } => {
                let size = Some(*size);
                let cause = if View::marks_kind(size, record.kind) {
                    self.record_mark(record, size)?
                } else {
                    self.record_success(record, size)?
                };
                Some(Verdict { cause, settle: None })
            }
            Kinds::Consecutive => {
                let cause = if View::marks_kind(None, record.kind) {
                    self.record_mark(record, None)?
                } else {
                    self.record_success(record, None)?
                };
                Some(Verdict { cause, settle: None })
            }
        }
    }

    /// Settles an outcome after its consequences are committed.
    #[inline]
    pub(crate) fn settle(&self, seat: usize, name: Word, verdict: &Verdict) {
        if let (Kinds::Time { buckets, .. }, Some((at, kind, warm))) = (&self.kind, verdict.settle)
        {
            buckets.settle(seat, name, at, kind, warm);
        }
    }

    fn record_in_bucket(&self, record: &Record<'_>, buckets: &Buckets) -> Option<Verdict> {
        let Record { seat, name, now, kind, rules, .. } = *record;
        let at = match buckets.count(seat, name, now, kind, record.still_current) {
            Placed::Here(at) => Some(at),
            Placed::Nowhere => None,
            Placed::Over => return None,
        };
        let (warm, cause) = match record.judging {
            Judging::Judge => buckets.judge(seat, name, now, rules),
            Judging::CountOnly => (true, None),
        };
        let warm = warm || !rules.has_rate();
        Some(Verdict { cause, settle: at.map(|at| (at, kind, warm)) })
    }

    /// Counts an outcome of a time window among the runs of failures and judges them.
    fn record_in_run(&self, record: &Record<'_>) -> Option<TransitionCause> {
        if record.kind.failed() {
            return self.record_mark(record, None).flatten();
        }
        self.count_success(record);
        None
    }

    fn count_success(&self, record: &Record<'_>) -> bool {
        self.stripes.count(record.seat, record.name, record.still_current)
    }

    fn record_success(
        &self,
        record: &Record<'_>,
        size: Option<u64>,
    ) -> Option<Option<TransitionCause>> {
        self.count_success(record).then_some(())?;
        let Record { seat, name, rules, .. } = *record;
        if size.is_none() || record.judging == Judging::CountOnly || !rules.has_rate() {
            self.stripes.set_warm(seat, name);
            return Some(None);
        }
        // E1: of the outcomes that together reach the minimum, each counts itself before its fence and reads the
        // others after it: the last of them sees all.
        fence(Ordering::SeqCst);
        let view = self.view(name, size, self.stripes.sum(name));
        let (reached, cause) = view.judge_success(rules);
        if reached {
            self.stripes.set_warm(seat, name);
        }
        Some(cause)
    }

    fn record_mark(
        &self,
        record: &Record<'_>,
        size: Option<u64>,
    ) -> Option<Option<TransitionCause>> {
        let Record { seat, name, kind, rules, .. } = *record;
        let crossed_at = self.marks.crossed_at(name);
        let ticket = self.marks.take_ticket();
        // E12: the ticket against the state word. Either this thread sees that the generation is over, or whoever
        // begins the generation after the next notes a base above this ticket.
        fence(Ordering::SeqCst);
        if !(record.still_current)() {
            return None; // The slot stays unwritten: a hole.
        }
        let known = Known { skips: self.marks.skips(name, ticket), crossed_at };
        let before = self.stripes.sum(name);
        self.marks.write(ticket, name, Mark { kind, before });
        if rules.run > 0 {
            if kind.failed() {
                let breaks = self.stripes.breaks(name, before);
                self.stripes.count_failure(seat, name, breaks, record.still_current);
            } else {
                self.stripes.count_break(seat, name, record.still_current);
            }
        }
        if record.judging == Judging::CountOnly {
            return Some(None);
        }
        // E1: as in `record_success`; and of two marks that together trip, the later one to pass sees both.
        fence(Ordering::SeqCst);
        Some(self.view(name, size, before).judge_mark(ticket, known, rules))
    }

    // ===== readings =====

    /// What the window holds at an instant; exact at rest.
    pub(crate) fn counts(&self, name: Word, now: u64) -> Counts {
        match &self.kind {
            Kinds::Time { buckets, .. } => buckets.counts(name, now),
            Kinds::Count { size } => {
                let newest = self.marks.next_ticket();
                self.view(name, Some(*size), self.stripes.sum(name)).counts(newest, *size)
            }
            Kinds::Consecutive => Counts::default(),
        }
    }

    /// The current run of failures; exact at rest.
    pub(crate) fn run(&self, name: Word) -> u64 {
        self.view(name, None, self.stripes.sum(name)).run()
    }

    /// A reader's view of a generation's marks, given a number of plain successes of about now.
    pub(crate) fn view(&self, name: Word, size: Option<u64>, near: u64) -> View<'_> {
        View { marks: &self.marks, stripes: &self.stripes, name, size, near }
    }
}

/// An outcome to be counted, with all that counting and judging it needs.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) seat: usize,
    /// The generation that it belongs to, which was current a moment ago.
    pub(crate) name: Word,
    /// The instant of the clock; time windows only.
    pub(crate) now: u64,
    pub(crate) kind: Kind,
    pub(crate) rules: &'a Rules,
    pub(crate) judging: Judging,
    /// Reads the state again.
    pub(crate) still_current: &'a dyn Fn() -> bool,
}

/// Whether outcomes are judged or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judging {
    Judge,
    CountOnly,
}

#[cfg(test)]
mod tests;
