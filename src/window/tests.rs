//! The window, one outcome after another, against the list of outcomes that it stands for.
//!
//! The property tests of `tests/it` ask the same of the whole breaker. These ask the window alone, of every kind, with
//! any mixture of threads with and without a stripe, and demand the cause of every verdict.

use super::*;
use crate::phase::State;

/// Numbers without a pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's multiplier and increment for 64 bits; the high bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

/// All outcomes of a generation, with their instants, oldest first.
struct List {
    window: WindowConfig,
    outcomes: Vec<(u64, Kind)>,
}

impl List {
    fn counts(&self, now: u64) -> Counts {
        let skipped = match self.window {
            WindowConfig::Count { size } => self.outcomes.len().saturating_sub(size as usize),
            WindowConfig::Time { .. } => 0,
            WindowConfig::Consecutive => return Counts::default(),
        };
        let inside = |at: u64| match self.window {
            WindowConfig::Time { length_ns, buckets } => {
                let number = |at: u64| at * u64::from(buckets) / length_ns;
                number(now) - number(at) < buckets.into()
            }
            _ => true,
        };
        let mut counts = Counts::default();
        for (at, kind) in &self.outcomes[skipped..] {
            if inside(*at) {
                counts.calls += 1;
                counts.failures += u64::from(kind.failed());
                counts.slow += u64::from(kind.slow());
                counts.slow_failures += u64::from(kind.failed() && kind.slow());
            }
        }
        counts
    }

    fn run(&self) -> u64 {
        self.outcomes.iter().rev().take_while(|(_, kind)| kind.failed()).count() as u64
    }

    /// What the contract says of the latest outcome.
    fn judge(&self, now: u64, rules: &Rules) -> Option<TransitionCause> {
        let Counts { calls, failures, slow: slow_calls, .. } = self.counts(now);
        let reached = |ppm: u32, part: u64| {
            ppm > 0 && calls >= rules.min_calls.into() && part * 1_000_000 >= u64::from(ppm) * calls
        };
        let run = self.run();
        if reached(rules.failure_ppm, failures) {
            Some(TransitionCause::FailureRate { failures, calls })
        } else if reached(rules.slow_ppm, slow_calls) {
            Some(TransitionCause::SlowRate { slow_calls, calls })
        } else if rules.failure_count > 0 && failures >= rules.failure_count.into() {
            Some(TransitionCause::FailureCount { failures })
        } else if rules.run > 0 && run >= rules.run.into() {
            Some(TransitionCause::ConsecutiveFailures { failures: run })
        } else {
            None
        }
    }
}

/// A window and its list, driven together.
struct Twins {
    window: Window,
    list: List,
    rules: Rules,
    name: Word,
    now: u64,
}

impl Twins {
    fn new(config: WindowConfig, rules: Rules, stripes: usize) -> Self {
        Twins {
            window: Window::new(config, &rules, stripes),
            list: List { window: config, outcomes: Vec::new() },
            rules,
            name: Word::START,
            now: 0,
        }
    }

    fn begin(&mut self, state: State) {
        let generation = self.name.named_generation();
        self.window.prepare(generation, self.window.next_ticket(), &|| true);
        self.name = Word::name(state, generation + 1);
        self.list.outcomes.clear();
    }

    /// Records an outcome as the engine does, and says what tripped.
    fn record(&mut self, seat: usize, kind: Kind) -> Option<TransitionCause> {
        let Twins { window, list, rules, name, now } = self;
        let judging =
            if name.state() == State::Closed { Judging::Judge } else { Judging::CountOnly };
        list.outcomes.push((*now, kind));
        let expected = match judging {
            Judging::Judge => list.judge(*now, rules),
            Judging::CountOnly => None,
        };
        let context = || format!("{:?} {rules:?} {:?}", list.window, list.outcomes);
        let warm = kind == Kind::Plain
            && if window.is_timed() {
                window.count_warm(seat, *name, *now)
            } else {
                window.count_untimed(seat, *name)
            };
        if warm {
            assert_eq!(expected, None, "counted without a look: {}", context());
        } else {
            let record = Record {
                seat,
                name: *name,
                now: *now,
                kind,
                rules,
                judging,
                still_current: &|| true,
            };
            let verdict = window.record(&record).expect("the generation is not over");
            assert_eq!(verdict.cause, expected, "{}", context());
            window.settle(seat, *name, &verdict);
        }
        assert_eq!(window.counts(*name, *now), list.counts(*now), "{}", context());
        if rules.run > 0 {
            assert_eq!(window.run(*name), list.run(), "{}", context());
        }
        expected
    }
}

fn any_rules(numbers: &mut Numbers, window: WindowConfig) -> Rules {
    let size = match window {
        WindowConfig::Count { size } => size,
        _ => 12,
    };
    let upto = |numbers: &mut Numbers, most: u32| 1 + numbers.below(most.into()) as u32;
    let rates = [0, 0, 1, 100_000, 333_333, 400_000, 500_000, 750_000, 1_000_000];
    let often_off = |numbers: &mut Numbers, most: u32| match numbers.below(3) {
        0 => upto(numbers, most),
        _ => 0,
    };
    Rules {
        failure_ppm: numbers.one_of(&rates),
        slow_ppm: numbers.one_of(&rates),
        slow_limit_ns: 1,
        failure_count: often_off(numbers, size),
        run: often_off(numbers, 9),
        min_calls: upto(numbers, size),
    }
}

