//! Faults on purpose: what is drawn, how often, and what it does to a call.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{CircuitBreaker, Fault, Faults, FaultsBuilder, State};
use proptest::prelude::*;

const NONE: Duration = Duration::ZERO;
const MS: Duration = Duration::from_millis(1);
const HANG: Duration = Duration::from_secs(30);

fn builder(seed: u64) -> FaultsBuilder {
    Faults::builder().seed(seed).delays(0.0, MS..=9 * MS).hangs(0.0, HANG)
}

fn faults(seed: u64, rates: [f64; 3]) -> Faults {
    let faults = builder(seed).build().unwrap();
    set(&faults, rates);
    faults
}

fn set<S>(faults: &Faults<S>, [errors, delays, hangs]: [f64; 3]) {
    faults.set_errors(errors).unwrap();
    faults.set_delays(delays).unwrap();
    faults.set_hangs(hangs).unwrap();
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let too_long = Duration::from_secs(400 * 24 * 60 * 60);
    for wrong in [-0.1, 1.000_1, 4e-7, f64::NAN, f64::INFINITY] {
        let given = wrong.to_string();
        for (refused, field) in [
            (Faults::builder().errors(wrong), "errors"),
            (Faults::builder().delays(wrong, MS..=MS), "delays"),
            (Faults::builder().hangs(wrong, MS), "hangs"),
        ] {
            let error = refused.build().unwrap_err();
            assert_eq!((error.field(), error.given()), (field, given.as_str()));
        }
        let running = faults(1, [0.5; 3]);
        for (refused, field) in [
            (running.set_errors(wrong), "errors"),
            (running.set_delays(wrong), "delays"),
            (running.set_hangs(wrong), "hangs"),
        ] {
            let error = refused.unwrap_err();
            assert_eq!((error.field(), error.given()), (field, given.as_str()));
        }
    }
    #[allow(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    for (times, given) in
        [(NONE..=NONE, "0ns"), (MS..=too_long, "34560000s"), (2 * MS..=MS, "2ms..=1ms")]
    {
        let error = Faults::builder().delays(0.1, times).build().unwrap_err();
        assert_eq!((error.field(), error.given()), ("delays", given));
    }
    for wrong in [NONE, too_long] {
        assert_eq!(Faults::builder().hangs(0.1, wrong).build().unwrap_err().field(), "hangs");
    }
    // A rate without a time.
    let plain = Faults::builder().build().unwrap();
    assert_eq!(plain.set_delays(0.1).unwrap_err().field(), "delays");
    assert_eq!(plain.set_hangs(0.1).unwrap_err().field(), "hangs");
    assert!(plain.set_delays(0.0).is_ok() && plain.set_hangs(0.0).is_ok());
}

#[test]
fn call_meets_what_is_drawn() {
    let clock = ManualClock::new();
    let faults = builder(3).delays(0.0, 5 * MS..=5 * MS).sleeper(clock.clone()).build().unwrap();
    for (rates, answer, took) in [
        ([0.0, 0.0, 0.0], Ok("made"), NONE),
        ([0.0, 1.0, 0.0], Ok("made"), 5 * MS),
        ([1.0, 0.0, 0.0], Err("injected"), NONE),
        ([1.0, 1.0, 0.0], Err("injected"), 5 * MS),
        ([0.0, 0.0, 1.0], Err("injected"), HANG),
        ([1.0, 1.0, 1.0], Err("injected"), HANG),
    ] {
        set(&faults, rates);
        let before = clock.now();
        let mut made = false;
        let got = faults.call(
            || "injected",
            || {
                made = true;
                assert_eq!(clock.now() - before, took, "a delay comes first");
                Ok("made")
            },
        );
        assert_eq!((got, clock.now() - before), (answer, took));
        assert_eq!(made, answer.is_ok(), "what fails is not called");
    }
    assert_eq!(faults.calls(), 6);
}

#[test]
fn drill_is_switched_on_and_off_while_calls_go_on() {
    let faults = faults(5, [0.0; 3]);
    let breaker = CircuitBreaker::builder().consecutive_failures(3).build().unwrap();
    let ask = || breaker.call(|| faults.call(|| "injected", || Ok(())));
    assert!((0..100).all(|_| ask().is_ok()));
    faults.set_errors(1.0).unwrap();
    assert!((0..10).all(|_| ask().is_err()));
    assert_eq!((breaker.state(), faults.calls()), (State::Open, 103));
    faults.heal();
    breaker.reset();
    assert!((0..100).all(|_| ask().is_ok()));
}

#[test]
fn threads_draw_each_number_once() {
    const CALLS: usize = 8_000;
    let alone = faults(9, [0.3, 0.2, 0.1]);
    let mut due: Vec<String> = (0..CALLS).map(|_| format!("{:?}", alone.draw())).collect();
    let shared = faults(9, [0.3, 0.2, 0.1]);
    let mut drawn: Vec<String> = thread::scope(|scope| {
        let draw = || (0..CALLS / 4).map(|_| format!("{:?}", shared.draw())).collect::<Vec<_>>();
        let drawers: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
        drawers.into_iter().flat_map(|drawer| drawer.join().unwrap()).collect()
    });
    due.sort();
    drawn.sort();
    assert!(due == drawn, "the faults are the same, whoever meets them");
}

