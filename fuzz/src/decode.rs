//! From bytes to settings, operations and builder inputs.
//!
//! One byte chooses among few, so that the fuzzer's small mutations are small changes; times come in the sizes that
//! meet a bound: nanoseconds, ticks of a deadline, anything.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use failfast::{HalfOpen, OpenWait, Outcome};

use crate::crew::Lane;
use crate::inputs::{AnyWindow, Input, DAY};
use crate::plan::{Kind, Move, Op, Part, Settings, Watch};
use crate::subject::{Control, Finish, Hold};

/// Deadlines are whole multiples of this.
const TICK_NS: u64 = 1 << 20;
/// Longer sequences find nothing more and slow the fuzzer down.
const MOST_OPS: usize = 200;
/// The oracle recounts its window after every outcome; a larger one only costs.
const LARGEST_WINDOW: u32 = 600;
/// As with the window: a reader reads each bucket of each stripe.
const MOST_BUCKETS: u128 = 12;

/// Decodes until the bytes are spent.
pub(crate) fn until_spent<'a, T>(
    bytes: &mut Unstructured<'a>,
    decode: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> Vec<T> {
    let mut decoded = Vec::new();
    while !bytes.is_empty() && decoded.len() < MOST_OPS {
        match decode(bytes) {
            Ok(value) => decoded.push(value),
            Err(_) => break,
        }
    }
    decoded
}

/// When the driver reads, and whether the breaker keeps totals.
pub(crate) fn watch_and_totals(bytes: &mut Unstructured<'_>) -> Result<(Watch, bool)> {
    use Watch::{AtReads, EveryStep};
    bytes
        .choose(&[(EveryStep, false), (AtReads, false), (EveryStep, true), (AtReads, true)])
        .copied()
}

// ===== settings that fit =====

fn maybe<'a, T>(
    bytes: &mut Unstructured<'a>,
    decode: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if bytes.arbitrary()? {
        decode(bytes).map(Some)
    } else {
        Ok(None)
    }
}

/// A time that is allowed: a few nanoseconds, around a few ticks, or up to an hour.
fn short_time(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    let ns = match bytes.int_in_range(0..=3)? {
        0 => bytes.int_in_range(1..=40)?,
        1 => bytes.int_in_range(1..=3)? * TICK_NS + bytes.int_in_range(0..=2)? - 1,
        2 => bytes.int_in_range(1..=u64::from(u16::MAX))?,
        _ => bytes.int_in_range(1..=3_600_000_000_000)?,
    };
    Ok(Duration::from_nanos(ns))
}

/// A rate that is allowed, in parts per million or in parts of a few.
fn rate(bytes: &mut Unstructured<'_>) -> Result<f64> {
    if bytes.arbitrary()? {
        Ok(f64::from(bytes.int_in_range(1..=1_000_000)?) / 1e6)
    } else {
        let whole: u8 = bytes.int_in_range(1..=9)?;
        Ok(f64::from(bytes.int_in_range(1..=whole)?) / f64::from(whole))
    }
}

fn window(bytes: &mut Unstructured<'_>) -> Result<Kind> {
    Ok(match bytes.int_in_range(0..=5)? {
        0 => Kind::Count(bytes.int_in_range(1..=5)?),
        1 => Kind::Count(bytes.int_in_range(1..=LARGEST_WINDOW)?),
        2 => Kind::Consecutive(bytes.int_in_range(1..=5)?),
        3 => {
            let length = bytes.int_in_range(1..=DAY.as_nanos() as u64 * 366)?;
            timed(Duration::from_nanos(length), bytes)?
        }
        _ => timed(short_time(bytes)?, bytes)?,
    })
}

fn timed(length: Duration, bytes: &mut Unstructured<'_>) -> Result<Kind> {
    let most = length.as_nanos().min(MOST_BUCKETS) as u32;
    Ok(Kind::Time(length, bytes.int_in_range(1..=most)?))
}

