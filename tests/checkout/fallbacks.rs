//! What a checkout does without.

use failfast::State;
use serde_json::Value;

use crate::stand::{wait_until, Stand, BRIEF};

fn warning<'a>(body: &'a Value, dependency: &str) -> &'a str {
    let warnings = body["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{body}");
    assert_eq!(warnings[0]["dependency"], dependency);
    warnings[0]["text"].as_str().unwrap()
}

#[test]
fn without_the_inventory_the_stock_is_as_last_seen() {
    let stand = Stand::open();
    assert_eq!(stand.checkout().status, 200);
    stand.turn("inventory", "fail");
    let answer = stand.checkout();
    assert_eq!((answer.status, &answer.body["status"]), (200, &"degraded".into()));
    let text = warning(&answer.body, "inventory");
    assert!(
        text.starts_with("stock as of ") && text.ends_with(" s ago: it answered 500"),
        "{text}"
    );
    // Open or not: it is sold from what was there.
    stand.checkout();
    stand.checkout();
    let answer = stand.checkout();
    assert!(warning(&answer.body, "inventory").contains("its circuit is open"));
}

#[test]
fn without_an_inventory_that_ever_answered_there_is_no_order() {
    let stand = Stand::open();
    stand.turn("inventory", "fail");
    let answer = stand.checkout();
    assert_eq!((answer.status, &answer.body["dependency"]), (502, &"inventory".into()));
    assert_eq!(stand.line("payment").dependency.asked(), 0, "paid for what may not be there");
}

#[test]
fn what_is_not_there_is_not_paid_for() {
    let stand = Stand::open();
    let answer = stand.post_body("checkout", r#"{"quantity": 501}"#);
    assert_eq!((answer.status, &answer.body["status"]), (409, &"sold out".into()));
    assert_eq!(stand.line("payment").dependency.asked(), 0);
    assert_eq!(stand.post_body("checkout", r#"{"quantity": 500}"#).status, 200);
}

#[test]
fn without_shipping_there_is_a_standard_quote_and_a_ping_that_passes_ends_the_open_time() {
    let stand = Stand::open();
    stand.fail_until_open("shipping");
    let answer = stand.checkout();
    assert_eq!((answer.status, &answer.body["shipping_cents"]), (200, &990.into()));
    assert!(warning(&answer.body, "shipping").contains("its circuit is open"));

    // It would be open for an hour.
    stand.turn("shipping", "recover");
    wait_until("a checkout is confirmed", || stand.checkout().body["status"] == "confirmed");
    let shipping = &stand.line("shipping").breaker;
    assert_eq!(shipping.state(), State::Closed);
    assert!(shipping.history().iter().any(|change| change.cause.name() == "control"));
}

#[test]
fn a_ping_that_passes_ends_the_open_time_of_no_other() {
    let stand = Stand::open();
    let payment = &stand.line("payment").breaker;
    payment.trip();
    let passes = |body: &Value| {
        let checks = body["checks"].as_array().unwrap();
        checks.iter().all(|check| check["status"] == "passed")
    };
    wait_until("all pings pass", || passes(&stand.get("health").body));
    assert!(!payment.history().iter().any(|change| change.to == State::HalfOpen));
}

#[test]
fn without_notification_the_confirmation_is_sent_later() {
    let stand = Stand::open();
    stand.fail_until_open("notification");
    let answer = stand.checkout();
    let text = warning(&answer.body, "notification");
    assert!(text.starts_with("confirmation will be sent later"), "{text}");
    let later = &stand.service.app.shop.later;
    assert_eq!(later.tally().waiting, 4);

    stand.turn("notification", "recover");
    wait_until("all are sent", || later.tally().sent == 4);
    assert_eq!((later.tally().waiting, later.tally().lost), (0, 0));
}

#[test]
fn all_optional_ones_may_be_gone_at_once() {
    let stand = Stand::brief();
    assert_eq!(stand.checkout().status, 200);
    for name in ["inventory", "shipping", "notification"] {
        stand.turn(name, "hang");
    }
    let answer = stand.checkout();
    assert_eq!((answer.status, answer.body["warnings"].as_array().unwrap().len()), (200, 3));
    // So long in all, whatever each of them would take.
    assert!(answer.took < 3 * BRIEF.call, "{:?}", answer.took);
}

#[test]
fn a_payment_of_which_nobody_knows_is_voided_and_one_that_was_declined_is_not() {
    let stand = Stand::brief();
    stand.turn("payment", "fail");
    assert_eq!(stand.checkout().status, 502);
    assert_eq!(stand.service.app.shop.later.tally().waiting, 0);
    // Late for the socket or for the customer, whichever is first.
    stand.turn("payment", "hang?ms=1100");
    assert_eq!(stand.checkout().status, 504);
    let later = &stand.service.app.shop.later;
    let tally = later.tally();
    assert_eq!(tally.waiting as u64 + tally.sent, 1);
}
