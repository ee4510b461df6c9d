//! The waits between attempts: their growth, their spread, their cap.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use failfast::{Again, Deadline, Jitter, Retry, RetryBuilder};
use proptest::prelude::*;

use super::{about, MS};

/// What such a retry waits for.
fn waits_of(builder: RetryBuilder) -> Vec<Duration> {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&waits);
    let retry = builder.sleeper(move |time| noted.lock().unwrap().push(time)).build().unwrap();
    let failed = retry.call(&Deadline::never(), |_| Again::Yes, |_| Err::<(), _>(()));
    assert!(failed.is_err());
    let waits = waits.lock().unwrap();
    waits.clone()
}

/// Settings within reason, and some beyond it.
fn settings() -> impl Strategy<Value = (u64, f32, u64)> {
    let time =
        prop_oneof![1..10_u64, 1_000..10_000_000_000_u64, Just(366 * 86_400 * 1_000_000_000)];
    let factor = prop_oneof![Just(1.0_f32), 1.0..4.0_f32, 1.0..1_000.0_f32];
    (time.clone(), factor, time).prop_map(|(a, factor, b)| (a.min(b), factor, a.max(b)))
}

fn builder((initial, factor, max): (u64, f32, u64)) -> RetryBuilder {
    Retry::builder()
        .attempts(12)
        .initial(Duration::from_nanos(initial))
        .factor(factor)
        .max_delay(Duration::from_nanos(max))
}

#[test]
fn delays_double_up_to_the_cap() {
    let waits = waits_of(
        Retry::builder().attempts(7).jitter(Jitter::None).initial(100 * MS).max_delay(1_000 * MS),
    );
    let expected = [100, 200, 400, 800, 1_000, 1_000].map(Duration::from_millis);
    assert_eq!(waits.len(), 6);
    assert!(waits.iter().zip(expected).all(|(wait, due)| about(*wait, due)), "{waits:?}");
    assert_eq!(waits[5], 1_000 * MS, "the cap is exact");
}

#[test]
fn seed_draws_the_same_waits_and_another_seed_others() {
    let waits = |seed| waits_of(Retry::builder().attempts(9).seed(seed));
    assert_eq!(waits(7), waits(7));
    assert_ne!(waits(7), waits(8));
    let own = || waits_of(Retry::builder().attempts(9));
    assert_ne!(own(), own(), "without a seed each call has its own");
}

#[test]
fn calls_that_fail_together_do_not_come_back_together() {
    for builder in [Retry::builder(), Retry::builder().seed(7)] {
        let waits = Mutex::new(Vec::new());
        let note = |time| waits.lock().unwrap().push(time);
        let retry = builder.attempts(2).sleeper(note).build().unwrap();
        for _ in 0..100 {
            let failed = retry.call(&Deadline::never(), |_| Again::Yes, |_| Err::<(), _>(()));
            assert!(failed.is_err());
        }
        drop(retry);
        let mut waits = waits.into_inner().unwrap();
        waits.sort();
        waits.dedup();
        assert_eq!(waits.len(), 100);
    }
}

#[test]
fn jitter_spreads_evenly_over_its_range() {
    const WAITS: u32 = 20_000;
    let delay = 1_000 * MS;
    for (jitter, shortest, longest) in [
        (Jitter::Full, 0, 1_000),
        (Jitter::Proportional(0.2), 800, 1_200),
        (Jitter::Proportional(1.0), 0, 1_500), // cut off at the cap
    ] {
        let builder = Retry::builder()
            .attempts(WAITS + 1)
            .initial(delay)
            .factor(1.0)
            .max_delay(1_500 * MS)
            .jitter(jitter);
        let waits = waits_of(builder.seed(11));
        let mut tenths = [0_u32; 10];
        for wait in &waits {
            let place =
                (wait.as_secs_f64() * 1e3 - f64::from(shortest)) / f64::from(longest - shortest);
            tenths[(place * 10.0).min(9.0) as usize] += 1;
        }
        // Waits of nothing are not slept for; there are hardly any. Each tenth within five standard deviations.
        assert!(waits.len() as u32 >= WAITS - 5);
        assert!(tenths.iter().all(|n| n.abs_diff(WAITS / 10) < 5 * 43), "{jitter:?}: {tenths:?}");
    }
}

proptest! {
    /// Beside the exact power in 64-bit floats.
    #[test]
    fn delays_grow_as_a_power_does(settings in settings()) {
        let (initial, factor, max) = settings;
        // Backon rounds to nanoseconds each time: short delays are far from the power, and not worth a comparison.
        prop_assume!(initial >= 1_000);
        let waits = waits_of(builder(settings).jitter(Jitter::None));
        prop_assert_eq!(waits.len(), 11);
        for (n, wait) in waits.iter().enumerate() {
            let exact = initial as f64 * f64::from(factor).powi(n as i32);
            let due = exact.min(max as f64);
            let off = (wait.as_nanos() as f64 - due).abs();
            prop_assert!(off <= due * 2e-3, "wait {n} is {wait:?}, not {due} ns");
        }
    }

    /// Whatever the settings and the draws, the highest and the lowest among them.
    #[test]
    fn cap_is_never_exceeded(
        settings in settings(),
        ratio in prop_oneof![Just(None), (1e-6..=1.0_f64).prop_map(Some)],
        draws in proptest::collection::vec(
            prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 11..12),
    ) {
        let (_, _, max) = settings;
        let plain = waits_of(builder(settings).jitter(Jitter::None));
        let left = Mutex::new(draws.clone().into_iter());
        let jitter = ratio.map_or(Jitter::Full, Jitter::Proportional);
        let waits = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&waits);
        let retry = builder(settings)
            .jitter(jitter)
            // A range of one value draws nothing.
            .random_source(move || left.lock().unwrap().next().unwrap())
            .sleeper(move |time: Duration| noted.lock().unwrap().push(time))
            .build()
            .unwrap();
        let failed = retry.call(&Deadline::never(), |_| Again::Yes, |_| Err::<(), _>(()));
        prop_assert_eq!(failed.unwrap_err().attempts(), 12);

        let waits = waits.lock().unwrap().clone();
        let mut draws = draws.into_iter();
        let mut due = Vec::new();
        for delay in plain {
            let delay = delay.as_nanos() as u64;
            prop_assert!(delay <= max);
            let part = match ratio {
                None => delay,
                Some(ratio) => (delay as u128 * (ratio * 1e6).round() as u128 / 1_000_000) as u64,
            };
            let longest = if ratio.is_some() { (delay + part).min(max) } else { delay };
            let span = longest - (delay - part);
            let draw = if span == 0 { 0 } else { draws.next().unwrap() };
            let more = (draw as u128 * (span as u128 + 1)) >> 64;
            let wait = delay - part + more as u64;
            prop_assert!(wait <= max && wait <= longest);
            prop_assert!(draw != u64::MAX || wait == longest, "the highest draw is the longest");
            due.extend((wait > 0).then(|| Duration::from_nanos(wait)));
        }
        prop_assert_eq!(waits, due);
    }
}
