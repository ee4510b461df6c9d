//! Guests who misbehave: bodies, paths, clients that go or say nothing.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::stand::{wait_until, Stand, LONG};

/// Short enough to wait for, and longer than a good request takes on a busy machine.
const STALL: Duration = Duration::from_secs(1);

#[test]
fn bodies_that_make_no_sense_are_refused() {
    let stand = Stand::open();
    for body in
        ["{", "quantity=2", r#"{"quantity": 0}"#, r#"{"quantity": "2"}"#, r#"{"quantity": 1e9}"#]
    {
        let answer = stand.post_body("checkout", body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body["error"].is_string(), "{body}");
    }
    for body in ["", "{}", "[]", "null", r#"{"quantity": 2, "gift": true}"#] {
        assert_eq!(stand.post_body("checkout", body).status, 200, "{body}");
    }
    assert_eq!(stand.post_body("checkout", &" ".repeat(100_000)).status, 413);
    // None of it was anybody's fault but the client's.
    assert_eq!(stand.get("health").status, 200);
}

#[test]
fn wrong_ways_are_answered_with_the_right_ones() {
    let stand = Stand::open();
    let answer = stand.get("chekout");
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains("POST /checkout"));
    assert_eq!(stand.get("checkout").status, 405);
    assert_eq!(stand.post("health").status, 405);
}

#[test]
fn the_page_is_served_and_not_kept() {
    let stand = Stand::open();
    let mut stream = stand.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"));
    assert!(head.contains("content-type: text/html"));
    assert!(head.contains("cache-control: no-store"));
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_call_leaves_nothing_behind() {
    let stand = Stand::open();
    stand.turn("payment", "hang");
    let asked = stand.line("payment").dependency.asked();
    let mut stream = stand.connect();
    stream.write_all(b"POST /checkout HTTP/1.1\r\nHost: it\r\nContent-Length: 0\r\n\r\n").unwrap();
    wait_until("payment is asked", || stand.line("payment").dependency.asked() > asked);
    drop(stream);
    stand.turn("payment", "recover");
    wait_until("its place is free", || stand.service.app.shop.places.in_use() == 0);
    assert_eq!(stand.checkout().status, 200);
}

#[test]
fn who_says_nothing_is_hung_up_on() {
    let stand = Stand::with(|settings| settings.stall = STALL);
    for words in [
        "",
        "POST /checkout HTTP/1.1\r\nHo",
        "POST /checkout HTTP/1.1\r\nHost: it\r\nContent-Length: 9\r\n\r\n{",
    ] {
        let mut stream = stand.connect();
        stream.write_all(words.as_bytes()).unwrap();
        let begun = Instant::now();
        // An end or a reset, but no answer and no waiting for ever.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(begun.elapsed() < LONG, "{words:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{words:?}");
    }
    assert_eq!(stand.checkout().status, 200);
}

#[test]
fn who_asks_a_byte_at_a_time_is_hung_up_on() {
    let stand = Stand::with(|settings| settings.stall = STALL);
    let mut stream = stand.connect();
    stream.write_all(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let begun = Instant::now();
    // A byte each time that there is no answer yet; the end is one, in whatever way.
    while let Err(error) = stream.read(&mut [0]) {
        let waits = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        if !waits || stream.write_all(b"a").is_err() {
            break;
        }
        assert!(begun.elapsed() < LONG, "still there");
    }
    assert_eq!(stand.get("health").status, 200);
}

#[test]
fn who_does_not_read_is_hung_up_on() {
    let stand = Stand::with(|settings| settings.stall = STALL);
    let mut stream = stand.connect();
    let begun = Instant::now();
    // Far more answers than fit into the buffers between: in the end the service stops to read, and then hangs up.
    while stream.write_all(b"GET / HTTP/1.1\r\nHost: it\r\n\r\n").is_ok() {
        assert!(begun.elapsed() < LONG, "still connected");
    }
    assert_eq!(stand.checkout().status, 200);
}

#[test]
fn the_end_of_the_service_waits_for_nobody_who_hangs() {
    let stand = Stand::brief();
    let addresses = ["payment", "inventory", "shipping", "notification"]
        .map(|name| stand.line(name).dependency.address());
    stand.turn("payment", "hang");
    let mut events = stand.events();
    assert!(events.next().is_some());
    let mut stream = stand.connect();
    stream.write_all(b"POST /checkout HTTP/1.1\r\nHost: it\r\nContent-Length: 0\r\n\r\n").unwrap();
    wait_until("it has a place", || stand.service.app.shop.places.in_use() > 0);
    let (address, begun) = (stand.service.address(), Instant::now());
    drop(stand);
    assert!(begun.elapsed() < LONG / 4, "{:?}", begun.elapsed());
    while events.next().is_some() {}
    for address in addresses.iter().chain([&address]) {
        assert!(std::net::TcpStream::connect(address).is_err(), "{address} still listens");
    }
}
