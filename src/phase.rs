//! The six states that a breaker can show.
//!
//! How they are packed beside the generation is `breaker::state`'s business; here is only what a user sees.

use core::fmt;

/// The state of a [`CircuitBreaker`](crate::CircuitBreaker).
///
/// ```
/// use failfast::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// breaker.force_open();
/// assert_eq!(breaker.state().to_string(), "forced open");
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum State {
    /// Every call is permitted and its outcome judged.
    Closed,
    /// Every call is refused until the open time is over.
    Open,
    /// A few probes are permitted; their outcomes decide.
    HalfOpen,
    /// Every call is refused until another control call.
    ForcedOpen,
    /// Every call is permitted and nothing is counted.
    Disabled,
    /// Every call is permitted and counted; nothing trips.
    MetricsOnly,
}

impl State {
    /// All states, in the order of their codes in the state word.
    pub const ALL: [State; 6] = [
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::Disabled,
        State::MetricsOnly,
    ];

    /// The code of this state in the state word.
    pub(crate) const fn code(self) -> u64 {
        match self {
            State::Closed => 0,
            State::Open => 1,
            State::HalfOpen => 2,
            State::ForcedOpen => 3,
            State::Disabled => 4,
            State::MetricsOnly => 5,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
            State::ForcedOpen => "forced open",
            State::Disabled => "disabled",
            State::MetricsOnly => "metrics only",
        })
    }
}