#[test]
fn delays_reach_every_time_of_their_range() {
    let times = Duration::from_nanos(10)..=Duration::from_nanos(13);
    let faults = Faults::builder().seed(2).delays(1.0, times).build().unwrap();
    let mut counts = [0_u32; 4];
    for _ in 0..4_000 {
        counts[faults.draw().delay().unwrap().as_nanos() as usize - 10] += 1;
    }
    // Five standard deviations.
    assert!(counts.iter().all(|count| count.abs_diff(1_000) < 5 * 28), "{counts:?}");
}

#[test]
fn each_has_its_own_seed_unless_told() {
    let drawn = |faults: &Faults| (0..64).map(|_| faults.draw()).collect::<Vec<Fault>>();
    let own = || Faults::builder().errors(0.5).build().unwrap();
    assert_ne!(drawn(&own()), drawn(&own()));
    assert_eq!(drawn(&faults(4, [0.5; 3])), drawn(&faults(4, [0.5; 3])));
    assert_ne!(drawn(&faults(4, [0.5; 3])), drawn(&faults(5, [0.5; 3])));
}

#[test]
fn one_serves_all_threads() {
    fn shared<T: Send + Sync + UnwindSafe + RefUnwindSafe>(_: &T) {}
    shared(&faults(1, [0.0; 3]));
}

// ===== the plain twin =====

/// SplitMix64, as its authors give it, with a state that is set each time.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn number(word: &[u8; 8]) -> u64 {
    u64::from_be_bytes(*word)
}

/// What call `n` is to meet.
fn twin(seed: u64, n: u64, rates: [u64; 3]) -> (bool, Option<Duration>, Option<Duration>) {
    let hash = mix(seed ^ mix(n));
    let scaled = |hash: u64, to: u64| ((hash as u128 * to as u128) / (1 << 64)) as u64;
    let kinds = [hash, mix(hash ^ number(b"delayed\0")), mix(hash ^ number(b"hangs!\0\0"))];
    let met = [0, 1, 2].map(|kind| scaled(kinds[kind], 1_000_000) < rates[kind]);
    let late = 1_000_000 + scaled(mix(hash ^ number(b"how_long")), 8_000_001);
    (met[0], met[1].then(|| Duration::from_nanos(late)), met[2].then_some(HANG))
}

fn rates() -> impl Strategy<Value = [u64; 3]> {
    let rate = prop_oneof![Just(0), Just(1_000_000), 0..=1_000_000_u64];
    [rate.clone(), rate.clone(), rate]
}

proptest! {
    #[test]
    fn draws_what_the_plain_twin_does(
        seed: u64,
        drills in proptest::collection::vec((rates(), 0..40_u32), 1..8),
    ) {
        let faults = faults(seed, [0.0; 3]);
        for (rates, calls) in drills {
            set(&faults, rates.map(|millionths| millionths as f64 / 1e6));
            for _ in 0..calls {
                let due = twin(seed, faults.calls(), rates);
                let fault = faults.draw();
                prop_assert_eq!((fault.is_error(), fault.delay(), fault.hang()), due);
                prop_assert_eq!(fault.is_failure(), due.0 || due.2.is_some());
            }
        }
    }

    /// Each within six standard deviations: one run of this in a million fails by chance. And so is each pair's product,
    /// for the kinds are independent.
    #[test]
    fn rates_are_right(seed: u64, rates in [0.0..=1.0_f64, 0.0..=1.0_f64, 0.0..=1.0_f64]) {
        const CALLS: f64 = 4_000.0;
        prop_assume!(rates.iter().all(|rate| *rate == 0.0 || *rate > 1e-6));
        let faults = faults(seed, rates);
        let mut counts = [0.0; 6];
        for _ in 0..CALLS as u32 {
            let fault = faults.draw();
            let met = [fault.is_error(), fault.delay().is_some(), fault.hang().is_some()];
            for kind in 0..3 {
                counts[kind] += f64::from(u8::from(met[kind]));
                counts[3 + kind] += f64::from(u8::from(met[kind] && met[(kind + 1) % 3]));
            }
        }
        for (kind, count) in counts.into_iter().enumerate() {
            let rate =
                if kind < 3 { rates[kind] } else { rates[kind - 3] * rates[(kind + 1) % 3] };
            let off = (count - CALLS * rate).abs();
            // A few more, for where the rate is so small that its law has a longer tail than the normal one.
            let allowed = 6.0 * (CALLS * rate * (1.0 - rate)).sqrt() + 6.0;
            prop_assert!(off <= allowed, "kind {kind}: {count} of {CALLS} at {rate}");
        }
    }

    #[test]
    fn raised_rate_adds_faults_and_moves_none(
        seed: u64,
        low in 0.0..=1.0_f64,
        more in 0.0..=1.0_f64,
        others in [0.0..=1.0_f64, 0.0..=1.0_f64],
    ) {
        let rate = |rate: f64| (rate * 1e6).round() / 1e6;
        let (low, high) = (rate(low), rate(low + (1.0 - low) * more));
        let others = others.map(rate);
        let (before, after) = (faults(seed, [low, 0.5, 0.5]), faults(seed, [high, others[0], 0.5]));
        for _ in 0..200 {
            let (before, after) = (before.draw(), after.draw());
            prop_assert!(!before.is_error() || after.is_error());
            prop_assert_eq!(before.hang(), after.hang());
        }
    }
}
