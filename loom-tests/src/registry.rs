//! The shelves of the registry, without what stands on them.

#[path = "../../src/registry/shelves.rs"]
pub(crate) mod shelves;
