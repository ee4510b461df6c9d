//! The circuits.

use std::sync::Arc;
use std::time::Duration;

use failfast::clock::DefaultClock;
use failfast::{CircuitBreaker, HalfOpen, OpenWait, Window};
use serde_json::json;

use crate::dependency::Dependency;
use crate::line::Line;

pub(crate) fn lines(clock: &DefaultClock) -> Result<[Line; 4], String> {
    let line = |name, required, answer| -> Result<Line, String> {
        let dependency =
            Dependency::start(name, None, answer).map_err(|error| format!("{name}: {error}"))?;
        let breaker = CircuitBreaker::builder()
            .name(name)
            .window(Window::time(Duration::from_secs(10)))
            .failure_rate(0.5)
            .min_calls(20)
            .consecutive_failures(3)
            .slow_call(Duration::from_millis(150), 0.5)
            .open_wait(OpenWait::fixed(Duration::from_secs(5)))
            .half_open(HalfOpen::probes(1))
            .totals(true)
            .clock(clock.clone())
            .build()
            .map_err(|error| error.to_string())?;
        Line::to(dependency, required, Arc::new(breaker)).map_err(|error| error.to_string())
    };
    Ok([
        line("payment", true, |_| json!({ "done": true }).to_string())?,
        line("inventory", true, |_| json!({ "stock": 100_000 }).to_string())?,
        line("shipping", false, |number| json!({ "quote": 490 + number % 10 * 50 }).to_string())?,
        line("notification", false, |_| json!({ "done": true }).to_string())?,
    ])
}
