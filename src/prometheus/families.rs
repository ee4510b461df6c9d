//! Which metrics there are: each family's name, unit, help, and how it is read off a breaker or a bulkhead.

use core::fmt;
use core::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::breaker::{CircuitBreaker, Settings};
use crate::bulkhead::Bulkhead;
use crate::clock::Clock;
use crate::metrics::Snapshot;
use crate::phase::State;
use crate::totals::Totals;

/// A family of metrics that all readings of one kind share.
pub(super) struct Family<R> {
    /// Without the unit and without `_total`, which the encoding adds.
    name: &'static str,
    unit: Option<&'static str>,
    kind: Kind,
    /// One sentence.
    help: &'static str,
    read: fn(&R, &mut Samples),
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// What one reading has to say in a family.
#[derive(Default)]
pub(super) struct Samples(Vec<(Vec<Label>, Value)>);

/// A label behind the name, and what it is set to: all from fixed lists.
type Label = (&'static str, &'static str);

#[derive(Clone, Copy)]
enum Value {
    Whole(u64),
    Real(f64),
}

impl Samples {
    fn push(&mut self, value: impl Into<Value>) {
        self.push_with([], value);
    }

    fn push_with<const N: usize>(&mut self, labels: [Label; N], value: impl Into<Value>) {
        self.0.push((labels.into(), value.into()));
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Whole(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Whole(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Real(value)
    }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Value::Real(value.as_secs_f64())
    }
}

// ===== writing =====

/// Writes families one after the other, each with the samples of all readings; a family without any is left out.
pub(super) fn write<R>(
    encoder: &mut DescriptorEncoder<'_>,
    families: &[Family<R>],
    named: &'static str,
    readings: &[(String, R)],
) -> fmt::Result {
    for family in families {
        let samples = readings.iter().map(|(name, reading)| {
            let mut samples = Samples::default();
            (family.read)(reading, &mut samples);
            (name.as_str(), samples)
        });
        let samples: Vec<(&str, Samples)> =
            samples.filter(|(_, found)| !found.0.is_empty()).collect();
        if samples.is_empty() {
            continue;
        }
        let unit = family.unit.map(|unit| Unit::Other(unit.to_owned()));
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let mut metric =
            encoder.encode_descriptor(family.name, family.help, unit.as_ref(), kind)?;
        for (name, found) in samples {
            for (labels, value) in found.0 {
                let mut all = vec![(named, name)];
                all.extend(labels);
                let mut sample = metric.encode_family(&all)?;
                match (family.kind, value) {
                    (Kind::Gauge, Value::Whole(value)) => sample.encode_gauge(&value)?,
                    (Kind::Gauge, Value::Real(value)) => sample.encode_gauge(&value)?,
                    (Kind::Counter, Value::Whole(value)) => {
                        sample.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                    }
                    (Kind::Counter, Value::Real(value)) => {
                        sample.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                    }
                }
            }
        }
    }
    Ok(())
}

// ===== breakers =====

/// What is read off a breaker at a scrape, all at one time.
pub(super) struct BreakerReading {
    snapshot: Snapshot,
    settings: Settings,
    open_for: Option<Duration>,
    totals: Option<Totals>,
}

impl BreakerReading {
    pub(super) fn of<C: Clock>(breaker: &CircuitBreaker<C>) -> Self {
        BreakerReading {
            snapshot: breaker.snapshot(),
            settings: breaker.settings(),
            open_for: breaker.open_for(),
            totals: breaker.totals(),
        }
    }
}

/// A state as a label's value, which dashboards spell out.
const fn label(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
        State::ForcedOpen => "forced_open",
        State::Disabled => "disabled",
        State::MetricsOnly => "metrics_only",
    }
}

/// A state as dashboards with three states know it: by what a caller meets.
const fn code(state: State) -> u32 {
    match state {
        State::Closed | State::Disabled | State::MetricsOnly => 0,
        State::Open | State::ForcedOpen => 1,
        State::HalfOpen => 2,
    }
}

/// The changes that the rules make; all others need a control call or new settings.
const BY_RULE: [(State, State); 4] = [
    (State::Closed, State::Open),
    (State::Open, State::HalfOpen),
    (State::HalfOpen, State::Closed),
    (State::HalfOpen, State::Open),
];

/// A counter that is read off the totals, and missing without them.
macro_rules! total {
    ($name:literal, $help:literal, $field:ident) => {
        Family {
            name: $name,
            unit: None,
            kind: Kind::Counter,
            help: $help,
            read: |reading, samples| {
                if let Some(totals) = &reading.totals {
                    samples.push(totals.$field);
                }
            },
        }
    };
}

/// In the order in which they are written.
pub(super) const BREAKER: &[Family<BreakerReading>] = &[
    Family {
        name: "failfast_breaker_state",
        unit: None,
        kind: Kind::Gauge,
        help: "1 for the state that the breaker is in, 0 for the others.",
        read: |reading, samples| {
            for state in State::ALL {
                samples.push_with([("state", label(state))], reading.snapshot.state == state);
            }
        },
    },
    Family {
        name: "failfast_breaker_state_code",
        unit: None,
        kind: Kind::Gauge,
        help: "What a caller meets: 0 closed, 1 open, 2 half-open; forced open is 1, disabled and metrics only are 0.",
        read: |reading, samples| samples.push(code(reading.snapshot.state)),
    },
    Family {
        name: "failfast_open_remaining",
        unit: Some("seconds"),
        kind: Kind::Gauge,
        help: "Time until the open time is over; 0 while not open.",
        read: |reading, samples| samples.push(reading.open_for.unwrap_or_default()),
    },
    Family {
        name: "failfast_window_calls",
        unit: None,
        kind: Kind::Gauge,
        help: "Outcomes in the window.",
        read: |reading, samples| samples.push(reading.snapshot.calls),
    },
    Family {
        name: "failfast_window_failed_calls",
        unit: None,
        kind: Kind::Gauge,
        help: "Failures in the window.",
        read: |reading, samples| samples.push(reading.snapshot.failures),
    },
    Family {
        name: "failfast_window_slow_calls",
        unit: None,
        kind: Kind::Gauge,
        help: "Slow calls in the window, failed or not.",
        read: |reading, samples| samples.push(reading.snapshot.slow_calls),
    },
    Family {
        name: "failfast_consecutive_failures",
        unit: None,
        kind: Kind::Gauge,
        help: "The present run of failures, where a rule counts it; otherwise 0.",
        read: |reading, samples| samples.push(reading.snapshot.consecutive_failures),
    },
    Family {
        name: "failfast_failure",
        unit: Some("ratio"),
        kind: Kind::Gauge,
        help: "Failures per call in the window; missing below the minimum of calls and without such a rule.",
        read: |reading, samples| {
            if let Some(rate) = reading.snapshot.failure_rate {
                samples.push(rate);
            }
        },
    },
    Family {
        name: "failfast_failure_limit",
        unit: Some("ratio"),
        kind: Kind::Gauge,
        help: "The share of failures that trips; missing without such a rule.",
        read: |reading, samples| {
            if let Some(rate) = reading.settings.failure_rate {
                samples.push(rate);
            }
        },
    },
    Family {
        name: "failfast_slow",
        unit: Some("ratio"),
        kind: Kind::Gauge,
        help: "Slow calls per call in the window; missing below the minimum of calls and without such a rule.",
        read: |reading, samples| {
            if let Some(rate) = reading.snapshot.slow_rate {
                samples.push(rate);
            }
        },
    },
    Family {
        name: "failfast_slow_limit",
        unit: Some("ratio"),
        kind: Kind::Gauge,
        help: "The share of slow calls that trips; missing without such a rule.",
        read: |reading, samples| {
            if let Some((_, rate)) = reading.settings.slow_call {
                samples.push(rate);
            }
        },
    },
    Family {
        name: "failfast_slow_call_limit",
        unit: Some("seconds"),
        kind: Kind::Gauge,
        help: "The time beyond which a call is slow; missing without such a rule.",
        read: |reading, samples| {
            if let Some((limit, _)) = reading.settings.slow_call {
                samples.push(limit);
            }
        },
    },
    Family {
        name: "failfast_calls",
        unit: None,
        kind: Kind::Counter,
        help: "Calls that were permitted and have reported, by outcome.",
        read: |reading, samples| {
            if let Some(totals) = &reading.totals {
                samples.push_with([("outcome", "success")], totals.succeeded);
                samples.push_with([("outcome", "failure")], totals.failed);
                samples.push_with([("outcome", "ignored")], totals.ignored);
                samples.push_with([("outcome", "stale")], totals.stale);
            }
        },
    },
    total!("failfast_calls_permitted", "Calls that were permitted, probes among them.", permitted),
    total!("failfast_calls_refused", "Calls that were refused.", refused),
    total!("failfast_slow_calls", "Calls that took longer than the limit, failed or not.", slow),
    Family {
        name: "failfast_in_flight_calls",
        unit: None,
        kind: Kind::Gauge,
        help: "Calls that were permitted and have not reported: under way, or leaked.",
        read: |reading, samples| {
            if let Some(totals) = &reading.totals {
                samples.push(totals.in_flight());
            }
        },
    },
    Family {
        name: "failfast_probes",
        unit: None,
        kind: Kind::Counter,
        help: "Half-open probes that are over, by result; lost ones did not report in time.",
        read: |reading, samples| {
            if let Some(totals) = &reading.totals {
                samples.push_with([("result", "success")], totals.probes_succeeded);
                samples.push_with([("result", "failure")], totals.probes_failed);
                samples.push_with([("result", "lost")], totals.probes_lost);
            }
        },
    },
    Family {
        name: "failfast_transitions",
        unit: None,
        kind: Kind::Counter,
        help: "Changes of state.",
        read: |reading, samples| {
            let Some(totals) = &reading.totals else { return };
            for from in State::ALL {
                for to in State::ALL {
                    let count = totals.transitions(from, to);
                    if count > 0 || BY_RULE.contains(&(from, to)) {
                        samples.push_with([("from", label(from)), ("to", label(to))], count);
                    }
                }
            }
        },
    },
    Family {
        name: "failfast_transition_causes",
        unit: None,
        kind: Kind::Counter,
        help: "Changes of state, by cause.",
        read: |reading, samples| {
            for (cause, count) in reading.totals.iter().flat_map(Totals::causes) {
                samples.push_with([("cause", cause)], count);
            }
        },
    },
    total!("failfast_openings", "Times that a rule opened the closed breaker.", openings),
    total!(
        "failfast_false_positive_openings",
        "Openings that the first round of probes ended: an estimate of those that were not needed.",
        false_positives
    ),
    total!(
        "failfast_would_have_tripped",
        "Times that the breaker would have opened, had it not been metrics only.",
        would_have_tripped
    ),
    Family {
        name: "failfast_state",
        unit: Some("seconds"),
        kind: Kind::Counter,
        help: "Time spent in each state.",
        read: |reading, samples| {
            if let Some(totals) = &reading.totals {
                for state in State::ALL {
                    samples.push_with([("state", label(state))], totals.time_in(state));
                }
            }
        },
    },
];

// ===== bulkheads =====

/// What is read off a bulkhead at a scrape.
pub(super) struct BulkheadReading {
    in_use: u32,
    max: u32,
    waiting: u32,
}

impl BulkheadReading {
    pub(super) fn of(bulkhead: &Bulkhead) -> Self {
        BulkheadReading {
            in_use: bulkhead.in_use(),
            max: bulkhead.max_concurrent(),
            waiting: bulkhead.waiting(),
        }
    }
}

/// In the order in which they are written.
pub(super) const BULKHEAD: &[Family<BulkheadReading>] = &[
    Family {
        name: "failfast_bulkhead_in_use",
        unit: None,
        kind: Kind::Gauge,
        help: "Places that are taken.",
        read: |reading, samples| samples.push(reading.in_use),
    },
    Family {
        name: "failfast_bulkhead_max",
        unit: None,
        kind: Kind::Gauge,
        help: "Places that there are.",
        read: |reading, samples| samples.push(reading.max),
    },
    Family {
        name: "failfast_bulkhead_waiting",
        unit: None,
        kind: Kind::Gauge,
        help: "Callers that wait for a place.",
        read: |reading, samples| samples.push(reading.waiting),
    },
];
