//! What a builder chooses from: windows, ways through half-open, waits; and how they are taken apart again.
//!
//! Nothing is checked here: that is the builder's, in `breaker::config`.

use core::time::Duration;

use crate::breaker::config::jitter_of;
use crate::breaker::rules::{self, HalfOpenConfig, WaitConfig, WindowConfig};

pub(super) const DEFAULT_BUCKETS: u32 = 10;

// ===== windows =====

/// Which outcomes a closed breaker judges.
///
/// ```
/// use core::time::Duration;
/// use failfast::Window;
///
/// let last_hundred = Window::count(100);
/// let ten_seconds = Window::time(Duration::from_secs(10)); // in 10 buckets
/// let finer = Window::time(Duration::from_secs(10)).buckets(50);
/// let five_in_a_row = Window::consecutive(5);
/// # let _ = (last_hundred, ten_seconds, finer, five_in_a_row);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub(crate) span: Span,
    pub(crate) buckets: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Count(u32),
    Time(Duration),
    Consecutive(u32),
}

impl Window {
    /// The last `size` counted outcomes, exactly; 1 to 1,048,576.
    pub const fn count(size: u32) -> Self {
        Window { span: Span::Count(size), buckets: None }
    }

    /// The outcomes of the last `length`, in 10 buckets unless [`buckets`](Window::buckets) says otherwise.
    ///
    /// With `b` buckets, bucket `k` covers `[k * length / b, (k + 1) * length / b)` of the clock's own time; the
    /// window is the current bucket and the `b - 1` before it. An outcome belongs to the bucket of the instant at which
    /// it is recorded.
    ///
    /// # When the clock steps back
    ///
    /// A bucket is never replaced by an earlier one. While the clock is behind its furthest reading the window ends with
    /// the bucket of the present reading, and shows what has not been replaced by later buckets of the thread that
    /// recorded it; an outcome whose bucket has been replaced is accepted and shown nowhere. Once time has caught up the
    /// window is right again. A bucket that lies more than 19.5 hours (and a window) ahead is taken for the mistake of a
    /// clock and replaced.
    pub const fn time(length: Duration) -> Self {
        Window { span: Span::Time(length), buckets: None }
    }

    /// No window: only the run of consecutive failures, which trips at `limit`.
    pub const fn consecutive(limit: u32) -> Self {
        Window { span: Span::Consecutive(limit), buckets: None }
    }

    /// The number of buckets of a time window; 1 to 1,024, none shorter than 1 ns.
    #[must_use]
    pub const fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = Some(buckets);
        self
    }

    /// What it holds, and how much of it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{CircuitBreaker, Window, WindowKind};
    ///
    /// let in_words = |window: Window| match window.kind() {
    ///     WindowKind::Count { size } => format!("the last {size} calls"),
    ///     WindowKind::Time { length, .. } => format!("the calls of the last {length:?}"),
    ///     WindowKind::Consecutive { limit } => format!("{limit} failures in a row"),
    ///     other => format!("{other:?}"),
    /// };
    /// let breaker = CircuitBreaker::builder().window(Window::count(50)).build()?;
    /// assert_eq!(in_words(breaker.settings().window), "the last 50 calls");
    /// let ten_seconds = Window::time(Duration::from_secs(10));
    /// assert_eq!(in_words(ten_seconds), "the calls of the last 10s");
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub const fn kind(&self) -> WindowKind {
        match self.span {
            Span::Count(size) => WindowKind::Count { size },
            Span::Time(length) => {
                let buckets = match self.buckets {
                    Some(buckets) => buckets,
                    None => DEFAULT_BUCKETS,
                };
                WindowKind::Time { length, buckets }
            }
            Span::Consecutive(limit) => WindowKind::Consecutive { limit },
        }
    }

    /// The window of a breaker that judges runs of this length.
    pub(crate) fn in_force(window: WindowConfig, run: u32) -> Self {
        match window {
            WindowConfig::Count { size } => Window::count(size),
            WindowConfig::Time { length_ns, buckets } => {
                Window::time(Duration::from_nanos(length_ns)).buckets(buckets)
            }
            WindowConfig::Consecutive => Window::consecutive(run),
        }
    }

    pub(super) fn given(&self) -> String {
        let kind = match self.span {
            Span::Count(size) => format!("count({size})"),
            Span::Time(length) => format!("time({length:?})"),
            Span::Consecutive(limit) => format!("consecutive({limit})"),
        };
        match self.buckets {
            Some(buckets) => format!("{kind}.buckets({buckets})"),
            None => kind,
        }
    }
}

