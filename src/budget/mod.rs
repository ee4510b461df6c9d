//! Retry budgets: how much a dependency's callers may add to its load by trying again.

use core::fmt;

use crossbeam_utils::CachePadded;

use crate::breaker::config::validate_rate;
use crate::error::ConfigError;

pub(crate) mod word;

use self::word::{Balance, ONE};

/// A share of calls that may be retried, counted over all callers of a dependency.
///
/// Three attempts a call triple the load of a dependency just when it can bear least. With a budget of a tenth, an
/// outage is met with a tenth more calls, whatever each caller would like. A first attempt deposits `ratio` of a retry;
/// a retry takes a whole one, when it is decided. The budget begins full, and holds at most `burst` retries.
///
/// ```
/// use failfast::RetryBudget;
///
/// let payment = RetryBudget::new(0.1, 2)?; // shared by all who call the payment service
/// payment.deposit();
/// assert!(payment.try_withdraw() && payment.try_withdraw());
/// assert!(!payment.try_withdraw(), "the burst is spent");
/// for _ in 0..10 {
///     payment.deposit(); // ten first attempts
/// }
/// assert!(payment.try_withdraw(), "pay for one retry");
/// # Ok::<(), failfast::ConfigError>(())
/// ```
///
/// # How exact it is
///
/// Under any schedule there are never more retries than `burst` and `ratio` times the first attempts. There may be fewer:
/// a caller whose step is lost to those of sixteen others drops its deposit, or goes without its retry.
///
/// # Source
///
/// The token bucket without a clock is that of gRPC's retry throttling and of Finagle's retry budget; unlike gRPC's it
/// deposits for attempts, not for successes, so that the bound holds without knowing how calls end.
pub struct RetryBudget {
    balance: CachePadded<Balance>,
    /// Millionths of a retry for each first attempt.
    deposit: u64,
    capacity: u64,
}

impl RetryBudget {
    /// A full budget of `burst` retries, to which each first attempt adds `ratio` of one.
    ///
    /// `ratio` is above 0 and at most 1, rounded to millionths; `burst` is at least 1.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the field `ratio` or `burst`.
    pub fn new(ratio: f64, burst: u32) -> Result<Self, ConfigError> {
        let deposit = validate_rate("ratio", ratio)?.into();
        if burst == 0 {
            return Err(ConfigError::new("burst", "0", "1 to 4294967295"));
        }
        let capacity = u64::from(burst) * ONE;
        Ok(RetryBudget { balance: CachePadded::new(Balance::new(capacity)), deposit, capacity })
    }

    /// Pays in for a first attempt.
    ///
    /// # Progress
    ///
    /// Wait-free: a load where the budget is full, else at most 16 exchanges.
    ///
    /// # Memory ordering
    ///
    /// None.
    #[inline]
    pub fn deposit(&self) {
        self.balance.deposit(self.deposit, self.capacity);
    }

    /// Takes a retry if there is one; the caller then makes it.
    ///
    /// # Progress
    ///
    /// Wait-free: at most 16 exchanges.
    ///
    /// # Memory ordering
    ///
    /// None.
    #[must_use = "a retry that is taken is to be made"]
    pub fn try_withdraw(&self) -> bool {
        self.balance.withdraw()
    }

    /// Whole retries that are left.
    ///
    /// # Progress
    ///
    /// Wait-free: one load.
    ///
    /// # Memory ordering
    ///
    /// None.
    pub fn available(&self) -> u32 {
        u32::try_from(self.balance.load() / ONE).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget")
            .field("available", &self.available())
            .field("burst", &(self.capacity / ONE))
            .field("deposit_millionths", &self.deposit)
            .finish()
    }
}
