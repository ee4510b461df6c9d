//! The errors: a refused call, a failed guarded call, a setting that is not allowed.

use core::fmt;
use core::time::Duration;
use std::borrow::Cow;
use std::error::Error;

use crate::phase::State;

/// Returned when the breaker refuses a call.
///
/// ```
/// use failfast::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().build()?;
/// breaker.trip();
/// let rejected = breaker.try_acquire().unwrap_err();
/// assert_eq!(rejected.state(), State::Open);
/// assert!(rejected.retry_after().is_some());
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    state: State,
    /// Nanoseconds until the open time is over; read only while `state` is `Open`.
    wait_ns: u64,
}

impl Rejected {
    pub(crate) const fn open(wait_ns: u64) -> Self {
        Rejected { state: State::Open, wait_ns }
    }

    pub(crate) const fn by(state: State) -> Self {
        Rejected { state, wait_ns: 0 }
    }

    /// The state that refused: open, half-open with every place taken, or forced open.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How long until the open time is over: acquiring that much later is not refused by this open period.
    ///
    /// `None` when half-open or forced open: nobody knows.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.state {
            State::Open => Some(Duration::from_nanos(self.wait_ns)),
            _ => None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after() {
            Some(wait) => write!(f, "circuit breaker is {}, retry after {wait:?}", self.state),
            None => write!(f, "circuit breaker is {}", self.state),
        }
    }
}

impl Error for Rejected {}

/// The error of a guarded call: the breaker's refusal, or the call's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The breaker refused; the call was not made.
    Rejected(Rejected),
    /// The call was made and failed.
    Inner(E),
}

impl<E> CallError<E> {
    /// Whether the breaker refused, so that the call was not made.
    pub const fn is_rejected(&self) -> bool {
        matches!(self, CallError::Rejected(_))
    }

    /// The breaker's refusal, if that is what it was.
    pub const fn rejected(&self) -> Option<&Rejected> {
        match self {
            CallError::Rejected(rejected) => Some(rejected),
            CallError::Inner(_) => None,
        }
    }

    /// The call's own error, if the call was made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            CallError::Rejected(_) => None,
            CallError::Inner(error) => Some(error),
        }
    }
}

impl<E> From<Rejected> for CallError<E> {
    fn from(rejected: Rejected) -> Self {
        CallError::Rejected(rejected)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Rejected(rejected) => rejected.fmt(f),
            CallError::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CallError::Rejected(rejected) => Some(rejected),
            CallError::Inner(error) => Some(error),
        }
    }
}

/// A setting that [`Builder::build`](crate::Builder::build) or
/// [`CircuitBreaker::reconfigure`](crate::CircuitBreaker::reconfigure) does not accept.
///
/// It names the setting, the value given and the values allowed:
///
/// ```
/// use failfast::{CircuitBreaker, Window};
///
/// let error = CircuitBreaker::builder().window(Window::count(0)).build().unwrap_err();
/// assert_eq!(error.field(), "window");
/// assert_eq!(error.given(), "count(0)");
/// assert_eq!(error.to_string(), "window: given count(0), allowed is a size of 1 to 1048576");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    given: String,
    allowed: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(
        field: &'static str,
        given: impl Into<String>,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        ConfigError { field, given: given.into(), allowed: allowed.into() }
    }

    /// The name of the builder method whose setting was refused; `"rules"` when there is no rule at all.
    pub const fn field(&self) -> &str {
        self.field
    }

    /// The value given, in words.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The values allowed, in words.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: given {}, allowed is {}", self.field, self.given, self.allowed)
    }
}

impl Error for ConfigError {}
