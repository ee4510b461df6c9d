//! What a subscriber hears of a breaker, by one written for it.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use failfast::clock::ManualClock;
use failfast::{Builder, CircuitBreaker, HalfOpen, State, Transition};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{dispatcher, subscriber, Dispatch, Event, Level, Metadata, Subscriber};

/// What was heard of one event.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    level: Level,
    target: String,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl Heard {
    fn has(&self, level: Level, fields: &[(&'static str, &str)]) {
        let expected = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
        assert_eq!((self.level, &self.fields), (level, &expected.collect()), "{self:?}");
        assert_eq!(self.target, "failfast");
    }
}

/// Writes everything down, and then does what the test asks for.
struct Listener<F> {
    most: Level,
    heard: Arc<Mutex<Vec<Heard>>>,
    then: F,
}

impl<F: Fn() + Send + Sync + 'static> Subscriber for Listener<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut heard = Heard {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            fields: BTreeMap::new(),
        };
        event.record(&mut heard);
        self.heard.lock().unwrap().push(heard);
        (self.then)();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A subscriber that lives on beside each test's own. While there is one alone, `tracing` asks only that of the thread
/// which first comes by an event, here a test without any, and no other thread's hears of the event from then on.
static ANOTHER: LazyLock<Dispatch> =
    LazyLock::new(|| Dispatch::new(subscriber::NoSubscriber::default()));

/// What a subscriber of this level hears while `told` runs on this thread, doing `then` at each event.
fn listen(most: Level, then: impl Fn() + Send + Sync + 'static, told: impl FnOnce()) -> Vec<Heard> {
    LazyLock::force(&ANOTHER);
    let heard = Arc::default();
    let listener = Listener { most, heard: Arc::clone(&heard), then };
    subscriber::with_default(listener, told);
    let heard = heard.lock().unwrap();
    heard.clone()
}

fn built(
    settings: impl FnOnce(Builder<ManualClock>) -> Builder<ManualClock>,
) -> (ManualClock, CircuitBreaker<ManualClock>) {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().name("payment").clock(clock.clone());
    (clock, settings(builder).build().unwrap())
}

const OPENED: (&str, &str) = ("message", "circuit breaker opened");
const CHANGED: (&str, &str) = ("message", "circuit breaker changed");
const PAYMENT: (&str, &str) = ("breaker", "payment");

#[test]
fn an_outage_is_told_change_by_change_with_the_numbers_that_decided() {
    let (clock, breaker) = built(|builder| builder.min_calls(4).half_open(HalfOpen::probes(2)));
    let heard = listen(
        Level::TRACE,
        || {},
        || {
            for _ in 0..2 {
                breaker.try_acquire().unwrap().success();
            }
            for _ in 0..2 {
                breaker.try_acquire().unwrap().failure();
            }
            clock.advance(Duration::from_millis(20));
            let refused = breaker.try_acquire().unwrap_err();
            clock.advance(refused.retry_after().unwrap());
            let probes = [breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap()];
            breaker.try_acquire().unwrap_err();
            for probe in probes {
                probe.success();
            }
        },
    );
    let [opened, refused, probing, full, closed] = &heard[..] else {
        panic!("{heard:#?}");
    };
    let numbers = [("failures", "2"), ("calls", "4"), ("cause", "failure_rate")];
    let change = [OPENED, PAYMENT, ("from", "closed"), ("to", "open"), ("generation", "1")];
    opened.has(Level::WARN, &[&change[..], &numbers].concat());

    let wait = refused.fields["retry_after"].clone();
    assert!(wait.starts_with("29.98") && wait.ends_with('s'), "{wait}");
    let refusal = [("message", "call refused"), PAYMENT];
    refused
        .has(Level::DEBUG, &[&refusal[..], &[("state", "open"), ("retry_after", &wait)]].concat());

    let change = [CHANGED, PAYMENT, ("from", "open"), ("to", "half-open"), ("generation", "2")];
    probing.has(Level::INFO, &[&change[..], &[("cause", "open_time_over")]].concat());

    full.has(Level::DEBUG, &[&refusal[..], &[("state", "half-open")]].concat());

    let numbers = [("failures", "0"), ("calls", "2"), ("cause", "probes_succeeded")];
    let change = [CHANGED, PAYMENT, ("from", "half-open"), ("to", "closed"), ("generation", "3")];
    closed.has(Level::INFO, &[&change[..], &numbers].concat());
}

/// The fields that hold the numbers of a cause, and how each cause is brought about.
#[test]
fn each_cause_has_its_own_numbers() {
    let fail = |breaker: &CircuitBreaker<ManualClock>, times: u32| {
        for _ in 0..times {
            breaker.try_acquire().unwrap().failure();
        }
    };
    let last = |heard: Vec<Heard>| {
        let mut fields = heard.into_iter().next_back().expect("an event").fields;
        for common in ["message", "breaker", "from", "to", "generation"] {
            fields.remove(common);
        }
        fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let slow = Duration::from_secs(2);

    let (_, breaker) = built(|builder| builder.failure_count(3));
    let heard = listen(Level::INFO, || {}, || fail(&breaker, 3));
    assert_eq!(last(heard), ["cause=failure_count", "failures=3"]);

    let (_, breaker) = built(|builder| builder.consecutive_failures(3));
    let heard = listen(Level::INFO, || {}, || fail(&breaker, 3));
    assert_eq!(last(heard), ["cause=consecutive_failures", "failures=3"]);

    let (clock, breaker) = built(|builder| builder.slow_call(slow, 0.5).min_calls(1));
    let late = || {
        let permit = breaker.try_acquire().unwrap();
        clock.advance(slow * 2);
        permit.success();
    };
    let heard = listen(Level::INFO, || {}, late);
    assert_eq!(last(heard), ["calls=1", "cause=slow_rate", "slow_calls=1"]);
    breaker.half_open();
    let heard = listen(Level::INFO, || {}, late);
    assert_eq!(last(heard), ["cause=probe_slow"]);
    breaker.half_open();
    let heard = listen(Level::INFO, || {}, || fail(&breaker, 1));
    assert_eq!(last(heard), ["cause=probe_failed"]);

    breaker.half_open();
    let heard = listen(
        Level::INFO,
        || {},
        || {
            core::mem::forget(breaker.try_acquire().unwrap());
            clock.advance(Duration::from_secs(62));
            breaker.try_acquire().unwrap_err();
        },
    );
    assert_eq!(last(heard), ["cause=probes_lost", "outstanding=1"]);

    let heard = listen(Level::INFO, || {}, || breaker.reset());
    assert_eq!(last(heard), ["cause=control"]);
}

#[test]
fn a_change_is_a_warning_where_callers_are_refused_from_then_on() {
    let (_, breaker) = built(|builder| builder);
    let heard = listen(
        Level::TRACE,
        || {},
        || {
            breaker.trip();
            breaker.half_open();
            breaker.force_open();
            breaker.disable();
            breaker.metrics_only();
            breaker.reset();
        },
    );
    let levels: Vec<(String, Level)> =
        heard.into_iter().map(|heard| (heard.fields["to"].clone(), heard.level)).collect();
    let expected = [
        (State::Open, Level::WARN),
        (State::HalfOpen, Level::INFO),
        (State::ForcedOpen, Level::WARN),
        (State::Disabled, Level::INFO),
        (State::MetricsOnly, Level::INFO),
        (State::Closed, Level::INFO),
    ];
    assert_eq!(levels, expected.map(|(state, level)| (state.to_string(), level)));
}

#[test]
fn a_forced_open_breaker_has_no_time_to_come_back() {
    let (_, breaker) = built(|builder| builder);
    breaker.force_open();
    let heard = listen(Level::DEBUG, || {}, || drop(breaker.try_acquire()));
    let [refused] = &heard[..] else { panic!("{heard:?}") };
    let fields = [("message", "call refused"), PAYMENT, ("state", "forced open")];
    refused.has(Level::DEBUG, &fields);
}

#[test]
fn granted_calls_and_their_outcomes_are_not_told() {
    let (_, breaker) = built(|builder| builder);
    let heard = listen(
        Level::TRACE,
        || {},
        || {
            for _ in 0..10 {
                breaker.try_acquire().unwrap().success();
            }
            breaker.try_acquire().unwrap().failure();
            breaker.try_acquire().unwrap().ignore();
            drop(breaker.try_acquire().unwrap());
            breaker.disable();
            breaker.try_acquire().unwrap().success();
        },
    );
    assert_eq!(heard.len(), 1, "{heard:?}");
}

#[test]
fn a_level_that_is_not_wanted_is_not_told() {
    let (_, breaker) = built(|builder| builder);
    let heard = listen(
        Level::WARN,
        || {},
        || {
            breaker.trip();
            breaker.try_acquire().unwrap_err();
            breaker.reset();
        },
    );
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].level, Level::WARN);
}

