//! The models, one file a subject.

mod buckets;
mod budget;
mod bulkhead;
mod clock;
mod count_window;
mod generation;
mod half_open;
mod marks;
mod pool;
mod reading;
mod reconfigure;
mod registry;
mod ring;
mod rules;
mod seats;
mod state;
mod time_window;
mod totals;

use crate::runner::Model;

pub(crate) const ALL: &[&[Model]] = &[
    state::MODELS,
    half_open::MODELS,
    generation::MODELS,
    count_window::MODELS,
    marks::MODELS,
    ring::MODELS,
    time_window::MODELS,
    buckets::MODELS,
    rules::MODELS,
    reading::MODELS,
    reconfigure::MODELS,
    seats::MODELS,
    clock::MODELS,
    bulkhead::MODELS,
    budget::MODELS,
    pool::MODELS,
    totals::MODELS,
    registry::MODELS,
];
