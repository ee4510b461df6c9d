//! Random compositions of layers, whose answers are random too, against nested ifs.

use failfast::Outcome;
use proptest::option;
use proptest::prelude::*;

use crate::compose::{compose, Answer, Breaks, Control, Retries, Settings, Step};

fn retries() -> impl Strategy<Value = Retries> {
    // The total time has room for the first wait, or the retry alone would be refused.
    let times = (1..20_u32, option::of(0..60_u32), prop_oneof![3 => Just(0), 1 => 0..6_u32]);
    let budget = option::of((1..=1_000_000_u32, 1..4_u32));
    (1..5_u32, times, budget).prop_map(|(attempts, (delay, more, least), budget)| Retries {
        attempts,
        delay,
        total: more.map(|more| delay + least + 1 + more),
        least,
        budget,
    })
}

fn breaks() -> impl Strategy<Value = Breaks> {
    let lease = prop_oneof![3 => Just(2_000_u32), 1 => 1..80_u32];
    (1..5_u32, 1..60_u32, 1..3_u32, lease).prop_map(|(run, wait, probes, lease)| Breaks {
        run,
        wait,
        probes,
        lease,
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    (
        option::of(retries()),
        option::of((1..5_u32, 1..20_u32)),
        option::of(1..4_u32),
        option::weighted(0.8, breaks()),
        any::<bool>(),
        option::of(1..30_u32),
    )
        .prop_map(|(retry, rate_limit, bulkhead, breaker, around, timeout)| Settings {
            retry,
            rate_limit,
            bulkhead,
            breaker,
            around,
            timeout,
        })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Failure),
        Just(Outcome::Failure),
        Just(Outcome::Ignored)
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => outcome().prop_map(Answer::Value),
        6 => outcome().prop_map(Answer::Error),
        1 => Just(Answer::Panic),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![2 => Just(0), 3 => 0..35_u32];
    let script = proptest::collection::vec((time, answer()), 0..5);
    let control = prop_oneof![
        Just(Control::Trip),
        Just(Control::HalfOpen),
        Just(Control::Reset),
        Just(Control::Reset),
        Just(Control::ForceOpen),
        Just(Control::Disable),
        Just(Control::MetricsOnly),
    ];
    prop_oneof![
        12 => (option::weighted(0.3, 0..60_u32), script).prop_map(|(end, script)| Step::Call(end, script)),
        2 => (0..4_u32).prop_map(Step::Others),
        3 => (0..70_u32).prop_map(Step::Wait),
        2 => control.prop_map(Step::Control),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_composition_answers_as_nested_ifs_do(
        settings in settings(),
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        compose(&settings, &steps);
    }
}
