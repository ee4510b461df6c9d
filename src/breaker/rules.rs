//! The settings as the engine keeps them: validated, in integers, without clocks or closures.

/// Parts per million: the unit of every rate.
pub(crate) const PPM: u64 = 1_000_000;

/// A word about an instant that lies further ahead than this (and than it could by itself) says that the clock was wrong
/// when it was written: 2^46 ns, 19.5 hours. Above every step that clocks are known to make back by correction, below
/// what an operator would wait for.
pub(crate) const STEP_BACK_NS: u64 = 1 << 46;

/// The engine's instants, but for the very last one, run up to here: 36 years, the end of the deadlines' field.
const LAST_INSTANT: u64 = (1 << 60) - 1;

/// An instant of the clock in nanoseconds since a breaker was built, at `zero`.
///
/// A clock that steps back a little behind the build stands at zero until it has caught up. One that steps back further
/// than it may by correction was wrong at the build: then time runs on far ahead, so that nothing waits for the instant
/// of the build to come again. The last instant of the clock is the last of the engine: it is after every deadline.
#[inline]
pub(crate) fn since(zero: u64, now: u64) -> u64 {
    match now.checked_sub(zero) {
        _ if now == u64::MAX => u64::MAX,
        Some(since) => since,
        None if zero - now <= STEP_BACK_NS => 0,
        None => now.wrapping_sub(zero) & LAST_INSTANT,
    }
}

/// The instant of the clock that lies `earlier` after the build, as seen from a reading `now`.
pub(crate) fn back(zero: u64, now: u64, earlier: u64) -> u64 {
    if now >= zero {
        zero.saturating_add(earlier)
    } else {
        now.saturating_sub(since(zero, now).saturating_sub(earlier))
    }
}

/// Whether `part` of `whole` reaches a rate; a rate of zero is a rule that is off.
#[inline]
pub(crate) fn reaches(ppm: u64, part: u64, whole: u64) -> bool {
    ppm > 0 && u128::from(part) * u128::from(PPM) >= u128::from(ppm) * u128::from(whole)
}

/// The smallest `part` of `whole` that reaches a rate; for a `whole` of more than 2^44, which no count window has, one
/// that may be too small.
///
/// In 64 bits: the division by a constant is then a multiplication, where the wide one is a call.
#[inline]
pub(crate) fn needed(ppm: u64, whole: u64) -> u64 {
    ppm.saturating_mul(whole).div_ceil(PPM)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfOpenKind {
    Probes,
    Rate,
}

/// Validated settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) window: WindowConfig,
    pub(crate) rules: Rules,
    /// The minimum of calls as it was given; the rules have the one in use.
    pub(crate) min_calls: u32,
    pub(crate) half_open: HalfOpenConfig,
    pub(crate) wait: WaitConfig,
    /// The probe lease, in nanoseconds.
    pub(crate) lease_ns: u64,
    /// Number of single-writer stripes.
    pub(crate) stripes: u32,
}

/// The window, in the engine's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowConfig {
    Count { size: u32 },
    Time { length_ns: u64, buckets: u32 },
    Consecutive,
}

/// What trips a closed breaker. A zero stands for a rule that is off; none can be set to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Failure rate in parts per million.
    pub(crate) failure_ppm: u32,
    /// Slow rate in parts per million.
    pub(crate) slow_ppm: u32,
    /// A call is slow if it takes longer than this many nanoseconds; `u64::MAX` when the rule is off.
    pub(crate) slow_limit_ns: u64,
    /// Failures in the window.
    pub(crate) failure_count: u32,
    /// Consecutive failures, by the rule or by the window.
    pub(crate) run: u32,
    /// Calls in the window below which the rates do not judge: clamped to a count window.
    pub(crate) min_calls: u32,
}

impl Rules {
    /// Whether any rate judges.
    pub(crate) fn has_rate(&self) -> bool {
        self.failure_ppm > 0 || self.slow_ppm > 0
    }
}

/// Half-open, in the engine's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HalfOpenConfig {
    pub(crate) kind: HalfOpenKind,
    pub(crate) places: u32,
    /// Outcomes that decide: all places for probes; the smaller of `min_calls`, as configured, and places for a rate.
    pub(crate) decide_at: u32,
}

