//! The shop: what a checkout asks of its dependencies, and what it does without one.
//!
//! | dependency | is | when it can't be had |
//! |---|---|---|
//! | payment | required | the order is refused, before anything else is asked where its circuit is open |
//! | inventory | required | the stock as last seen, for a minute; after that the order is refused |
//! | shipping | optional | a standard quote |
//! | notification | optional | it is sent later |
//!
//! All of it is synchronous code, and knows nothing of HTTP but the words of its answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use failfast::{Bulkhead, Deadline, PoolError, State};
use serde_json::{json, Value};

use crate::later::Later;
use crate::line::{Broken, Line};

/// How old a stock may be to sell from it.
const STOCK_LASTS: Duration = Duration::from_secs(60);
/// What shipping costs when nobody can say it.
const STANDARD_QUOTE: u64 = 990;
pub(crate) const PAYMENT: usize = 0;
pub(crate) const INVENTORY: usize = 1;
pub(crate) const SHIPPING: usize = 2;
pub(crate) const NOTIFICATION: usize = 3;

/// An order that stands.
pub(crate) struct Receipt {
    order: u64,
    quote: u64,
    warnings: Vec<Warning>,
}

/// What was done without.
struct Warning {
    dependency: &'static str,
    text: String,
}

/// An order that does not.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) why: Why,
    pub(crate) dependency: Option<&'static str>,
    pub(crate) error: String,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A circuit is open, or there is no room: nothing was tried.
    Refused,
    /// There is not enough of it.
    SoldOut,
    /// A dependency failed.
    Failed,
    /// A dependency did not answer in time.
    TimedOut,
}

pub(crate) struct Shop {
    /// Payment, inventory, shipping, notification.
    pub(crate) lines: Arc<[Line; 4]>,
    /// For checkouts at once.
    pub(crate) places: Arc<Bulkhead>,
    pub(crate) later: Later,
    /// As the inventory last said, and when.
    stock: Mutex<Option<(u64, Instant)>>,
    orders: AtomicU64,
    /// For a checkout in all.
    patience: Duration,
}

impl Shop {
    pub(crate) fn open(lines: [Line; 4], places: Arc<Bulkhead>, patience: Duration) -> Shop {
        let lines = Arc::new(lines);
        Shop {
            later: Later::start(Arc::clone(&lines)),
            lines,
            places,
            stock: Mutex::default(),
            orders: AtomicU64::new(1),
            patience,
        }
    }

