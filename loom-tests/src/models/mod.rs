//! The models, one file a subject.

mod count_window;
mod state;

use crate::runner::Model;

pub(crate) const ALL: &[&[Model]] = &[state::MODELS, count_window::MODELS];
