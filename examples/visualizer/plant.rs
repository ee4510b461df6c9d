//! What is watched: four dependencies on loopback, a breaker before each, and callers that never stop asking.

use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use failfast::clock::{Clock, DefaultClock};
use failfast::{CircuitBreaker, ConfigError, HalfOpen, HalfOpenKind, OpenWait, Window, WindowKind};
use ureq::Agent;

use crate::dependency::Dependency;
use crate::model::Limits;

/// Failures in a row that open a breaker.
const RUN: u32 = 3;
/// How long it then stays open.
const OPEN: Duration = Duration::from_secs(5);
/// Successes that close it.
const PROBES: u32 = 1;
/// The share of calls of the window that opens it: failed, or slow.
const RATE: f64 = 0.5;
/// A call is slow beyond this: far above a healthy answer, below a slow one.
const SLOW: Duration = Duration::from_millis(150);
/// What the windows with rates need before they judge.
const MIN_CALLS: u32 = 10;
/// How long a caller waits for an answer; above a slow one, so that slow is not yet failed.
const TIMEOUT: Duration = Duration::from_millis(400);
/// Callers of each dependency: as many calls may hang at once.
const CALLERS: u32 = 4;

/// A name and a window each, so that every kind of window is to be seen.
const POSTS: [(&str, Window); 4] = [
    ("payment", Window::count(20)),
    ("inventory", Window::count(40)),
    ("shipping", Window::time(Duration::from_secs(10))),
    ("notification", Window::consecutive(RUN)),
];

/// A dependency and the breaker before it.
pub(crate) struct Post {
    pub(crate) dependency: Dependency,
    pub(crate) breaker: Arc<CircuitBreaker>,
}

impl Post {
    /// The limits in force.
    pub(crate) fn limits(&self) -> Limits {
        let settings = self.breaker.settings();
        let window = settings.window.kind();
        // A consecutive window has its own rule alone, whatever else is set.
        let own_run = match window {
            WindowKind::Consecutive { limit } => Some(limit),
            _ => None,
        };
        let probes = match settings.half_open.kind() {
            HalfOpenKind::Probes { places } | HalfOpenKind::Rate { places } => places,
            other => unreachable!("no builder here sets {other:?}"),
        };
        Limits {
            window,
            failure_rate: settings.failure_rate.filter(|_| own_run.is_none()),
            slow: settings.slow_call,
            failure_count: settings.failure_count,
            run: settings.consecutive_failures.or(own_run),
            probes,
        }
    }
}

/// All posts; the callers end with the process.
pub(crate) struct Plant {
    pub(crate) posts: Vec<Post>,
    clock: DefaultClock,
}

impl Plant {
    /// Starts everything: on ports from `port` on, or where the system finds room.
    ///
    /// # Errors
    ///
    /// In words: a port is taken, or there are no threads.
    pub(crate) fn start(port: Option<u16>, calls_per_second: u32) -> Result<Plant, String> {
        let clock = DefaultClock::new();
        let mut posts = Vec::new();
        for (index, (name, window)) in (0..).zip(POSTS) {
            let port = match port {
                None => None,
                Some(first) => Some(first.checked_add(index).ok_or("--port: too high")?),
            };
            let dependency = Dependency::start(name, port, |number| format!(r#"{{"done":{number}}}"#))
                .map_err(|error| match (error.kind(), port) {
                    (ErrorKind::AddrInUse, Some(port)) => format!(
                        "port {port} on 127.0.0.1 is in use; give another --port, or leave it out and the system picks \
                         free ones"
                    ),
                    _ => format!("cannot start {name} on 127.0.0.1: {error}"),
                })?;
            let breaker = guard(name, window, clock.clone())
                .map_err(|error| format!("the settings of {name}: {error}"))?;
            posts.push(Post { dependency, breaker: Arc::new(breaker) });
        }
        let plant = Plant { posts, clock };
        for post in &plant.posts {
            call_from_now_on(post, calls_per_second)?;
        }
        Ok(plant)
    }

    /// The breakers' own time.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }
}

/// A breaker with the settings of this example.
fn guard(name: &str, window: Window, clock: DefaultClock) -> Result<CircuitBreaker, ConfigError> {
    let builder = CircuitBreaker::builder()
        .name(name)
        .window(window)
        .open_wait(OpenWait::fixed(OPEN))
        .half_open(HalfOpen::probes(PROBES))
        .probe_timeout(2 * TIMEOUT)
        .totals(true)
        .clock(clock);
    if let WindowKind::Consecutive { .. } = window.kind() {
        return builder.build();
    }
    builder
        .failure_rate(RATE)
        .slow_call(SLOW, RATE)
        .min_calls(MIN_CALLS)
        .consecutive_failures(RUN)
        .build()
}

/// Starts the callers of one dependency. Each calls at its own times, whatever became of its last call, but never two at
/// once.
fn call_from_now_on(post: &Post, calls_per_second: u32) -> Result<(), String> {
    let agent = Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .max_idle_connections_per_host(CALLERS as usize)
        .build()
        .new_agent();
    let between = Duration::from_secs(1) / calls_per_second;
    let begin = Instant::now();
    for caller in 0..CALLERS {
        let breaker = Arc::clone(&post.breaker);
        let agent = agent.clone();
        let url = format!("http://{}/", post.dependency.address());
        let mut next = begin + between * caller;
        thread::Builder::new()
            .name(format!("{}-caller", breaker.name()))
            .spawn(move || loop {
                thread::sleep(next.saturating_duration_since(Instant::now()));
                // How it ends is the breaker's to count and the picture's to show.
                let _ = breaker.call(|| {
                    // The body is read to its end so that the connection can be used again.
                    agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_to_vec())
                });
                // Turns that a slow call has used up are left out: this is a load, not a backlog.
                while next <= Instant::now() {
                    next += between * CALLERS;
                }
            })
            .map_err(|error| format!("cannot start a caller: {error}"))?;
    }
    Ok(())
}