    pub(crate) fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name() == name)
    }

    /// What can be said before anything is done: that the payment's circuit is open.
    ///
    /// Does not block, so that it may be asked on a thread that must not. Asking the breaker once more where it is known
    /// to refuse is what counts the refusal; a permit that it gives after all is dropped, which gives its place back.
    pub(crate) fn refusal_at_the_door(&self) -> Option<Refusal> {
        let payment = &self.lines[PAYMENT];
        if !matches!(payment.breaker.state(), State::Open | State::ForcedOpen) {
            return None;
        }
        let rejected = payment.breaker.try_acquire().err()?;
        Some(refuse(payment, &PoolError::Rejected(rejected)))
    }

    /// Looks, charges, asks for a quote, tells the customer; in that order, since only what is there is paid for.
    pub(crate) fn checkout(&self, quantity: u64) -> Result<Receipt, Refusal> {
        let deadline = Deadline::after(self.patience);
        let order = self.orders.fetch_add(1, Ordering::Relaxed);
        let mut warnings = Vec::new();
        let mut warn = |line: &Line, text: String| {
            warnings.push(Warning { dependency: line.name(), text });
        };

        let inventory = &self.lines[INVENTORY];
        let (stock, doubt) = self.stock(inventory, &deadline)?;
        if let Some(doubt) = doubt {
            warn(inventory, doubt);
        }
        if stock < quantity {
            return Err(Refusal {
                why: Why::SoldOut,
                dependency: None,
                error: format!("{quantity} asked for, {stock} left"),
                retry_after: None,
            });
        }

        let payment = &self.lines[PAYMENT];
        payment.ask(&format!("charge/{order}"), &deadline).map_err(|error| {
            if may_have_been_done(&error) {
                // The customer is told that it is not paid.
                self.later.add(PAYMENT, format!("void/{order}"));
            }
            refuse(payment, &error)
        })?;

        let shipping = &self.lines[SHIPPING];
        let quote = match shipping.ask("quote", &deadline).map(|answer| answer["quote"].as_u64()) {
            Ok(Some(quote)) => quote,
            nothing => {
                let why = nothing.map_or_else(|error| said(&error), |_| "no quote in it".into());
                warn(shipping, format!("standard quote: {why}"));
                STANDARD_QUOTE
            }
        };

        let notification = &self.lines[NOTIFICATION];
        let path = format!("confirm/{order}");
        if let Err(error) = notification.ask(&path, &deadline) {
            let queued = self.later.add(NOTIFICATION, path);
            let will_be = if queued { "will be sent later" } else { "will not be sent" };
            warn(notification, format!("confirmation {will_be}: {}", said(&error)));
        }
        Ok(Receipt { order, quote, warnings })
    }

    /// The stock, and what makes it doubtful.
    fn stock(&self, line: &Line, deadline: &Deadline) -> Result<(u64, Option<String>), Refusal> {
        let asked = line.ask("stock", deadline);
        let mut last = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.map(|answer| answer["stock"].as_u64()) {
            Ok(Some(stock)) => {
                *last = Some((stock, Instant::now()));
                Ok((stock, None))
            }
            Ok(None) => Err(refuse(line, &PoolError::Inner(Broken::Silent))),
            Err(error) => match *last {
                Some((stock, at)) if at.elapsed() <= STOCK_LASTS => {
                    let age = at.elapsed().as_secs();
                    Ok((stock, Some(format!("stock as of {age} s ago: {}", said(&error)))))
                }
                _ => Err(refuse(line, &error)),
            },
        }
    }
}

/// Whether nobody knows: it was asked, and did not say no.
fn may_have_been_done(error: &PoolError<Broken>) -> bool {
    error.has_begun() && !matches!(error, PoolError::Inner(Broken::Status(_)))
}

fn refuse(line: &Line, error: &PoolError<Broken>) -> Refusal {
    let why = match error {
        PoolError::TimedOut(_) | PoolError::Inner(Broken::Late) => Why::TimedOut,
        PoolError::Inner(_) => Why::Failed,
        _ => Why::Refused,
    };
    Refusal {
        why,
        dependency: Some(line.name()),
        error: format!("{}: {}", line.name(), said(error)),
        retry_after: error.retry_after(),
    }
}

/// In words, for the customer's eyes.
fn said(error: &PoolError<Broken>) -> String {
    match error {
        PoolError::Rejected(rejected) => format!("its circuit is {}", rejected.state()),
        PoolError::Full(_) => "too many calls at once".into(),
        PoolError::TimedOut(_) | PoolError::Inner(Broken::Late) => "no answer in time".into(),
        PoolError::Inner(Broken::Status(status)) => format!("it answered {status}"),
        PoolError::Inner(Broken::Silent) => "no sensible answer".into(),
        other => format!("{other:?}"),
    }
}

impl Receipt {
    pub(crate) fn is_degraded(&self) -> bool {
        !self.warnings.is_empty()
    }

    pub(crate) fn to_json(&self) -> Value {
        let warnings: Vec<_> = self
            .warnings
            .iter()
            .map(|warning| json!({ "dependency": warning.dependency, "text": warning.text }))
            .collect();
        json!({
            "status": if self.is_degraded() { "degraded" } else { "confirmed" },
            "order": self.order,
            "shipping_cents": self.quote,
            "warnings": warnings,
        })
    }
}

impl Refusal {
    /// No room for another checkout.
    pub(crate) fn crowded() -> Refusal {
        Refusal {
            why: Why::Refused,
            dependency: None,
            error: "too many checkouts at once".into(),
            retry_after: Some(Duration::from_secs(1)),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let status = match self.why {
            Why::Refused => "refused",
            Why::SoldOut => "sold out",
            Why::Failed | Why::TimedOut => "failed",
        };
        json!({
            "status": status,
            "error": self.error,
            "dependency": self.dependency,
            "retry_after_s": self.retry_after.map(|wait| wait.as_secs_f64()),
        })
    }
}
