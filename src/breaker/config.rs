//! The settings: the builder, its defaults, and validation in one place.
//!
//! Nothing here is repaired silently and nothing panics: `build` returns the first setting that is not allowed.
//! Rates become whole parts per million here, once; nothing behind this file sees a float but the growth of the
//! exponential wait.

use core::fmt;
use core::time::Duration;

use crate::breaker::settings::Built;
use crate::breaker::CircuitBreaker;
use crate::clock::{nanos, Clock, DefaultClock};
use crate::error::ConfigError;
use crate::event::Transition;
use crate::totals::Tally;

pub(crate) use crate::breaker::choices::{HalfOpen, OpenWait, Window};
use crate::breaker::choices::{Span, DEFAULT_BUCKETS};
use crate::breaker::rules::{needed, reaches};
pub(crate) use crate::breaker::rules::{
    Config, HalfOpenConfig, HalfOpenKind, Rules, WaitConfig, WindowConfig, PPM,
};

/// Largest count window: its ring of positions takes 8 bytes an entry and is rounded up to a power of two, 16 MiB at this size.
const MAX_COUNT_WINDOW: u32 = 1_048_576;
/// Largest number of half-open places: four fields of ten bits stand beside the state in one word.
const MAX_PROBES: u32 = 1_000;
/// Largest number of buckets: a failure in a time window reads every bucket of every stripe.
const MAX_BUCKETS: u32 = 1_024;
/// 366 days in nanoseconds, the longest time setting: far above use, and 55 bits.
const MAX_TIME_NS: u64 = 366 * 24 * 60 * 60 * 1_000_000_000;
/// Most stripes that may be asked for.
const MAX_STRIPES: u32 = 1_024;

const DEFAULT_WINDOW: Window = Window::count(100);
const DEFAULT_FAILURE_RATE: f64 = 0.5;
const DEFAULT_MIN_CALLS: u32 = 20;
const DEFAULT_OPEN_WAIT: OpenWait = OpenWait::fixed(Duration::from_secs(30));
const DEFAULT_HALF_OPEN: HalfOpen = HalfOpen::probes(3);
const DEFAULT_PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// An observer of transitions.
pub(crate) type Observer = Box<dyn Fn(&Transition) + Send + Sync>;

// ===== the builder =====

/// Sets up a [`CircuitBreaker`].
///
/// No method fails but [`build`](Builder::build).
///
/// ```
/// use core::time::Duration;
/// use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
///
/// let breaker = CircuitBreaker::builder()
///     .name("payment")
///     .window(Window::time(Duration::from_secs(10)))
///     .failure_rate(0.5)
///     .min_calls(20)
///     .slow_call(Duration::from_secs(2), 0.8)
///     .open_wait(OpenWait::fixed(Duration::from_secs(5)))
///     .half_open(HalfOpen::probes(1))
///     .on_transition(|t| println!("{} -> {} ({:?})", t.from, t.to, t.cause))
///     .build()?;
/// # let _ = breaker;
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<C = DefaultClock> {
    name: String,
    window: Window,
    failure_rate: Setting<Option<f64>>,
    failure_count: Option<u32>,
    consecutive_failures: Option<u32>,
    slow_call: Option<(Duration, f64)>,
    min_calls: Setting<u32>,
    open_wait: OpenWait,
    half_open: HalfOpen,
    probe_timeout: Duration,
    jitter_seed: Option<u64>,
    stripes: Option<u32>,
    totals: bool,
    observers: Vec<Observer>,
    clock: MakeClock<C>,
}

/// A value that is the default or the user's.
#[derive(Clone, Copy, Debug)]
enum Setting<T> {
    Default(T),
    Given(T),
}

impl<T: Copy> Setting<T> {
    fn get(self) -> T {
        match self {
            Setting::Default(value) | Setting::Given(value) => value,
        }
    }

    fn given(self) -> Option<T> {
        match self {
            Setting::Default(_) => None,
            Setting::Given(value) => Some(value),
        }
    }
}

/// The default clock calibrates when it is made, so it is made in `build` and only if no other was given.
pub(crate) enum MakeClock<C> {
    Given(C),
    New(fn() -> C),
}

