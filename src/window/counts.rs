//! What a window holds, as plain numbers, and what the rules say of it.

use crate::breaker::rules::{needed, reaches, Rules};
use crate::event::TransitionCause;

/// The kind of an outcome that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Failure,
    Slow,
    SlowFailure,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Plain, Kind::Failure, Kind::Slow, Kind::SlowFailure];

    pub(crate) const fn new(failed: bool, slow: bool) -> Self {
        match (failed, slow) {
            (false, false) => Kind::Plain,
            (true, false) => Kind::Failure,
            (false, true) => Kind::Slow,
            (true, true) => Kind::SlowFailure,
        }
    }

    pub(crate) const fn failed(self) -> bool {
        matches!(self, Kind::Failure | Kind::SlowFailure)
    }

    pub(crate) const fn slow(self) -> bool {
        matches!(self, Kind::Slow | Kind::SlowFailure)
    }

    /// A code of two bits; zero for the kind that leaves no mark.
    pub(crate) const fn code(self) -> u64 {
        self as u64
    }
}

/// The outcomes in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
    pub(crate) slow_failures: u64,
}

impl Counts {
    /// One more outcome of a kind; its call is counted too.
    pub(crate) fn add(&mut self, kind: Kind, times: u64) {
        self.calls += times;
        self.failures += if kind.failed() { times } else { 0 };
        self.slow += if kind.slow() { times } else { 0 };
        self.slow_failures += if kind == Kind::SlowFailure { times } else { 0 };
    }

    /// The rates' verdict, below no minimum.
    pub(crate) fn judge_rates(&self, rules: &Rules) -> Option<TransitionCause> {
        let Counts { calls, failures, slow, .. } = *self;
        if reaches(rules.failure_ppm.into(), failures, calls) {
            Some(TransitionCause::FailureRate { failures, calls })
        } else if reaches(rules.slow_ppm.into(), slow, calls) {
            Some(TransitionCause::SlowRate { slow_calls: slow, calls })
        } else {
            None
        }
    }

    /// The window's verdict: the rates from the minimum on, the failure count always.
    pub(crate) fn judge(&self, rules: &Rules) -> Option<TransitionCause> {
        let by_rate =
            if self.calls >= u64::from(rules.min_calls) { self.judge_rates(rules) } else { None };
        by_rate.or_else(|| self.judge_count(rules))
    }

    /// The failure count's verdict.
    pub(crate) fn judge_count(&self, rules: &Rules) -> Option<TransitionCause> {
        let limit = u64::from(rules.failure_count);
        (limit > 0 && self.failures >= limit)
            .then_some(TransitionCause::FailureCount { failures: self.failures })
    }

    /// How many more marked outcomes the window needs at least before any of its rules can trip; at least 1.
    pub(crate) fn marks_to_trip(&self, rules: &Rules) -> u64 {
        let calls = self.calls.max(rules.min_calls.into());
        let lacking = |ppm: u32, have: u64| match ppm {
            0 => u64::MAX,
            ppm => needed(ppm.into(), calls).saturating_sub(have),
        };
        let by_count = match rules.failure_count {
            0 => u64::MAX,
            limit => u64::from(limit).saturating_sub(self.failures),
        };
        lacking(rules.failure_ppm, self.failures)
            .min(lacking(rules.slow_ppm, self.slow))
            .min(by_count)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        failure_ppm: 500_000,
        slow_ppm: 800_000,
        slow_limit_ns: 1,
        failure_count: 7,
        run: 0,
        min_calls: 4,
    };

    fn counts(plain: u64, failed: u64, slow: u64, both: u64) -> Counts {
        let mut counts = Counts::default();
        for (kind, times) in Kind::ALL.into_iter().zip([plain, failed, slow, both]) {
            counts.add(kind, times);
        }
        counts
    }

    #[test]
    fn a_slow_failure_counts_in_both_rates() {
        let both = counts(1, 2, 3, 4);
        assert_eq!(both, Counts { calls: 10, failures: 6, slow: 7, slow_failures: 4 });
    }

    #[test]
    fn rates_wait_for_the_minimum_and_the_count_does_not() {
        assert_eq!(counts(0, 3, 0, 0).judge(&RULES), None);
        let cause = TransitionCause::FailureRate { failures: 4, calls: 4 };
        assert_eq!(counts(0, 4, 0, 0).judge(&RULES), Some(cause));
        let cause = TransitionCause::SlowRate { slow_calls: 4, calls: 5 };
        assert_eq!(counts(1, 0, 4, 0).judge(&RULES), Some(cause));
        let rules = Rules { min_calls: 100, ..RULES };
        let cause = TransitionCause::FailureCount { failures: 7 };
        assert_eq!(counts(0, 7, 0, 0).judge(&rules), Some(cause));
    }

    #[test]
    fn fewer_marks_than_promised_never_trip() {
        for plain in 0..12 {
            for failed in 0..6 {
                for slow in 0..6 {
                    let start = counts(plain, failed, slow, 0);
                    if start.judge(&RULES).is_some() {
                        continue;
                    }
                    let more = start.marks_to_trip(&RULES);
                    for marks in 1..more.min(8) {
                        for kind in [Kind::Failure, Kind::Slow, Kind::SlowFailure] {
                            let mut then = start;
                            then.add(kind, marks);
                            assert_eq!(then.judge(&RULES), None, "{start:?} + {marks} {kind:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn as_many_marks_as_promised_may_trip() {
        for (failure_ppm, slow_ppm, failure_count) in
            [(500_000, 0, 0), (0, 300_000, 0), (0, 0, 5), (600_000, 700_000, 9), (1, 1, 1)]
        {
            let rules = Rules { failure_ppm, slow_ppm, failure_count, ..RULES };
            for calls in 4..20 {
                for have in 0..calls {
                    // A full window: every mark that comes takes the place of a plain success.
                    let after = |marks| Counts {
                        calls,
                        failures: have + marks,
                        slow: have / 2 + marks,
                        slow_failures: 0,
                    };
                    if after(0).judge(&rules).is_none() {
                        let more = after(0).marks_to_trip(&rules);
                        assert_eq!(after(more - 1).judge(&rules), None);
                        assert!(after(more).judge(&rules).is_some(), "{calls} {have} {rules:?}");
                    }
                }
            }
        }
        let tripped = counts(0, 9, 0, 0);
        assert_eq!(tripped.marks_to_trip(&RULES), 1, "never none");
        let below = counts(1, 0, 0, 0);
        assert_eq!(below.marks_to_trip(&Rules { failure_count: 0, ..RULES }), 2, "of the minimum");
    }

    #[test]
    fn kinds_have_distinct_codes_of_two_bits() {
        for kind in Kind::ALL {
            assert!(kind.code() < 4);
            assert_eq!(kind, Kind::ALL[kind.code() as usize]);
            assert_eq!(kind, Kind::new(kind.failed(), kind.slow()));
        }
    }
}
