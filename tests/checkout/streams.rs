//! The event streams, and browsers that are slow or have vanished.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;

use crate::routes::events;
use crate::service::STREAMS;
use crate::stand::{wait_until, Events, Stand};

/// Reads on until a picture is like that.
#[track_caller]
fn until(events: &mut Events, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let picture = events.next().expect("the stream goes on");
        if is_so(&picture) {
            return picture;
        }
    }
    panic!("not in a hundred pictures: {what}");
}

#[test]
fn a_picture_has_what_the_page_needs() {
    let stand = Stand::open();
    stand.checkout();
    let picture = until(&mut stand.events(), "the checkout", |picture| {
        picture["checkout"]["confirmed"] == 1 && picture["dependencies"][3]["check"].is_object()
    });
    assert_eq!(picture["healthy"], true);
    assert_eq!(picture["checkout"]["in_progress_limit"], 64);
    assert!(picture["checkout"]["latency_ms"]["p99"].as_f64().unwrap() > 0.0);
    let names: Vec<_> = picture["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["payment", "inventory", "shipping", "notification"]);
    let payment = &picture["dependencies"][0];
    assert_eq!(payment["dial"]["position"], "well");
    assert_eq!(payment["check"]["passing"], true);
    let breaker = &payment["breaker"];
    assert_eq!(breaker["state"], "closed");
    assert_eq!(
        breaker["window"],
        serde_json::json!({ "kind": "count", "text": "100", "size": 100 })
    );
    assert_eq!(breaker["half_open"], serde_json::json!({ "kind": "probes", "count": 1 }));
    assert_eq!((&breaker["calls"], &breaker["totals"]["succeeded"]), (&1.into(), &1.into()));
    assert_eq!(breaker["failure_rate_limit"], 0.5);
    assert!(breaker["slow_limit_ms"].is_null() && breaker["open_for_s"].is_null());
}

#[test]
fn every_field_of_the_page_that_documents_them_is_there() {
    let text = include_str!("../../examples/checkout/EVENTS.md");
    let begin = text.find("```json\n").unwrap() + "```json\n".len();
    let end = begin + text[begin..].find("```").unwrap();
    let documented: Value = serde_json::from_str(&text[begin..end]).unwrap();
    let stand = Stand::open();
    stand.fail_until_open("payment");
    let picture = until(&mut stand.events(), "a transition", |picture| {
        picture["dependencies"][0]["breaker"]["state"] == "open"
            && picture["dependencies"][0]["check"].is_object()
    });
    let mut missing = Vec::new();
    compare(&documented, &picture, "", &mut missing);
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Fields of one that the other has not; of lists only the first are looked at, and `null` may stand for anything.
fn compare(documented: &Value, sent: &Value, path: &str, missing: &mut Vec<String>) {
    match (documented, sent) {
        (_, Value::Null) | (Value::Null, _) => {}
        (Value::Object(documented), Value::Object(sent)) => {
            for key in documented.keys().filter(|&key| !sent.contains_key(key)) {
                missing.push(format!("{path}.{key} is not sent"));
            }
            for (key, value) in sent {
                // What the kinds of a window have differs.
                match documented.get(key) {
                    Some(documented) if key != "window" => {
                        compare(documented, value, &format!("{path}.{key}"), missing);
                    }
                    Some(_) => {}
                    None => missing.push(format!("{path}.{key} is not documented")),
                }
            }
        }
        (Value::Array(documented), Value::Array(sent)) => {
            if let (Some(documented), Some(sent)) = (documented.first(), sent.first()) {
                compare(documented, sent, &format!("{path}[]"), missing);
            }
        }
        _ => {}
    }
}

#[test]
fn the_picture_follows_an_outage() {
    let stand = Stand::open();
    let mut events = stand.events();
    let payment = |picture: &Value| picture["dependencies"][0].clone();
    stand.turn("payment", "fail");
    until(&mut events, "the dial", |picture| payment(picture)["dial"]["position"] == "fail");
    stand.fail_until_open("payment");
    stand.line("payment").breaker.trip();
    let open = until(&mut events, "the circuit is red", |picture| {
        payment(picture)["breaker"]["state"] == "open"
    });
    assert_eq!(open["healthy"], false);
    let breaker = &payment(&open)["breaker"];
    assert!(breaker["open_for_s"].as_f64().unwrap() <= breaker["open_wait_s"].as_f64().unwrap());
    assert_eq!(breaker["transitions"][0]["text"], "3 failures in a row");
    stand.turn("payment", "recover");
    wait_until("it is served again", || stand.checkout().status == 200);
    let closed = until(&mut events, "the circuit is green", |picture| {
        payment(picture)["breaker"]["state"] == "closed"
    });
    assert!(payment(&closed)["breaker"]["totals"]["refused"].as_u64().unwrap() > 0);
}

#[test]
fn a_browser_that_never_reads_harms_nobody() {
    let stand = Stand::open();
    let vanished = stand.connect();
    let mut silent = stand.events();
    let mut readers: Vec<_> = (0..198).map(|_| stand.events()).collect();
    let first: Vec<_> =
        readers.iter_mut().map(|reader| reader.next().unwrap()["seq"].as_u64().unwrap()).collect();
    let late = first.iter().max().unwrap() + 3;
    for reader in &mut readers {
        let picture = until(reader, "later ones", |picture| picture["seq"].as_u64() >= Some(late));
        assert_eq!(picture["healthy"], true);
    }
    assert_eq!(stand.checkout().status, 200);
    // It comes back, and finds its way.
    assert!(silent.next().is_some());
    drop(vanished);
}

#[test]
fn a_slow_reader_gets_the_latest_and_not_what_it_has_missed() {
    let stand = Stand::open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let app = std::sync::Arc::clone(&stand.service.app);
        // Without a network between, whose buffers would hold dozens of pictures.
        let mut slow = events(axum::extract::State(app)).await.into_body().into_data_stream();
        let mut quick = stand.events();
        let mut read = async || {
            let data = slow.next().await.unwrap().unwrap();
            let text = std::str::from_utf8(&data).unwrap().trim_start_matches("data: ").trim();
            serde_json::from_str::<Value>(text).unwrap()["seq"].as_u64().unwrap()
        };
        let first = read().await;
        until(&mut quick, "later ones", |picture| picture["seq"].as_u64() >= Some(first + 4));
        assert!(read().await >= first + 4);
    });
}

