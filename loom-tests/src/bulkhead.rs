//! The bulkhead without its face: that one sleeps, which no model can.

#[path = "../../src/bulkhead/places.rs"]
pub(crate) mod places;
#[path = "../../src/bulkhead/word.rs"]
pub(crate) mod word;
