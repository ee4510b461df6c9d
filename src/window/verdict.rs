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
use crate::phase::State;
use crate::sync::{fence, Ordering};
use crate::window::counts::{Counts, Kind};
use crate::window::marks::{Gap, Mark, Marks};
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
    /// A mark of the generation before was met: there is nothing of this one below it.
    met_the_one_before: bool,
}

impl<'v, 'a> Walk<'v, 'a> {
    /// `settled` bounds what every entry below `from` may claim: the successes at the end of the window, or no bound.
    fn new(view: &'v View<'a>, from: u64, end: u64, settled: u64) -> Self {
        Walk { view, ticket: from, end, settled, unwritten: 0, met_the_one_before: false }
    }
}

impl Iterator for Walk<'_, '_> {
    type Item = (u64, Mark);

    fn next(&mut self) -> Option<Self::Item> {
        while self.ticket > self.end {
            self.ticket -= 1;
            match self.view.marks.read(self.ticket, self.view.name, self.view.near) {
                Ok(mark) => {
                    self.settled = self.settled.min(mark.before);
                    return Some((self.ticket, Mark { before: self.settled, ..mark }));
                }
                Err(Gap::Unwritten) => self.unwritten += 1,
                Err(Gap::OtherGeneration) => {
                    self.met_the_one_before = true;
                    self.end = self.ticket;
                }
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
                if window.calls >= rules.min_calls.into() {
                    self.minimum_is_judged(newest, Some(cause));
                }
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
            Ok(mark) => (marks - 1).saturating_add(before.saturating_sub(mark.before)) < size,
            Err(_) => true,
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
        let walk = || Walk::new(self, newest, oldest, u64::MAX);
        let is_inside = |mark: &Mark| mark.before <= successes;
        // Bounded: another turn needs an entry below `newest` that was written late, once for every other thread, or
        // overwritten by a newer ticket, once for every slot.
        loop {
            let (mut all, mut written) = (0, 0);
            let mut marks = walk();
            for (_, mark) in marks.by_ref() {
                all += 1;
                written += u64::from(is_inside(&mark));
            }
            if written + successes < min {
                return None;
            }
            // By the base, which may be too low by more than a ring, it may seem so though it has just begun.
            let gone_round = !marks.met_the_one_before
                && newest - self.marks.base(self.name).min(newest) > self.marks.slots();
            if gone_round && all >= self.marks.slots() - self.marks.spare() {
                // The first marks went with the lap; the minimum was judged a window ago.
                self.marks.set_crossed(self.name, newest);
                return None;
            }
            let mut first = Counts::default();
            let mut above = 0;
            for (_, mark) in walk().filter(|(_, mark)| is_inside(mark)) {
                above += 1;
                let position = (written + mark.before).saturating_sub(above);
                if position < min {
                    first.add(mark.kind, 1);
                }
            }
            if above == written {
                let cause = Counts { calls: min, ..first }.judge_rates(rules);
                self.minimum_is_judged(newest, cause);
                return cause;
            }
        }
    }

    /// Notes that nobody need judge the minimum again. A trip ends its generation, and until then others must find it too;
    /// but metrics-only goes on after it.
    fn minimum_is_judged(&self, newest: u64, cause: Option<TransitionCause>) {
        if cause.is_none() || self.name.state() == State::MetricsOnly {
            self.marks.set_crossed(self.name, newest);
        }
    }

    // ===== runs =====

    /// The run's verdict over every run that ends with a mark from `ticket` on.
    fn judge_runs(&self, ticket: u64, newest: u64, rules: &Rules) -> Option<TransitionCause> {
        let limit = u64::from(rules.run);
        if limit == 0 {
            return None;
        }
        if limit > self.marks.room() {
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
            Ok(mark) => mark.kind.failed() && mark.before >= before,
            Err(_) => true,
        }
    }

    // ===== readings =====

    /// The window as it stands; exact at rest.
    ///
    /// `newest` was read before the successes that are near: so what happened before a mark is counted with it (E3).
    pub(crate) fn counts(&self, newest: u64, size: u64) -> Counts {
        self.count_window(newest - 1, self.near, size, newest).0
    }

    /// The run of failures as it stands; exact at rest.
    pub(crate) fn run(&self) -> u64 {
        let newest = self.marks.next_ticket();
        let (run, ended) = self.count_run(newest - 1, self.near, newest);
        if ended || run < self.marks.room() {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Word = Word::name(State::Closed, 5);
    const NONE: Rules = Rules {
        failure_ppm: 0,
        slow_ppm: 0,
        slow_limit_ns: u64::MAX,
        failure_count: 0,
        run: 0,
        min_calls: 1,
    };
    const UNKNOWN: Known = Known { skips: false, crossed_at: u64::MAX };

    /// Marks and stripes that are written one step at a time, as no single thread would.
    struct Scene {
        marks: Marks,
        stripes: Stripes,
    }

    impl Scene {
        fn new(entries: usize, spare: usize) -> Self {
            Scene { marks: Marks::new(entries, spare), stripes: Stripes::new(1) }
        }

        fn mark(&self, kind: Kind, before: u64) -> u64 {
            let ticket = self.marks.take_ticket();
            self.marks.write(ticket, NAME, Mark { kind, before });
            ticket
        }

        fn fail(&self, before: u64) -> u64 {
            self.mark(Kind::Failure, before)
        }

        fn succeed(&self) {
            assert!(self.stripes.count(0, NAME, &|| true));
        }

        fn view(&self, size: Option<u64>) -> View<'_> {
            let near = self.stripes.sum(NAME);
            View { marks: &self.marks, stripes: &self.stripes, name: NAME, size, near }
        }
    }

    #[test]
    fn a_walk_settles_what_it_passes_and_counts_what_is_not_written() {
        let scene = Scene::new(8, 8);
        let first = scene.fail(5);
        let second = scene.mark(Kind::Slow, 9);
        scene.marks.take_ticket();
        scene.marks.take_ticket();
        let last = scene.fail(7);
        let view = scene.view(None);
        let mut walk = Walk::new(&view, last + 1, first, 8);
        let met: Vec<_> = walk.by_ref().map(|(ticket, mark)| (ticket, mark.before)).collect();
        assert_eq!(met, [(last, 7), (second, 7), (first, 5)]);
        assert_eq!(walk.unwritten, 2);
        let bound = Walk::new(&view, second + 1, second, 6).next();
        assert_eq!(bound, Some((second, Mark { kind: Kind::Slow, before: 6 })));
    }

    #[test]
    fn nothing_is_read_below_the_base_nor_a_lap_behind() {
        let scene = Scene::new(3, 1);
        let first = scene.marks.next_ticket();
        let view = scene.view(None);
        assert_eq!(
            [first, first + 4, first + 9].map(|newest| view.oldest(newest)),
            [first, first, first + 5]
        );
        scene.marks.note_base(NAME.named_generation(), first + 7);
        assert_eq!(view.oldest(first + 9), first + 7);
    }

    #[test]
    fn a_mark_a_whole_lap_late_is_in_no_window() {
        let rules = Rules { failure_count: 1, ..NONE };
        let scene = Scene::new(3, 1);
        let ticket = scene.fail(0);
        for _ in 0..3 {
            scene.fail(0);
        }
        let judge = || scene.view(Some(3)).judge_mark(ticket, UNKNOWN, &rules);
        assert!(judge().is_some());
        scene.fail(0);
        assert_eq!(judge(), None);
    }

    #[test]
    fn who_knows_that_no_trip_is_near_looks_only_for_those_who_came_after() {
        let rules = Rules { failure_count: 1, ..NONE };
        let scene = Scene::new(4, 4);
        let ticket = scene.fail(0);
        let known = Known { skips: true, ..UNKNOWN };
        let view = scene.view(Some(4));
        assert_eq!(view.judge_mark(ticket, known, &rules), None);
        assert!(view.judge_mark(ticket, UNKNOWN, &rules).is_some());
        scene.fail(0);
        assert!(view.judge_mark(ticket, known, &rules).is_some());
    }

    #[test]
    fn a_recount_promises_what_is_lacking_less_what_it_could_not_see() {
        // The seventh failure of the window trips; three are in it.
        let rules = Rules { failure_count: 7, ..NONE };
        let skipped = |holes: u64, behind: u64| {
            let scene = Scene::new(16, 16);
            let promised = scene.marks.next_ticket() + 8 + holes;
            for _ in 0..holes {
                scene.marks.take_ticket();
            }
            for at in 0..9 {
                scene.mark(if at % 4 == 0 { Kind::Failure } else { Kind::Slow }, 0);
            }
            for _ in 0..behind {
                scene.marks.take_ticket();
            }
            let cause = scene.view(Some(16)).judge_mark(promised, UNKNOWN, &rules);
            assert_eq!(cause, None);
            let skips = |ticket: &u64| scene.marks.skips(NAME, *ticket);
            (promised..promised + 50).skip(1).take_while(skips).count()
        };
        // Four are lacking, so three more can't trip; but each hole may be a failure that is written late.
        assert_eq!([0, 1, 2, 3, 4, 9].map(|holes| skipped(holes, 0)), [3, 2, 1, 0, 0, 0]);
        assert_eq!(skipped(0, 1), 0, "another mark is in flight, and may have seen less");
    }

    /// Without holes and with marks of one kind, the filter of one rule is exact while the generation fits the window
    /// and once it is longer: it passes just where the rule trips.
    #[test]
    fn the_filter_of_one_rule_passes_where_the_rule_trips_and_nowhere_else() {
        for size in [1_u64, 2, 4, 8, 16, 32] {
            for (step, rules) in [
                Rules { failure_ppm: 1, ..NONE },
                Rules { failure_ppm: 250_000, ..NONE },
                Rules { failure_ppm: 600_000, min_calls: size as u32, ..NONE },
                Rules { failure_ppm: 1_000_000, min_calls: 1 + size as u32 / 2, ..NONE },
                Rules { failure_count: 1, ..NONE },
                Rules { failure_count: size as u32, ..NONE },
                Rules { failure_count: 1 + size as u32 / 2, min_calls: u32::MAX, ..NONE },
            ]
            .into_iter()
            .enumerate()
            {
                // A ring without a spare slot.
                let scene = Scene::new(size as usize, 0);
                let mut outcomes = Vec::new();
                for call in 0..300_u64 {
                    // Ill, recovering, healthy, relapsing, and so on; every rule begins elsewhere.
                    let share = [11, 3, 0, 8, 1, 6][(call as usize / 25 + step) % 6];
                    let failed = (call * call + call / 7 * step as u64) % 11 < share;
                    outcomes.push(failed);
                    let successes = scene.stripes.sum(NAME);
                    if !failed {
                        scene.succeed();
                        continue;
                    }
                    let ticket = scene.fail(successes);
                    let first = outcomes.len().saturating_sub(size as usize);
                    let mut counts = Counts::default();
                    for failed in &outcomes[first..] {
                        counts.add(Kind::new(*failed, false), 1);
                    }
                    let passed =
                        scene.view(Some(size)).window_may_trip(ticket, successes, size, &rules);
                    let trips = counts.judge(&rules).is_some();
                    assert_eq!(passed, trips, "{size} {rules:?} {outcomes:?}");
                }
            }
        }
    }

    #[test]
    fn the_filter_allows_for_as_many_holes_as_the_ring_has_room_for() {
        let rules = Rules { failure_ppm: 500_000, ..NONE };
        // Half of the generation failed, and a third of the window: FFF, successes, F.
        let passes = |successes: u64| {
            let scene = Scene::new(6, 2);
            for _ in 0..3 {
                scene.fail(0);
            }
            let ticket = scene.fail(successes);
            scene.view(Some(6)).window_may_trip(ticket, successes, 6, &rules)
        };
        assert_eq!([3, 4].map(passes), [true, false]);
    }

    #[test]
    fn the_minimum_is_in_sight_from_as_many_tickets_and_successes_on() {
        let scene = Scene::new(8, 8);
        let rules = Rules { failure_ppm: 1, min_calls: 5, ..NONE };
        let base = scene.marks.next_ticket();
        let view = scene.view(Some(8));
        assert!(!view.minimum_in_sight(base + 2, 2, &rules));
        assert!(view.minimum_in_sight(base + 3, 2, &rules));
        assert!(view.minimum_in_sight(base, 5, &rules));
        assert!(!view.minimum_in_sight(base - 3, 4, &rules), "a base ahead of an older counter");
    }

    #[test]
    fn a_mark_behind_the_minimum_does_not_judge_it() {
        let rules = Rules { failure_ppm: 600_000, min_calls: 3, ..NONE };
        let scene = Scene::new(100, 28);
        let late = scene.marks.take_ticket();
        scene.fail(0);
        for _ in 0..100 {
            scene.succeed();
        }
        // Written late: it stands first all the same, so two of the first three failed.
        scene.marks.write(late, NAME, Mark { kind: Kind::Failure, before: 100 });
        let judge = |crossed_at, rules| {
            let known = Known { skips: false, crossed_at };
            scene.view(Some(100)).judge_mark(late, known, &rules)
        };
        assert_eq!(judge(late, rules), None);
        assert_eq!(judge(late - 1, rules), None);
        assert!(judge(late + 1, rules).is_some());
        assert_eq!(judge(late + 1, Rules { failure_count: 100, ..NONE }), None);
        assert!(!scene.marks.crossed(NAME), "where no rate is set nobody judges the minimum");
    }

    #[test]
    fn once_the_ring_has_gone_round_the_minimum_is_history() {
        let rules = Rules { failure_ppm: 1_000_000, min_calls: 3, ..NONE };
        // Six entries in eight slots. `holes` of the last eight tickets are not written.
        let judge = |failures: u64, holes: u64| {
            let scene = Scene::new(6, 2);
            for at in (0..failures).rev() {
                if at >= 8 || at < 8 - holes {
                    scene.fail(0);
                } else {
                    scene.marks.take_ticket();
                }
            }
            let cause = scene.view(Some(6)).judge_minimum(&rules);
            assert_eq!(scene.marks.crossed(NAME), cause.is_none());
            cause
        };
        let all = Some(TransitionCause::FailureRate { failures: 3, calls: 3 });
        assert_eq!(judge(8, 0), all, "all of it is still in the ring");
        assert_eq!(judge(9, 0), None);
        assert_eq!(judge(20, 2), None);
        assert_eq!(judge(20, 3), all, "the base was too low: these are all that there are");
    }

    #[test]
    fn limits_on_runs_beyond_the_ring_are_asked_of_the_stripes() {
        let scene = Scene::new(6, 2);
        let judge = |run| {
            let newest = scene.marks.next_ticket();
            scene.view(None).judge_runs(newest - 1, newest, &Rules { run, ..NONE })
        };
        for _ in 0..8 {
            scene.fail(0);
        }
        let trips = |failures| Some(TransitionCause::ConsecutiveFailures { failures });
        assert_eq!([0, 6, 7].map(judge), [None, trips(8), None]);
        for counted in 1..=9 {
            scene.stripes.count_failure(0, NAME, 0, &|| true);
            assert_eq!(judge(9), if counted < 9 { None } else { trips(9) });
        }
    }

    #[test]
    fn a_run_is_read_from_the_ring_until_it_outgrows_it() {
        let run = |successes: u64, failures: u64| {
            let scene = Scene::new(6, 2);
            for _ in 0..successes {
                scene.fail(0);
                scene.succeed();
            }
            for _ in 0..failures {
                scene.fail(successes);
            }
            // What no threads would leave, to see who is asked.
            for _ in 0..50 {
                scene.stripes.count_failure(0, NAME, successes, &|| true);
            }
            scene.view(None).run()
        };
        assert_eq!([0, 1, 5].map(|failures| run(0, failures)), [0, 1, 5]);
        assert_eq!([6, 7, 20].map(|failures| run(0, failures)), [50; 3]);
        assert_eq!([0, 1, 6, 7].map(|failures| run(1, failures)), [0, 1, 6, 7]);
        assert_eq!(run(1, 8), 50, "nothing else is left in the ring");
    }

    #[test]
    fn the_filter_of_runs_looks_at_the_mark_that_would_be_the_first() {
        let scene = Scene::new(8, 8);
        let first = scene.fail(0);
        let slow = scene.mark(Kind::Slow, 3);
        scene.fail(3);
        let last = scene.fail(3);
        let view = scene.view(None);
        assert_eq!([1, 2].map(|limit| view.run_may_trip(last, 3, limit)), [true; 2]);
        assert!(!view.run_may_trip(last, 3, 3), "a slow success stands there");
        assert!(!view.run_may_trip(slow - 1, 1, 1), "a success stands behind it");
        assert!(!view.run_may_trip(last, 3, 5) && first == last - 3, "before the generation");
        assert!(!view.run_may_trip(last, 3, u64::MAX));
        scene.marks.take_ticket();
        assert!(view.run_may_trip(last + 1, 3, 1), "a hole may be anything");
        scene.marks.note_base(NAME.named_generation(), last);
        assert_eq!([1, 2].map(|limit| view.run_may_trip(last, 3, limit)), [true, false]);
    }

    #[test]
    fn what_leaves_a_mark() {
        for size in [None, Some(1)] {
            assert!(!View::marks_kind(size, Kind::Plain));
            assert!(
                View::marks_kind(size, Kind::Failure) && View::marks_kind(size, Kind::SlowFailure)
            );
            assert_eq!(View::marks_kind(size, Kind::Slow), size.is_some());
        }
    }
}
