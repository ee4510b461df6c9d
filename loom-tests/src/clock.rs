//! The clock that tests move by hand, the one place of the library where an exchange may fail without a reason.
//!
//! The other clocks read the machine and hold no protocol; so what this one takes from its parent stands here.

use core::time::Duration;

#[path = "../../src/clock/manual.rs"]
pub(crate) mod manual;

pub(crate) trait Clock {
    fn now(&self) -> Duration;
    fn now_nanos(&self) -> u64;
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