#[test]
fn there_are_so_many_streams_and_no_more() {
    let stand = Stand::open();
    let mut streams: Vec<_> = (0..STREAMS).map(|_| stand.events()).collect();
    for stream in &mut streams {
        assert!(stream.next().is_some());
    }
    let mut refused = stand.events();
    assert!(refused.status().starts_with("HTTP/1.1 503"));
    assert_eq!(stand.checkout().status, 200);
    streams.pop();
    // One that has gone is noticed when the next picture can't be sent.
    wait_until("there is room again", || stand.events().status().starts_with("HTTP/1.1 200"));
}

#[test]
fn the_stream_ends_with_the_service() {
    let stand = Stand::open();
    let mut events = stand.events();
    assert!(events.next().is_some());
    drop(stand);
    while events.next().is_some() {}
}

#[test]
fn the_load_is_served() {
    let stand = Stand::open();
    let records = std::sync::Mutex::new(Vec::new());
    // No more than have a place at once: a machine that stands still for a moment makes a crowd of them.
    let half = Duration::from_millis(500);
    crate::load::send(
        stand.service.address(),
        20,
        std::time::Instant::now(),
        |at| at < half,
        |record| records.lock().unwrap().push(record),
    );
    let records = records.into_inner().unwrap();
    assert_eq!(records.len(), 10);
    assert!(records.iter().all(|record| record.answer == crate::load::Answer::Served));
}

#[test]
fn customers_come_by_the_schedule_for_years() {
    let arrival = crate::load::arrival;
    assert_eq!(arrival(0, 20), Duration::ZERO);
    assert_eq!(arrival(7, 3), Duration::from_nanos(2_333_333_333));
    // A month of the highest load has more nanoseconds times customers than a word.
    assert_eq!(
        arrival(30 * 86_400 * 10_000 + 1, 10_000),
        Duration::from_micros(30 * 86_400_000_000 + 100)
    );
}
