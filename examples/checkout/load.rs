//! Customers: an open-loop load of checkouts.
//!
//! They come by the schedule, whether or not those before them have been answered, and a latency counts from the
//! scheduled instant: neither a late thread nor a long queue can hide.

use std::net::SocketAddr;
use std::sync::mpsc::{sync_channel, Receiver, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;

/// Customers who can wait at once; more queue, which their latencies tell.
const CUSTOMERS: usize = 48;
/// How many can queue; more go unserved, and are counted.
const QUEUE: usize = 10_000;
/// Far longer than any answer of the service may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a checkout ended for its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Served,
    /// Served, with warnings.
    Degraded,
    /// 503: at once, with a time to come back.
    Refused,
    /// Any other error.
    Failed,
    /// No answer at all.
    Lost,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// When it was to come, since the start.
    pub(crate) arrival: Duration,
    /// From there to its answer.
    pub(crate) latency: Duration,
    pub(crate) answer: Answer,
}

/// Sends so many checkouts a second to the service until `goes_on` says no; tells `heard` of each that has ended.
pub(crate) fn send(
    service: SocketAddr,
    per_second: u32,
    start: Instant,
    goes_on: impl Fn(Duration) -> bool,
    heard: impl Fn(Record) + Sync,
) {
    let url = format!("http://{service}/checkout");
    let (come, arrivals) = sync_channel::<Duration>(QUEUE);
    let arrivals = Mutex::new(arrivals);
    let agent = Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_recv_body(Some(PATIENCE))
        .max_idle_connections(CUSTOMERS)
        .max_idle_connections_per_host(CUSTOMERS)
        .build()
        .new_agent();
    let customer = || {
        while let Some(arrival) = next(&arrivals) {
            let answer = buy(&agent, &url);
            heard(Record { arrival, latency: start.elapsed().saturating_sub(arrival), answer });
        }
    };
    thread::scope(|scope| {
        for _ in 0..CUSTOMERS {
            scope.spawn(customer);
        }
        for number in 0_u64.. {
            let arrival = arrival(number, per_second);
            if !goes_on(arrival) {
                break;
            }
            let early = arrival.saturating_sub(start.elapsed());
            if !early.is_zero() {
                thread::sleep(early);
            }
            if let Err(TrySendError::Full(arrival)) = come.try_send(arrival) {
                heard(Record { arrival, latency: Duration::ZERO, answer: Answer::Lost });
            }
        }
        // The customers go when the last of the queue has been served.
        drop(come);
    });
}

/// When a customer comes, since the start; exact, and for as long as the numbers last.
pub(crate) fn arrival(number: u64, per_second: u32) -> Duration {
    let per_second = u64::from(per_second);
    let part = number % per_second * 1_000_000_000 / per_second;
    Duration::from_secs(number / per_second) + Duration::from_nanos(part)
}

fn next(arrivals: &Mutex<Receiver<Duration>>) -> Option<Duration> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn buy(agent: &Agent, url: &str) -> Answer {
    let Ok(mut response) = agent.post(url).send_empty() else {
        return Answer::Lost;
    };
    // Read to its end, so that the connection can be used again.
    match (response.status().as_u16(), response.body_mut().read_to_string()) {
        (_, Err(_)) => Answer::Lost,
        (200, Ok(body)) if body.contains(r#""status":"confirmed""#) => Answer::Served,
        (200, Ok(_)) => Answer::Degraded,
        (503, Ok(_)) => Answer::Refused,
        (_, Ok(_)) => Answer::Failed,
    }
}
