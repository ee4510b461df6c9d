//! The registry: one name, one thing, and never one that was built from a plan that is gone.

use std::convert::Infallible;
use std::sync::Arc;

use crate::race::{race, race3};
use crate::registry::shelves::Shelves;
use crate::runner::Model;
use crate::sync::{AtomicU64, Ordering};

pub(crate) const MODELS: &[Model] = &[
    Model::whole("registry::two_ask_for_one_name", 7, two_ask_for_one_name),
    Model::whole("registry::asked_for_while_replanned", 3, asked_for_while_replanned),
    Model::whole("registry::two_ask_while_it_is_removed", 60, two_ask_while_it_is_removed),
];

/// A shelf for one name.
#[derive(Default)]
struct Shelf {
    plan: u64,
    thing: Option<Arc<Thing>>,
}

struct Thing {
    settings: AtomicU64,
}

fn ask(shelves: &Shelves<Shelf>) -> Arc<Thing> {
    let found = shelves.find_or_build(
        |shelf| shelf.thing.clone(),
        |shelf| shelf.plan,
        |plan| Ok::<_, Infallible>(Thing { settings: AtomicU64::new(*plan) }),
        |shelf, _, thing| assert!(shelf.thing.replace(thing).is_none(), "nothing is put away"),
    );
    let Ok(thing) = found;
    thing
}

fn stands_there(shelves: &Shelves<Shelf>) -> Option<Arc<Thing>> {
    shelves.read(|shelf| shelf.thing.clone())
}

fn two_ask_for_one_name() {
    let (a, b, shelves) = race(Shelves::new(Shelf::default()), ask, ask);
    assert!(Arc::ptr_eq(&a, &b), "same name, same thing");
    assert!(stands_there(&shelves).is_some_and(|there| Arc::ptr_eq(&a, &there)));
}

/// Who replaces the plan changes what stands there, and what does not yet must come with the new one.
fn asked_for_while_replanned() {
    let replan = |shelves: &Shelves<Shelf>| {
        let there = shelves.replan(|shelf| {
            shelf.plan = 1;
            shelf.thing.clone()
        });
        if let Some(thing) = there {
            thing.settings.store(1, Ordering::Relaxed);
        }
    };
    let (asked, (), shelves) = race(Shelves::new(Shelf::default()), ask, replan);
    let there = stands_there(&shelves).expect("it was asked for");
    assert!(Arc::ptr_eq(&asked, &there), "same name, same thing");
    assert_eq!(there.settings.load(Ordering::Relaxed), 1, "no thing has a plan that is gone");
}

/// Each has what was removed or what stands there; nothing third was ever seen.
fn two_ask_while_it_is_removed() {
    let remove = |shelves: &Shelves<Shelf>| shelves.change(|shelf| shelf.thing.take());
    let (a, b, removed, shelves) = race3(Shelves::new(Shelf::default()), ask, ask, remove);
    let known: Vec<_> = removed.into_iter().chain(stands_there(&shelves)).collect();
    for thing in [a, b] {
        assert!(known.iter().any(|known| Arc::ptr_eq(known, &thing)), "nothing is built twice");
    }
}
