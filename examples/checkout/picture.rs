//! The live picture: everything that the page shows, as one JSON object. `EVENTS.md` has its form.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use failfast::clock::Clock;
use failfast::{
    CheckStatus, HalfOpen, HalfOpenKind, Health, HealthStatus, Totals, Transition, TransitionCause,
    Window, WindowKind,
};
use serde_json::{json, Value};

use crate::books::{milliseconds, Counts, LOOKS_BACK};
use crate::circuits;
use crate::later;
use crate::line::Line;
use crate::service::App;

/// How often it is drawn.
pub(crate) const EVERY: Duration = Duration::from_millis(200);
/// How far the figures per second look back.
const SECOND: Duration = Duration::from_secs(1);

/// Draws one picture after the other; all readers get the same.
pub(crate) struct Painter {
    app: Arc<App>,
    begun: Instant,
    begun_ms: u64,
    drawn: u64,
    /// For figures per second: the last readings, oldest first.
    readings: VecDeque<Reading>,
}

#[derive(Clone)]
struct Reading {
    at: Instant,
    checkouts: Counts,
    totals: [Totals; 4],
}

impl Painter {
    pub(crate) fn new(app: Arc<App>) -> Painter {
        let begun_ms = unix_ms();
        Painter { app, begun: Instant::now(), begun_ms, drawn: 0, readings: VecDeque::new() }
    }

    pub(crate) fn draw(&mut self) -> Value {
        let app = Arc::clone(&self.app);
        let now = Reading::of(&app);
        let then = self.readings.front().cloned().unwrap_or_else(|| now.clone());
        let seconds = now.at.duration_since(then.at).as_secs_f64();
        let per_second = |now: u64, then: u64| match seconds > 0.0 {
            true => round(now.saturating_sub(then) as f64 / seconds),
            false => 0.0,
        };
        let health = app.registry.health();
        let ended = |at: usize| per_second(now.checkouts[at], then.checkouts[at]);
        let dependencies: Vec<_> = (0..app.shop.lines.len())
            .map(|at| {
                let (now, then) = (&now.totals[at], &then.totals[at]);
                let mut picture = line(&app, &app.shop.lines[at], &health, now);
                let breaker = &mut picture["breaker"];
                breaker["calls_per_s"] = per_second(now.permitted, then.permitted).into();
                breaker["failures_per_s"] = per_second(now.failed, then.failed).into();
                breaker["refused_per_s"] = per_second(now.refused, then.refused).into();
                picture
            })
            .collect();
        let places = &app.shop.places;
        let later = app.shop.later.tally();
        let picture = json!({
            "seq": self.drawn,
            "at_ms": unix_ms(),
            "started_ms": self.begun_ms,
            "uptime_s": seconds_of(self.begun.elapsed()),
            "tick_ms": EVERY.as_millis() as u64,
            "healthy": health.status == HealthStatus::Healthy,
            "checkout": {
                "confirmed_per_s": ended(0),
                "degraded_per_s": ended(1),
                "refused_per_s": ended(2),
                "failed_per_s": ended(3),
                "confirmed": now.checkouts[0],
                "degraded": now.checkouts[1],
                "refused": now.checkouts[2],
                "failed": now.checkouts[3],
                "in_progress": places.in_use(),
                "in_progress_limit": places.max_concurrent(),
                "latency_window_s": LOOKS_BACK.as_secs_f64(),
                "latency_ms": app.books.latencies(),
            },
            "later": {
                "waiting": later.waiting,
                "limit": later::ROOM,
                "sent": later.sent,
                "lost": later.lost,
            },
            "dependencies": dependencies,
        });
        self.drawn += 1;
        self.readings.push_back(now);
        // The oldest that is kept is the youngest that is a second old.
        while self.readings.get(1).is_some_and(|second| second.at.elapsed() >= SECOND) {
            self.readings.pop_front();
        }
        picture
    }
}

impl Reading {
    fn of(app: &App) -> Reading {
        Reading {
            at: Instant::now(),
            checkouts: app.books.counts(),
            totals: [0, 1, 2, 3]
                .map(|at: usize| app.shop.lines[at].breaker.totals().unwrap_or_default()),
        }
    }
}

