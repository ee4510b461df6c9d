//! From the traces' time to ours.
//!
//! The contract lets an open period and a probe lease end up to 1.1 ms late, and the traces ask one nanosecond before,
//! at and after a peer's deadline. So time is stretched where that fits our ranges: one unit of the trace (the
//! greatest length that divides all of its times) becomes more than 1.1 ms of ours, and every wait ends 1.15 ms before
//! the unit in which it has to be over. Then the contract alone, without our ticks, says on which side of a deadline
//! an operation falls. Every trace runs as recorded, too; there it stops at an acquire that close to a deadline.

use core::time::Duration;

use failfast::OpenWait;

/// How late an open period or a lease may end, by the contract.
pub(crate) const LATE_NS: u64 = 1_100_000;
/// How much earlier than its unit a stretched wait ends: a little more than `LATE_NS`.
const PULL_NS: u64 = 1_150_000;
/// The longest time setting.
pub(crate) const LONGEST_NS: u64 = 366 * 24 * 60 * 60 * 1_000_000_000;
/// Our nanoseconds a unit that are tried. The second leaves room for a lease and an open wait in a row, the third
/// for the growth of an exponential wait.
const STRETCHES: [u64; 3] = [1_250_000, 2_500_000, 1_000_000_000];

/// How a length of a trace becomes one of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Nanoseconds of the trace in a unit.
    unit: u64,
    /// Our nanoseconds for a unit.
    ours: u64,
}

impl Scale {
    /// A nanosecond is a nanosecond.
    pub(crate) const AS_RECORDED: Scale = Scale { unit: 1, ours: 1 };

    /// The stretched scales to try for a trace with these times.
    pub(crate) fn stretched(times: impl Iterator<Item = u64>) -> [Scale; 3] {
        let unit = times.fold(0, greatest_common_divisor).max(1);
        STRETCHES.map(|ours| Scale { unit, ours })
    }

    fn is_stretched(&self) -> bool {
        self.ours > PULL_NS
    }

    /// An instant or length of the trace in our nanoseconds.
    pub(crate) fn ours(&self, ns: u64) -> u64 {
        assert_eq!(ns % self.unit, 0, "{ns} ns is no whole number of units");
        (ns / self.unit).saturating_mul(self.ours)
    }

    /// The same as a setting, where it is allowed.
    pub(crate) fn setting(&self, ns: u64) -> Option<Duration> {
        in_range(self.ours(ns))
    }

    /// Where our clock starts: as recorded, or stretched at the same place within `cycle`.
    pub(crate) fn start(&self, recorded: u64, cycle: Option<u64>) -> u64 {
        match cycle {
            _ if !self.is_stretched() => recorded,
            Some(cycle) => self.ours(recorded % cycle),
            None => 0,
        }
    }

    /// A probe lease that is over at the first unit `ns` after its start.
    pub(crate) fn lease(&self, ns: u64) -> Option<Duration> {
        in_range(self.ours(ns) - if self.is_stretched() { PULL_NS } else { 0 })
    }

    /// A wait after which `edge` says whether the instant `ns` later admits.
    pub(crate) fn fixed(&self, ns: u64, edge: Edge) -> Option<Wait> {
        let exact = self.ours(ns);
        let wait = match (self.is_stretched(), edge) {
            (false, _) => exact,
            (true, Edge::Refuses) => exact.checked_add(self.ours - PULL_NS)?,
            (true, Edge::Admits) => exact - PULL_NS,
        };
        in_range(wait).map(|wait| Wait { initial: wait, growth: None })
    }

    /// The same for a wait that grows; `max_ns` is cut to our range, which no trace reaches.
    pub(crate) fn growing(&self, ns: u64, factor: f64, max_ns: u64, edge: Edge) -> Option<Wait> {
        let max_ns = max_ns.min(LONGEST_NS / self.ours * self.unit / 2);
        let max = self.fixed(max_ns, edge)?.initial;
        let exact = self.ours(ns);
        // The growth multiplies what is added or taken here; that is why it is little.
        let initial = in_range(match (self.is_stretched(), edge) {
            (false, _) => exact,
            (true, Edge::Refuses) => exact.checked_add((self.ours - PULL_NS) / 64)?,
            (true, Edge::Admits) => exact - PULL_NS,
        })?;
        (max >= initial).then_some(Wait { initial, growth: Some((factor, max)) })
    }
}

/// What a peer answers at exactly its deadline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edge {
    Admits,
    Refuses,
}

/// Our open wait: the setting, and what the contract says of its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    initial: Duration,
    growth: Option<(f64, Duration)>,
}

impl Wait {
    pub(crate) fn setting(&self) -> OpenWait {
        match self.growth {
            None => OpenWait::fixed(self.initial),
            Some((factor, max)) => OpenWait::exponential(self.initial, factor, max),
        }
    }

    /// The shortest and the longest wait asked for in open period `attempt`, in nanoseconds.
    pub(crate) fn asked(&self, attempt: u32) -> (u64, u64) {
        let initial = nanos(self.initial);
        match self.growth {
            Some((factor, max)) if attempt > 1 => {
                let grown = initial as f64 * factor.powf(f64::from(attempt - 1));
                // The contract does not fix the float's last digits.
                let slack = 2.0 + grown * 1e-14;
                let cut = |wait: f64| (wait as u64).min(nanos(max));
                (cut(grown - slack), cut(grown + slack))
            }
            _ => (initial, initial),
        }
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a time within 584 years")
}

fn in_range(ns: u64) -> Option<Duration> {
    (1..=LONGEST_NS).contains(&ns).then(|| Duration::from_nanos(ns))
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
