//! Whole histories of calls to a breaker, and a check of each against the oracle.
//!
//! A [`plan`] says which thread calls what; [`run`] does it and writes down every answer, as a [`history`]; the
//! [`checker`] looks for an order of all calls that respects happens-before and in which the oracle, one call after the
//! other, gives every answer. The tests make histories with real threads and with shuttle's. See the README.

#![forbid(unsafe_code)]

pub mod checker;
pub mod history;
pub mod plan;
pub mod run;
pub mod subject;
