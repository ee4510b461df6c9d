//! Recovering early: `cargo run --example recovery`.
//!
//! A dependency fails and its breaker opens for half an hour. The dependency is well again after a minute, and so a check,
//! which asks for no more than a sign of life, ends the open time; probes with real calls then close the breaker. An open
//! breaker alone would have refused for the rest of the half hour.
//! Time is a manual clock's. Exit status: 0 if the story went as told, 101 with the reason if it did not.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::config::{BreakerConfig, Config};
use failfast::{CallError, CheckStatus, HealthStatus, OpenWait, Registry, State};

const MINUTE: Duration = Duration::from_secs(60);

/// A payment service that is down for a while.
#[derive(Default)]
struct Payment {
    is_down: AtomicBool,
}

impl Payment {
    fn pay(&self) -> Result<&'static str, &'static str> {
        self.ping().map(|()| "paid")
    }

    /// Cheap, and nobody's money.
    fn ping(&self) -> Result<(), &'static str> {
        match self.is_down.load(Ordering::Relaxed) {
            true => Err("connection refused"),
            false => Ok(()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let registry = Registry::with_clock(clock.clone());
    let patient =
        BreakerConfig::default().consecutive_failures(3).open_wait(OpenWait::fixed(30 * MINUTE));
    registry.apply(Config::default().with_breaker("payment", patient))?;
    let time = clock.clone();
    registry.on_transition(move |name, t| {
        let (from, to, cause) = (t.from, t.to, t.cause.name());
        say(&time, &format!("{name}: {from} -> {to} ({cause})"));
    });

    let service = Arc::new(Payment::default());
    let breaker = registry.breaker("payment")?;
    let (asked, handle) = (Arc::clone(&service), Arc::clone(&breaker));
    registry.check("payment", Duration::from_secs(2), move || {
        asked.ping()?;
        // `half_open()`, but only of an open breaker: what an operator has forced open or disabled stays so, and a closed
        // one needs no probes.
        handle.try_half_open();
        Ok::<(), &str>(())
    })?;

    service.is_down.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(breaker.call(|| service.pay()), Err(CallError::Inner("connection refused")));
    }
    assert_eq!(breaker.state(), State::Open);

    // In a service `registry.run_checks_every(10 s)` does this in the background.
    let mut refused = 0;
    while breaker.state() == State::Open {
        clock.advance(Duration::from_secs(10));
        if clock.now() >= MINUTE {
            service.is_down.store(false, Ordering::Relaxed);
        }
        let check = registry.run_checks().remove(0);
        let health = registry.health();
        say(&clock, &format!("check: {:?}, health: {:?}", check.status, health.status));
        assert_eq!(check.status == CheckStatus::Passed, clock.now() >= MINUTE);
        assert_eq!(health.status, HealthStatus::Degraded, "until the probes have decided");
        refused += u32::from(breaker.state() == State::Open && breaker.try_acquire().is_err());
    }
    assert_eq!((breaker.state(), clock.now()), (State::HalfOpen, MINUTE));
    assert_eq!(refused, 5, "while it was open, nobody was kept waiting");

    for _ in 0..3 {
        assert_eq!(breaker.call(|| service.pay()), Ok("paid"));
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(registry.health().http_status(), 200);
    let saved = 30 * MINUTE - clock.now();
    let minutes = saved.as_secs() / 60;
    say(&clock, &format!("{minutes} minutes before the open time would have been over"));
    Ok(())
}

/// A reader that has gone (`| head`) is no reason to end.
fn say(clock: &ManualClock, what: &str) {
    let _ = writeln!(io::stdout(), "{:>4} s  {what}", clock.now().as_secs());
}
