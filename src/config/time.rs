//! Times as people write them: `30s`, `250ms`, `1m 30s`, `1.5s`.
//!
//! Written here and not left to humantime: that one panics on some sums beyond the largest time, reads `5M` as five
//! months, and writes months, which have no length that people agree on.

use core::time::Duration;

/// The units and their nanoseconds, largest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The time in its largest units: `1m 30s`.
pub(crate) fn format(time: Duration) -> String {
    let mut rest = time.as_nanos();
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() {
        return "0s".to_owned();
    }
    parts.join(" ")
}

/// The time that the text says; `None` if it says none, or one that is beyond a `Duration` or finer than a nanosecond.
///
/// Numbers with units, each unit shorter than the one before; only then is `1m 30m` seen for the slip that it is.
#[cfg(feature = "serde")]
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0_u128;
    let mut shortest = u128::MAX;
    while !rest.is_empty() || shortest == u128::MAX {
        let (whole, after) = split(rest, |c| c.is_ascii_digit());
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => match split(after, |c| c.is_ascii_digit()) {
                ("", _) => return None,
                (digits, after) => (digits, after),
            },
            None => ("", after),
        };
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        let unit = if unit == "µs" || unit == "μs" { "us" } else { unit };
        let (_, length) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        if length >= shortest {
            return None;
        }
        // No overflow: 64 bits of number, 47 of unit.
        total = total.checked_add(u128::from(whole.parse::<u64>().ok()?) * length)?;
        if !fraction.is_empty() {
            let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 18)?;
            let scaled = u128::from(fraction.parse::<u64>().ok()?) * length;
            let scale = 10_u128.pow(digits);
            if scaled % scale != 0 {
                return None;
            }
            total = total.checked_add(scaled / scale)?;
        }
        shortest = length;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (total % 1_000_000_000) as u32))
}

/// The leading characters that are such, and the rest.
#[cfg(feature = "serde")]
fn split(text: &str, such: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !such(c)).unwrap_or(text.len()))
}

/// What a time may look like, for people.
#[cfg(feature = "serde")]
pub(crate) const ALLOWED: &str =
    r#"a time with its unit (d, h, m, s, ms, us, ns), such as "250ms", "30s" or "1m 30s""#;

/// For `#[serde(with = "crate::config::time")]`.
#[cfg(feature = "serde")]
pub(crate) fn serialize<S: serde::Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*time))
}

/// For `#[serde(with = "crate::config::time")]`.
#[cfg(feature = "serde")]
pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    struct Visitor;

    impl serde::de::Visitor<'_> for Visitor {
        type Value = Duration;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str(ALLOWED)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
            let unexpected = serde::de::Unexpected::Str(text);
            parse(text).ok_or_else(|| E::invalid_value(unexpected, &self))
        }
    }

    deserializer.deserialize_str(Visitor)
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, nanos) in [
            ("30s", 30_000_000_000_u64),
            ("250ms", 250_000_000),
            ("1m 30s", 90_000_000_000),
            ("1m30s", 90_000_000_000),
            (" 2 h  5 ns ", 7_200_000_000_005),
            ("1.5s", 1_500_000_000),
            ("0.000000001s", 1),
            ("7us", 7_000),
            ("7μs", 7_000), // with a Greek letter
            ("7µs", 7_000), // with the sign
            ("366d", 31_622_400_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(parse("18446744073709551615s 999ms 999us 999ns"), Some(Duration::MAX));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "-5s",
            "+5s",
            "5 M",
            "5S",
            "1month",
            "1y",
            "1,5s",
            "1.s",
            ".5s",
            "1e3s",
            "0x10s",
            "0.5ns",
            "1m 30m",
            "30s 1m",
            "1s 1s",
            "5s and more",
            "5s 7",
            "٣s",
            "inf",
            "NaN",
            "18446744073709551616s",
            "18446744073709551615s 1000ms",
            "18446744073709551615d 18446744073709551615h",
            "0.0000000000000000000000000000000001s",
            "\0s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut seed = 1_u64;
        for bits in (0..=96).cycle().take(5_000) {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let nanos = (u128::from(seed) << 32) >> (96 - bits).min(95);
            let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
            let time = Duration::new(seconds, (nanos % 1_000_000_000) as u32);
            assert_eq!(parse(&format(time)), Some(time), "{}", format(time));
        }
        assert_eq!(parse(&format(Duration::MAX)), Some(Duration::MAX));
        assert_eq!(format(Duration::from_millis(90_250)), "1m 30s 250ms");
        assert_eq!(format(Duration::ZERO), "0s");
    }
}
