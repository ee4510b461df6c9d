//! From bytes to a composition of layers and the steps that it takes.

use arbitrary::{Result, Unstructured};
use failfast::Outcome;

use crate::compose::{Answer, Breaks, Control, Retries, Settings, Step};

/// Longer scripts than there are attempts are not read to their end.
const MOST_ANSWERS: usize = 5;

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

fn retries(bytes: &mut Unstructured<'_>) -> Result<Retries> {
    let delay = bytes.int_in_range(1..=20)?;
    let least = bytes.int_in_range(0..=6)?;
    Ok(Retries {
        attempts: bytes.int_in_range(1..=4)?,
        delay,
        // The total time has room for the first wait, or the retry alone would be refused.
        total: maybe(bytes, |b| Ok(delay + least + b.int_in_range(1..=60)?))?,
        least,
        budget: maybe(bytes, |b| Ok((b.int_in_range(1..=1_000_000)?, b.int_in_range(1..=3)?)))?,
    })
}

fn breaks(bytes: &mut Unstructured<'_>) -> Result<Breaks> {
    Ok(Breaks {
        run: bytes.int_in_range(1..=4)?,
        wait: bytes.int_in_range(1..=60)?,
        probes: bytes.int_in_range(1..=3)?,
        lease: if bytes.arbitrary()? { 2_000 } else { bytes.int_in_range(1..=80)? },
    })
}

pub(crate) fn settings(bytes: &mut Unstructured<'_>) -> Result<Settings> {
    Ok(Settings {
        retry: maybe(bytes, retries)?,
        rate_limit: maybe(bytes, |b| Ok((b.int_in_range(1..=5)?, b.int_in_range(1..=20)?)))?,
        bulkhead: maybe(bytes, |b| b.int_in_range(1..=3))?,
        breaker: maybe(bytes, breaks)?,
        around: bytes.arbitrary()?,
        timeout: maybe(bytes, |b| b.int_in_range(1..=30))?,
    })
}

fn answer(bytes: &mut Unstructured<'_>) -> Result<Answer> {
    let outcome = *bytes.choose(&[Outcome::Success, Outcome::Failure, Outcome::Ignored])?;
    Ok(match bytes.int_in_range(0..=7)? {
        0 => Answer::Panic,
        1 | 2 => Answer::Value(outcome),
        _ => Answer::Error(outcome),
    })
}

pub(crate) fn step(bytes: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match bytes.int_in_range(0..=15)? {
        0 | 1 => Step::Others(bytes.int_in_range(0..=3)?),
        2 | 3 => Step::Wait(bytes.int_in_range(0..=70)?),
        4 => Step::Control(*bytes.choose(&[
            Control::Trip,
            Control::HalfOpen,
            Control::Reset,
            Control::ForceOpen,
            Control::Disable,
            Control::MetricsOnly,
        ])?),
        _ => {
            let deadline = maybe(bytes, |b| b.int_in_range(0..=60))?;
            let count = bytes.int_in_range(0..=MOST_ANSWERS)?;
            let mut script = Vec::with_capacity(count);
            for _ in 0..count {
                script.push((bytes.int_in_range(0..=35)?, answer(bytes)?));
            }
            Step::Call(deadline, script)
        }
    })
}