/// The open wait, in the engine's units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WaitConfig {
    pub(crate) initial_ns: u64,
    /// 1.0 for a fixed wait.
    pub(crate) factor: f64,
    /// `u64::MAX` for a fixed wait.
    pub(crate) max_ns: u64,
    /// The jitter ratio in parts per million.
    pub(crate) jitter_ppm: u32,
    pub(crate) seed: u64,
}

impl WaitConfig {
    /// The longest wait that this may ask for, in nanoseconds.
    pub(crate) fn longest_ns(&self) -> u64 {
        if self.max_ns < u64::MAX {
            return self.max_ns;
        }
        let jitter = u128::from(self.initial_ns) * u128::from(self.jitter_ppm) / u128::from(PPM);
        self.initial_ns.saturating_add(u64::try_from(jitter).unwrap_or(u64::MAX))
    }

    /// The wait of open period `attempt` (from 1) whose generation is `generation`, in nanoseconds.
    ///
    /// The jitter is a pure function of seed and generation, so that a reader who must know the deadline of an open
    /// period that nobody has committed yet computes the same one as the thread that will commit it.
    pub(crate) fn nanos(&self, attempt: u32, generation: u64) -> u64 {
        let grown = match attempt {
            0 | 1 => self.initial_ns,
            _ => {
                let steps = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
                // Floats saturate on the way up and `as` saturates on the way back: never a panic, never a wrap. Rounded
                // up, so that the wait is not shorter than asked for.
                let grown = (self.initial_ns as f64 * self.factor.powi(steps)).ceil() as u64;
                grown.max(self.initial_ns)
            }
        };
        if self.jitter_ppm == 0 {
            return grown.min(self.max_ns);
        }
        // A draw from -jitter to +jitter, and that much of the wait: rounded down, so that it stays within the ratio.
        let jitter = u64::from(self.jitter_ppm);
        let draw = split_mix(self.seed ^ split_mix(generation)) % (2 * jitter + 1);
        let part = u128::from(grown) * u128::from(draw.abs_diff(jitter)) / u128::from(PPM);
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        let jittered = if draw < jitter { grown - part } else { grown.saturating_add(part) };
        // The cut comes last.
        jittered.clamp(1, self.max_ns)
    }
}

