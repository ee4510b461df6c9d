//! Retry budgets: never more retries than were paid for, and none lost where few callers meet.

use crate::budget::word::{Balance, ONE};
use crate::race::race3;
use crate::runner::Model;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("budget::two_take_what_one_pays", 3_100, two_take_what_one_pays),
    Model::whole("budget::full_while_one_takes", 2_000, full_while_one_takes),
];

/// Half a retry is there, half a one is paid in: one of the two may have it.
fn two_take_what_one_pays() {
    let (a, b, _, balance) =
        race3(Balance::new(ONE / 2), Balance::withdraw, Balance::withdraw, |balance: &Balance| {
            balance.deposit(ONE / 2, ONE);
        });
    assert!(!(a && b), "one was paid for");
    assert_eq!(balance.load(), if a || b { 0 } else { ONE });
}

/// A deposit into a full budget is cut, before or after a retry is taken; no more than the capacity is ever there.
fn full_while_one_takes() {
    let deposit = |balance: &Balance| balance.deposit(ONE, 2 * ONE);
    let (_, taken, _, balance) = race3(Balance::new(2 * ONE), deposit, Balance::withdraw, deposit);
    assert!(taken, "two were there");
    assert!([ONE, 2 * ONE].contains(&balance.load()), "{}", balance.load());
}
