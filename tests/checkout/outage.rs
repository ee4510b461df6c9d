//! Payment fails, hangs and recovers.

use failfast::State;

use crate::dependency::{Dial, Position};
use crate::stand::{wait_until, Stand, BRIEF, LONG, PATIENT};

#[test]
fn a_healthy_checkout_is_confirmed() {
    let stand = Stand::open();
    let answer = stand.checkout();
    assert_eq!((answer.status, &answer.body["status"]), (200, &"confirmed".into()));
    assert_eq!(answer.body["warnings"].as_array().map(Vec::len), Some(0));
    let health = stand.get("health");
    assert_eq!((health.status, &health.body["status"]), (200, &"healthy".into()));
}

#[test]
fn three_failures_open_the_circuit_and_one_success_closes_it() {
    let stand = Stand::open();
    let payment = stand.line("payment");
    stand.turn("payment", "fail");
    for _ in 0..3 {
        let failed = stand.checkout();
        assert_eq!((failed.status, failed.retry_after), (502, None));
        assert_eq!(failed.body["dependency"], "payment");
    }

    let health = stand.get("health");
    assert_eq!(health.status, 503);
    let breakers = health.body["breakers"].as_array().unwrap();
    let open: Vec<_> = breakers.iter().filter(|breaker| breaker["state"] == "open").collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["name"], "payment");

    let asked = payment.dependency.asked();
    let refused = stand.checkout();
    assert_eq!((refused.status, refused.retry_after.is_some()), (503, true));
    // An open time is rounded up to the next tick, and what is left of it to the next second.
    assert!(refused.retry_after <= Some(4), "{:?}", refused.retry_after);
    assert_eq!(refused.body["error"], "payment: its circuit is open");
    assert!(refused.took < PATIENT.call, "{:?}", refused.took);
    assert_eq!(payment.dependency.asked(), asked, "the call was made all the same");

    stand.turn("payment", "recover");
    let mut last = 503;
    wait_until("the open time is over", || {
        last = stand.checkout().status;
        last != 503
    });
    assert_eq!((last, payment.breaker.state()), (200, State::Closed));
    let causes: Vec<_> =
        payment.breaker.history().iter().map(|change| change.cause.name()).collect();
    assert_eq!(causes, ["consecutive_failures", "open_time_over", "probes_succeeded"]);
}

#[test]
fn a_refusal_at_the_door_is_counted_and_bothers_nobody() {
    let stand = Stand::open();
    stand.fail_until_open("payment");
    stand.line("payment").breaker.force_open();
    let before = stand.line("inventory").dependency.asked();
    for _ in 0..10 {
        let refused = stand.checkout();
        // Nobody knows for how long; a second is as good as any.
        assert_eq!((refused.status, refused.retry_after), (503, Some(1)));
        assert!(refused.body["retry_after_s"].is_null());
    }
    assert_eq!(stand.line("inventory").dependency.asked(), before);
    assert_eq!(stand.line("payment").breaker.totals().unwrap().refused, 10);
}

#[test]
fn a_hang_costs_no_more_than_the_timeout_and_the_payment_is_voided() {
    let stand = Stand::brief();
    stand.turn("payment", "hang");
    let late = stand.checkout();
    assert_eq!((late.status, &late.body["status"]), (504, &"failed".into()));
    assert!((BRIEF.call..LONG).contains(&late.took), "{:?}", late.took);
    // The errand fails too, and that opens the circuit.
    wait_until("the circuit is open", || stand.checkout().status == 503);
    let later = &stand.service.app.shop.later;
    let waiting = later.tally().waiting;
    assert!(waiting > 0, "who voids the payment?");

    stand.turn("payment", "recover");
    // It is the errand that probes: no customer has to.
    wait_until("the circuit has closed", || stand.line("payment").breaker.state() == State::Closed);
    wait_until("all payments are voided", || later.tally().sent == waiting as u64);
    assert_eq!(later.tally().waiting, 0);
    assert_eq!(stand.checkout().status, 200);
}

#[test]
fn while_payment_hangs_no_more_wait_than_its_pool_has_places() {
    let stand = Stand::brief();
    stand.line("payment").dependency.turn(Dial::at(Position::Hang));
    let places = stand.line("payment").pool.threads() + stand.line("payment").pool.queue();
    let (mut refused, mut late) = (0, 0);
    std::thread::scope(|scope| {
        let customers: Vec<_> = (0..40).map(|_| scope.spawn(|| stand.checkout().status)).collect();
        for customer in customers {
            match customer.join().unwrap() {
                503 => refused += 1,
                504 => late += 1,
                status => panic!("{status}"),
            }
        }
    });
    assert!((1..=places).contains(&late), "{late} waited");
    assert_eq!(refused + late, 40);
}

#[test]
fn some_of_the_calls_fail_and_the_circuit_stays_closed() {
    let stand = Stand::open();
    stand.turn("payment", "fail?rate=0.25");
    let failed = (0..20).filter(|_| stand.checkout().status == 502).count();
    assert_eq!(failed, 5);
    assert_eq!(stand.line("payment").breaker.state(), State::Closed);
}
