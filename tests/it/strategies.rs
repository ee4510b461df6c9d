//! Random settings and random sequences of operations.
//!
//! Small numbers and the instants next to a bound are where a breaker errs, so most of the weight lies there.

use std::time::Duration;

use failfast::{HalfOpen, OpenWait, Outcome};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crew::Lane;
use crate::inputs::{AnyWindow, Input, DAY};
use crate::plan::{Kind, Move, Op, Part, Settings, Watch};
use crate::subject::{Control, Finish, Hold};

/// Deadlines are whole multiples of this: instants around it are where rounding shows.
const TICK_NS: u64 = 1 << 20;
const MS: u64 = 1_000_000;

/// Failing cases are printed, not written to files; `PROPTEST_CASES` sets the number of cases, times `scale`.
pub(crate) fn proptest_config(scale: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.saturating_mul(scale),
        failure_persistence: None,
        ..config
    }
}

// ===== settings =====

fn windows() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => (1..=5_u32).prop_map(Kind::Count),
        2 => (6..=70_u32).prop_map(Kind::Count),
        1 => Just(Kind::Count(128)),
        1 => Just(Kind::Time(Duration::from_nanos(7), 3)),
        2 => (1..=50_u64, 1..=12_u64)
            .prop_map(|(ns, b)| Kind::Time(Duration::from_nanos(ns), b.min(ns) as u32)),
        2 => (1..=20 * MS, 1..=17_u64)
            .prop_map(|(ns, b)| Kind::Time(Duration::from_nanos(ns), b.min(ns) as u32)),
        1 => (1..=10_u64, 1..=10_u32).prop_map(|(s, b)| Kind::Time(Duration::from_secs(s), b)),
        1 => Just(Kind::Time(DAY * 366, 1_024)),
        2 => (1..=4_u32).prop_map(Kind::Consecutive),
    ]
}

fn rates() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.000_001),
        Just(0.1),
        Just(0.25),
        Just(1.0 / 3.0),
        Just(0.4),
        Just(0.5),
        Just(2.0 / 3.0),
        Just(0.999_999),
        Just(1.0),
        0.000_001..=1.0,
    ]
}

/// From a nanosecond to a few ticks, with the bounds of a tick.
pub(crate) fn short_times() -> impl Strategy<Value = Duration> {
    prop_oneof![1..=30_u64, Just(TICK_NS - 1), Just(TICK_NS), Just(TICK_NS + 1), 1..=5 * MS,]
        .prop_map(Duration::from_nanos)
}

fn open_waits() -> impl Strategy<Value = OpenWait> {
    let factors = prop_oneof![Just(1.0), Just(1.5), Just(2.0), Just(1e300), 1.0..4.0];
    let bases = prop_oneof![
        short_times().prop_map(OpenWait::fixed),
        (short_times(), factors, short_times()).prop_map(|(initial, factor, more)| {
            OpenWait::exponential(initial, factor, initial + more)
        }),
        Just(OpenWait::fixed(DAY * 366)),
    ];
    let jitters = prop_oneof![2 => Just(0.0), 1 => 0.0..1.0];
    (bases, jitters).prop_map(|(wait, jitter)| wait.jitter(jitter))
}

fn half_opens() -> impl Strategy<Value = HalfOpen> {
    prop_oneof![
        3 => (1..=4_u32).prop_map(HalfOpen::probes),
        3 => (1..=6_u32).prop_map(HalfOpen::rate),
        1 => Just(HalfOpen::probes(1_000)),
        1 => Just(HalfOpen::rate(1_000)),
    ]
}