impl<C> MakeClock<C> {
    pub(crate) fn make(self) -> C {
        match self {
            MakeClock::Given(clock) => clock,
            MakeClock::New(make) => make(),
        }
    }
}

impl Builder<DefaultClock> {
    pub(crate) fn new() -> Self {
        Builder {
            name: String::new(),
            window: DEFAULT_WINDOW,
            failure_rate: Setting::Default(Some(DEFAULT_FAILURE_RATE)),
            failure_count: None,
            consecutive_failures: None,
            slow_call: None,
            min_calls: Setting::Default(DEFAULT_MIN_CALLS),
            open_wait: DEFAULT_OPEN_WAIT,
            half_open: DEFAULT_HALF_OPEN,
            probe_timeout: DEFAULT_PROBE_TIMEOUT,
            jitter_seed: None,
            stripes: None,
            totals: false,
            observers: Vec::new(),
            clock: MakeClock::New(DefaultClock::new),
        }
    }
}

impl Default for Builder<DefaultClock> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock> Builder<C> {
    /// A name for reports; empty by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Which outcomes are judged; [`Window::count(100)`](Window::count) by default.
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Trips when at least this share of the calls in the window failed; above 0 to 1. By default 0.5; none with
    /// [`Window::consecutive`], unless half-open judges by it ([`HalfOpen::rate`]).
    ///
    /// Rounded to whole parts per million in [`build`](Builder::build).
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.failure_rate = Setting::Given(Some(rate));
        self
    }

    /// Switches the failure rate off.
    pub fn no_failure_rate(mut self) -> Self {
        self.failure_rate = Setting::Given(None);
        self
    }

    /// Trips when this many calls in the window failed, whatever the minimum of calls; off by default.
    pub fn failure_count(mut self, failures: u32) -> Self {
        self.failure_count = Some(failures);
        self
    }

    /// Trips when this many calls in a row failed, whatever the minimum of calls; off by default.
    pub fn consecutive_failures(mut self, failures: u32) -> Self {
        self.consecutive_failures = Some(failures);
        self
    }

    /// A call is slow if it takes longer than `limit`; trips when at least `rate` of the calls in the window are
    /// slow. Off by default.
    pub fn slow_call(mut self, limit: Duration, rate: f64) -> Self {
        self.slow_call = Some((limit, rate));
        self
    }

    /// Calls in the window below which the rates do not judge; 20 by default.
    pub fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = Setting::Given(calls);
        self
    }

    /// How long the breaker stays open; 30 s by default.
    ///
    /// On a clock that does not step back the real wait is the one asked for and at most 1.1 ms more. If the clock steps
    /// back, the wait ends when it has caught up; a rest that is more than 19.5 hours longer than what was asked for is
    /// taken for the mistake of a clock, and over.
    pub fn open_wait(mut self, wait: OpenWait) -> Self {
        self.open_wait = wait;
        self
    }

    /// How half-open probes decide; [`HalfOpen::probes(3)`](HalfOpen::probes) by default.
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.half_open = half_open;
        self
    }

    /// The lease of half-open probes: outstanding ones count as failed this long after the last grant, report or
    /// give-back; 60 s by default.
    ///
    /// It should be longer than the call's own timeout. A sign of life that lies more than 19.5 hours ahead of the clock
    /// is taken for the mistake of a clock: the probes are lost at once.
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = timeout;
        self
    }

    /// Seeds the random source of the jitter, for repeatable tests; by default each breaker has its own.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// How many threads record their outcomes each in words of its own; twice the cores, at least 8, by default.
    ///
    /// Threads beyond that share words, and their reports are lock-free instead of wait-free; in a time window such
    /// threads together count at most 134,217,727 outcomes of a kind in a bucket. 1 to 1,024.
    pub fn stripes(mut self, stripes: u32) -> Self {
        self.stripes = Some(stripes);
        self
    }

    /// Whether the breaker counts what it does from its building on, for
    /// [`CircuitBreaker::totals`] and [`CircuitBreaker::history`]; off by default.
    ///
    /// It costs a call some 4 ns and 128 bytes a stripe (the [performance page](crate::docs::performance) has the figures),
    /// and no line that two threads' successes share. Off it costs an untimed call nothing, and a timed one four
    /// instructions.
    pub fn totals(mut self, totals: bool) -> Self {
        self.totals = totals;
        self
    }

    /// The source of instants; [`DefaultClock`] by default.
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        Builder {
            name: self.name,
            window: self.window,
            failure_rate: self.failure_rate,
            failure_count: self.failure_count,
            consecutive_failures: self.consecutive_failures,
            slow_call: self.slow_call,
            min_calls: self.min_calls,
            open_wait: self.open_wait,
            half_open: self.half_open,
            probe_timeout: self.probe_timeout,
            jitter_seed: self.jitter_seed,
            stripes: self.stripes,
            totals: self.totals,
            observers: self.observers,
            clock: MakeClock::Given(clock),
        }
    }

    /// Adds an observer of transitions; several run in the order in which they were given.
    ///
    /// It runs on the thread whose action committed the change, after the commit. It may call the breaker. Its panics
    /// are caught and dropped.
    pub fn on_transition(mut self, observer: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Builds the breaker, closed and with an empty window.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for the first setting that is not allowed.
    pub fn build(self) -> Result<CircuitBreaker<C>, ConfigError> {
        let config = self.validate()?;
        let warnings = self.warnings(&config);
        let totals = self.totals.then(|| Box::new(Tally::new(config.stripes as usize)));
        let clock = self.clock.make();
        Ok(CircuitBreaker::new(self.name, config, warnings, clock, self.observers, totals))
    }

    /// Builds the mutex twin with the same settings; it keeps its transitions itself and calls no observer.
    ///
    /// # Errors
    ///
    /// As [`build`](Builder::build).
    #[cfg(feature = "oracle")]
    #[doc(hidden)]
    pub fn build_oracle(self) -> Result<crate::oracle::Oracle<C>, ConfigError> {
        let config = self.validate()?;
        Ok(crate::oracle::Oracle::new(config, self.clock.make()))
    }

    /// Checks every setting; the first that is not allowed is the error.
    pub(crate) fn validate(&self) -> Result<Config, ConfigError> {
        let window = self.validate_window()?;
        let run_of_window = match self.window.span {
            Span::Consecutive(limit) => limit,
            _ => 0,
        };
        // A consecutive window has no rate, so there the default is none, but for the probes that it may judge.
        let has_rate = run_of_window == 0 || self.half_open.kind == HalfOpenKind::Rate;
        let failure_ppm = match self.failure_rate {
            Setting::Default(_) if !has_rate => 0,
            Setting::Default(Some(rate)) | Setting::Given(Some(rate)) => {
                validate_rate("failure_rate", rate)?
            }
            Setting::Default(None) | Setting::Given(None) => 0,
        };
        let failure_count = self.validate_failure_count()?;
        let run = self.validate_run(run_of_window)?;
        let (slow_limit_ns, slow_ppm) = match self.slow_call {
            Some((limit, rate)) => {
                (validate_time("slow_call", limit)?, validate_rate("slow_call", rate)?)
            }
            None => (u64::MAX, 0),
        };
        let min_calls = self.min_calls.get();
        if min_calls == 0 {
            return Err(ConfigError::new("min_calls", "0", "1 to 4294967295"));
        }
        let wait = self.validate_wait()?;
        let half_open = self.half_open;
        if !(1..=MAX_PROBES).contains(&half_open.places) {
            return Err(ConfigError::new("half_open", half_open.given(), "1 to 1000"));
        }
        let lease_ns = validate_time("probe_timeout", self.probe_timeout)?;
        let stripes = self.validate_stripes()?;
        let rules = Rules {
            failure_ppm,
            slow_ppm,
            slow_limit_ns,
            failure_count,
            run,
            min_calls: match window {
                WindowConfig::Count { size } => min_calls.min(size),
                _ => min_calls,
            },
        };
        if failure_ppm == 0 && slow_ppm == 0 && failure_count == 0 && run == 0 {
            return Err(ConfigError::new(
                "rules",
                "none",
                "at least one of failure_rate, failure_count, consecutive_failures, slow_call",
            ));
        }
        Ok(Config {
            window,
            rules,
            min_calls,
            half_open: HalfOpenConfig {
                kind: half_open.kind,
                places: half_open.places,
                decide_at: match half_open.kind {
                    HalfOpenKind::Probes => half_open.places,
                    HalfOpenKind::Rate => half_open.places.min(min_calls),
                },
            },
            wait,
            lease_ns,
            stripes,
        })
    }

    /// Checks every setting for a breaker that is built already.
    ///
    /// `longest_run` is the longest limit on runs that its memory judges.
    pub(crate) fn validate_for(
        &self,
        built: &Built,
        longest_run: u32,
    ) -> Result<Config, ConfigError> {
        let mut config = self.validate()?;
        if config.window != built.window {
            let allowed = match built.window {
                WindowConfig::Consecutive => "consecutive(..)".to_owned(),
                window => Window::in_force(window, 0).given(),
            };
            let allowed = format!("{allowed}, as the breaker was built");
            return Err(ConfigError::new("window", self.window.given(), allowed));
        }
        match self.stripes {
            Some(stripes) if stripes != built.stripes => {
                let allowed = format!("{}, as the breaker was built", built.stripes);
                return Err(ConfigError::new("stripes", stripes.to_string(), allowed));
            }
            _ => config.stripes = built.stripes,
        }
        let run = config.rules.run;
        if run > longest_run {
            let (field, given) = match self.window.span {
                Span::Consecutive(_) => ("window", self.window.given()),
                _ => ("consecutive_failures", run.to_string()),
            };
            let allowed = match longest_run {
                0 => "no limit, since the breaker's time window was built without one".to_owned(),
                _ => format!("1 to {longest_run}, which the breaker was built with memory for"),
            };
            return Err(ConfigError::new(field, given, allowed));
        }
        Ok(config)
    }

    /// The seed of the jitter, if one was given.
    pub(crate) fn given_seed(&self) -> Option<u64> {
        self.jitter_seed
    }

    fn validate_window(&self) -> Result<WindowConfig, ConfigError> {
        let given = || self.window.given();
        let time = matches!(self.window.span, Span::Time(_));
        if self.window.buckets.is_some() && !time {
            return Err(ConfigError::new("buckets", given(), "a time window's setting only"));
        }
        match self.window.span {
            Span::Count(size) if (1..=MAX_COUNT_WINDOW).contains(&size) => {
                Ok(WindowConfig::Count { size })
            }
            Span::Count(_) => Err(ConfigError::new("window", given(), "a size of 1 to 1048576")),
            Span::Consecutive(0) => {
                Err(ConfigError::new("window", given(), "a limit of 1 to 4294967295"))
            }
            Span::Consecutive(_) => Ok(WindowConfig::Consecutive),
            Span::Time(length) => {
                let length_ns = nanos(length);
                if !(1..=MAX_TIME_NS).contains(&length_ns) {
                    return Err(ConfigError::new("window", given(), TIME_RANGE));
                }
                let buckets = self.window.buckets.unwrap_or(DEFAULT_BUCKETS);
                if !(1..=MAX_BUCKETS).contains(&buckets) || u64::from(buckets) > length_ns {
                    let allowed = "1 to 1024 buckets, none shorter than 1 ns";
                    return Err(ConfigError::new("buckets", buckets.to_string(), allowed));
                }
                Ok(WindowConfig::Time { length_ns, buckets })
            }
        }
    }

    fn validate_failure_count(&self) -> Result<u32, ConfigError> {
        let refuse = |count: u32, allowed| {
            Err(ConfigError::new("failure_count", count.to_string(), allowed))
        };
        match (self.failure_count, self.window.span) {
            (None, _) => Ok(0),
            (Some(0), _) => refuse(0, "1 to 4294967295"),
            (Some(count), Span::Count(size)) if count > size => {
                refuse(count, "at most the size of the count window")
            }
            (Some(count), Span::Consecutive(_)) => {
                refuse(count, "not together with a consecutive window")
            }
            (Some(count), _) => Ok(count),
        }
    }

    fn validate_run(&self, run_of_window: u32) -> Result<u32, ConfigError> {
        let refuse = |run: u32, allowed| {
            Err(ConfigError::new("consecutive_failures", run.to_string(), allowed))
        };
        match self.consecutive_failures {
            None => Ok(run_of_window),
            Some(0) => refuse(0, "1 to 4294967295"),
            Some(run) if run_of_window > 0 => {
                refuse(run, "not together with a consecutive window, which has the limit itself")
            }
            Some(run) => Ok(run),
        }
    }

    fn validate_wait(&self) -> Result<WaitConfig, ConfigError> {
        let wait = self.open_wait;
        let initial_ns = validate_time("open_wait", wait.initial)?;
        let (factor, max_ns) = match wait.growth {
            None => (1.0, u64::MAX),
            Some((factor, max)) => {
                if !(factor.is_finite() && factor >= 1.0) {
                    let allowed = "a finite factor from 1";
                    return Err(ConfigError::new("open_wait", format!("factor {factor}"), allowed));
                }
                let max_ns = validate_time("open_wait", max)?;
                if max_ns < initial_ns {
                    let allowed = "a max from the initial wait to 366 days";
                    return Err(ConfigError::new("open_wait", format!("max {max:?}"), allowed));
                }
                (factor, max_ns)
            }
        };
        if !(0.0..1.0).contains(&wait.jitter) {
            return Err(ConfigError::new("jitter", wait.jitter.to_string(), "0 to below 1"));
        }
        let jitter_ppm = jitter_ppm(wait.jitter);
        // Without jitter too, which may be asked for later.
        let seed = self.jitter_seed.unwrap_or_else(random_seed);
        Ok(WaitConfig { initial_ns, factor, max_ns, jitter_ppm, seed })
    }

    fn validate_stripes(&self) -> Result<u32, ConfigError> {
        match self.stripes {
            Some(stripes) if (1..=MAX_STRIPES).contains(&stripes) => Ok(stripes),
            Some(stripes) => Err(ConfigError::new("stripes", stripes.to_string(), "1 to 1024")),
            None => {
                let cores = std::thread::available_parallelism().map_or(4, |cores| cores.get());
                // Twice the cores: the main thread and idle pools hold numbers too.
                Ok(u32::try_from(2 * cores).unwrap_or(MAX_STRIPES).clamp(8, MAX_STRIPES))
            }
        }
    }

    /// Settings that are legal and idle, in words.
    fn warnings(&self, config: &Config) -> Vec<String> {
        let mut warnings = Vec::new();
        let rules = &config.rules;
        let rate_probes = config.half_open.kind == HalfOpenKind::Rate;
        let given_min = self.min_calls.given();
        let given_rate = self.failure_rate.given().flatten().is_some();
        let consecutive = matches!(config.window, WindowConfig::Consecutive);
        if let (WindowConfig::Count { size }, Some(min)) = (config.window, given_min) {
            if min > size {
                warnings.push(format!(
                    "min_calls {min} is above the count window of {size}: {size} is used"
                ));
            }
        }
        if consecutive && given_rate && !rate_probes {
            warnings.push("failure_rate is idle: a consecutive window has no rate".to_owned());
        }
        if consecutive && rules.slow_ppm > 0 && !rate_probes {
            warnings.push(
                "the rate of slow_call is idle in a consecutive window: slow calls count in \
                 half-open only"
                    .to_owned(),
            );
        }
        if given_min.is_some() && (consecutive || !rules.has_rate()) && !rate_probes {
            warnings.push("min_calls is idle: no rate judges the window".to_owned());
        }
        if rate_probes && !rules.has_rate() {
            warnings.push(
                "half_open rate is idle: no rate is set, so the probes always close".to_owned(),
            );
        }
        if !consecutive {
            self.warn_of_outdone_rules(config, &mut warnings);
        }
        warnings
    }

    /// Rules that another rule always outdoes: whenever the one is reached, the other was reached no later.
    fn warn_of_outdone_rules(&self, config: &Config, warnings: &mut Vec<String>) {
        let Rules { failure_ppm, failure_count, run, min_calls, .. } = config.rules;
        let mut idle = |rule: &str, by: &str| {
            warnings.push(format!("{rule} is idle: {by} trips no later"));
        };
        // Failures in a full count window reach the rate; in one that is not full the share is larger still.
        let reaches_rate = |failures: u32| match config.window {
            WindowConfig::Count { size } => {
                min_calls <= failures
                    && reaches(failure_ppm.into(), failures.min(size).into(), size.into())
            }
            _ => false,
        };
        if run == 1 && failure_count > 0 {
            idle(&format!("failure_count {failure_count}"), "consecutive_failures 1");
        } else if failure_count > 0 && reaches_rate(failure_count) {
            idle(&format!("failure_count {failure_count}"), "failure_rate");
        }
        if run > 1 {
            let by_count = failure_count == 1
                || (matches!(config.window, WindowConfig::Count { .. })
                    && (1..=run).contains(&failure_count));
            if by_count {
                let by = format!("failure_count {failure_count}");
                idle(&format!("consecutive_failures {run}"), &by);
            } else if reaches_rate(run) {
                idle(&format!("consecutive_failures {run}"), "failure_rate");
            }
        }
        // The default rate is nobody's setting; and in half-open it may be judged by itself.
        let given_rate = self.failure_rate.given().flatten().is_some();
        if given_rate && config.half_open.kind == HalfOpenKind::Probes {
            let least = needed(failure_ppm.into(), min_calls.into());
            if (1..=least).contains(&u64::from(failure_count)) {
                idle("failure_rate", &format!("failure_count {failure_count}"));
            } else if run == 1 || (u64::from(failure_ppm) == PPM && (1..=min_calls).contains(&run))
            {
                idle("failure_rate", &format!("consecutive_failures {run}"));
            }
        }
    }
}

