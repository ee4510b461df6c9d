//! What was put off when the service is asked to end.

use std::time::Duration;

use crate::shop::NOTIFICATION;
use crate::stand::{Stand, LONG};

#[test]
fn what_was_put_off_is_done_before_the_service_has_ended() {
    let mut stand = Stand::with(|settings| settings.errands = LONG);
    stand.fail_until_open("notification");
    stand.turn("notification", "recover");
    let done = stand.service.end();
    assert_eq!((done.waiting, done.lost), (0, 0), "{done:?}");
    assert!(done.sent >= 3, "{done:?}");
}

#[test]
fn what_can_not_be_done_in_time_is_lost_and_no_more_is_taken() {
    let mut stand = Stand::with(|settings| settings.errands = Duration::from_millis(1));
    stand.fail_until_open("notification");
    let done = stand.service.end();
    assert_eq!((done.waiting, done.sent), (0, 0), "{done:?}");
    assert!(done.lost >= 3, "{done:?}");
    // A checkout whose customer was given up on may still be under way.
    let shop = &stand.service.app.shop;
    assert!(!shop.later.add(NOTIFICATION, "confirm/1".into()));
    let receipt = shop.checkout(1).unwrap().to_json();
    let warning = receipt["warnings"][0]["text"].as_str().unwrap();
    assert!(warning.starts_with("confirmation will not be sent"), "{warning}");
    // Whoever asks once more is not kept waiting: nothing is left, and nobody works.
    assert_eq!(shop.later.finish(LONG).lost, done.lost + 2);
}
