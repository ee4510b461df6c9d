//! What a caller reports, and what became of the report.

/// How a permitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The dependency did its work.
    Success,
    /// The dependency failed.
    Failure,
    /// The call says nothing about the dependency: cancelled, or refused for the caller's own mistake.
    ///
    /// It counts nowhere; in half-open its place is given back.
    Ignored,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// The report reached the generation in which its permit was granted.
    Counted,
    /// That generation is over (the breaker has changed its state since): the report was dropped.
    Stale,
}