/// What a [`Window`] holds, and how much of it; from [`Window::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowKind {
    /// As [`Window::count`]: the last outcomes.
    Count {
        /// How many.
        size: u32,
    },
    /// As [`Window::time`]: the outcomes of the last time.
    Time {
        /// How long it is.
        length: Duration,
        /// Its parts, 10 where none were set.
        buckets: u32,
    },
    /// As [`Window::consecutive`]: only the run of failures.
    Consecutive {
        /// The run that trips.
        limit: u32,
    },
}

// ===== half-open =====

/// How half-open probes decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpen {
    pub(crate) kind: rules::HalfOpenKind,
    pub(crate) places: u32,
}

impl HalfOpen {
    /// At most `places` probes: the first failure (or slow call, where a slow-call rule is set) opens again, `places`
    /// successes close; 1 to 1,000.
    pub const fn probes(places: u32) -> Self {
        HalfOpen { kind: rules::HalfOpenKind::Probes, places }
    }

    /// At most `places` probes: when the smaller of `min_calls` and `places` outcomes are in, the failure rate and the
    /// slow rate decide; 1 to 1,000.
    pub const fn rate(places: u32) -> Self {
        HalfOpen { kind: rules::HalfOpenKind::Rate, places }
    }

    /// What decides, and after how many probes.
    ///
    /// ```
    /// use failfast::{CircuitBreaker, HalfOpenKind};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// assert_eq!(breaker.settings().half_open.kind(), HalfOpenKind::Probes { places: 3 });
    /// # Ok::<(), failfast::ConfigError>(())
    /// ```
    pub const fn kind(&self) -> HalfOpenKind {
        let places = self.places;
        match self.kind {
            rules::HalfOpenKind::Probes => HalfOpenKind::Probes { places },
            rules::HalfOpenKind::Rate => HalfOpenKind::Rate { places },
        }
    }

    pub(crate) fn in_force(config: HalfOpenConfig) -> Self {
        HalfOpen { kind: config.kind, places: config.places }
    }

    pub(super) fn given(&self) -> String {
        match self.kind {
            rules::HalfOpenKind::Probes => format!("probes({})", self.places),
            rules::HalfOpenKind::Rate => format!("rate({})", self.places),
        }
    }
}

/// What a [`HalfOpen`] decides by, and after how many probes; from [`HalfOpen::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HalfOpenKind {
    /// As [`HalfOpen::probes`]: the first failure opens, and that many successes close.
    Probes {
        /// Probes at once, and successes.
        places: u32,
    },
    /// As [`HalfOpen::rate`]: the rates decide.
    Rate {
        /// Probes at once.
        places: u32,
    },
}

// ===== waits =====

/// How long a breaker stays open.
///
/// ```
/// use core::time::Duration;
/// use failfast::OpenWait;
///
/// // 1 s, 2 s, 4 s, ... at most 60 s, each up to 20 % shorter or longer, but never above 60 s.
/// let wait = OpenWait::exponential(Duration::from_secs(1), 2.0, Duration::from_secs(60)).jitter(0.2);
/// # let _ = wait;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenWait {
    pub(crate) initial: Duration,
    pub(crate) growth: Option<(f64, Duration)>,
    pub(crate) jitter: f64,
}

impl OpenWait {
    /// The same time for every open period; 1 ns to 366 days.
    pub const fn fixed(wait: Duration) -> Self {
        OpenWait { initial: wait, growth: None, jitter: 0.0 }
    }

