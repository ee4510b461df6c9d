//! The sliding windows: what a generation has counted, and what its rules make of it.
//!
//! [`Window`] brings the parts together; it knows nothing of states but the name of the generation that it is asked
//! about, reads no clock and calls no user code. The protocol is on the architecture page.

pub(crate) mod buckets;
pub(crate) mod counts;
pub(crate) mod marks;
pub(crate) mod stripes;
pub(crate) mod verdict;

use self::buckets::{Buckets, Counted, Grid};
use self::counts::{Counts, Kind};
use self::marks::{Mark, Marks};
use self::stripes::Stripes;
use self::verdict::View;
use crate::breaker::rules::{Rules, WindowConfig};
use crate::breaker::state::Word;
use crate::event::TransitionCause;
use crate::sync::{fence, Ordering};

/// Longest run that is judged by positions, which is exact under every schedule; longer limits are judged by the
/// threads' own counts, which are exact at rest. Arbitrary: a ring of half a mebibyte.
const MAX_RUN_RING: u32 = 65_536;

/// Slots of the ring beyond what the window needs, at least: tickets of threads that stopped before writing.
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
        buckets: Box<Buckets>,
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

impl Verdict {
    const NOTHING: Verdict = Verdict {
        cause: None,
        settle: None,
    };
}

impl Window {
    pub(crate) fn new(config: WindowConfig, rules: &Rules, stripes: usize) -> Self {
        let run = rules.run.min(MAX_RUN_RING) as usize;
        let (kind, entries) = match config {
            WindowConfig::Count { size } => (Kinds::Count { size: size.into() }, size as usize),
            WindowConfig::Time { length_ns, buckets } => {
                let grid = Grid::new(length_ns, buckets);
                let buckets = Box::new(Buckets::new(grid, stripes));
                (
                    Kinds::Time {
                        buckets,
                        runs: rules.run > 0,
                    },
                    1,
                )
            }
            WindowConfig::Consecutive => (Kinds::Consecutive, 1),
        };
        Window {
            kind,
            stripes: Stripes::new(stripes),
            marks: Marks::new(entries.max(run), stripes.max(MIN_SPARE)),
        }
    }

