//! The retry budget.

use std::thread;

use failfast::RetryBudget;
use proptest::prelude::*;

#[test]
fn settings_that_are_no_budget_are_refused_by_name() {
    for wrong in [0.0, -0.1, 1.000_001, 4e-7, f64::NAN, f64::INFINITY] {
        let error = RetryBudget::new(wrong, 1).unwrap_err();
        assert_eq!((error.field(), error.given()), ("ratio", wrong.to_string().as_str()));
    }
    assert_eq!(RetryBudget::new(0.1, 0).unwrap_err().field(), "burst");
    assert_eq!(RetryBudget::new(1e-6, u32::MAX).unwrap().available(), u32::MAX);
}

#[test]
fn outage_is_met_with_its_share_of_retries() {
    let budget = RetryBudget::new(0.1, 5).unwrap();
    let retries = (0..1_000).filter(|_| {
        budget.deposit();
        budget.try_withdraw()
    });
    // The first deposit finds the budget full.
    assert_eq!(retries.count(), 5 + 99);
}

#[test]
fn threads_together_keep_within_the_share() {
    const CALLS: u32 = 20_000;
    let budget = RetryBudget::new(0.05, 10).unwrap();
    let retries: u32 = thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let calls = (0..CALLS).filter(|_| {
                        budget.deposit();
                        budget.try_withdraw()
                    });
                    calls.count() as u32
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    let bound = 10 + 4 * CALLS / 20;
    assert!(retries <= bound, "{retries} of {bound}");
    assert!(retries >= bound / 2, "some may go without, not most: {retries} of {bound}");
}

proptest! {
    #[test]
    fn answers_as_a_plain_counter_does(
        ppm in 1..=1_000_000_u64,
        burst in 1..20_u32,
        steps in proptest::collection::vec(any::<bool>(), 1..200),
    ) {
        let budget = RetryBudget::new(ppm as f64 / 1e6, burst).unwrap();
        let full = u64::from(burst) * 1_000_000;
        let mut balance = full;
        for pay in steps {
            if pay {
                budget.deposit();
                balance = (balance + ppm).min(full);
            } else {
                prop_assert_eq!(budget.try_withdraw(), balance >= 1_000_000);
                balance -= if balance >= 1_000_000 { 1_000_000 } else { 0 };
            }
            prop_assert_eq!(u64::from(budget.available()), balance / 1_000_000);
        }
    }
}