    /// `initial * factor^(attempt - 1)`, cut to `max`, where `attempt` numbers the open periods since the breaker was
    /// last closed, disabled or metrics-only.
    pub const fn exponential(initial: Duration, factor: f64, max: Duration) -> Self {
        OpenWait { initial, growth: Some((factor, max)), jitter: 0.0 }
    }

    /// Lengthens or shortens each wait at random by at most `ratio` of it; 0 to below 1. A `max` still holds.
    #[must_use]
    pub const fn jitter(mut self, ratio: f64) -> Self {
        self.jitter = ratio;
        self
    }

    /// Whether it grows, and from where to where.
    ///
    /// ```
    /// use core::time::Duration;
    /// use failfast::{OpenWait, OpenWaitKind};
    ///
    /// let wait = OpenWait::fixed(Duration::from_secs(30)).jitter(0.1);
    /// assert_eq!(wait.kind(), OpenWaitKind::Fixed { wait: Duration::from_secs(30) });
    /// assert_eq!(wait.jitter_ratio(), 0.1);
    /// ```
    pub const fn kind(&self) -> OpenWaitKind {
        match (self.initial, self.growth) {
            (wait, None) => OpenWaitKind::Fixed { wait },
            (initial, Some((factor, max))) => OpenWaitKind::Exponential { initial, factor, max },
        }
    }

    /// By how much of it each wait is lengthened or shortened at most; 0 where no [`jitter`](OpenWait::jitter) was set.
    pub const fn jitter_ratio(&self) -> f64 {
        self.jitter
    }

    pub(crate) fn in_force(config: WaitConfig) -> Self {
        let initial = Duration::from_nanos(config.initial_ns);
        let growth = (config.max_ns < u64::MAX)
            .then(|| (config.factor, Duration::from_nanos(config.max_ns)));
        OpenWait { initial, growth, jitter: jitter_of(config.jitter_ppm) }
    }
}

/// How an [`OpenWait`] grows; from [`OpenWait::kind`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum OpenWaitKind {
    /// As [`OpenWait::fixed`]: not at all.
    Fixed {
        /// The wait of every open period.
        wait: Duration,
    },
    /// As [`OpenWait::exponential`].
    Exponential {
        /// The wait of the first open period.
        initial: Duration,
        /// By how much the next one is longer.
        factor: f64,
        /// The longest.
        max: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::CircuitBreaker;

    const TEN: Duration = Duration::from_secs(10);

    /// What a breaker has in force comes apart as it was put together.
    #[test]
    fn choices_are_taken_apart_as_they_were_made() {
        let builder = CircuitBreaker::builder;
        let window = |window| builder().window(window).build().unwrap().settings().window.kind();
        assert_eq!(window(Window::count(7)), WindowKind::Count { size: 7 });
        assert_eq!(window(Window::consecutive(7)), WindowKind::Consecutive { limit: 7 });
        assert_eq!(window(Window::time(TEN)), WindowKind::Time { length: TEN, buckets: 10 });
        let five = WindowKind::Time { length: TEN, buckets: 5 };
        assert_eq!(window(Window::time(TEN).buckets(5)), five);
        assert_eq!(Window::time(TEN).kind(), WindowKind::Time { length: TEN, buckets: 10 });

        let probes =
            |choice| builder().half_open(choice).build().unwrap().settings().half_open.kind();
        assert_eq!(probes(HalfOpen::probes(2)), HalfOpenKind::Probes { places: 2 });
        assert_eq!(probes(HalfOpen::rate(9)), HalfOpenKind::Rate { places: 9 });

        let wait = |choice| builder().open_wait(choice).build().unwrap().settings().open_wait;
        assert_eq!(wait(OpenWait::fixed(TEN)).kind(), OpenWaitKind::Fixed { wait: TEN });
        let growing = wait(OpenWait::exponential(TEN, 1.5, 6 * TEN).jitter(0.25));
        let kind = OpenWaitKind::Exponential { initial: TEN, factor: 1.5, max: 6 * TEN };
        assert_eq!((growing.kind(), growing.jitter_ratio()), (kind, 0.25));
    }
}