#[test]
fn the_window_says_what_the_list_of_its_outcomes_says() {
    let numbers = &mut Numbers(0);
    for case in 0..500_u64 {
        let window = match case % 4 {
            0 => WindowConfig::Count { size: 1 + numbers.below(6) as u32 },
            1 => WindowConfig::Count { size: 1 + numbers.below(60) as u32 },
            2 => {
                let buckets = 1 + numbers.below(8);
                let length_ns = buckets + numbers.below(60);
                WindowConfig::Time { length_ns, buckets: buckets as u32 }
            }
            _ => WindowConfig::Consecutive,
        };
        let mut rules = any_rules(numbers, window);
        if window == WindowConfig::Consecutive {
            rules.failure_count = 0;
            rules.run = rules.run.max(1);
        }
        let stripes = numbers.below(4) as usize;
        let mut twins = Twins::new(window, rules, stripes);
        for _ in 0..numbers.below(5) {
            twins.begin(State::Closed);
        }
        if numbers.below(4) == 0 {
            twins.begin(State::MetricsOnly);
        }
        // Anything, mostly healthy, healthy, without a slow call, and nothing but failures.
        let moods = [[1, 1, 1, 1], [1, 1, 1, 5], [1, 1, 1, 30], [1, 0, 0, 1], [30, 0, 1, 0]];
        let weights: [u64; 4] = numbers.one_of(&moods);
        for _ in 0..150 {
            let mut draw = numbers.below(weights.iter().sum());
            let kinds = [Kind::Failure, Kind::Slow, Kind::SlowFailure, Kind::Plain];
            let weighed = kinds.into_iter().zip(weights).find(|(_, weight)| {
                let found = draw < *weight;
                draw = draw.saturating_sub(*weight);
                found
            });
            let kind = weighed.map_or(Kind::Plain, |(kind, _)| kind);
            twins.now += numbers.one_of(&[0, 0, 0, 1, 2, 7]);
            let tripped = twins.record(numbers.below(4) as usize, kind).is_some();
            match numbers.below(if tripped { 2 } else { 200 }) {
                0 => twins.begin(State::Closed),
                1 => twins.begin(State::MetricsOnly),
                _ => {}
            }
        }
    }
}

#[test]
fn the_base_of_the_next_generation_is_noted_under_its_own_name() {
    let window = Window::new(WindowConfig::Consecutive, &Rules::default(), 1);
    for generation in 0..4 {
        for _ in 0..3 {
            window.marks.take_ticket();
        }
        let ticket = window.next_ticket();
        window.prepare(generation, ticket, &|| true);
        let base = |generation| window.marks.base(Word::name(State::Closed, generation));
        assert_eq!(base(generation + 1), ticket);
        assert!(base(generation) < ticket, "the one that ends is still being read");
    }
}

#[test]
fn time_windows_alone_need_the_time() {
    let is_timed = |config| Window::new(config, &Rules::default(), 1).is_timed();
    assert!(is_timed(WindowConfig::Time { length_ns: 9, buckets: 3 }));
    assert!(!is_timed(WindowConfig::Count { size: 9 }) && !is_timed(WindowConfig::Consecutive));
}

#[test]
fn the_heap_is_that_of_the_parts() {
    let run = Rules { run: 3, ..Rules::default() };
    let time = WindowConfig::Time { length_ns: 9, buckets: 3 };
    let buckets = Buckets::new(Grid::new(9, 3), 2).heap();
    for (config, rules, buckets, counting) in [
        (WindowConfig::Count { size: 100 }, run, 0, 2),
        (WindowConfig::Consecutive, run, 0, 2),
        (time, run, buckets, 2),
        (time, Rules::default(), buckets, 0),
    ] {
        let window = Window::new(config, &rules, 2);
        let rest = Stripes::new(counting).heap() + window.marks.heap();
        assert_eq!(window.heap(), buckets + rest);
    }
}

#[test]
fn an_outcome_that_its_bucket_has_counted_is_not_stale_though_its_run_comes_too_late() {
    let config = WindowConfig::Time { length_ns: 9, buckets: 3 };
    // Without a stripe of its own a thread asks again before each word that it shares.
    let record = |run, current_for: u32| {
        let rules = Rules { run, failure_count: 9, ..Rules::default() };
        let left = core::cell::Cell::new(current_for);
        let still_current = || left.replace(left.get().saturating_sub(1)) > 0;
        let record = Record {
            seat: 0,
            name: Word::START,
            now: 0,
            kind: Kind::Failure,
            rules: &rules,
            judging: Judging::Judge,
            still_current: &still_current,
        };
        Window::new(config, &rules, 0).record(&record).map(|verdict| verdict.cause)
    };
    let tripped = Some(TransitionCause::ConsecutiveFailures { failures: 1 });
    assert_eq!([0, 1, 9].map(|asked| record(1, asked)), [None, Some(None), Some(tripped)]);
    assert_eq!([0, 9].map(|asked| record(0, asked)), [None, Some(None)]);
}
