//! What the marks and the stripes say together: the exact count window, the run of failures, and their verdicts.
//!
//! The position of a mark is the number of marks before it plus the smallest number of plain successes that it or any
//! later mark has read ("settled" below). Positions are distinct and grow with the tickets, whatever the threads did
//! in between; the architecture page has the proof.
//!
//! A mark first asks a filter, which looks at one entry a rule and may pass falsely, never refuse falsely. Only where
//! it passes are the written entries counted.

use crate::breaker::rules::{needed, reaches, Rules};
use crate::breaker::state::Word;
use crate::event::TransitionCause;
use crate::sync::{fence, Ordering};
use crate::window::counts::{Counts, Kind};
use crate::window::marks::{Mark, Marks};
use crate::window::stripes::Stripes;

/// How many marks back the filter looks first. Eight share a cache line, so four are on this mark's own more often than
/// not; fewer would be in most windows.
const NEARBY: u64 = 4;

/// What a mark knew of its generation before it took its sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// A recount has found that its own window can't trip.
    pub(crate) skips: bool,
    /// The first ticket that stands behind the minimum, whatever its sum.
    pub(crate) crossed_at: u64,
}

/// One reader's view of a generation's marks.
pub(crate) struct View<'a> {
    pub(crate) marks: &'a Marks,
    pub(crate) stripes: &'a Stripes,
    pub(crate) name: Word,
    /// Size of the count window; `None` if only runs are judged here.
    pub(crate) size: Option<u64>,
    /// A number of plain successes of about now, to complete the entries' low bits.
    pub(crate) near: u64,
}

/// The written entries of a generation from some ticket downwards, their successes settled on the way.
struct Walk<'v, 'a> {
    view: &'v View<'a>,
    /// The ticket above the next one to be read.
    ticket: u64,
    /// The first ticket that may be read.
    end: u64,
    settled: u64,
    unwritten: u64,
}

impl<'v, 'a> Walk<'v, 'a> {
    /// `settled` bounds what every entry below `from` may claim: the successes at the end of the window, or no bound.
    fn new(view: &'v View<'a>, from: u64, end: u64, settled: u64) -> Self {
        Walk { view, ticket: from, end, settled, unwritten: 0 }
    }
}

impl Iterator for Walk<'_, '_> {
    type Item = (u64, Mark);

    fn next(&mut self) -> Option<Self::Item> {
        while self.ticket > self.end {
            self.ticket -= 1;
            match self.view.marks.read(self.ticket, self.view.name, self.view.near) {
                Some(mark) => {
                    self.settled = self.settled.min(mark.before);
                    return Some((self.ticket, Mark { before: self.settled, ..mark }));
                }
                None => self.unwritten += 1,
            }
        }
        None
    }
}