    /// Whether outcomes need the instant at which they are recorded.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self.kind, Kinds::Time { .. })
    }

    /// Counts a success that can change no verdict; `false`, and nothing is counted, when it might.
    ///
    /// Wait-free, without a locked instruction. `now` matters to time windows only.
    #[inline]
    pub(crate) fn count_warm(&self, seat: usize, name: Word, now: u64) -> bool {
        match &self.kind {
            Kinds::Time { buckets, runs } => {
                let counted = buckets.count_warm(seat, name, now);
                if counted && *runs {
                    self.stripes.count(seat, name);
                }
                counted
            }
            _ => self.stripes.count_warm(seat, name),
        }
    }

    /// Notes where a generation that is about to begin begins, and clears what the one that ends can't need.
    ///
    /// `ticket` was read while `current` was the generation.
    pub(crate) fn prepare(&self, current: u64, ticket: u64) {
        self.stripes.sweep(current);
        self.marks.sweep(current);
        self.marks.note_base(current + 1, ticket);
    }

    pub(crate) fn next_ticket(&self) -> u64 {
        self.marks.next_ticket()
    }

    // ===== recording =====

    /// Counts an outcome of the generation `name`, which the caller has just seen to be current, and judges it.
    ///
    /// `still_current` reads the state again; `None` when the generation ended before the outcome was counted.
    pub(crate) fn record(
        &self,
        seat: usize,
        name: Word,
        now: u64,
        kind: Kind,
        rules: &Rules,
        judging: Judging,
        still_current: impl Fn() -> bool,
    ) -> Option<Verdict> {
        match &self.kind {
            Kinds::Time { buckets, runs } => {
                let by_run = if *runs {
                    self.record_for_run(seat, name, kind, rules, judging, still_current)?
                } else {
                    None
                };
                let Some(at) = buckets.count(seat, name, now, kind) else {
                    return Some(Verdict {
                        cause: by_run,
                        settle: None,
                    });
                };
                let (warm, by_window) = match judging {
                    Judging::Judge => buckets.judge(seat, name, at, rules),
                    Judging::CountOnly => (true, None),
                };
                let warm = warm || !rules.has_rate();
                Some(Verdict {
                    cause: by_window.or(by_run),
                    settle: Some((at, kind, warm)),
                })
            }
            Kinds::Count { size } if View::marks_kind(Some(*size), kind) => {
                self.record_mark(seat, name, kind, Some(*size), rules, judging, still_current)
            }
            Kinds::Count { size } => {
                Some(self.record_success(seat, name, Some(*size), rules, judging))
            }
            Kinds::Consecutive if kind.failed() => {
                self.record_mark(seat, name, kind, None, rules, judging, still_current)
            }
            Kinds::Consecutive => Some(self.record_success(seat, name, None, rules, judging)),
        }
    }

    /// Settles an outcome after its consequences are committed.
    pub(crate) fn settle(&self, seat: usize, name: Word, verdict: &Verdict) {
        if let (Kinds::Time { buckets, .. }, Some((at, kind, warm))) = (&self.kind, verdict.settle)
        {
            buckets.settle(seat, name, at, kind, warm);
        }
    }

    /// The part of a time window's outcome that its run limit needs, if it has one.
    fn record_for_run(
        &self,
        seat: usize,
        name: Word,
        kind: Kind,
        rules: &Rules,
        judging: Judging,
        still_current: impl Fn() -> bool,
    ) -> Option<Option<TransitionCause>> {
        if !kind.failed() {
            self.stripes.count(seat, name);
            return Some(None);
        }
        let verdict = self.record_mark(seat, name, kind, None, rules, judging, still_current)?;
        Some(verdict.cause)
    }

    fn record_success(
        &self,
        seat: usize,
        name: Word,
        size: Option<u64>,
        rules: &Rules,
        judging: Judging,
    ) -> Verdict {
        self.stripes.count(seat, name);
        if size.is_none() || judging == Judging::CountOnly || !rules.has_rate() {
            self.stripes.set_warm(seat);
            return Verdict::NOTHING;
        }
        // E1: of the outcomes that together reach the minimum, each counts itself before its fence and reads the
        // others after it: the last of them sees all.
        fence(Ordering::SeqCst);
        let view = self.view(name, size, self.stripes.sum(name));
        let (reached, cause) = view.judge_success(rules);
        if reached {
            self.stripes.set_warm(seat);
        }
        Verdict {
            cause,
            settle: None,
        }
    }

    #[allow(clippy::too_many_arguments)] // Two callers, both above.
    fn record_mark(
        &self,
        seat: usize,
        name: Word,
        kind: Kind,
        size: Option<u64>,
        rules: &Rules,
        judging: Judging,
        still_current: impl Fn() -> bool,
    ) -> Option<Verdict> {
        let ticket = self.marks.take_ticket();
        // E2: the ticket against the state word. Either this thread sees that the generation is over, or whoever
        // begins the generation after the next notes a base above this ticket.
        fence(Ordering::SeqCst);
        if !still_current() {
            return None; // The slot stays unwritten: a hole.
        }
        let skip = self.marks.skip(name);
        let before = self.stripes.sum(name);
        self.marks.write(ticket, name, Mark { kind, before });
        if rules.run > 0 && kind.failed() {
            self.stripes.count_failure(seat, name, before);
        }
        if judging == Judging::CountOnly {
            return Some(Verdict::NOTHING);
        }
        // E1: as in `record_success`; and of two marks that together trip, the later one to pass sees both.
        fence(Ordering::SeqCst);
        let cause = self
            .view(name, size, before)
            .judge_mark(ticket, rules, skip);
        Some(Verdict {
            cause,
            settle: None,
        })
    }

    // ===== readings =====

    /// What the window holds at an instant; exact at rest.
    pub(crate) fn counts(&self, name: Word, now: u64) -> Counts {
        match &self.kind {
            Kinds::Time { buckets, .. } => buckets.counts(name, now),
            Kinds::Count { size } => self
                .view(name, Some(*size), self.stripes.sum(name))
                .counts(*size),
            Kinds::Consecutive => Counts::default(),
        }
    }

    /// The current run of failures; exact at rest.
    pub(crate) fn run(&self, name: Word) -> u64 {
        self.view(name, None, self.stripes.sum(name)).run()
    }

    fn view(&self, name: Word, size: Option<u64>, near: u64) -> View<'_> {
        View {
            marks: &self.marks,
            stripes: &self.stripes,
            name,
            size,
            near,
        }
    }
}

/// Whether outcomes are judged or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judging {
    Judge,
    CountOnly,
}
