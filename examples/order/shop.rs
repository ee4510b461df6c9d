//! The shop: what it puts around each dependency, and what it does when one of them can't be had.
//!
//! | dependency | is | around it | when it can't be had |
//! |---|---|---|---|
//! | inventory | critical | breaker around retries with a budget, bulkhead, timeout | the order is refused |
//! | payment | critical | a pool of its own with a breaker | pending, in a queue; if that is full, the goods are released |
//! | mail | optional | rate limit, breaker, timeout | the order goes on without |

use std::net::SocketAddr;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use failfast::policy::{Around, Layer, Off, Timeout};
use failfast::{
    Bulkhead, CircuitBreaker, ConfigError, Deadline, Failed, Failure, Fallback, Faults, HalfOpen,
    IsolatedPool, OpenWait, Outcome, Policy, PoolError, RateLimit, Retry, RetryBudget, Window,
};
use ureq::Agent;

use Payment::{Paid, Pending};

/// How long an order may take in all; what is inside takes its share of what is left.
pub(crate) const ORDER: Duration = Duration::from_secs(3);
/// How long a customer waits for the payment.
const PAYMENT: Duration = Duration::from_millis(300);
const INVENTORY: Duration = Duration::from_millis(500);
const MAIL: Duration = Duration::from_millis(500);
/// How long a breaker refuses before it tries again. A real one would wait for seconds.
pub(crate) const OPEN: Duration = Duration::from_millis(400);
/// Calls to the inventory at once.
pub(crate) const PLACES: u32 = 4;
/// Retries that the shop may make at once, besides one for every two orders: much, for a service as flaky as this one.
pub(crate) const RETRIES: u32 = 4;
/// Orders whose payment may be pending.
pub(crate) const QUEUE: usize = 25;
/// Mails at once; five more each second.
const MAILS: u32 = 150;

/// Why a dependency gave no good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It says no: that is an answer.
    Declined,
    /// It says that something is wrong with it.
    Status(u16),
    /// It said nothing.
    Silent,
    /// It was not even asked: a drill.
    Drill,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It will be delivered: now, or once it is paid. `mail`: which layer kept it from being announced.
    Placed { payment: Payment, mail: Option<Layer> },
    /// The inventory could not be asked, says this layer.
    Refused(Layer),
    /// Payment could not be had; the goods are free again, or will be.
    Released(NotPaid),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    Paid,
    Pending,
}

/// Why there is not even a pending payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPaid {
    Declined,
    QueueFull,
}

type Breaker = Arc<CircuitBreaker>;

/// What an order needs.
pub(crate) struct Shop {
    http: Http,
    inventory: Policy<Retry, Off, Bulkhead, Around<Breaker>, Timeout>,
    payment: IsolatedPool,
    mail: Policy<Off, RateLimit, Off, Breaker, Timeout>,
    /// The breakers of the three, to be looked at.
    pub(crate) breakers: [Breaker; 3],
    /// Stands before the mail service, at rates of zero but for a drill.
    pub(crate) faults: Faults,
    queue: SyncSender<u32>,
    pending: Mutex<Receiver<u32>>,
    /// What may have been done and must not have been.
    undo: Mutex<Vec<(&'static str, u32)>>,
}

impl Shop {
    pub(crate) fn open(server: SocketAddr) -> Result<Shop, ConfigError> {
        let budget = Arc::new(RetryBudget::new(0.5, RETRIES)?);
        let retry = Retry::builder()
            .attempts(3)
            .initial(Duration::from_millis(20))
            .max_delay(Duration::from_millis(60))
            .total_time(Duration::from_secs(2))
            .budget(budget)
            .build()?;
        let breakers = [breaker("inventory")?, breaker("payment")?, breaker("mail")?];
        let inventory = Policy::builder()
            .retry(retry)
            .bulkhead(Bulkhead::new(PLACES)?)
            .breaker(Arc::clone(&breakers[0]))
            .timeout(INVENTORY)
            // Once it is open nobody waits for a retry.
            .breaker_around_retries()
            .build()?;
        let payment = IsolatedPool::builder()
            .name("payment")
            .threads(4)
            .queue(4)
            .breaker(Arc::clone(&breakers[1]))
            .build()?;
        let mail = Policy::builder()
            .rate_limit(RateLimit::per_second(5).burst(MAILS).build()?)
            .breaker(Arc::clone(&breakers[2]))
            .timeout(MAIL)
            .build()?;
        let (queue, pending) = sync_channel(QUEUE);
        Ok(Shop {
            http: Http::to(server),
            inventory,
            payment,
            mail,
            breakers,
            faults: Faults::builder().seed(5).build()?,
            queue,
            pending: Mutex::new(pending),
            undo: Mutex::default(),
        })
    }

    /// Reserves, charges, writes; in that order, each only if the one before made sense.
    pub(crate) fn order(&self, order: u32) -> Ended {
        let deadline = Deadline::after(ORDER);
        if let Err((layer, has_begun)) = self.ask_inventory("reserve", order, &deadline) {
            if has_begun {
                // Perhaps it is reserved all the same.
                self.undo_later("inventory/release", order);
            }
            return Ended::Refused(layer);
        }
        match self.pay(order, &deadline) {
            Ok(payment) => Ended::Placed { payment, mail: self.write(order, &deadline) },
            Err(why) => {
                if self.ask_inventory("release", order, &deadline).is_err() {
                    self.undo_later("inventory/release", order);
                }
                Ended::Released(why)
            }
        }
    }

