//! Faults on purpose: errors, delays and hangs at given rates, from a seed, for drills.
//!
//! A fault is a pure function of the seed, the number of the call and the rates. The calls are numbered by one addition;
//! there is no other protocol, and so no model of it.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crossbeam_utils::CachePadded;

use crate::breaker::config::{random_seed, validate_time};
use crate::breaker::rules::{split_mix, PPM};
use crate::clock::nanos;
use crate::error::ConfigError;
use crate::sleep::{Sleep, ThreadSleep};
use crate::sync::{AtomicU64, Ordering};

/// Disturbs calls, to see what they are worth to those who make them.
///
/// It stands where the dependency does, innermost, so that all that is around the call is drilled with it. The three kinds
/// are drawn independently of each other: a call may meet an error and a delay. Leave it in, with its rates at zero, and
/// switch it on for the drill.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::{Clock, ManualClock}, CircuitBreaker, Faults, State};
///
/// let clock = ManualClock::new(); // for the example; by default the thread sleeps
/// let faults = Faults::builder()
///     .seed(7)
///     .delays(0.2, Duration::from_millis(50)..=Duration::from_millis(80))
///     .sleeper(clock.clone())
///     .build()?;
/// let breaker = CircuitBreaker::builder().consecutive_failures(3).build()?;
/// let mut ask = || breaker.call(|| faults.call(|| "injected", || Ok("in stock")));
///
/// assert!((0..100).all(|_| ask() == Ok("in stock"))); // a fifth of them late
/// assert!(clock.now() >= Duration::from_millis(500));
///
/// faults.set_errors(1.0)?; // the outage
/// assert!((0..3).all(|_| ask().is_err()));
/// assert_eq!(breaker.state(), State::Open);
/// faults.heal();
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # Reproducible
///
/// Two of the same settings disturb call `n` in the same way, `n` counted from the first call, by whichever thread. A rate
/// that is raised adds faults and moves none, and each kind is drawn for itself: what is changed on the way changes
/// nothing else.
pub struct Faults<S = ThreadSleep> {
    seed: u64,
    times: Times,
    sleeper: S,
    /// In millionths.
    errors: AtomicU64,
    delays: AtomicU64,
    hangs: AtomicU64,
    /// Wraps after 2^64 calls.
    calls: CachePadded<AtomicU64>,
}

/// How long delays and hangs take; `None` for a kind that was never set.
#[derive(Clone, Debug)]
struct Times {
    /// The shortest and the longest, in nanoseconds.
    delay: Option<(u64, u64)>,
    hang: Option<Duration>,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    error: bool,
    delay: Option<Duration>,
    hang: Option<Duration>,
}

/// What tells the draws of a call apart. Arbitrary; nothing is added for an error.
const DELAYED: u64 = 0x6465_6c61_7965_6400;
const HOW_LONG: u64 = 0x686f_775f_6c6f_6e67;
const HANGS: u64 = 0x6861_6e67_7321_0000;

impl Faults {
    /// Begins without faults, a seed of its own, and threads that sleep.
    pub fn builder() -> FaultsBuilder {
        FaultsBuilder { seed: None, errors: 0.0, delays: None, hangs: None, sleeper: ThreadSleep }
    }
}

