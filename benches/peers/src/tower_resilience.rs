//! `tower-resilience-circuitbreaker`: a tower service around an async mutex, which boxes a future a call.
//!
//! In its idiom: every thread has its own clone of the service and a current-thread runtime, and awaits readiness and
//! the call within one task a batch, so that entering the runtime is paid once a batch. The call inside is ready at
//! once. No name, since it is copied for every event; no listeners; and the count window, since its time window walks
//! every call of that time.
//!
//! Where threads meet at its lock while it is open, its readiness sleeps for a millisecond, as it would in a service.

use std::future::{ready, Ready};
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt};
use tower_resilience_circuitbreaker::{
    CircuitBreaker, CircuitBreakerError, CircuitBreakerLayer, DefaultClassifier,
};

use crate::{Failed, OPEN_WAIT, WINDOW};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime of one thread");
}

/// The service, to be cloned by each thread.
pub struct TowerResilience(std::sync::Mutex<CircuitBreaker<Inner, DefaultClassifier>>);

/// A service whose answer is its request.
#[derive(Clone, Copy)]
struct Inner;

impl Service<Result<(), Failed>> for Inner {
    type Response = ();
    type Error = Failed;
    type Future = Ready<Result<(), Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, result: Result<(), Failed>) -> Self::Future {
        ready(result)
    }
}

impl TowerResilience {
    /// Half of the calls of a count window of 100.
    ///
    /// # Panics
    ///
    /// Never: the settings are allowed.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a bench has no use for it")]
    pub fn new() -> Self {
        let layer = CircuitBreakerLayer::builder()
            .name("")
            .sliding_window_size(WINDOW)
            .failure_rate_threshold(0.5)
            .wait_duration_in_open(OPEN_WAIT)
            .build()
            .expect("the settings are allowed");
        TowerResilience(std::sync::Mutex::new(layer.layer(Inner)))
    }

    /// The same, open.
    ///
    /// # Panics
    ///
    /// If it does not open.
    #[must_use]
    pub fn opened() -> Self {
        let peer = TowerResilience::new();
        assert!(
            peer.batch(10_000, |_| Err(Failed)) > 0,
            "nothing but failures must open a breaker"
        );
        peer
    }

    /// Guards so many calls, one after the other, with the results that `result` gives them; how many were refused.
    ///
    /// # Panics
    ///
    /// If another thread has panicked in here.
    pub fn batch(&self, calls: u64, result: impl Fn(u64) -> Result<(), Failed>) -> u64 {
        let mut service = self.0.lock().expect("no thread has panicked").clone();
        let work = async move {
            let mut refused = 0;
            for number in 0..calls {
                let answer = match service.ready().await {
                    Ok(service) => service.call(result(number)).await,
                    Err(error) => Err(error),
                };
                refused += u64::from(matches!(answer, Err(CircuitBreakerError::OpenCircuit)));
            }
            refused
        };
        RUNTIME.with(|runtime| runtime.block_on(work))
    }
}
