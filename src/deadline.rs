//! Deadlines: one absolute end that is passed down and shared by all attempts.

use core::time::Duration;

use crate::clock::{nanos, Clock, DefaultClock};

/// The instant of a deadline that never comes.
const NEVER: u64 = u64::MAX;

/// An absolute end for a piece of work, handed down to everything that the work calls.
///
/// A timeout starts anew at each level that has one; a deadline does not. Make one where the work begins, and let every
/// attempt take what is left of it.
///
/// ```
/// use core::time::Duration;
/// use failfast::{clock::ManualClock, Deadline};
///
/// let clock = ManualClock::new(); // for the example; `Deadline::after` uses the CPU's counter
/// let order = Deadline::after_on(clock.clone(), Duration::from_millis(500));
/// clock.advance(Duration::from_millis(200)); // the inventory was asked
/// let payment = order.within(Duration::from_millis(400)); // of which 300 ms are left
/// assert_eq!(payment.remaining(), Some(Duration::from_millis(300)));
/// clock.advance(Duration::from_millis(300));
/// assert!(payment.is_over() && order.is_over());
/// ```
///
/// # What it does not do
///
/// It interrupts nothing: synchronous code can't be. Give sockets the time that remains, ask [`is_over`](Deadline::is_over)
/// in loops, and where a call can do neither, run it on a pool of its own that the caller can walk away from.
///
/// ```no_run
/// # use core::time::Duration;
/// # use std::{io, net::TcpStream};
/// # use failfast::Deadline;
/// fn ask(server: &TcpStream, deadline: &Deadline) -> io::Result<()> {
///     if deadline.is_over() {
///         return Err(io::ErrorKind::TimedOut.into()); // sockets take no timeout of zero
///     }
///     server.set_read_timeout(deadline.remaining())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Deadline<C = DefaultClock> {
    clock: C,
    end_ns: u64,
}

impl Deadline<DefaultClock> {
    /// A deadline that long from now, on the CPU's counter.
    pub fn after(left: Duration) -> Self {
        Deadline::after_on(DefaultClock::new(), left)
    }

    /// A deadline that never comes.
    pub fn never() -> Self {
        Deadline::never_on(DefaultClock::new())
    }
}

impl<C: Clock> Deadline<C> {
    /// A deadline that long from now, on a clock of the caller's.
    ///
    /// More than 584 years after the clock's zero is never.
    pub fn after_on(clock: C, left: Duration) -> Self {
        let end_ns = clock.now_nanos().saturating_add(nanos(left));
        Deadline { clock, end_ns }
    }

    /// A deadline that never comes, on a clock of the caller's: what [`within`](Deadline::within) starts from.
    pub const fn never_on(clock: C) -> Self {
        Deadline { clock, end_ns: NEVER }
    }

    /// The time that is left, zero once it is over; `None` if it never is.
    ///
    /// So it fits where the standard library takes a timeout of a socket, but for the zero, which sockets refuse.
    #[inline]
    pub fn remaining(&self) -> Option<Duration> {
        match self.end_ns {
            NEVER => None,
            end => Some(Duration::from_nanos(end.saturating_sub(self.clock.now_nanos()))),
        }
    }

    /// The time that is left, but never more than `most`.
    #[inline]
    pub fn remaining_or(&self, most: Duration) -> Duration {
        self.remaining().map_or(most, |left| left.min(most))
    }

    /// Whether the end has come.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.end_ns != NEVER && self.clock.now_nanos() >= self.end_ns
    }

    /// Whether there is an end at all.
    #[inline]
    pub const fn is_never(&self) -> bool {
        self.end_ns == NEVER
    }

    /// The clock that it is read on.
    #[inline]
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}

impl<C: Clock + Clone> Deadline<C> {
    /// The nearer of this deadline and that long from now: a part of the work that has a limit of its own.
    #[must_use]
    pub fn within(&self, left: Duration) -> Self {
        let end_ns = self.clock.now_nanos().saturating_add(nanos(left));
        Deadline { clock: self.clock.clone(), end_ns: end_ns.min(self.end_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_that_is_left_ends_at_zero() {
        let clock = ManualClock::new();
        let deadline = Deadline::after_on(clock.clone(), SECOND);
        assert_eq!(deadline.remaining(), Some(SECOND));
        clock.advance(SECOND - Duration::from_nanos(1));
        assert!(!deadline.is_over());
        clock.advance(Duration::from_nanos(1));
        assert!(deadline.is_over());
        clock.advance(SECOND);
        assert_eq!(deadline.remaining(), Some(Duration::ZERO));
        assert_eq!(deadline.remaining_or(SECOND), Duration::ZERO);
    }

    #[test]
    fn clock_that_steps_back_gives_time_back() {
        let clock = ManualClock::new();
        clock.set(2 * SECOND);
        let deadline = Deadline::after_on(clock.clone(), SECOND);
        clock.set(SECOND);
        assert_eq!(deadline.remaining(), Some(2 * SECOND));
    }

    #[test]
    fn never_is_never_over() {
        let clock = ManualClock::new();
        for deadline in [
            Deadline::never_on(clock.clone()),
            Deadline::after_on(clock.clone(), Duration::MAX),
            Deadline::never_on(clock.clone()).within(Duration::MAX),
        ] {
            clock.set(Duration::MAX);
            assert!(deadline.is_never() && !deadline.is_over());
            assert_eq!(deadline.remaining(), None);
            assert_eq!(deadline.remaining_or(SECOND), SECOND);
            clock.set(Duration::ZERO);
        }
    }

    #[test]
    fn part_of_the_work_never_outlives_the_whole() {
        let clock = ManualClock::new();
        let whole = Deadline::after_on(clock.clone(), 3 * SECOND);
        clock.advance(SECOND);
        assert_eq!(whole.within(SECOND).remaining(), Some(SECOND));
        assert_eq!(whole.within(9 * SECOND).remaining(), Some(2 * SECOND));
        assert!(whole.within(Duration::ZERO).is_over());
    }
}