/// Steele, Lea and Flood's SplitMix64 finaliser (OOPSLA 2014): a bijection that scatters neighbouring inputs.
pub(crate) fn split_mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn two_failures_of_five_reach_forty_percent() {
        assert!(reaches(400_000, 2, 5));
        assert!(!reaches(400_001, 2, 5));
        assert!(!reaches(0, 5, 5), "a rule that is off is never reached");
        assert!(reaches(PPM, u64::MAX, u64::MAX), "no overflow");
    }

    #[test]
    fn what_is_needed_is_the_least_that_reaches() {
        for ppm in [1, 333_333, 500_000, 999_999, PPM] {
            for whole in [1, 2, 3, 10, 99, 100, 1_048_576] {
                let least = needed(ppm, whole);
                assert!(reaches(ppm, least, whole));
                assert!(least == 0 || !reaches(ppm, least - 1, whole));
            }
        }
    }

    #[test]
    fn a_rate_is_a_rule_that_judges() {
        for (failure_ppm, slow_ppm) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let rules = Rules { failure_ppm, slow_ppm, failure_count: 1, ..Rules::default() };
            assert_eq!(rules.has_rate(), failure_ppm + slow_ppm > 0);
        }
    }

    #[test]
    fn instants_count_from_the_build_and_survive_a_clock_that_steps_back() {
        let zero = 1 << 50;
        let far = STEP_BACK_NS;
        assert_eq!(far, 70_368_744_177_664, "19.5 hours");
        for (now, instant) in [
            (zero, 0),
            (zero + 5, 5),
            (zero - 1, 0),
            (zero - far, 0),
            // Wrong at the build: time runs on far ahead, by the same steps.
            (zero - far - 1, (1 << 60) - far - 1),
            (zero - far - 3, (1 << 60) - far - 3),
            (u64::MAX - 1, u64::MAX - 1 - zero),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(since(zero, now), instant, "{now}");
        }
        assert_eq!(since(u64::MAX - 1, 0), 2, "as far ahead as the field goes round");
        assert_eq!(since(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(since(0, 77), 77);
    }

    #[test]
    fn an_instant_of_the_past_is_told_in_the_clocks_own_time() {
        let zero = 1 << 50;
        assert_eq!(back(zero, zero, 0), zero);
        assert_eq!(back(zero, zero + 9, 5), zero + 5);
        assert_eq!(back(zero, zero + 9, u64::MAX), u64::MAX);
        // The clock stands before the build: as long ago as the instants say.
        let now = zero - STEP_BACK_NS - 100;
        assert_eq!(back(zero, now, since(zero, now) - 30), now - 30);
        assert_eq!(back(zero, zero - 7, 0), zero - 7);
    }

    #[test]
    fn draws_are_those_of_split_mix_64() {
        // The first outputs of the published generator for these seeds.
        assert_eq!(split_mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn every_draw_of_the_jitter_comes_up_for_every_seed() {
        for jitter_ppm in [1, 3] {
            for seed in [0, u64::MAX] {
                let wait =
                    WaitConfig { initial_ns: PPM, factor: 1.0, max_ns: u64::MAX, jitter_ppm, seed };
                let jitter = u64::from(jitter_ppm);
                // In the order of the draws: from the shortest wait to the longest.
                let drawn = |g| PPM - jitter + split_mix(seed ^ split_mix(g)) % (2 * jitter + 1);
                assert!((0..200).all(|g| wait.nanos(1, g) == drawn(g)));
                let draws: BTreeSet<u64> = (0..200).map(|g| wait.nanos(1, g)).collect();
                assert!(draws.into_iter().eq(PPM - jitter..=PPM + jitter));
            }
        }
    }

    #[test]
    fn waits_are_exact_where_floats_are_not() {
        let initial_ns = (1 << 53) + 3;
        let wait = |factor, jitter_ppm| WaitConfig {
            initial_ns,
            factor,
            max_ns: u64::MAX,
            jitter_ppm,
            seed: 0,
        };
        assert_eq!([0, 1].map(|attempt| wait(2.0, 0).nanos(attempt, 0)), [initial_ns; 2]);
        assert!(wait(1.0, 0).nanos(2, 0) >= initial_ns);
        // At both ends of the range nothing overflows, and no wait is zero.
        let end = WaitConfig { initial_ns: u64::MAX, ..wait(1.0, 999_999) };
        assert!((0..100).any(|generation| end.nanos(1, generation) == u64::MAX));
        let least = WaitConfig { initial_ns: 1, ..wait(1.0, 999_999) };
        assert!((0..100).all(|generation| least.nanos(1, generation) == 1));
    }

    #[test]
    fn waits_grow_to_the_max_and_jitter_stays_within_its_ratio() {
        let wait = |factor, jitter_ppm| WaitConfig {
            initial_ns: 1_000,
            factor,
            max_ns: 5_000,
            jitter_ppm,
            seed: 7,
        };
        let doubling: Vec<u64> = (1..=5).map(|attempt| wait(2.0, 0).nanos(attempt, 0)).collect();
        assert_eq!(doubling, [1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(wait(1e300, 0).nanos(u32::MAX, 0), 5_000, "beyond every float");
        let cut: Vec<u64> = (0..100).map(|g| wait(2.0, 200_000).nanos(9, g)).collect();
        assert!(
            cut.iter().all(|ns| *ns == 5_000),
            "256 times the initial wait, shortened, is still above the max"
        );
        let drawn: Vec<u64> = (0..1_000).map(|g| wait(1.0, 200_000).nanos(1, g)).collect();
        assert!(drawn.iter().all(|ns| (800..=1_200).contains(ns)));
        assert!(drawn.iter().any(|ns| *ns < 850) && drawn.iter().any(|ns| *ns > 1_150));
        assert_eq!(
            drawn[3],
            wait(1.0, 200_000).nanos(1, 3),
            "a pure function of seed and generation"
        );
    }
}