fn open_wait(bytes: &mut Unstructured<'_>) -> Result<OpenWait> {
    let initial = short_time(bytes)?;
    let growth = maybe(bytes, |b| {
        Ok((1.0 + f64::from(b.arbitrary::<u8>()?) / 64.0, initial + short_time(b)?))
    })?;
    let last: u8 = bytes.arbitrary()?;
    let wait = match growth {
        Some((factor, max)) => OpenWait::exponential(initial, factor, max),
        // One in six of the fixed ones up to a year: beyond the steps back that clocks are known to make.
        None if last >= 200 => OpenWait::fixed((initial * 1_000_000).min(DAY * 366)),
        None => OpenWait::fixed(initial),
    };
    Ok(wait.jitter(f64::from(last % 100) / 100.0))
}

pub(crate) fn settings(bytes: &mut Unstructured<'_>) -> Result<Settings> {
    Ok(Settings {
        window: window(bytes)?,
        failure_rate: maybe(bytes, rate)?,
        failure_count: maybe(bytes, |b| b.int_in_range(1..=20))?,
        consecutive_failures: maybe(bytes, |b| b.int_in_range(1..=20))?,
        slow_call: maybe(bytes, |b| Ok((short_time(b)?, rate(b)?)))?,
        min_calls: bytes.int_in_range(1..=30)?,
        open_wait: open_wait(bytes)?,
        half_open: if bytes.arbitrary()? {
            HalfOpen::probes(bytes.int_in_range(1..=5)?)
        } else {
            HalfOpen::rate(bytes.int_in_range(1..=1_000)?)
        },
        probe_timeout: short_time(bytes)?,
        jitter_seed: bytes.arbitrary()?,
        stripes: bytes.int_in_range(1..=8)?,
        clock_start: Duration::from_nanos(match bytes.int_in_range(0..=2)? {
            0 => 0,
            1 => u64::MAX - u64::from(bytes.arbitrary::<u32>()?),
            _ => bytes.arbitrary()?,
        }),
        totals: false,
    }
    .made_to_fit())
}

// ===== operations =====

fn outcome(bytes: &mut Unstructured<'_>) -> Result<Outcome> {
    // Two of each that counts, so that an ignored one is the rarer.
    let all =
        [Outcome::Success, Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Ignored];
    bytes.choose(&all).copied()
}

fn lane(bytes: &mut Unstructured<'_>) -> Result<Lane> {
    // Handing an errand to another thread costs the fuzzer microseconds, so most stay here.
    Ok(match bytes.int_in_range(0..=15)? {
        number @ 0..=2 => Lane::There(number),
        _ => Lane::Here,
    })
}

fn finish(bytes: &mut Unstructured<'_>) -> Result<Finish> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => Finish::Dropped,
        1 => Finish::DroppedInPanic,
        2 => Finish::Lost,
        3 => Finish::Timed(outcome(bytes)?, Duration::from_nanos(bytes.arbitrary()?)),
        4 => Finish::Timed(outcome(bytes)?, short_time(bytes)?),
        _ => Finish::Report(outcome(bytes)?),
    })
}

fn control(bytes: &mut Unstructured<'_>) -> Result<Control> {
    let all = [
        Control::Trip,
        Control::HalfOpen,
        Control::Reset,
        Control::ForceOpen,
        Control::Disable,
        Control::MetricsOnly,
    ];
    bytes.choose(&all).copied()
}

fn movement(bytes: &mut Unstructured<'_>) -> Result<Move> {
    Ok(match bytes.int_in_range(0..=11)? {
        0 => Move::Back(bytes.int_in_range(0..=40)?),
        1 => Move::Back(bytes.int_in_range(0..=4 * TICK_NS)?),
        2 => Move::AfterBuild(bytes.int_in_range(0..=9 * TICK_NS)?),
        3 => Move::To(bytes.arbitrary()?),
        4 => Move::Forward(bytes.arbitrary()?),
        5 => Move::Forward(short_time(bytes)?.as_nanos() as u64),
        6 => Move::Lease(nudge(bytes)?),
        7 | 8 => Move::Deadline(nudge(bytes)?),
        9 | 10 => Move::Buckets(bytes.int_in_range(0..=13)?, nudge(bytes)?),
        _ => Move::Forward(bytes.int_in_range(0..=20)?),
    })
}

fn nudge(bytes: &mut Unstructured<'_>) -> Result<i8> {
    bytes.int_in_range(-1..=1)
}

