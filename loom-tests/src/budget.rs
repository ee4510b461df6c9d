//! The word of the retry budget.

#[path = "../../src/budget/word.rs"]
pub(crate) mod word;