/// The change is committed when it is told, and the observers hear of it next.
#[test]
fn a_change_is_told_after_its_commit_and_before_the_observers() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&order);
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().clock(clock);
    let builder = builder.on_transition(move |change: &Transition| {
        observed.lock().unwrap().push(format!("observed {}", change.to));
    });
    let breaker = Arc::new(builder.build().unwrap());
    let (told, seen) = (Arc::clone(&order), Arc::clone(&breaker));
    let heard = listen(
        Level::WARN,
        move || told.lock().unwrap().push(format!("told while {}", seen.state())),
        || breaker.trip(),
    );
    assert_eq!(heard.len(), 1);
    assert_eq!(*order.lock().unwrap(), ["told while open", "observed open"]);
}

/// A subscriber that calls the breaker it is told of: no step is half done, and what it does is told no further.
#[test]
fn a_subscriber_may_call_the_breaker() {
    let (_, breaker) = built(|builder| builder);
    let breaker = Arc::new(breaker);
    let closed = Arc::clone(&breaker);
    let heard = listen(Level::WARN, move || closed.reset(), || breaker.trip());
    assert_eq!(heard.len(), 1);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().generation, 2);
}

#[test]
fn a_subscriber_that_panics_harms_neither_the_caller_nor_the_breaker() {
    /// Panics once more when the first panic is dropped.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("and again");
        }
    }
    let observed = Arc::new(Mutex::new(0));
    let observer = Arc::clone(&observed);
    let (clock, breaker) = built(|builder| {
        builder
            .consecutive_failures(1)
            .half_open(HalfOpen::probes(1))
            .on_transition(move |_: &Transition| *observer.lock().unwrap() += 1)
    });
    let heard = listen(
        Level::TRACE,
        || std::panic::panic_any(Bomb),
        || {
            breaker.try_acquire().unwrap().failure();
            let refused = breaker.try_acquire().unwrap_err();
            clock.advance(refused.retry_after().unwrap());
            breaker.try_acquire().unwrap().success();
        },
    );
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!(*observed.lock().unwrap(), 3, "the observers hear of every change all the same");
    assert_eq!(breaker.state(), State::Closed);
    assert!(breaker.try_acquire().is_ok());
}