fn clock_starts() -> impl Strategy<Value = Duration> {
    let instants = prop_oneof![
        3 => Just(0),
        1 => Just(1),
        2 => Just(12_345_679),
        1 => any::<u64>(),
        2 => (0..=9 * TICK_NS).prop_map(|before| u64::MAX - before),
    ];
    instants.prop_map(Duration::from_nanos)
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let slow_limits = prop_oneof![2 => 1..=20_u64, 1 => 1..=3 * MS];
    let slow_calls = (slow_limits.prop_map(Duration::from_nanos), rates());
    let rules = (
        prop::option::weighted(0.7, rates()),
        prop::option::weighted(0.4, 1..=8_u32),
        prop::option::weighted(0.4, 1..=6_u32),
        prop::option::weighted(0.6, slow_calls),
        prop_oneof![4 => 1..=12_u32, 1 => 13..=u32::MAX],
    );
    let times = (open_waits(), half_opens(), short_times(), any::<u64>());
    let rest = (prop_oneof![Just(1_u32), Just(2), Just(8)], clock_starts(), any::<bool>());
    (windows(), rules, times, rest).prop_map(|(window, rules, times, rest)| {
        Settings {
            window,
            failure_rate: rules.0,
            failure_count: rules.1,
            consecutive_failures: rules.2,
            slow_call: rules.3,
            min_calls: rules.4,
            open_wait: times.0,
            half_open: times.1,
            probe_timeout: times.2,
            jitter_seed: times.3,
            stripes: rest.0,
            clock_start: rest.1,
            totals: rest.2,
        }
        .made_to_fit()
    })
}

// ===== operations =====

/// How a sequence's calls end. Where most fail the breaker trips before a window is full, so some are healthy.
#[derive(Clone, Copy, Debug)]
enum Health {
    Healthy,
    Ailing,
}

fn outcomes(health: Health) -> impl Strategy<Value = Outcome> {
    let (successes, failures) = match health {
        Health::Healthy => (16, 2),
        Health::Ailing => (5, 4),
    };
    prop_oneof![
        successes => Just(Outcome::Success),
        failures => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
    ]
}

/// Forced states only keep a sequence from the others, so they are rarer.
fn controls() -> impl Strategy<Value = Control> {
    prop_oneof![
        2 => Just(Control::Trip),
        4 => Just(Control::HalfOpen),
        5 => Just(Control::Reset),
        1 => Just(Control::ForceOpen),
        1 => Just(Control::Disable),
        2 => Just(Control::MetricsOnly),
    ]
}

fn parts() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => Just(Part::All),
        2 => Just(Part::HalfOpen),
        2 => Just(Part::Times),
        1 => Just(Part::None),
    ]
}

fn lanes() -> impl Strategy<Value = Lane> {
    prop_oneof![2 => Just(Lane::Here), 1 => any::<u8>().prop_map(Lane::There)]
}

/// Which movements of the clock a sequence has. Once time is decades past the build every open time is over at once,
/// so most sequences stay short of that.
#[derive(Clone, Copy, Debug)]
enum Moves {
    Tame,
    Wild,
}

fn movements(moves: Moves) -> BoxedStrategy<Move> {
    let nudges = || -1..=1_i8;
    let tame = prop_oneof![
        6 => (0..=12_u64).prop_map(Move::Forward),
        3 => (0..=3 * TICK_NS).prop_map(Move::Forward),
        2 => (1..=3_u64).prop_map(|ticks| Move::Forward(ticks * TICK_NS)),
        4 => (0..=4_u32, nudges()).prop_map(|(count, nudge)| Move::Buckets(count, nudge)),
        4 => nudges().prop_map(Move::Lease),
        5 => nudges().prop_map(Move::Deadline),
    ];
    let wild = prop_oneof![
        4 => (0..=30_u64).prop_map(Move::Back),
        2 => (0..=3 * TICK_NS).prop_map(Move::Back),
        3 => (0..=9 * TICK_NS).prop_map(Move::AfterBuild),
        1 => any::<u64>().prop_map(Move::Forward),
        1 => any::<u64>().prop_map(Move::To),
        1 => (0..=3 * TICK_NS).prop_map(|before| Move::To(u64::MAX - before)),
    ];
    match moves {
        Moves::Tame => tame.boxed(),
        Moves::Wild => prop_oneof![3 => tame, 1 => wild].boxed(),
    }
}

