//! Times as JSON has them: points as Unix seconds, spans as seconds.

use core::time::Duration;
use std::time::SystemTime;

use serde::Serializer;

/// Unix seconds with a fraction; before 1970 they are negative.
fn unix(time: SystemTime) -> f64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

pub(super) fn time<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(unix(*time))
}

pub(super) fn time_if_known<S: Serializer>(
    time: &Option<SystemTime>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.serialize_some(&unix(*time)),
        None => to.serialize_none(),
    }
}

pub(super) fn span<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(span.as_secs_f64())
}

pub(super) fn span_if_known<S: Serializer>(
    span: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => to.serialize_some(&span.as_secs_f64()),
        None => to.serialize_none(),
    }
}