/// A dependency and what stands around it, but for the figures per second.
fn line(app: &App, line: &Line, health: &Health, totals: &Totals) -> Value {
    let (dependency, pool, breaker) = (&line.dependency, &line.pool, &line.breaker);
    let dial = dependency.dial();
    let snapshot = breaker.snapshot();
    let settings = breaker.settings();
    let history = breaker.history();
    let now = app.registry.clock().now();
    // A half-open state that nobody has asked for yet is no change so far.
    let since = history.last().filter(|last| last.to == snapshot.state).map(|last| last.at);
    let in_state = since.map(|since| now.saturating_sub(since));
    let open_for = breaker.open_for();
    json!({
        "name": line.name(),
        "required": line.is_required,
        "address": dependency.address().to_string(),
        "dial": {
            "position": dial.position.name(),
            "rate": dial.rate(),
            "ms": dial.lasts().as_millis() as u64,
        },
        "check": check(health, line.name()),
        "pool": {
            "in_use": pool.in_use(),
            "threads": pool.threads(),
            "queue": pool.queue(),
            "timeout_ms": line.timeout.as_millis() as u64,
        },
        "breaker": {
            "state": snapshot.state,
            "state_s": in_state.map(seconds_of),
            "generation": snapshot.generation,
            "open_for_s": open_for.map(seconds_of),
            // With jitter, and whichever of the exponential ones it is.
            "open_wait_s": open_for.zip(in_state).map(|(left, gone)| seconds_of(left + gone)),
            "calls": snapshot.calls,
            "failures": snapshot.failures,
            "slow_calls": snapshot.slow_calls,
            "slow_failures": snapshot.slow_failures,
            "consecutive_failures": snapshot.consecutive_failures,
            "failure_rate": snapshot.failure_rate,
            "slow_rate": snapshot.slow_rate,
            "window": window(settings.window),
            "min_calls": settings.min_calls,
            "failure_rate_limit": settings.failure_rate,
            "slow_rate_limit": settings.slow_call.map(|(_, rate)| rate),
            "slow_limit_ms": settings.slow_call.map(|(limit, _)| milliseconds(limit)),
            "failure_count_limit": settings.failure_count,
            "consecutive_failures_limit": settings.consecutive_failures,
            "half_open": half_open(settings.half_open),
            "totals": {
                "permitted": totals.permitted,
                "refused": totals.refused,
                "succeeded": totals.succeeded,
                "failed": totals.failed,
                "slow": totals.slow,
                "ignored": totals.ignored,
                "stale": totals.stale,
                "openings": totals.openings,
                "false_positives": totals.false_positives,
            },
            "transitions": history.iter().map(|change| transition(change, now)).collect::<Vec<_>>(),
        },
    })
}

/// The last ping; `null` before there was one.
fn check(health: &Health, name: &str) -> Value {
    let check = health.checks.iter().find(|check| check.name == name);
    match check.filter(|check| check.status != CheckStatus::NeverRan) {
        None => Value::Null,
        Some(check) => json!({
            "passing": check.status == CheckStatus::Passed,
            "ago_s": check.age.map(seconds_of),
            "error": check.error,
            "recovers": circuits::recovers(name),
        }),
    }
}

fn window(window: Window) -> Value {
    match window.kind() {
        WindowKind::Count { size } => {
            json!({ "kind": "count", "text": size.to_string(), "size": size })
        }
        WindowKind::Time { length, .. } => json!({
            "kind": "time", "text": format!("{length:?}"), "seconds": length.as_secs_f64(),
        }),
        WindowKind::Consecutive { limit } => {
            json!({ "kind": "consecutive", "text": limit.to_string(), "size": limit })
        }
        other => json!({ "kind": "other", "text": format!("{other:?}") }),
    }
}

fn half_open(half_open: HalfOpen) -> Value {
    match half_open.kind() {
        HalfOpenKind::Probes { places } => json!({ "kind": "probes", "count": places }),
        HalfOpenKind::Rate { places } => json!({ "kind": "rate", "count": places }),
        other => json!({ "kind": format!("{other:?}") }),
    }
}

fn transition(change: &Transition, now: Duration) -> Value {
    let ago = now.saturating_sub(change.at);
    json!({
        "from": change.from,
        "to": change.to,
        "cause": change.cause.name(),
        "text": in_words(&change.cause),
        "generation": change.generation,
        "at_ms": unix_ms().saturating_sub(ago.as_millis() as u64),
        "ago_s": seconds_of(ago),
    })
}

/// Why, with the numbers that decided.
pub(crate) fn in_words(cause: &TransitionCause) -> String {
    let some = |count: u64, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    match *cause {
        TransitionCause::FailureRate { failures, calls } => {
            format!("{failures} of {} failed", some(calls, "call"))
        }
        TransitionCause::SlowRate { slow_calls, calls } => {
            format!("{slow_calls} of {} slow", some(calls, "call"))
        }
        TransitionCause::FailureCount { failures } => some(failures, "failure"),
        TransitionCause::ConsecutiveFailures { failures } => {
            format!("{} in a row", some(failures, "failure"))
        }
        TransitionCause::OpenTimeOver => "the open time is over".into(),
        TransitionCause::ProbeFailed => "a probe failed".into(),
        TransitionCause::ProbeSlow => "a probe was slow".into(),
        TransitionCause::ProbesSucceeded { calls, failures } => {
            format!("{} of {} succeeded", calls - failures, some(calls, "probe"))
        }
        TransitionCause::ProbesLost { outstanding } => {
            format!("{} never reported", some(outstanding, "probe"))
        }
        TransitionCause::Control => "by a control call".into(),
        TransitionCause::Reconfigured => "new settings".into(),
        _ => cause.name().replace('_', " "),
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// To a millisecond.
fn seconds_of(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1e3
}

/// To a tenth.
fn round(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}