impl<S> Faults<S> {
    /// What the next call meets; whoever asks has to see that it does.
    ///
    /// # Progress
    ///
    /// Wait-free: one addition and three loads.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn draw(&self) -> Fault {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let drawn = split_mix(self.seed ^ split_mix(number));
        // Rates are read one by one: a call under way while they are changed may see some of the old ones.
        let delayed = hits(split_mix(drawn ^ DELAYED), self.delays.load(Ordering::Relaxed));
        let hung = hits(split_mix(drawn ^ HANGS), self.hangs.load(Ordering::Relaxed));
        Fault {
            error: hits(drawn, self.errors.load(Ordering::Relaxed)),
            delay: self.times.delay.filter(|_| delayed).map(|(shortest, longest)| {
                let more = below(split_mix(drawn ^ HOW_LONG), longest - shortest + 1);
                Duration::from_nanos(shortest + more)
            }),
            hang: self.times.hang.filter(|_| hung),
        }
    }

    /// How many calls have been drawn for.
    ///
    /// # Progress
    ///
    /// Wait-free: one load.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Changes the rate of errors, for calls that begin from now on; 0 to 1, rounded to millionths.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the field `errors`; nothing has changed then.
    ///
    /// # Progress
    ///
    /// Wait-free: one store, as the other setters.
    ///
    /// # Memory ordering
    ///
    /// None, as theirs.
    pub fn set_errors(&self, rate: f64) -> Result<(), ConfigError> {
        self.errors.store(millionths("errors", rate)?, Ordering::Relaxed);
        Ok(())
    }

    /// Changes the rate of delays, as [`set_errors`](Faults::set_errors) does that of errors.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the field `delays`, also if it was built without a time for them.
    pub fn set_delays(&self, rate: f64) -> Result<(), ConfigError> {
        self.delays.store(timed("delays", rate, self.times.delay.is_some())?, Ordering::Relaxed);
        Ok(())
    }

    /// Changes the rate of hangs, as [`set_errors`](Faults::set_errors) does that of errors.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the field `hangs`, also if it was built without a time for them.
    pub fn set_hangs(&self, rate: f64) -> Result<(), ConfigError> {
        self.hangs.store(timed("hangs", rate, self.times.hang.is_some())?, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the drill: every rate is zero.
    ///
    /// # Progress
    ///
    /// Wait-free: three stores.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn heal(&self) {
        for rate in [&self.errors, &self.delays, &self.hangs] {
            rate.store(0, Ordering::Relaxed);
        }
    }
}

impl<S: Sleep> Faults<S> {
    /// Makes a call, disturbed as it may happen.
    ///
    /// An error is made by `make_error`, in the place of the call. A delay comes before either. A hang takes its time in the
    /// place of the call, and ends in an error, as that of a connection that nobody answers.
    ///
    /// # Errors
    ///
    /// Those of the call, and those of `make_error`.
    ///
    /// # Panics
    ///
    /// Never by itself; a panic of the closures or of the sleeper passes through.
    ///
    /// # Progress
    ///
    /// As [`draw`](Faults::draw) and the call; a delay and a hang block, by the sleeper.
    ///
    /// # Memory ordering
    ///
    /// None.
    #[inline]
    pub fn call<T, E>(
        &self,
        make_error: impl FnOnce() -> E,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        if self.disturb(self.draw()) {
            Err(make_error())
        } else {
            call()
        }
    }

    /// Waits as the fault has it, and says whether the call is to fail.
    fn disturb(&self, fault: Fault) -> bool {
        if let Some(time) = fault.hang.or(fault.delay) {
            self.sleeper.sleep(time);
        }
        fault.is_failure()
    }
}

impl Fault {
    /// Whether the call fails: by an error or a hang.
    pub const fn is_failure(&self) -> bool {
        self.error || self.hang.is_some()
    }

    /// Whether the call meets an error, maybe after a delay.
    pub const fn is_error(&self) -> bool {
        self.error
    }

    /// How long the call is delayed, if it is.
    pub const fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// How long the call hangs, if it does; a delay is then a part of that.
    pub const fn hang(&self) -> Option<Duration> {
        self.hang
    }
}

/// A draw of 64 bits as a number below a bound.
fn below(draw: u64, bound: u64) -> u64 {
    ((u128::from(draw) * u128::from(bound)) >> 64) as u64
}

/// Whether a draw falls into so many millionths.
fn hits(draw: u64, millionths: u64) -> bool {
    below(draw, PPM) < millionths
}

// Its words are changed in one step each: no panic can leave anything half done.
impl<S> UnwindSafe for Faults<S> {}
impl<S> RefUnwindSafe for Faults<S> {}

impl<S> fmt::Debug for Faults<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("seed", &self.seed)
            .field("errors_millionths", &self.errors.load(Ordering::Relaxed))
            .field("delays_millionths", &self.delays.load(Ordering::Relaxed))
            .field("hangs_millionths", &self.hangs.load(Ordering::Relaxed))
            .field("times", &self.times)
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