/// A guarded call that panics reports while its thread unwinds; the event of what that trips must not end the program.
#[test]
fn a_subscriber_that_panics_while_the_thread_unwinds_is_caught_too() {
    let (_, breaker) = built(|builder| builder.consecutive_failures(1));
    let heard = listen(
        Level::INFO,
        || panic!("of the subscriber"),
        || {
            let call = || breaker.call(|| -> Result<(), ()> { panic!("of the call") });
            let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
            assert_eq!(thrown.downcast_ref(), Some(&"of the call"));
        },
    );
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(breaker.state(), State::Open);
}

/// Every change is told once, by the thread that made it.
#[test]
fn threads_tell_each_change_once() {
    LazyLock::force(&ANOTHER);
    let (_, breaker) = built(|builder| builder);
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let listener = Listener { most: Level::INFO, heard: Arc::clone(&heard), then: || {} };
    let listener = Dispatch::new(listener);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (breaker, listener) = (&breaker, &listener);
            scope.spawn(move || {
                dispatcher::with_default(listener, || {
                    for _ in 0..200 {
                        breaker.trip();
                        breaker.half_open();
                        if let Ok(probe) = breaker.try_acquire() {
                            probe.failure();
                        }
                        breaker.reset();
                    }
                });
            });
        }
    });
    let mut told: Vec<u64> = heard
        .lock()
        .unwrap()
        .iter()
        .map(|heard| heard.fields["generation"].parse().unwrap())
        .collect();
    told.sort_unstable();
    let made = breaker.snapshot().generation;
    assert!(made >= 4 * 200 * 3);
    assert_eq!(told, (1..=made).collect::<Vec<_>>());
}
