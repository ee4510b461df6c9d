//! A log that nobody reads stops nobody but the thread that writes it.

use std::io::{self, Write};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::Duration;

use crate::log::{Log, ROOM};
use crate::service::{Service, Settings};
use crate::stand::{LONG, PATIENT};

/// A pipe that is full until it is read: writing waits until somebody does.
struct Pipe {
    full: Option<Receiver<()>>,
    written: Sender<String>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
        if let Some(full) = self.full.take() {
            let _ = full.recv();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Dropping the second begins to read; the third has what is written, and what waits to be.
fn pipe() -> (Pipe, Sender<()>, Receiver<String>) {
    let (read, full) = channel();
    let (written, text) = channel();
    (Pipe { full: Some(full), written }, read, text)
}

#[test]
fn a_line_never_waits_and_those_left_out_are_counted_where_they_were() {
    let (pipe, read, text) = pipe();
    let log = Log::to(pipe);
    log.say("line 0".into());
    let mut said = text.recv().unwrap();
    // From here on the thread waits, and so do lines.
    for number in 1..10 * ROOM {
        log.say(format!("line {number}"));
    }
    // It says so, and does not wait for ever.
    log.flush(Duration::from_millis(1));
    drop(read);
    log.flush(LONG);
    log.say("after".into());
    log.flush(LONG);
    said.extend(text.try_iter());
    let mut expected: Vec<_> = (0..=ROOM).map(|number| format!("line {number}")).collect();
    expected.push(format!("({} lines left out)", 9 * ROOM - 1));
    expected.push("after".into());
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_log_that_nobody_reads_keeps_no_call_waiting() {
    let (pipe, _read, _text) = pipe();
    let log = Log::to(pipe);
    let settings = Settings { log: Some(log), patience: PATIENT, ..Settings::default() };
    let service = Service::start(settings).unwrap();
    let payment = &service.app.shop.lines[0].breaker;
    for _ in 0..2 * ROOM {
        payment.trip();
        payment.reset();
    }
    assert!(service.app.shop.checkout(1).is_ok());
}
