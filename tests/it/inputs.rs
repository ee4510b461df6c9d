//! What a user may hand to the builder, allowed or not, and the table of settings said a second time.
//!
//! No random source here: property tests and fuzz targets make the inputs, each in its own way.

use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::{Builder, CircuitBreaker, HalfOpen, OpenWait, Window};

/// 366 of them are the longest time setting.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Anything that a user may hand to the builder.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) window: AnyWindow,
    pub(crate) buckets: Option<u32>,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) failure_count: Option<u32>,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) slow_call: Option<(Duration, f64)>,
    pub(crate) min_calls: u32,
    pub(crate) wait: Duration,
    pub(crate) growth: Option<(f64, Duration)>,
    pub(crate) jitter: f64,
    pub(crate) rate_probes: bool,
    pub(crate) places: u32,
    pub(crate) probe_timeout: Duration,
    pub(crate) stripes: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AnyWindow {
    Count(u32),
    Time(Duration),
    Consecutive(u32),
}

impl Input {
    fn builder(&self) -> Builder<ManualClock> {
        let window = match self.window {
            AnyWindow::Count(size) => Window::count(size),
            AnyWindow::Time(length) => Window::time(length),
            AnyWindow::Consecutive(limit) => Window::consecutive(limit),
        };
        let window = match self.buckets {
            Some(buckets) => window.buckets(buckets),
            None => window,
        };
        let wait = match self.growth {
            Some((factor, max)) => OpenWait::exponential(self.wait, factor, max),
            None => OpenWait::fixed(self.wait),
        };
        let half_open = if self.rate_probes {
            HalfOpen::rate(self.places)
        } else {
            HalfOpen::probes(self.places)
        };
        let mut builder = CircuitBreaker::builder()
            .clock(ManualClock::new())
            .window(window)
            .min_calls(self.min_calls)
            .open_wait(wait.jitter(self.jitter))
            .half_open(half_open)
            .probe_timeout(self.probe_timeout)
            .stripes(self.stripes);
        builder = match self.failure_rate {
            Some(rate) => builder.failure_rate(rate),
            None => builder.no_failure_rate(),
        };
        if let Some(failures) = self.failure_count {
            builder = builder.failure_count(failures);
        }
        if let Some(failures) = self.consecutive_failures {
            builder = builder.consecutive_failures(failures);
        }
        if let Some((limit, rate)) = self.slow_call {
            builder = builder.slow_call(limit, rate);
        }
        builder
    }
}

/// The settings that the table does not allow: each line names one and its range.
pub(crate) fn settings_at_fault(input: &Input) -> Vec<&'static str> {
    let time_allowed = |time: Duration| (Duration::from_nanos(1)..=DAY * 366).contains(&time);
    let rate_allowed = |rate: f64| rate > 0.0 && rate <= 1.0 && (rate * 1e6).round() >= 1.0;
    let mut fields = Vec::new();
    let mut allow = |field, allowed: bool| {
        if !allowed {
            fields.push(field);
        }
    };
    let consecutive = matches!(input.window, AnyWindow::Consecutive(_));
    match input.window {
        AnyWindow::Count(size) => {
            allow("window", (1..=1_048_576).contains(&size));
            allow("buckets", input.buckets.is_none());
            allow("failure_count", input.failure_count.is_none_or(|c| c <= size));
        }
        AnyWindow::Time(length) => {
            allow("window", time_allowed(length));
            let buckets = input.buckets.unwrap_or(10);
            allow("buckets", (1..=1_024).contains(&buckets));
            allow("buckets", u128::from(buckets) <= length.as_nanos());
        }
        AnyWindow::Consecutive(limit) => {
            allow("window", limit > 0);
            allow("buckets", input.buckets.is_none());
            allow("failure_count", input.failure_count.is_none());
            allow("consecutive_failures", input.consecutive_failures.is_none());
        }
    }
    allow("failure_count", input.failure_count != Some(0));
    allow("consecutive_failures", input.consecutive_failures != Some(0));
    allow("min_calls", input.min_calls > 0);
    if let Some(rate) = input.failure_rate {
        allow("failure_rate", rate_allowed(rate));
    }
    if let Some((limit, rate)) = input.slow_call {
        allow("slow_call", time_allowed(limit) && rate_allowed(rate));
    }
    allow("open_wait", time_allowed(input.wait));
    if let Some((factor, max)) = input.growth {
        allow("open_wait", factor.is_finite() && factor >= 1.0);
        allow("open_wait", time_allowed(max) && max >= input.wait);
    }
    allow("jitter", (0.0..1.0).contains(&input.jitter));
    allow("half_open", (1..=1_000).contains(&input.places));
    allow("probe_timeout", time_allowed(input.probe_timeout));
    allow("stripes", (1..=1_024).contains(&input.stripes));
    let counted = input.failure_count.is_some() || input.consecutive_failures.is_some();
    let rated = input.failure_rate.is_some() || input.slow_call.is_some();
    allow("rules", consecutive || counted || rated);
    fields
}

/// Builds with the input, and panics where the builder says something else than the table.
pub(crate) fn check_builder(input: &Input) {
    let at_fault = settings_at_fault(input);
    match input.builder().build() {
        Ok(breaker) => {
            assert!(at_fault.is_empty(), "accepted, with {at_fault:?} at fault");
            if let Ok(permit) = breaker.try_acquire() {
                permit.failure();
            }
            assert!(breaker.snapshot().failures <= 1, "one failure counts once");
        }
        Err(error) => {
            let named = at_fault.contains(&error.field());
            assert!(named, "{error}, but {at_fault:?} is at fault");
            let text = error.to_string();
            for part in [error.field(), error.given(), error.allowed()] {
                assert!(!part.is_empty(), "{error:?} leaves something out");
                assert!(text.contains(part), "{text:?} leaves {part:?} out");
            }
            assert_eq!(input.builder().build_oracle().err(), Some(error));
        }
    }
}