fn burst(bytes: &mut Unstructured<'_>) -> Result<Op> {
    Ok(Op::Burst {
        outcome: outcome(bytes)?,
        times: bytes.int_in_range(1..=30)?,
        lane: lane(bytes)?,
    })
}

fn part(bytes: &mut Unstructured<'_>) -> Result<Part> {
    // Two of those that change everything.
    let all = [Part::All, Part::HalfOpen, Part::Times, Part::None, Part::All];
    bytes.choose(&all).copied()
}

pub(crate) fn op(bytes: &mut Unstructured<'_>) -> Result<Op> {
    let number = bytes.int_in_range(0..=31)?;
    Ok(match number % 16 {
        _ if number == 31 => Op::Reconfigure(part(bytes)?, settings(bytes)?),
        0..=4 => {
            let hold = *bytes.choose(&[Hold::Borrowed, Hold::Owned])?;
            Op::Acquire(hold, lane(bytes)?)
        }
        5..=9 => Op::Finish {
            which: usize::from(bytes.arbitrary::<u8>()?),
            how: finish(bytes)?,
            lane: lane(bytes)?,
        },
        10 => Op::Call(outcome(bytes)?),
        11 => burst(bytes)?,
        12 => Op::Control(control(bytes)?),
        13 => Op::Read,
        _ => Op::Clock(movement(bytes)?),
    })
}

/// An operation that leaves the generation as it is.
pub(crate) fn window_op(bytes: &mut Unstructured<'_>) -> Result<Op> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => Op::Acquire(Hold::Borrowed, Lane::Here),
        1 => Op::Finish {
            which: usize::from(bytes.arbitrary::<u8>()?),
            how: Finish::Timed(outcome(bytes)?, short_time(bytes)?),
            lane: Lane::Here,
        },
        2 => burst(bytes)?,
        3 => Op::Read,
        4 => Op::Call(outcome(bytes)?),
        _ => Op::Clock(movement(bytes)?),
    })
}

// ===== builder inputs, allowed or not =====

fn any_time(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    match bytes.int_in_range(0..=7)? {
        0 => Ok(Duration::ZERO),
        1 => Ok(DAY * 366),
        2 => Ok(DAY * 366 + Duration::from_nanos(1)),
        3 => Duration::arbitrary(bytes),
        _ => short_time(bytes),
    }
}

fn any_count(bytes: &mut Unstructured<'_>) -> Result<u32> {
    match bytes.int_in_range(0..=7)? {
        0 => bytes.arbitrary(),
        1 => Ok(u32::MAX),
        2 => bytes.int_in_range(1_000..=1_025),
        _ => bytes.int_in_range(0..=40),
    }
}

fn any_rate(bytes: &mut Unstructured<'_>) -> Result<f64> {
    match bytes.int_in_range(0..=7)? {
        0 => bytes.arbitrary(),
        1 => Ok(f64::NAN),
        2 => Ok(f64::INFINITY),
        3 => Ok(5e-7),
        _ => rate(bytes),
    }
}

pub(crate) fn input(bytes: &mut Unstructured<'_>) -> Result<Input> {
    Ok(Input {
        window: match bytes.int_in_range(0..=2)? {
            0 => AnyWindow::Count(any_count(bytes)?),
            1 => AnyWindow::Time(any_time(bytes)?),
            _ => AnyWindow::Consecutive(any_count(bytes)?),
        },
        buckets: maybe(bytes, any_count)?,
        failure_rate: maybe(bytes, any_rate)?,
        failure_count: maybe(bytes, any_count)?,
        consecutive_failures: maybe(bytes, any_count)?,
        slow_call: maybe(bytes, |b| Ok((any_time(b)?, any_rate(b)?)))?,
        min_calls: any_count(bytes)?,
        wait: any_time(bytes)?,
        growth: maybe(bytes, |b| Ok((b.arbitrary()?, any_time(b)?)))?,
        jitter: any_rate(bytes)?,
        rate_probes: bytes.arbitrary()?,
        places: any_count(bytes)?,
        probe_timeout: any_time(bytes)?,
        // Allowed numbers stay small: memory grows with them times the buckets.
        stripes: match bytes.int_in_range(0..=9)? {
            0 => 0,
            1 => bytes.int_in_range(1_025..=u32::MAX)?,
            small => small,
        },
    })
}
