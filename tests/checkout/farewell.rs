//! What was put off when the service is asked to end.

use std::time::Duration;

use crate::shop::NOTIFICATION;
use crate::stand::Stand;

#[test]
fn what_was_put_off_is_done_before_the_service_has_ended() {
    let mut stand = Stand::open();
    stand.fail_until_open("notification");
    stand.turn("notification", "recover");
    // For as long as the circuit is open nobody can be told.
    let put_off = stand.service.app.shop.later.tally();
    assert!(put_off.waiting + put_off.sent as usize >= 3, "{put_off:?}");
    let done = stand.service.end();
    assert_eq!((done.waiting, done.lost), (0, 0), "{done:?}");
    assert!(done.sent >= 3, "{done:?}");
}

#[test]
fn what_can_not_be_done_in_time_is_lost_and_no_more_is_taken() {
    let stand = Stand::open();
    stand.fail_until_open("notification");
    let later = &stand.service.app.shop.later;
    let done = later.finish(Duration::from_millis(1));
    assert_eq!(done.waiting, 0, "{done:?}");
    assert!(done.lost >= 3, "{done:?}");
    assert!(!later.add(NOTIFICATION, "confirm/1".into()));
    let answer = stand.checkout();
    let warning = &answer.body["warnings"][0]["text"];
    assert!(warning.as_str().unwrap().starts_with("confirmation will not be sent"), "{warning}");
    assert_eq!(later.tally().lost, done.lost + 2);
    // Whoever asks once more is not kept waiting: nothing is left, and nobody works.
    assert_eq!(later.finish(Duration::from_secs(60)).lost, done.lost + 2);
}
