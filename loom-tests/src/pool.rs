//! The job of a pool without threads and clocks: those are rayon's and the system's.

#[path = "../../src/pool/job.rs"]
pub(crate) mod job;
