//! What a breaker has done since it was built, in numbers that only grow.
//!
//! [`Totals`] is the reading; the counters behind it are in `tally`, the last transitions in `history`.

use core::time::Duration;

use crate::event::TransitionCause;
use crate::phase::State;

#[cfg(feature = "serde")]
mod form;
pub(crate) mod history;
mod tally;

pub(crate) use self::tally::{Count, Tally};

/// A reading of everything that a breaker has done since it was built, from
/// [`CircuitBreaker::totals`](crate::CircuitBreaker::totals).
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, CircuitBreaker, State};
///
/// let clock = ManualClock::new();
/// let breaker = CircuitBreaker::builder()
///     .consecutive_failures(2)
///     .totals(true)
///     .clock(clock.clone())
///     .build()?;
///
/// for _ in 0..2 {
///     breaker.try_acquire().unwrap().failure();
/// }
/// clock.advance(Duration::from_secs(10));
/// assert!(breaker.try_acquire().is_err());
///
/// let totals = breaker.totals().unwrap();
/// assert_eq!((totals.permitted, totals.failed, totals.refused), (2, 2, 1));
/// assert_eq!(totals.transitions(State::Closed, State::Open), 1);
/// assert_eq!(totals.time_in(State::Open), Duration::from_secs(10));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// Every number only grows, until it wraps at 2^64. At rest all are exact: the reader has synchronised with all callers,
/// and `permitted` is the sum of `succeeded`, `failed`, `ignored`, `stale` and [`in_flight`](Totals::in_flight).
/// While others call, each may be a moment old, and no part is shown without its whole: neither an outcome without its
/// permit nor a slow call without its outcome, neither an opening without its transition nor a false one without it.
///
/// They are calls, not the window: they count in every state, disabled ones too, and no control call empties them.
///
/// With the feature `serde` it is `Serialize`: the tables as `transitions`, a list of `from`, `to` and `count`, as `causes`
/// by name, and as `seconds_in` by state.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Permits granted, probes among them.
    pub permitted: u64,
    /// Calls refused.
    pub refused: u64,
    /// Successes that counted, slow ones among them.
    pub succeeded: u64,
    /// Failures that counted, slow ones among them.
    pub failed: u64,
    /// Slow calls among the two, where a slow-call rule is set; none while disabled, where no call is judged.
    pub slow: u64,
    /// Ignored outcomes, dropped permits among them.
    pub ignored: u64,
    /// Outcomes that came after their generation had ended.
    pub stale: u64,
    /// Half-open probes that succeeded, slow ones among them.
    pub probes_succeeded: u64,
    /// Half-open probes that failed.
    pub probes_failed: u64,
    /// Half-open probes that had not reported when their lease was over.
    pub probes_lost: u64,
    /// How often the rules would have tripped in metrics-only: at most once in an open time, since they would then have
    /// refused what came after it.
    pub would_have_tripped: u64,
    /// How often a rule has opened the closed breaker.
    pub openings: u64,
    /// Of those, how many the first round of probes ended: an estimate of the openings that were not needed.
    ///
    /// An estimate, since a dependency may also have recovered within the first open time. It misses an opening whose
    /// thread had not yet noted it when the breaker closed again.
    pub false_positives: u64,
    #[cfg_attr(feature = "serde", serde(serialize_with = "form::transitions"))]
    pub(crate) transitions: [[u64; State::ALL.len()]; State::ALL.len()],
    #[cfg_attr(feature = "serde", serde(serialize_with = "form::causes"))]
    pub(crate) causes: [u64; TransitionCause::KINDS.len()],
    #[cfg_attr(
        feature = "serde",
        serde(rename = "seconds_in", serialize_with = "form::seconds_in")
    )]
    pub(crate) time_in: [Duration; State::ALL.len()],
}

impl Totals {
    /// Changes from one state to another; a control call into the same state is one, and so are new settings that judge
    /// the state otherwise.
    pub fn transitions(&self, from: State, to: State) -> u64 {
        self.transitions[from.code() as usize][to.code() as usize]
    }

    /// Changes by [the name of their cause](TransitionCause::name), for every kind of cause.
    ///
    /// ```
    /// use failfast::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder().totals(true).build()?;
    /// breaker.trip();
    /// breaker.reset();
    /// let by_cause: Vec<_> =
    ///     breaker.totals().unwrap().causes().filter(|(_, changes)| *changes > 0).collect();
    /// assert_eq!(by_cause, [("control", 2)]);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub fn causes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        TransitionCause::KINDS.into_iter().zip(self.causes)
    }

    /// Time spent in a state, up to this reading.
    ///
    /// The state is the committed one: an open breaker that nobody has called since its open time ended counts as open.
    /// A transition counts from when its thread read the clock: where that thread was stopped in between, the state before it
    /// is shown shorter and the one after it longer.
    ///
    /// A clock that steps back adds nothing until it has caught up. Times are kept modulo 2^64 nanoseconds, and one of 2^63
    /// or more, 292 years, is taken for a step back. Lost probes open the breaker as of the end of their lease, which may
    /// be noticed later: what was shown as half-open meanwhile is not taken back, so the states together may then show more
    /// than the time gone by.
    pub fn time_in(&self, state: State) -> Duration {
        self.time_in[state.code() as usize]
    }

    /// Calls that were permitted and have not reported: under way, or leaked.
    pub fn in_flight(&self) -> u64 {
        let reported = [self.succeeded, self.failed, self.ignored, self.stale];
        reported.into_iter().fold(self.permitted, u64::saturating_sub)
    }

    /// Probes that succeeded among those that are over; `None` before the first.
    pub fn probe_success_rate(&self) -> Option<f64> {
        let over = self.probes_succeeded + self.probes_failed + self.probes_lost;
        (over > 0).then(|| self.probes_succeeded as f64 / over as f64)
    }
}
