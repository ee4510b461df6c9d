//! The counters of one breaker over the last minute, and what they were worth a second.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back the picture looks.
pub(crate) const SPAN: Duration = Duration::from_secs(60);
/// The time over which a rate a second is taken.
const RATE_OVER: Duration = Duration::from_secs(1);
/// A span and a second, at ten readings a second, and as much again for the readings that a key asks for.
const MOST: usize = 1_220;

/// Counters at an instant. They only grow; a reader may see one a moment late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    /// Since the picture began.
    pub(crate) at: Duration,
    pub(crate) permitted: u64,
    pub(crate) refused: u64,
}

/// Points in the order of their times, none much older than [`SPAN`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    points: VecDeque<Point>,
}

impl Track {
    /// Adds a point. One that lies before the last, as if the clock had stepped back, counts as of the last's time; a
    /// counter that has fallen counts as standing still.
    pub(crate) fn push(&mut self, mut point: Point) {
        if let Some(last) = self.points.back() {
            point.at = point.at.max(last.at);
            point.permitted = point.permitted.max(last.permitted);
            point.refused = point.refused.max(last.refused);
        }
        // One point at or before the beginning of the span stays, so that the first column has a beginning.
        let oldest = point.at.saturating_sub(SPAN + RATE_OVER);
        while self.points.len() >= MOST
            || self.points.get(1).is_some_and(|second| second.at <= oldest)
        {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    /// Calls permitted and refused, each a second, over the last second; since the beginning where that is shorter.
    pub(crate) fn rates(&self) -> (f64, f64) {
        let Some(last) = self.points.back() else { return (0.0, 0.0) };
        let from = last.at.saturating_sub(RATE_OVER);
        let first = self.points.iter().rev().find(|point| point.at <= from);
        let Some(first) = first.or(self.points.front()) else { return (0.0, 0.0) };
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        // Two readings at once, a key pressed right at the start: no time for a rate.
        if seconds < 0.05 {
            return (0.0, 0.0);
        }
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        (rate(last.permitted, first.permitted), rate(last.refused, first.refused))
    }

    /// The counters at an instant, between two points on the straight line; `None` before the first.
    fn at(&self, at: Duration) -> Option<(f64, f64)> {
        let after = self.points.partition_point(|point| point.at <= at);
        let before = self.points.get(after.checked_sub(1)?)?;
        let Some(next) = self.points.get(after) else {
            return Some((before.permitted as f64, before.refused as f64));
        };
        // `before.at <= at < next.at`, so the divisor is not zero.
        let share = (at - before.at).as_secs_f64() / (next.at - before.at).as_secs_f64();
        let between = |from: u64, to: u64| from as f64 + (to - from) as f64 * share;
        Some((between(before.permitted, next.permitted), between(before.refused, next.refused)))
    }

    /// Calls permitted and refused, each a second, in each of the columns; `None` where nothing was read yet.
    pub(crate) fn columns(&self, columns: &Columns) -> Vec<Option<(f64, f64)>> {
        let last = self.points.back().map_or(Duration::ZERO, |point| point.at);
        (0..columns.count)
            .map(|column| {
                let (from, to) = columns.bounds(column)?;
                // The column that is now is as wide as what has passed of it.
                let to = to.min(last);
                let seconds = to.checked_sub(from)?.as_secs_f64();
                if seconds < columns.width.as_secs_f64() / 4.0 {
                    return None;
                }
                let ((p0, r0), (p1, r1)) = (self.at(from)?, self.at(to)?);
                Some(((p1 - p0) / seconds, (r1 - r0) / seconds))
            })
            .collect()
    }
}

/// How the last minute is cut into columns.
///
/// The cuts stand still in time, so that a drawing moves by whole columns and a column's content stays what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    pub(crate) count: u16,
    width: Duration,
    /// The number of the last column, from the picture's beginning.
    last: u64,
}

impl Columns {
    /// `count` columns, of which the last holds `now`.
    pub(crate) fn until(now: Duration, count: u16) -> Columns {
        let width = SPAN / u32::from(count.max(1));
        let last = u64::try_from(now.as_nanos() / width.as_nanos()).unwrap_or(u64::MAX);
        Columns { count, width, last }
    }

    /// Beginning and end of a column; `None` for one before the picture's beginning.
    pub(crate) fn bounds(&self, column: u16) -> Option<(Duration, Duration)> {
        let before_last = u64::from(self.count.checked_sub(column + 1)?);
        let number = self.last.checked_sub(before_last)?;
        let begin = self.width.as_nanos() * u128::from(number);
        let instant = |nanos: u128| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Some((instant(begin), instant(begin + self.width.as_nanos())))
    }
}
