//! How the service ends when it is asked to: in a process of its own, which is this test's program once more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, thread};

use crate::stand::{Stand, LONG};

/// Who has this in the environment is the service.
const SERVES: &str = "CHECKOUT_TEST_SERVES";

#[test]
fn a_supervisor_who_asks_it_to_end_cuts_nobody_off() {
    if env::var_os(SERVES).is_some() {
        return serve();
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "signals::a_supervisor_who_asks_it_to_end_cuts_nobody_off",
        ])
        .env(SERVES, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = said.find_map(|line| line.strip_prefix("http://").map(str::to_owned)).unwrap();
    // The signal is its business from here on, and no longer the system's.
    until(|| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (15 - 1) != 0
    });

    assert!(ask(&address, "POST /dependencies/payment/hang").starts_with("HTTP/1.1 200"));
    let waits = thread::spawn({
        let address = address.clone();
        move || ask(&address, "POST /checkout")
    });
    until(|| {
        ask(&address, "GET /metrics").contains(r#"failfast_in_flight_calls{breaker="payment"} 1"#)
    });
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status();
    assert!(sent.unwrap().success());
    let answer = waits.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 504") && answer.contains("no answer in time"), "{answer}");
    said.for_each(drop);
    assert!(child.wait().unwrap().success());
}

fn serve() {
    let stand = Stand::brief();
    println!("\nhttp://{}", stand.service.address());
    stand.service.wait_until_asked_to_end();
}

fn until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONG);
        thread::yield_now();
    }
}

/// The whole answer.
fn ask(address: &str, what: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    write!(stream, "{what} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
