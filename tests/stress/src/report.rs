//! The histogram of one race, and what it says.

use std::collections::BTreeMap;

use crate::arena::{Order, Race};

/// What an outcome is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Allowed,
    /// Must be seen in a run, or the run has shown nothing.
    Interesting,
    Forbidden,
}

/// A line of a race's table.
pub(crate) type Row = (Class, &'static str);

/// Overlapping trials that a race should have. Arbitrary: the rarest row needs about a thousand, and a quiet machine of two
/// cores makes a hundred thousand a second.
const ENOUGH_OVERLAPS: u64 = 10_000;

/// How often each outcome was met, by the order of the sides.
pub(crate) struct Report {
    name: &'static str,
    rows: &'static [Row],
    counts: Vec<[u64; 3]>,
    /// Forbidden outcomes as they were, and how often.
    forbidden: BTreeMap<String, u64>,
}

impl Report {
    pub(crate) fn new(race: &Race) -> Self {
        Report {
            name: race.name,
            rows: race.rows,
            counts: vec![[0; 3]; race.rows.len()],
            forbidden: BTreeMap::new(),
        }
    }

    pub(crate) fn note(&mut self, outcome: &str, order: Order, as_it_was: impl FnOnce() -> String) {
        let row = self.rows.iter().position(|(_, name)| *name == outcome);
        if let Some(row) = row {
            self.counts[row][order as usize] += 1;
        }
        let forbidden = row.is_none_or(|row| self.rows[row].0 == Class::Forbidden);
        // A broken breaker may find thousands of ways to be wrong.
        if forbidden && self.forbidden.len() < 10 {
            *self.forbidden.entry(as_it_was()).or_default() += 1;
        }
    }

    pub(crate) fn add(&mut self, other: &Report) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        for (what, times) in &other.forbidden {
            *self.forbidden.entry(what.clone()).or_default() += times;
        }
    }

    pub(crate) fn trials(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    pub(crate) fn print(&self) {
        println!("\n### {}\n", self.name);
        println!("| outcome | class | left first | overlapping | right first |");
        println!("|---|---|---:|---:|---:|");
        for ((class, name), [left, overlap, right]) in self.rows.iter().zip(&self.counts) {
            let class = format!("{class:?}").to_lowercase();
            println!("| {name} | {class} | {left} | {overlap} | {right} |");
        }
        for (what, times) in &self.forbidden {
            println!("FORBIDDEN, {times} times: {what}");
        }
    }

    /// The interesting outcomes that were not met.
    fn never_seen(&self) -> Vec<&'static str> {
        let rows = self.rows.iter().zip(&self.counts);
        rows.filter(|((class, _), counts)| *class == Class::Interesting && **counts == [0; 3])
            .map(|((_, name), _)| *name)
            .collect()
    }

    fn overlaps(&self) -> u64 {
        self.counts.iter().map(|counts| counts[Order::Overlap as usize]).sum()
    }

    /// Whether there is nothing to be gained from running it again.
    pub(crate) fn is_telling(&self) -> bool {
        let met = self.overlaps() >= ENOUGH_OVERLAPS && self.never_seen().is_empty();
        met || !self.forbidden.is_empty()
    }

    /// Whether something forbidden has happened, or something interesting has not.
    ///
    /// On a machine whose cores are taken by others, or that has one, the sides hardly overlap; then nothing can be asked.
    pub(crate) fn fails(&self) -> bool {
        let never_seen = self.never_seen();
        let overlaps = self.overlaps();
        for name in &never_seen {
            println!("NEVER SEEN in {overlaps} overlapping trials: {name}");
        }
        let asked = overlaps >= ENOUGH_OVERLAPS;
        if !asked {
            println!("WARNING: only {overlaps} trials overlapped, so this race has shown little");
        }
        !self.forbidden.is_empty() || (asked && !never_seen.is_empty())
    }
}
