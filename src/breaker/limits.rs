//! The settings as words, so that they can be replaced while calls go on.
//!
//! What must agree is in one word: the two rates (and the jitter, which is in parts per million as they are); the two numbers that a window's content is compared with; the three
//! numbers of half-open.

use crate::bits::Field;
use crate::breaker::rules::{
    Config, HalfOpenConfig, HalfOpenKind, Rules, WaitConfig, WindowConfig,
};
use crate::sync::{AtomicU64, Ordering};

const FAILURE_PPM: Field = Field::first(20);
const SLOW_PPM: Field = FAILURE_PPM.then(20);
const JITTER_PPM: Field = SLOW_PPM.then(20);

const MIN_CALLS: Field = Field::first(32);
const FAILURE_COUNT: Field = MIN_CALLS.then(32);

const PLACES: Field = Field::first(10);
const DECIDE_AT: Field = PLACES.then(10);
const BY_RATE: Field = DECIDE_AT.then(1);

/// What a permit remembers as its start when nothing needs the time.
pub(crate) const UNTIMED: u64 = u64::MAX;
/// What it remembers when only the bucket needs the time.
pub(crate) const BUCKETED: u64 = u64::MAX - 1;
/// What it remembers when nothing needs the time and the breaker keeps totals. In `Limits::start`: it keeps totals,
/// whatever needs the time.
pub(crate) const TALLIED: u64 = u64::MAX - 2;
/// In `Limits::start`: calls are timed, so permits remember the clock's reading.
pub(crate) const TIMED: u64 = 0;