    /// Says which layer spoke, and whether the inventory may have heard of it.
    fn ask_inventory(
        &self,
        action: &str,
        order: u32,
        deadline: &Deadline,
    ) -> Result<(), (Layer, bool)> {
        self.inventory
            .call_within(deadline, |deadline| {
                self.http.post(&format!("inventory/{action}/{order}"), Some(deadline))
            })
            // A refusal after a failed attempt does not say that nothing has happened.
            .map_err(|error| (error.layer(), error.attempts() > 0))
    }

    /// Paid, or pending where nobody knows: that the customer's card is declined is known.
    fn pay(&self, order: u32, deadline: &Deadline) -> Result<Payment, NotPaid> {
        let park = || match self.queue.try_send(order) {
            Ok(()) => Ok(Pending),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(NotPaid::QueueFull),
        };
        Fallback::new()
            .inner(|error: &Broken| match error {
                Broken::Declined => Err(NotPaid::Declined),
                _ => park(),
            })
            .otherwise(|_: Failed<&Broken>| park())
            .answer(self.charge(order, deadline.remaining_or(PAYMENT)).map(|()| Paid))
            .map_err(|error| {
                let (call, fallback) = error.into_parts();
                if call.has_begun() && call.into_inner() != Some(Broken::Declined) {
                    self.undo_later("payment/cancel", order);
                }
                fallback.unwrap_or(NotPaid::QueueFull)
            })
    }

    /// The payment service's library has no timeouts, so it runs where the customer can walk away from it.
    fn charge(&self, order: u32, most: Duration) -> Result<(), PoolError<Broken>> {
        let http = self.http.clone();
        // A declined card is an answer of a healthy service.
        let judge = |answer: &Result<(), Broken>| match answer {
            Ok(()) | Err(Broken::Declined) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        self.payment
            .call_with(most, judge, move || http.post(&format!("payment/pay/{order}"), None))
    }

    /// Gives the layer that kept the mail from being sent.
    fn write(&self, order: u32, deadline: &Deadline) -> Option<Layer> {
        let sent = self.mail.call_within(deadline, |deadline| {
            self.faults.call(
                || Broken::Drill,
                || self.http.post(&format!("mail/send/{order}"), Some(deadline)),
            )
        });
        sent.err().map(|error| error.layer())
    }

    // ===== afterwards =====

    /// Works off what is pending and undoes what must not stay; gives how many orders were paid by it.
    ///
    /// A shop would have a thread for this; here it is called once all is well again.
    pub(crate) fn settle(&self) -> Result<usize, Broken> {
        self.await_stragglers();
        let mut paid = 0;
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for order in pending.try_iter() {
            self.charge(order, ORDER).map_err(|error| match error.failed() {
                Failed::Inner(broken) => *broken,
                Failed::Refused(_) | Failed::TimedOut(_) => Broken::Silent,
            })?;
            paid += 1;
        }
        for (path, order) in self.undo.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.http.post(&format!("{path}/{order}"), None)?;
        }
        Ok(paid)
    }

    /// Waits for payments that their customers have walked away from.
    pub(crate) fn await_stragglers(&self) {
        while self.payment.in_use() > 0 {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn undo_later(&self, path: &'static str, order: u32) {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner).push((path, order));
    }
}

/// Opens after five failures in a row, or when half of the last twenty calls failed.
fn breaker(name: &str) -> Result<Breaker, ConfigError> {
    let breaker = CircuitBreaker::builder()
        .name(name)
        .window(Window::count(20))
        .failure_rate(0.5)
        .min_calls(10)
        .consecutive_failures(5)
        .open_wait(OpenWait::fixed(OPEN))
        .half_open(HalfOpen::probes(2))
        .build()?;
    Ok(Arc::new(breaker))
}

/// The way to the services.
#[derive(Clone)]
struct Http {
    agent: Agent,
    server: SocketAddr,
}

impl Http {
    fn to(server: SocketAddr) -> Http {
        Http { agent: Agent::config_builder().proxy(None).build().new_agent(), server }
    }

    /// Asks, and gives the socket what is left of the deadline.
    fn post(&self, path: &str, deadline: Option<&Deadline>) -> Result<(), Broken> {
        let mut request = self.agent.post(format!("http://{}/{path}", self.server));
        if let Some(deadline) = deadline {
            if deadline.is_over() {
                return Err(Broken::Silent);
            }
            // A socket takes no timeout of zero.
            let left = deadline.remaining().map(|left| left.max(Duration::from_millis(1)));
            request = request.config().timeout_connect(left).timeout_recv_response(left).build();
        }
        match request.send_empty() {
            // There is no body: reading it to its end lets the connection be used again.
            Ok(mut response) => {
                response.body_mut().read_to_vec().map(drop).map_err(|_| Broken::Silent)
            }
            Err(ureq::Error::StatusCode(402)) => Err(Broken::Declined),
            Err(ureq::Error::StatusCode(status)) => Err(Broken::Status(status)),
            Err(_) => Err(Broken::Silent),
        }
    }
}
