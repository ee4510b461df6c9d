//! Reads the breakers, through nothing but their public faces, into the board.

use std::time::Duration;

use ureq::Agent;

use crate::dependency::{Dial, Position};
use crate::model::{self, Board, Event, Reading, Watched};
use crate::plant::{Plant, Post};
use crate::words;

/// How long the dial of a dependency may take; it answers at once, on loopback.
const PATIENCE: Duration = Duration::from_secs(1);

/// The plant and the board that is read from it.
pub(crate) struct Watch {
    pub(crate) plant: Plant,
    pub(crate) board: Board,
    /// The breakers' time when the picture began.
    begun: Duration,
    /// The last generation of each breaker whose change has been read.
    seen: Vec<u64>,
    agent: Agent,
}

impl Watch {
    pub(crate) fn begin(plant: Plant) -> Watch {
        let watched = plant.posts.iter().map(|post| {
            Watched::new(post.dependency.name(), post.dependency.address().port(), post.limits())
        });
        Watch {
            board: Board::new(watched.collect()),
            begun: plant.now(),
            seen: vec![0; plant.posts.len()],
            agent: Agent::config_builder()
                .proxy(None)
                .timeout_global(Some(PATIENCE))
                .build()
                .new_agent(),
            plant,
        }
    }

    /// Reads every breaker once; gives what has happened since the last time.
    pub(crate) fn read(&mut self) -> Vec<Event> {
        let at = self.plant.now().saturating_sub(self.begun);
        let mut events = Vec::new();
        for (index, (post, seen)) in self.plant.posts.iter().zip(&mut self.seen).enumerate() {
            // Settings may change while they are in use.
            self.board.watched[index].limits = post.limits();
            events.extend(self.board.read(index, at, reading(post, seen, self.begun)));
        }
        events.sort_by_key(|event| event.at);
        events
    }

    /// Turns a dial, as a key does.
    pub(crate) fn turn(&self, index: usize, position: Position) {
        if let Some(post) = self.plant.posts.get(index) {
            post.dependency.turn(Dial::at(position));
        }
    }

    /// Turns a dial from outside, as `curl -X POST http://127.0.0.1:PORT/what` does. What comes of it is seen, or not.
    pub(crate) fn post(&self, index: usize, what: &str) {
        if let Some(post) = self.plant.posts.get(index) {
            let url = format!("http://{}/{what}", post.dependency.address());
            let _ = self.agent.post(url).send_empty();
        }
    }
}

fn reading(post: &Post, seen: &mut u64, begun: Duration) -> Reading {
    // The changes first: a state that is read later is never older than they are.
    let mut changes = post.breaker.history();
    changes.retain(|change| change.generation > *seen);
    for change in &mut changes {
        change.at = change.at.saturating_sub(begun);
    }
    // Generations count the changes without gaps.
    let newest = changes.last().map_or(*seen, |change| change.generation);
    let missed = newest.saturating_sub(*seen).saturating_sub(changes.len() as u64);
    *seen = newest;
    Reading {
        snapshot: post.breaker.snapshot(),
        totals: post.breaker.totals().unwrap_or_default(),
        open_for: post.breaker.open_for(),
        changes,
        missed,
        dial: dial(post.dependency.dial()),
    }
}

fn dial(dial: Dial) -> model::Dial {
    let name = dial.position.name();
    let word = match dial.position {
        Position::Well => name.to_owned(),
        _ if dial.rate() < 1.0 => format!("{name} {}%", words::percent(dial.rate())),
        _ => name.to_owned(),
    };
    model::Dial { well: dial.position == Position::Well, word }
}
