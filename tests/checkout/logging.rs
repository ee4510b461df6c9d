//! A log that nobody reads stops nobody but the thread that writes it.

use std::io::{self, Write};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::Duration;

use crate::log::{Log, ROOM};
use crate::service::{Service, Settings};
use crate::stand::LONG;

/// A pipe that is full until it is read: writing waits until the other end goes, or reads on.
struct Pipe {
    full: Option<Receiver<()>>,
    written: Sender<String>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(full) = self.full.take() {
            let _ = full.recv();
        }
        let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Dropping the first begins to read; the second has what was.
fn pipe() -> (Pipe, Sender<()>, Receiver<String>) {
    let (read, full) = channel();
    let (written, text) = channel();
    (Pipe { full: Some(full), written }, read, text)
}

#[test]
fn a_line_never_waits_and_those_left_out_are_counted_where_they_were() {
    let (pipe, read, text) = pipe();
    let log = Log::to(pipe);
    let said = 10 * ROOM;
    for number in 0..said {
        log.say(format!("line {number}"));
    }
    // It says so, and does not wait for ever.
    log.flush(Duration::from_millis(1));
    drop(read);
    log.flush(LONG);
    log.say("after".into());
    log.flush(LONG);
    let text: String = text.try_iter().collect();
    let lines: Vec<_> = text.lines().collect();
    let [written @ .., gap, after] = &lines[..] else { panic!("{text}") };
    for (number, line) in written.iter().enumerate() {
        assert_eq!(*line, format!("line {number}"), "in order, and none torn");
    }
    assert!((ROOM..=2 * ROOM).contains(&written.len()), "{}", written.len());
    let expected = format!("({} lines left out)", said - written.len());
    assert_eq!((*gap, *after), (expected.as_str(), "after"));
}

#[test]
fn a_log_that_nobody_reads_keeps_no_call_waiting() {
    let (pipe, _read, _text) = pipe();
    let log = Log::to(pipe);
    let settings = Settings { log: Some(log), ..Settings::default() };
    let service = Service::start(settings).unwrap();
    let payment = &service.app.shop.lines[0].breaker;
    for _ in 0..2 * ROOM {
        payment.trip();
        payment.reset();
    }
    assert!(service.app.shop.checkout(1).is_ok());
}