fn ops(moves: Moves, health: Health) -> impl Strategy<Value = Op> {
    let holds = prop_oneof![Just(Hold::Borrowed), Just(Hold::Owned)];
    let elapsed = prop_oneof![
        3 => (0..=25_u64).prop_map(Duration::from_nanos),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
    ];
    let finishes = prop_oneof![
        8 => outcomes(health).prop_map(Finish::Report),
        8 => (outcomes(health), elapsed).prop_map(|(outcome, elapsed)| Finish::Timed(outcome, elapsed)),
        1 => Just(Finish::Dropped),
        1 => Just(Finish::DroppedInPanic),
        1 => Just(Finish::Lost),
    ];
    prop_oneof![
        10 => (holds, lanes()).prop_map(|(hold, lane)| Op::Acquire(hold, lane)),
        10 => (any::<usize>(), finishes, lanes())
            .prop_map(|(which, how, lane)| Op::Finish { which, how, lane }),
        2 => outcomes(health).prop_map(Op::Call),
        2 => (outcomes(health), 1..=40_u8, lanes())
            .prop_map(|(outcome, times, lane)| Op::Burst { outcome, times, lane }),
        1 => controls().prop_map(Op::Control),
        // Boxed: the tree of a whole configuration is large, and there is one for every step.
        1 => (parts(), settings())
            .prop_map(|(part, settings)| Op::Reconfigure(part, settings))
            .boxed(),
        8 => movements(moves).prop_map(Op::Clock),
        2 => Just(Op::Read),
    ]
}

pub(crate) fn sequences() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![
        3 => vec(ops(Moves::Tame, Health::Ailing), 1..150),
        3 => vec(ops(Moves::Tame, Health::Healthy), 1..150),
        2 => vec(ops(Moves::Wild, Health::Ailing), 1..150),
        2 => vec(ops(Moves::Wild, Health::Healthy), 1..150),
    ]
}

pub(crate) fn watches() -> impl Strategy<Value = Watch> {
    prop_oneof![Just(Watch::EveryStep), Just(Watch::AtReads)]
}

// ===== the builder's inputs =====

/// Mostly allowed, so that most inputs have at most one fault and every check is reached.
fn any_counts(most: u32) -> impl Strategy<Value = u32> {
    prop_oneof![
        20 => 1..=most,
        1 => Just(0),
        1 => Just(most.saturating_add(1)),
        1 => Just(u32::MAX),
        1 => any::<u32>(),
    ]
}

fn any_times() -> impl Strategy<Value = Duration> {
    prop_oneof![
        20 => (1..=u64::from(u32::MAX)).prop_map(Duration::from_nanos),
        2 => Just(DAY * 366),
        1 => Just(DAY * 366 + Duration::from_nanos(1)),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
        1 => (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, ns)| Duration::new(s, ns)),
    ]
}

fn any_rates() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => rates(),
        1 => prop::sample::select(vec![
            0.0,
            -0.0,
            4.9e-7,
            5e-7,
            1.0 + f64::EPSILON,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            f64::MAX,
        ]),
        1 => prop::num::f64::ANY,
    ]
}

pub(crate) fn inputs() -> impl Strategy<Value = Input> {
    let windows = prop_oneof![
        4 => any_counts(300).prop_map(AnyWindow::Count),
        4 => any_times().prop_map(AnyWindow::Time),
        2 => any_counts(10).prop_map(AnyWindow::Consecutive),
    ];
    let sometimes = |share| prop::bool::weighted(share);
    let rules = (
        (sometimes(0.7), any_rates()),
        (sometimes(0.3), any_counts(20)),
        (sometimes(0.3), any_counts(20)),
        (sometimes(0.3), any_times(), any_rates()),
        any_counts(50),
    );
    let factors = prop_oneof![10 => 1.0..9.0, 1 => Just(0.999), 1 => prop::num::f64::ANY];
    let jitters = prop_oneof![10 => 0.0..1.0, 1 => Just(1.0), 1 => prop::num::f64::ANY];
    let waits = (any_times(), sometimes(0.5), factors, any_times(), jitters);
    let stripes = prop_oneof![20 => 1..=8_u32, 1 => Just(0), 1 => 1_025..=u32::MAX];
    let rest = (any::<bool>(), any_counts(1_000), any_times(), stripes);
    let buckets = (sometimes(0.2), any_counts(40));
    (windows, buckets, rules, waits, rest).prop_map(|(window, buckets, rules, waits, rest)| {
        let (rate, count, run, slow, min_calls) = rules;
        let (wait, grows, factor, more, jitter) = waits;
        Input {
            window,
            buckets: buckets.0.then_some(buckets.1),
            failure_rate: rate.0.then_some(rate.1),
            failure_count: count.0.then_some(count.1),
            consecutive_failures: run.0.then_some(run.1),
            slow_call: slow.0.then_some((slow.1, slow.2)),
            min_calls,
            wait,
            growth: grows.then_some((factor, more)),
            jitter,
            rate_probes: rest.0,
            places: rest.1,
            probe_timeout: rest.2,
            stripes: rest.3,
        }
    })
}
