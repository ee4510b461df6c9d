//! Figures, times and causes in words, none longer than its place.

use std::time::Duration;

use failfast::TransitionCause;

/// A count in at most five columns: `9`, `9,876`, `12.3k`, `123k`, `1.23M`, up to `18.4E`.
pub(crate) fn count(value: u64) -> String {
    match value {
        0..=999 => value.to_string(),
        1_000..=9_999 => format!("{},{:03}", value / 1_000, value % 1_000),
        _ => {
            let (mut unit, mut letters) = (1_000_u64, "kMGTPE".chars());
            let mut letter = letters.next().unwrap_or_default();
            while value / unit >= 1_000 {
                unit *= 1_000;
                letter = letters.next().unwrap_or_default();
            }
            // Hundredths are cut, not rounded: a counter is never shown above what it is.
            let hundredths = u128::from(value) * 100 / u128::from(unit);
            match hundredths {
                0..=999 => format!("{}.{:02}{letter}", hundredths / 100, hundredths % 100),
                1_000..=9_999 => format!("{}.{}{letter}", hundredths / 100, hundredths % 100 / 10),
                _ => format!("{}{letter}", hundredths / 100),
            }
        }
    }
}

/// A rate a second in at most five columns, with a decimal below a thousand.
pub(crate) fn per_second(rate: f64) -> String {
    if rate.is_finite() && rate >= 999.95 {
        count(rate.round() as u64)
    } else {
        format!("{:.1}", if rate.is_finite() { rate.max(0.0) } else { 0.0 })
    }
}

/// A share in whole per cent: 0 and 100 are only said where they are exact.
pub(crate) fn percent(share: f64) -> u32 {
    let share = share.clamp(0.0, 1.0);
    match (share * 100.0).round() as u32 {
        0 if share > 0.0 => 1,
        100 if share < 1.0 => 99,
        percent => percent,
    }
}

/// How long something has lasted, or when it was: `0:42`, `12:05`, `1:02:03`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        1..=99 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{}d", count(hours / 24)),
    }
}

/// When something was, to the tenth of a second: `0:42.1`.
pub(crate) fn instant(time: Duration) -> String {
    format!("{}.{}", clock(time), time.subsec_millis() / 100)
}

/// What is left of a wait: tenths below a hundred seconds. Rounded up, so that a wait not yet over never reads 0.
pub(crate) fn left(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    if tenths < 1_000 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        clock(time)
    }
}

/// The whole of a wait: to the nearest tenth, since a breaker's instants have ticks of their own.
pub(crate) fn whole(time: Duration) -> String {
    left(time.saturating_sub(Duration::from_millis(50)))
}

/// A limit such as `150 ms` or `2 s`.
pub(crate) fn limit(time: Duration) -> String {
    let nanos = time.as_nanos();
    let [second, milli, micro] = [1_000_000_000, 1_000_000, 1_000];
    match nanos {
        n if n >= 60 * second => clock(time),
        n if n >= second && n % second == 0 => format!("{} s", n / second),
        n if n >= second => format!("{:.1} s", time.as_secs_f64()),
        n if n >= milli => format!("{} ms", n / milli),
        n if n >= micro => format!("{} us", n / micro),
        n => format!("{n} ns"),
    }
}

/// Why a breaker changed its state.
pub(crate) fn cause(cause: &TransitionCause) -> String {
    match *cause {
        TransitionCause::FailureRate { failures, calls } => {
            format!("{} of {} calls failed", count(failures), count(calls))
        }
        TransitionCause::SlowRate { slow_calls, calls } => {
            format!("{} of {} calls were slow", count(slow_calls), count(calls))
        }
        TransitionCause::FailureCount { failures } => counted(failures, "failure", "failures"),
        TransitionCause::ConsecutiveFailures { failures } => {
            format!("{} in a row", counted(failures, "failure", "failures"))
        }
        TransitionCause::OpenTimeOver => "the open time is over".into(),
        TransitionCause::ProbeFailed => "a probe failed".into(),
        TransitionCause::ProbeSlow => "a probe was slow".into(),
        TransitionCause::ProbesSucceeded { calls, failures: 0 } => {
            format!("{} succeeded", counted(calls, "probe", "probes"))
        }
        TransitionCause::ProbesSucceeded { calls, failures } => {
            format!("{} of {} probes failed", count(failures), count(calls))
        }
        TransitionCause::ProbesLost { outstanding } => {
            format!("{} never reported", counted(outstanding, "probe", "probes"))
        }
        TransitionCause::Control => "by hand".into(),
        TransitionCause::Reconfigured => "new settings".into(),
        // A cause that came with a later version has a name at least.
        ref other => other.name().replace('_', " "),
    }
}

/// `1 failure`, `3 failures`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}