/// In the order in which the paths need them: what a report reads comes first, beside the state word.
#[repr(C)]
pub(crate) struct Limits {
    /// What permits remember as their start: one of the constants above.
    start: AtomicU64,
    slow_limit_ns: AtomicU64,
    rates: AtomicU64,
    numbers: AtomicU64,
    run: AtomicU64,
    half_open: AtomicU64,
    lease_ns: AtomicU64,
    wait_initial_ns: AtomicU64,
    wait_factor: AtomicU64,
    wait_max_ns: AtomicU64,
    wait_seed: AtomicU64,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let Config { window, rules, half_open, wait, lease_ns, .. } = config;
        let by_rate = half_open.kind == HalfOpenKind::Rate;
        let start = match (rules.slow_limit_ns, window) {
            (u64::MAX, WindowConfig::Time { .. }) => BUCKETED,
            (u64::MAX, _) => UNTIMED,
            _ => TIMED,
        };
        Limits {
            start: AtomicU64::new(start),
            slow_limit_ns: AtomicU64::new(rules.slow_limit_ns),
            rates: AtomicU64::new(
                FAILURE_PPM.put(rules.failure_ppm.into())
                    | SLOW_PPM.put(rules.slow_ppm.into())
                    | JITTER_PPM.put(wait.jitter_ppm.into()),
            ),
            numbers: AtomicU64::new(
                MIN_CALLS.put(rules.min_calls.into())
                    | FAILURE_COUNT.put(rules.failure_count.into()),
            ),
            run: AtomicU64::new(rules.run.into()),
            half_open: AtomicU64::new(
                PLACES.put(half_open.places.into())
                    | DECIDE_AT.put(half_open.decide_at.into())
                    | BY_RATE.put(by_rate.into()),
            ),
            lease_ns: AtomicU64::new(*lease_ns),
            wait_initial_ns: AtomicU64::new(wait.initial_ns),
            wait_factor: AtomicU64::new(wait.factor.to_bits()),
            wait_max_ns: AtomicU64::new(wait.max_ns),
            wait_seed: AtomicU64::new(wait.seed),
        }
    }

    /// What a permit remembers as its start; `TIMED` stands for the clock's reading.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    /// Lets permits know that they are counted; only before the breaker is shared.
    pub(crate) fn keep_totals(&self) {
        self.start.store(TALLIED, Ordering::Relaxed);
    }

    /// The limit beyond which a call is slow, if there is one.
    #[inline]
    pub(crate) fn slow_limit_ns(&self) -> Option<u64> {
        match self.slow_limit_ns.load(Ordering::Relaxed) {
            u64::MAX => None,
            limit => Some(limit),
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        let rates = self.rates.load(Ordering::Relaxed);
        let numbers = self.numbers.load(Ordering::Relaxed);
        Rules {
            failure_ppm: FAILURE_PPM.get(rates) as u32,
            slow_ppm: SLOW_PPM.get(rates) as u32,
            slow_limit_ns: self.slow_limit_ns.load(Ordering::Relaxed),
            failure_count: FAILURE_COUNT.get(numbers) as u32,
            run: self.run.load(Ordering::Relaxed) as u32,
            min_calls: MIN_CALLS.get(numbers) as u32,
        }
    }

    pub(crate) fn half_open(&self) -> HalfOpenConfig {
        let word = self.half_open.load(Ordering::Relaxed);
        HalfOpenConfig {
            kind: match BY_RATE.get(word) {
                0 => HalfOpenKind::Probes,
                _ => HalfOpenKind::Rate,
            },
            places: PLACES.get(word) as u32,
            decide_at: DECIDE_AT.get(word) as u32,
        }
    }

    pub(crate) fn lease_ns(&self) -> u64 {
        self.lease_ns.load(Ordering::Relaxed)
    }

    /// The wait of open period `attempt`, which is generation `generation`, in nanoseconds.
    pub(crate) fn wait_ns(&self, attempt: u32, generation: u64) -> u64 {
        let wait = WaitConfig {
            initial_ns: self.wait_initial_ns.load(Ordering::Relaxed),
            factor: f64::from_bits(self.wait_factor.load(Ordering::Relaxed)),
            max_ns: self.wait_max_ns.load(Ordering::Relaxed),
            jitter_ppm: JITTER_PPM.get(self.rates.load(Ordering::Relaxed)) as u32,
            seed: self.wait_seed.load(Ordering::Relaxed),
        };
        wait.nanos(attempt, generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;
    use crate::breaker::rules::PPM;

    #[test]
    fn settings_come_back_from_their_words() {
        let config = Config {
            window: WindowConfig::Consecutive,
            rules: Rules {
                failure_ppm: 1_000_000,
                slow_ppm: 999_999,
                slow_limit_ns: 5,
                failure_count: u32::MAX,
                run: u32::MAX - 1,
                min_calls: u32::MAX - 2,
            },
            half_open: HalfOpenConfig { kind: HalfOpenKind::Rate, places: 1_000, decide_at: 999 },
            wait: WaitConfig { initial_ns: 7, factor: 1.5, max_ns: 9, jitter_ppm: 0, seed: 3 },
            lease_ns: 11,
            stripes: 1,
        };
        let limits = Limits::new(&config);
        assert_eq!(limits.rules(), config.rules);
        assert_eq!(limits.half_open(), config.half_open);
        assert_eq!((limits.lease_ns(), limits.slow_limit_ns()), (11, Some(5)));
        assert_eq!([1, 2].map(|attempt| limits.wait_ns(attempt, 0)), [7, 9]);
    }

    const JITTERED: WaitConfig = WaitConfig {
        initial_ns: 1_000,
        factor: 2.0,
        max_ns: u64::MAX,
        jitter_ppm: 999_999,
        seed: 5,
    };

    #[test]
    fn permits_remember_only_what_the_settings_need() {
        let limits = |window, slow_limit_ns| {
            Limits::new(&Config {
                window,
                rules: Rules { slow_limit_ns, ..Rules::default() },
                half_open: HalfOpenConfig { kind: HalfOpenKind::Probes, places: 3, decide_at: 3 },
                wait: JITTERED,
                lease_ns: 1,
                stripes: 1,
            })
        };
        let time = WindowConfig::Time { length_ns: 10, buckets: 2 };
        for untimed in [WindowConfig::Consecutive, WindowConfig::Count { size: 9 }] {
            let limits = limits(untimed, u64::MAX);
            assert_eq!((limits.start(), limits.slow_limit_ns()), (UNTIMED, None));
        }
        assert_eq!(limits(time, u64::MAX).start(), BUCKETED);
        for window in [time, WindowConfig::Consecutive] {
            let limits = limits(window, 7);
            assert_eq!((limits.start(), limits.slow_limit_ns()), (TIMED, Some(7)));
            assert_eq!(limits.half_open().kind, HalfOpenKind::Probes);
            assert_eq!(limits.wait_ns(3, 8), JITTERED.nanos(3, 8));
        }
        const { assert!(UNTIMED != BUCKETED && BUCKETED != TALLIED && TALLIED != TIMED) };
    }

    #[test]
    fn the_packing_of_the_settings_is_proved_for_all_values() {
        prove(&[FAILURE_PPM, SLOW_PPM, JITTER_PPM], 4);
        prove(&[MIN_CALLS, FAILURE_COUNT], 0);
        prove(&[PLACES, DECIDE_AT, BY_RATE], 43);
        // The largest values that `build` lets through are not cut off.
        assert!([FAILURE_PPM, SLOW_PPM, JITTER_PPM].iter().all(|field| field.max() >= PPM));
        assert!([PLACES, DECIDE_AT].iter().all(|field| field.max() >= 1_000));
        assert!([MIN_CALLS, FAILURE_COUNT].iter().all(|field| field.max() == u32::MAX.into()));
    }
}
