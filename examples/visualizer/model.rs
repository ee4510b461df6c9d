//! What the picture shows, as plain data: readings go in, figures come out. Nothing here reads a clock or a breaker.

use std::collections::VecDeque;
use std::time::Duration;

use failfast::{Snapshot, Totals, Transition, WindowKind};

use crate::timeline::Timeline;
use crate::track::{Point, Track};

/// The events that are kept; more than any screen has rows.
const LOG: usize = 256;

/// The settings of a breaker that the picture holds its figures against.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) window: WindowKind,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) slow: Option<(Duration, f64)>,
    /// Failures in the window.
    pub(crate) failure_count: Option<u32>,
    /// Failures in a row; a consecutive window's length too.
    pub(crate) run: Option<u32>,
    /// Probes of a half-open round.
    pub(crate) probes: u32,
}

/// How a dependency does, by its own word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dial {
    pub(crate) well: bool,
    /// `well`, `fail`, `slow 30%`.
    pub(crate) word: String,
}

/// Everything that is read of one breaker and its dependency at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) snapshot: Snapshot,
    pub(crate) totals: Totals,
    pub(crate) open_for: Option<Duration>,
    /// Changes since the last reading, oldest first, with times since the picture began.
    pub(crate) changes: Vec<Transition>,
    /// Changes that came and went between two readings and are no longer in the history.
    pub(crate) missed: u64,
    pub(crate) dial: Dial,
}

/// One breaker and its dependency.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) limits: Limits,
    /// The last reading, without its changes; `None` before the first.
    pub(crate) reading: Option<Reading>,
    pub(crate) track: Track,
    pub(crate) timeline: Timeline,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    /// The place of the breaker in [`Board::watched`].
    pub(crate) index: usize,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Changed(Transition),
    Turned(Dial),
    Missed(u64),
}

/// All that the picture shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    /// When it was last read, since the picture began.
    pub(crate) now: Duration,
    pub(crate) watched: Vec<Watched>,
    /// Oldest first.
    log: VecDeque<Event>,
}

impl Watched {
    pub(crate) fn new(name: &str, port: u16, limits: Limits) -> Watched {
        Watched {
            name: name.to_owned(),
            port,
            limits,
            reading: None,
            track: Track::default(),
            timeline: Timeline::default(),
        }
    }
}

impl Board {
    pub(crate) fn new(watched: Vec<Watched>) -> Board {
        Board { watched, ..Board::default() }
    }

    /// Takes a reading of the breaker at `index`, made at `at`; gives the events that it brought.
    pub(crate) fn read(&mut self, index: usize, at: Duration, mut reading: Reading) -> Vec<Event> {
        self.now = self.now.max(at);
        let changes = std::mem::take(&mut reading.changes);
        let missed = std::mem::take(&mut reading.missed);
        let Some(watched) = self.watched.get_mut(index) else { return Vec::new() };
        watched.track.push(Point {
            at,
            permitted: reading.totals.permitted,
            refused: reading.totals.refused,
        });
        if let (None, Some(first)) = (watched.timeline.last(), changes.first()) {
            watched.timeline.begin(Duration::ZERO, first.from);
        }
        for change in &changes {
            watched.timeline.begin(change.at, change.to);
        }
        // An open time that is over reads half-open before anybody has called, and missed changes end somewhere.
        watched.timeline.begin(at, reading.snapshot.state);

        // Who turned the dial is not told when; it was before what it caused.
        let turned = match &watched.reading {
            Some(last) if last.dial != reading.dial => Some(reading.dial.clone()),
            None if !reading.dial.well => Some(reading.dial.clone()),
            _ => None,
        };
        watched.reading = Some(reading);
        let first = changes.first().map_or(at, |change| change.at.min(at));
        let turned = turned.map(|dial| (first, What::Turned(dial)));
        let missed = (missed > 0).then_some((first, What::Missed(missed)));
        let changed = changes.into_iter().map(|change| (change.at, What::Changed(change)));
        let events: Vec<Event> = turned
            .into_iter()
            .chain(missed)
            .chain(changed)
            .map(|(at, what)| Event { at, index, what })
            .collect();
        for event in &events {
            self.note(event.clone());
        }
        events
    }

    /// Puts an event at its place in time: breakers are read one after another.
    fn note(&mut self, event: Event) {
        let place = self.log.partition_point(|other| other.at <= event.at);
        self.log.insert(place, event);
        if self.log.len() > LOG {
            self.log.pop_front();
        }
    }

    /// The events that are kept, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Event> {
        self.log.iter().rev()
    }

    /// Calls permitted and refused, each a second, over all breakers.
    pub(crate) fn rates(&self) -> (f64, f64) {
        self.watched
            .iter()
            .map(|watched| watched.track.rates())
            .fold((0.0, 0.0), |(all, no), (permitted, refused)| (all + permitted, no + refused))
    }
}

/// What the watcher has chosen; the figures do not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The place of the selected breaker.
    pub(crate) selected: usize,
    /// The picture stands still; the calls go on.
    pub(crate) paused: bool,
    pub(crate) help: bool,
    /// What a script does just now; empty without one.
    pub(crate) note: &'static str,
}
