//! The settings in force, as a user sees and changes them. The steps of a change are in `breaker::reconfigure`.

use core::cell::OnceCell;
use core::time::Duration;

use crate::breaker::config::{Builder, Config, HalfOpen, OpenWait, Window, WindowConfig, PPM};
use crate::breaker::CircuitBreaker;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::event::Transition;

/// What a breaker keeps as it was built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Built {
    pub(crate) window: WindowConfig,
    pub(crate) stripes: u32,
}

/// The limits in force of a breaker: those of its builder, or of its latest
/// [`reconfigure`](CircuitBreaker::reconfigure).
///
/// As they were set, each ready to be given to a [`Builder`] again: defaults are filled in, rates and jitter are whole
/// parts per million, a time window says its buckets. What stands in a window, a wait, or the way through half-open,
/// their `kind()` says.
///
/// ```
/// use failfast::{CircuitBreaker, HalfOpen, Window, WindowKind};
///
/// let breaker = CircuitBreaker::builder().window(Window::count(50)).build()?;
/// let settings = breaker.settings();
/// assert_eq!(settings.window, Window::count(50));
/// assert_eq!(settings.window.kind(), WindowKind::Count { size: 50 });
/// assert_eq!((settings.failure_rate, settings.min_calls), (Some(0.5), 20));
/// assert_eq!(settings.half_open, HalfOpen::probes(3));
/// # Ok::<(), failfast::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// Which outcomes are judged.
    pub window: Window,
    /// The share of failures that trips; `None` where the rule is off, as it is by default with [`Window::consecutive`]
    /// unless half-open judges by it.
    pub failure_rate: Option<f64>,
    /// The failures in the window that trip; `None` where the rule is off.
    pub failure_count: Option<u32>,
    /// The run of failures that trips beside a window; `None` where the rule is off, and with
    /// [`Window::consecutive`], which has the limit itself.
    pub consecutive_failures: Option<u32>,
    /// What is a slow call, and the share of them that trips; `None` where the rule is off.
    pub slow_call: Option<(Duration, f64)>,
    /// Calls below which the rates do not judge, as it was set: a smaller count window is used instead.
    pub min_calls: u32,
    /// How long the breaker stays open.
    pub open_wait: OpenWait,
    /// How half-open probes decide.
    pub half_open: HalfOpen,
    /// The lease of half-open probes.
    pub probe_timeout: Duration,
}

impl Settings {
    fn of(config: &Config) -> Self {
        let rules = &config.rules;
        let rate = |ppm: u32| f64::from(ppm) / PPM as f64;
        let set = |count: u32| (count > 0).then_some(count);
        let consecutive = matches!(config.window, WindowConfig::Consecutive);
        Settings {
            window: Window::in_force(config.window, rules.run),
            failure_rate: set(rules.failure_ppm).map(rate),
            failure_count: set(rules.failure_count),
            consecutive_failures: set(rules.run).filter(|_| !consecutive),
            slow_call: set(rules.slow_ppm)
                .map(|ppm| (Duration::from_nanos(rules.slow_limit_ns), rate(ppm))),
            min_calls: config.min_calls,
            open_wait: OpenWait::in_force(config.wait),
            half_open: HalfOpen::in_force(config.half_open),
            probe_timeout: Duration::from_nanos(config.lease_ns),
        }
    }
}

impl<C: Clock> CircuitBreaker<C> {
    /// The limits in force.
    ///
    /// # Progress
    ///
    /// Lock-free: it reads again only if other settings were put in force meanwhile. A
    /// [`reconfigure`](CircuitBreaker::reconfigure) that is under way, or whose thread has stopped, does not hold it up.
    ///
    /// # Memory ordering
    ///
    /// Of one configuration: of the latest `reconfigure` that happens before this call, or of a later one.
    pub fn settings(&self) -> Settings {
        Settings::of(&self.engine.in_force(self.built.window, self.built.stripes))
    }