impl<C> fmt::Debug for Builder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("window", &self.window)
            .field("failure_rate", &self.failure_rate.get())
            .field("failure_count", &self.failure_count)
            .field("consecutive_failures", &self.consecutive_failures)
            .field("slow_call", &self.slow_call)
            .field("min_calls", &self.min_calls.get())
            .field("open_wait", &self.open_wait)
            .field("half_open", &self.half_open)
            .field("probe_timeout", &self.probe_timeout)
            .field("observers", &self.observers.len())
            .finish_non_exhaustive()
    }
}

const TIME_RANGE: &str = "1 ns to 366 days";

/// A rate in parts per million.
pub(crate) fn validate_rate(field: &'static str, rate: f64) -> Result<u32, ConfigError> {
    let ppm = (rate * PPM as f64).round();
    if rate > 0.0 && rate <= 1.0 && ppm >= 1.0 {
        Ok(ppm as u32)
    } else {
        let allowed = "a rate above 0 to 1, at least one part in a million";
        Err(ConfigError::new(field, rate.to_string(), allowed))
    }
}

/// The ratio of a jitter in parts per million: one that is rounded down to the same.
pub(super) fn jitter_of(ppm: u32) -> f64 {
    let ratio = f64::from(ppm) / PPM as f64;
    match jitter_ppm(ratio) == ppm {
        true => ratio,
        // The next float: `next_up` is younger than the oldest compiler that this crate builds with.
        false => f64::from_bits(ratio.to_bits() + 1),
    }
}

/// A jitter in parts per million, rounded down: it stays within its ratio.
fn jitter_ppm(ratio: f64) -> u32 {
    (ratio * PPM as f64) as u32
}

/// A time in nanoseconds.
pub(crate) fn validate_time(field: &'static str, time: Duration) -> Result<u64, ConfigError> {
    let time_ns = nanos(time);
    if (1..=MAX_TIME_NS).contains(&time_ns) {
        Ok(time_ns)
    } else {
        Err(ConfigError::new(field, format!("{time:?}"), TIME_RANGE))
    }
}

/// A seed that differs from process to process and from call to call.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jitter_comes_back_from_its_ratio() {
        assert!((0..PPM as u32).all(|ppm| jitter_ppm(jitter_of(ppm)) == ppm));
        assert!((0..PPM as u32).all(|ppm| jitter_of(ppm) < 1.0));
        assert_eq!([0, 250_000].map(jitter_of), [0.0, 0.25]);
    }
}
