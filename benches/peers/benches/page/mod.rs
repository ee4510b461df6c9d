//! What the report writes: Markdown tables and plots.

pub(crate) mod chart;
pub(crate) mod tables;