    /// Changes the limits of a breaker that is in use.
    ///
    /// What the builder says, given or default, replaces what was set before: all of it at once, or, where a setting is
    /// refused, none of it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{clock::ManualClock, CircuitBreaker, OpenWait, State};
    ///
    /// let clock = ManualClock::new();
    /// let breaker =
    ///     CircuitBreaker::builder().failure_rate(0.5).min_calls(4).clock(clock.clone()).build()?;
    /// for _ in 0..3 {
    ///     breaker.try_acquire().unwrap().failure();
    /// }
    /// // The wait judges nothing, so the three failures still count.
    /// let patient = CircuitBreaker::builder().failure_rate(0.5).min_calls(4);
    /// breaker.reconfigure(&patient.open_wait(OpenWait::fixed(Duration::from_secs(120))))?;
    /// assert_eq!(breaker.snapshot().failures, 3);
    ///
    /// // Another limit judges calls of its own only: the window begins empty.
    /// breaker.reconfigure(&CircuitBreaker::builder().failure_rate(0.9).min_calls(2))?;
    /// assert_eq!(breaker.snapshot().failures, 0);
    /// assert_eq!(breaker.settings().failure_rate, Some(0.9));
    /// for _ in 0..2 {
    ///     breaker.try_acquire().unwrap().failure();
    /// }
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    ///
    /// # What stays as it was built
    ///
    /// - Name, clock, observers, totals and [`warnings`](CircuitBreaker::warnings): what the builder says of them is not
    ///   looked at.
    /// - Stripes: a builder that gives no number means the one that there is; another number is refused.
    /// - The window's kind, and its size, or its length and buckets: others are refused.
    /// - The seed of the jitter, unless the builder gives one.
    ///
    /// A limit on runs of failures, of [`Window::consecutive`] or [`Builder::consecutive_failures`], may change as far as
    /// the memory goes that was taken at the build. A count window or a consecutive one judges runs as long as itself and
    /// at least 16; the ring is a power of two, so often longer ones. A time window judges runs only if it was built with
    /// a limit on them. The error says up to which limit there is room.
    ///
    /// # What becomes of the present generation
    ///
    /// If the new settings judge it otherwise, it ends, and another one begins in the same state, of the cause
    /// [`TransitionCause::Reconfigured`](crate::TransitionCause::Reconfigured). Its window is empty, and half-open probes
    /// begin anew; permits of the old one are [`Stale`](crate::Recorded::Stale). That is so
    ///
    /// - while closed or metrics-only, if the failure rate, the failure count, the limit on runs, the slow-call rule or
    ///   the minimum of calls (as used) change;
    /// - while half-open, if [`half_open`](Builder::half_open) or the limit of slow calls change, and where
    ///   [`HalfOpen::rate`] judges, the rates or the number of outcomes that decide. The open periods are still numbered
    ///   from where they were.
    ///
    /// Nothing else is lost: otherwise generation, window, probes and permits go on. An open period keeps its deadline,
    /// the new wait holds from the next one. A new [`probe_timeout`](Builder::probe_timeout) holds at once, counted from
    /// the probes' last sign of life; probes whose old lease had run out are lost first, as by a control call. Settings
    /// equal to those in force change nothing at all.
    ///
    /// # One configuration a verdict
    ///
    /// Whatever other threads do meanwhile, no verdict mixes two configurations. The generation that is current when this
    /// returns, and all later ones, are judged by the new settings alone, until they are changed again. One that was
    /// current before is judged by the old ones alone, or ends without a verdict: a report of another thread that would
    /// have decided, when it finds the settings overtaken, begins the new generation in place of this call (and if both do
    /// so at once, one after the other, there are two).
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for the first setting that [`build`](Builder::build) would refuse, or that can't be changed.
    /// Nothing has changed then.
    ///
    /// # Progress
    ///
    /// Blocks while another thread is in this call for the same breaker; its observers run outside of that. Otherwise
    /// lock-free, as [`trip`](CircuitBreaker::trip). It keeps no other call waiting, also if its thread stops in it for
    /// ever. Allocates where something changes.
    ///
    /// # Memory ordering
    ///
    /// What happened before this call happens before what follows any call that is judged by the new settings.
    pub fn reconfigure<D: Clock>(&self, builder: &Builder<D>) -> Result<(), ConfigError> {
        // Only now, with the turn given up, may an observer run.
        self.take_on(builder)?.iter().for_each(|transition| self.tell(transition));
        Ok(())
    }

    /// As [`reconfigure`](CircuitBreaker::reconfigure), but for telling the observers: it is for the caller to
    /// [tell](CircuitBreaker::tell) them.
    pub(crate) fn take_on<D: Clock>(
        &self,
        builder: &Builder<D>,
    ) -> Result<Vec<Transition>, ConfigError> {
        let config = builder.validate_for(&self.built, self.engine.longest_run())?;
        let read = OnceCell::new();
        let now = || *read.get_or_init(|| self.clock.now_nanos());
        let changes =
            self.engine.reconfigure(config, builder.given_seed(), &|| self.since_zero(now()));
        Ok(changes.iter().map(|change| self.note(change, now())).collect())
    }

    /// Whether [`reconfigure`](CircuitBreaker::reconfigure) would accept this builder. The answer never changes; it reads
    /// no clock.
    pub(crate) fn accepts<D: Clock>(&self, builder: &Builder<D>) -> Result<(), ConfigError> {
        builder.validate_for(&self.built, self.engine.longest_run()).map(drop)
    }
}
