//! How the service ends when it is asked to: in a process of its own, which is this test's program once more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::service::{do_not_wait_if_asked_again, ASKED_AGAIN};
use crate::stand::{Stand, LONG};

/// Who has this in the environment is the service.
const SERVES: &str = "CHECKOUT_TEST_SERVES";

#[test]
fn a_supervisor_who_asks_it_to_end_cuts_nobody_off() {
    if env::var_os(SERVES).is_some() {
        return serve();
    }
    let (mut child, mut said) = spawn("signals::a_supervisor_who_asks_it_to_end_cuts_nobody_off");
    let address = said.find_map(|line| line.strip_prefix("http://").map(str::to_owned)).unwrap();
    until_it_catches(&child);

    assert!(ask(&address, "POST /dependencies/payment/hang").starts_with("HTTP/1.1 200"));
    let waits = thread::spawn({
        let address = address.clone();
        move || ask(&address, "POST /checkout")
    });
    until(|| {
        ask(&address, "GET /metrics").contains(r#"failfast_in_flight_calls{breaker="payment"} 1"#)
    });
    terminate(&child);
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

/// With errands left that take an hour, so that it would not end by itself.
#[test]
fn whoever_asks_twice_does_not_wait() {
    if env::var_os(SERVES).is_some() {
        let mut stand = Stand::with(|settings| settings.errands = Duration::from_secs(3_600));
        stand.fail_until_open("notification");
        println!("\nserves");
        stand.service.wait_until_asked_to_end();
        do_not_wait_if_asked_again();
        println!("\nends");
        stand.service.end();
        return;
    }
    let (mut child, mut said) = spawn("signals::whoever_asks_twice_does_not_wait");
    assert!(said.any(|line| line == "serves"));
    until_it_catches(&child);
    terminate(&child);
    assert!(said.any(|line| line == "ends"));
    // The second wait may not have begun: a signal that comes before it is nobody's.
    until(|| {
        terminate(&child);
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(ASKED_AGAIN));
}

/// This program with one test, as the service; and the lines that it says.
fn spawn(test: &str) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(SERVES, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, said)
}

/// From then on the signal is its business, and no longer the system's.
fn until_it_catches(child: &Child) {
    until(|| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (15 - 1) != 0
    });
}

fn terminate(child: &Child) {
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status();
    assert!(sent.unwrap().success());
}

fn until(mut done: impl FnMut() -> bool) {
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