impl View<'_> {
    /// The first ticket that is worth reading: older ones are void or overwritten.
    ///
    /// The base may be too low, by as many tickets as were taken while a transition was on its way; their entries say
    /// that they are of another generation. So nothing may be concluded from where this is but where to stop.
    fn oldest(&self, newest: u64) -> u64 {
        self.marks.base(self.name).max(newest.saturating_sub(self.marks.slots()))
    }

    // ===== a marked outcome judges =====

    /// What the mark of `ticket`, just written, makes of the windows that it is in.
    ///
    /// Those are the window that ends with it, those that end with marks written since, and the one that ends at the
    /// minimum of calls.
    pub(crate) fn judge_mark(
        &self,
        ticket: u64,
        known: Known,
        rules: &Rules,
    ) -> Option<TransitionCause> {
        let newest = self.marks.next_ticket();
        if newest - ticket > self.marks.slots() {
            return None; // A whole lap late: in no window any more.
        }
        let alone = newest == ticket + 1;
        if let Some(size) = self.size {
            if !(alone && known.skips) {
                let cause = self.judge_windows(ticket, newest, size, rules);
                if cause.is_some() {
                    return cause;
                }
            }
            if ticket < known.crossed_at && rules.has_rate() {
                let cause = self.judge_minimum(rules);
                if cause.is_some() {
                    return cause;
                }
            }
        }
        self.judge_runs(ticket, newest, rules)
    }

    fn judge_windows(
        &self,
        ticket: u64,
        newest: u64,
        size: u64,
        rules: &Rules,
    ) -> Option<TransitionCause> {
        for (end, mark) in Walk::new(self, newest, ticket, u64::MAX) {
            if !self.window_may_trip(end, mark.before, size, rules) {
                continue;
            }
            let (window, unwritten) = self.count_window(end, mark.before, size, newest);
            if let Some(cause) = window.judge(rules) {
                return Some(cause);
            }
            // Only who has seen no other mark in flight may promise anything to those that follow (E14).
            if newest == ticket + 1 {
                let more = window.marks_to_trip(rules).saturating_sub(unwritten);
                self.marks.set_skip(self.name, ticket, more);
            }
        }
        None
    }

    /// The filter for the window that ends with the mark of ticket `end`: `false` means that no rule trips there.
    fn window_may_trip(&self, end: u64, before: u64, size: u64, rules: &Rules) -> bool {
        let base = self.marks.base(self.name);
        // At most this many marks are in the generation up to `end`, and with them this many calls: holes are counted.
        let marks = (end + 1).saturating_sub(base);
        let calls = marks.saturating_add(before);
        let failure_count = u64::from(rules.failure_count);
        if calls < u64::from(rules.min_calls) && failure_count == 0 {
            return false;
        }
        // While the window holds the whole generation, or holes may hide that it does.
        if calls < size.saturating_add(self.marks.spare())
            && (reaches(rules.failure_ppm.into(), marks, calls)
                || reaches(rules.slow_ppm.into(), marks, calls)
                || (failure_count > 0 && marks >= failure_count))
        {
            return true;
        }
        if calls < size {
            return false;
        }
        let rates = [rules.failure_ppm, rules.slow_ppm].map(|ppm| needed(ppm.into(), size));
        let limits = rates.into_iter().chain([failure_count]).filter(|limit| *limit > 0);
        // Most windows hold few marks: then one nearby, likely on a line that this mark was just written to, is out of
        // the window already, and so is every older one.
        let least = limits.clone().min().unwrap_or(u64::MAX);
        self.may_hold(end, before, size, least.min(NEARBY), base)
            && limits.into_iter().any(|limit| self.may_hold(end, before, size, limit, base))
    }

    /// Whether the window that ends with the mark of ticket `end` may hold as many as `marks` marks.
    fn may_hold(&self, end: u64, before: u64, size: u64, marks: u64, base: u64) -> bool {
        // The `marks`-th latest mark is this one or, if there are holes or marks of another kind, an older one.
        let Some(oldest) = (end + 1).checked_sub(marks).filter(|ticket| *ticket >= base) else {
            return false;
        };
        match self.marks.read(oldest, self.name, self.near) {
            Some(mark) => (marks - 1).saturating_add(before.saturating_sub(mark.before)) < size,
            None => true,
        }
    }

    /// The window whose last call is preceded by `before` plain successes and followed by no mark below `end`.
    ///
    /// Also says how many tickets on the way are not written.
    fn count_window(&self, end: u64, before: u64, size: u64, newest: u64) -> (Counts, u64) {
        let mut walk = Walk::new(self, end + 1, self.oldest(newest), before);
        let mut inside = Counts::default();
        for (_, mark) in walk.by_ref() {
            if inside.calls + (before - mark.before) >= size {
                // The marks are inside; what else the window holds are plain successes.
                return (Counts { calls: size, ..inside }, walk.unwritten);
            }
            inside.add(mark.kind, 1);
        }
        (Counts { calls: size.min(inside.calls + before), ..inside }, walk.unwritten)
    }

    // ===== the minimum =====

    /// Whether tickets and successes together reach the minimum; tickets that were never used are counted.
    fn minimum_in_sight(&self, newest: u64, successes: u64, rules: &Rules) -> bool {
        let base = self.marks.base(self.name);
        let tickets = newest - base.min(newest);
        tickets.saturating_add(successes) >= u64::from(rules.min_calls)
    }

    /// A plain success that has counted itself, and has not yet seen the minimum reached, judges.
    ///
    /// Says whether the minimum is reached, and what follows.
    pub(crate) fn judge_success(&self, rules: &Rules) -> (bool, Option<TransitionCause>) {
        if self.marks.crossed(self.name) {
            return (true, None);
        }
        let cause = self.judge_minimum(rules);
        (cause.is_some() || self.marks.crossed(self.name), cause)
    }

    /// Judges the window that ends at the minimum of calls, if the generation holds as many, and notes that it did.
    ///
    /// Of outcomes that overlap, several may see more calls than the minimum and none exactly that many: so not the
    /// sum as it stands is judged, but the calls that stand first.
    ///
    /// The sum is what some instant of its reading saw. A mark that stands behind more successes than that stands behind
    /// that instant: it is left out, and judges for itself.
    fn judge_minimum(&self, rules: &Rules) -> Option<TransitionCause> {
        let min = u64::from(rules.min_calls);
        let successes = self.stripes.sum(self.name);
        if !self.minimum_in_sight(self.marks.next_ticket(), successes, rules) {
            return None;
        }
        // E14: the sum, before the tickets. A mark that happens before a success in the sum has a ticket below `newest`
        // and is written; a mark from `newest` on has a sum that is no older.
        fence(Ordering::SeqCst);
        let newest = self.marks.next_ticket();
        let oldest = self.oldest(newest);
        let marks = || Walk::new(self, newest, oldest, u64::MAX).map(|(_, mark)| mark);
        let is_inside = |mark: &Mark| mark.before <= successes;
        // Bounded: another turn needs an entry below `newest` that was written late, once for every other thread, or
        // overwritten by a newer ticket, once for every slot.
        loop {
            let (mut all, mut written) = (0, 0);
            for mark in marks() {
                all += 1;
                written += u64::from(is_inside(&mark));
            }
            if written + successes < min {
                return None;
            }
            let gone_round = newest - self.marks.base(self.name).min(newest) > self.marks.slots();
            if gone_round && all >= self.marks.slots() - self.marks.spare() {
                // The first marks went with the lap; the minimum was judged a window ago.
                self.marks.set_crossed(self.name, newest);
                return None;
            }
            let mut first = Counts::default();
            let mut above = 0;
            for mark in marks().filter(is_inside) {
                above += 1;
                let position = (written + mark.before).saturating_sub(above);
                if position < min {
                    first.add(mark.kind, 1);
                }
            }
            if above == written {
                let cause = Counts { calls: min, ..first }.judge_rates(rules);
                if cause.is_none() {
                    self.marks.set_crossed(self.name, newest);
                }
                return cause;
            }
        }
    }

    // ===== runs =====

    /// The run's verdict over every run that ends with a mark from `ticket` on.
    fn judge_runs(&self, ticket: u64, newest: u64, rules: &Rules) -> Option<TransitionCause> {
        let limit = u64::from(rules.run);
        if limit == 0 {
            return None;
        }
        if limit > self.marks.slots() - self.marks.spare() {
            // Longer than any ring is made for.
            let failures =
                self.stripes.run_after(self.name, self.stripes.breaks(self.name, self.near));
            return (failures >= limit)
                .then_some(TransitionCause::ConsecutiveFailures { failures });
        }
        for (end, mark) in Walk::new(self, newest, ticket, u64::MAX) {
            if self.run_may_trip(end, mark.before, limit) {
                let (failures, _) = self.count_run(end, mark.before, newest);
                if failures >= limit {
                    return Some(TransitionCause::ConsecutiveFailures { failures });
                }
            }
        }
        None
    }

    /// The written failures, downwards from ticket `end`, that have exactly `before` successes before them.
    ///
    /// Also says whether something else was met below them: if not, the run may be longer than the ring.
    fn count_run(&self, end: u64, before: u64, newest: u64) -> (u64, bool) {
        let mut run = 0;
        for (_, mark) in Walk::new(self, end + 1, self.oldest(newest), before) {
            if !mark.kind.failed() || mark.before != before {
                return (run, true);
            }
            run += 1;
        }
        (run, false)
    }

    /// The filter for the run that ends with the mark of ticket `end`.
    fn run_may_trip(&self, end: u64, before: u64, limit: u64) -> bool {
        let base = self.marks.base(self.name);
        let Some(oldest) = (end + 1).checked_sub(limit).filter(|ticket| *ticket >= base) else {
            return false;
        };
        match self.marks.read(oldest, self.name, self.near) {
            Some(mark) => mark.kind.failed() && mark.before >= before,
            None => true,
        }
    }

    // ===== readings =====

    /// The window as it stands; exact at rest.
    pub(crate) fn counts(&self, size: u64) -> Counts {
        let newest = self.marks.next_ticket();
        self.count_window(newest - 1, self.near, size, newest).0
    }

    /// The run of failures as it stands; exact at rest.
    pub(crate) fn run(&self) -> u64 {
        let newest = self.marks.next_ticket();
        let (run, ended) = self.count_run(newest - 1, self.near, newest);
        if ended || run < self.marks.slots() - self.marks.spare() {
            return run;
        }
        // The run has outgrown the ring.
        run.max(self.stripes.run_after(self.name, self.stripes.breaks(self.name, self.near)))
    }

    /// Whether a kind leaves a mark: slow successes only where the window counts them.
    pub(crate) fn marks_kind(size: Option<u64>, kind: Kind) -> bool {
        kind.failed() || (size.is_some() && kind == Kind::Slow)
    }
}
