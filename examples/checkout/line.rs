//! The guarded way to a dependency: a pool of its own with a breaker, and an HTTP client whose calls end.

use std::sync::Arc;
use std::time::Duration;

use failfast::{CircuitBreaker, ConfigError, Deadline, IsolatedPool, PoolError};
use ureq::Agent;

use crate::dependency::Dependency;

/// How long a customer of the example waits for one dependency.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(400);
/// Calls to one dependency at once, and how many more may wait for a thread: when it hangs, so many customers wait for
/// `TIMEOUT` before the breaker has opened, and nobody else.
const THREADS: u32 = 6;
const QUEUE: u32 = 6;
/// An answer is a few bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Why a dependency gave no good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It says that something is wrong with it.
    Status(u16),
    /// It said nothing in time.
    Late,
    /// It hung up, or said nothing that could be read.
    Silent,
}

/// How long a customer waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For one dependency.
    pub(crate) call: Duration,
    /// For a checkout in all; each call takes its share of what is left.
    pub(crate) checkout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { call: TIMEOUT, checkout: Duration::from_secs(1) }
    }
}

/// One dependency and what stands around it.
pub(crate) struct Line {
    pub(crate) dependency: Dependency,
    /// Whether there is no order without it.
    pub(crate) is_required: bool,
    pub(crate) breaker: Arc<CircuitBreaker>,
    pub(crate) pool: IsolatedPool,
    /// How long a caller waits.
    pub(crate) timeout: Duration,
    agent: Agent,
}

impl Line {
    pub(crate) fn to(
        dependency: Dependency,
        is_required: bool,
        breaker: Arc<CircuitBreaker>,
        timeout: Duration,
    ) -> Result<Line, ConfigError> {
        let pool = IsolatedPool::builder()
            .name(dependency.name())
            .threads(THREADS)
            .queue(QUEUE)
            .breaker(Arc::clone(&breaker))
            .build()?;
        // The caller walks away at the timeout; the socket's own timeout, hardly later, is what frees the thread.
        // No global one: under that the client starts a thread for every look-up of the host's name.
        let agent = Agent::config_builder()
            .proxy(None)
            .timeout_connect(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .max_idle_connections(THREADS as usize)
            .max_idle_connections_per_host(THREADS as usize)
            .build()
            .new_agent();
        Ok(Line { dependency, is_required, breaker, pool, timeout, agent })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.dependency.name()
    }

    /// Asks, within what is left of the deadline: blocks for so long at most, and not at all where the breaker refuses.
    pub(crate) fn ask(
        &self,
        path: &str,
        deadline: &Deadline,
    ) -> Result<serde_json::Value, PoolError<Broken>> {
        let url = format!("http://{}/{path}", self.dependency.address());
        let agent = self.agent.clone();
        self.pool.call(deadline.remaining_or(self.timeout), move || {
            let mut answer = agent.post(url).send_empty().map_err(|error| match error {
                ureq::Error::StatusCode(status) => Broken::Status(status),
                ureq::Error::Timeout(_) => Broken::Late,
                _ => Broken::Silent,
            })?;
            let text = answer
                .body_mut()
                .with_config()
                .limit(LONGEST_ANSWER)
                .read_to_string()
                .map_err(|_| Broken::Silent)?;
            serde_json::from_str(&text).map_err(|_| Broken::Silent)
        })
    }
}