// ===== settings =====

/// The settings of [`Faults`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct FaultsBuilder<S = ThreadSleep> {
    seed: Option<u64>,
    errors: f64,
    delays: Option<(f64, RangeInclusive<Duration>)>,
    hangs: Option<(f64, Duration)>,
    sleeper: S,
}

impl<S> FaultsBuilder<S> {
    /// Makes the faults the same each time; by default the seed is another each time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The share of calls that fail at once; 0 to 1, by default 0.
    pub fn errors(mut self, rate: f64) -> Self {
        self.errors = rate;
        self
    }

    /// The share of calls that are late, and by how much, equally likely; 0 to 1, and 1 ns to 366 days.
    pub fn delays(mut self, rate: f64, times: RangeInclusive<Duration>) -> Self {
        self.delays = Some((rate, times));
        self
    }

    /// The share of calls that hang, and for how long: longer than any timeout that is to be drilled.
    pub fn hangs(mut self, rate: f64, time: Duration) -> Self {
        self.hangs = Some((rate, time));
        self
    }

    /// What waits for delays and hangs; by default the thread sleeps.
    pub fn sleeper<T: Sleep>(self, sleeper: T) -> FaultsBuilder<T> {
        let FaultsBuilder { seed, errors, delays, hangs, sleeper: _ } = self;
        FaultsBuilder { seed, errors, delays, hangs, sleeper }
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names `errors`, `delays` or `hangs`.
    ///
    /// ```
    /// use failfast::Faults;
    ///
    /// let error = Faults::builder().errors(1.5).build().unwrap_err();
    /// assert_eq!((error.field(), error.given()), ("errors", "1.5"));
    /// ```
    pub fn build(self) -> Result<Faults<S>, ConfigError> {
        let errors = millionths("errors", self.errors)?;
        let (delays, delay) = match self.delays {
            Some((rate, times)) => {
                let longest = validate_time("delays", *times.end())?;
                if times.is_empty() {
                    let allowed = "times from the shorter to the longer";
                    return Err(ConfigError::new("delays", format!("{times:?}"), allowed));
                }
                (millionths("delays", rate)?, Some((nanos(*times.start()), longest)))
            }
            None => (0, None),
        };
        let (hangs, hang) = match self.hangs {
            Some((rate, time)) => {
                validate_time("hangs", time)?;
                (millionths("hangs", rate)?, Some(time))
            }
            None => (0, None),
        };
        Ok(Faults {
            seed: self.seed.unwrap_or_else(random_seed),
            times: Times { delay, hang },
            sleeper: self.sleeper,
            errors: AtomicU64::new(errors),
            delays: AtomicU64::new(delays),
            hangs: AtomicU64::new(hangs),
            calls: CachePadded::new(AtomicU64::new(0)),
        })
    }
}

fn millionths(field: &'static str, rate: f64) -> Result<u64, ConfigError> {
    let millionths = (rate * PPM as f64).round();
    if rate == 0.0 || ((0.0..=1.0).contains(&rate) && millionths >= 1.0) {
        Ok(millionths as u64)
    } else {
        let allowed = "0, or a rate up to 1 of at least one part in a million";
        Err(ConfigError::new(field, rate.to_string(), allowed))
    }
}

/// The rate of a kind that takes time.
fn timed(field: &'static str, rate: f64, has_time: bool) -> Result<u64, ConfigError> {
    let rate_ppm = millionths(field, rate)?;
    if has_time || rate_ppm == 0 {
        Ok(rate_ppm)
    } else {
        let allowed = "0, for it was built without a time";
        Err(ConfigError::new(field, rate.to_string(), allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_zero_and_one_are_exact() {
        for draw in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(!hits(draw, 0));
            assert!(hits(draw, PPM));
        }
        assert!(hits(0, 1), "the least that there is");
        assert!(!hits(u64::MAX, PPM - 1));
    }
}
