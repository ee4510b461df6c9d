//! A service that serves its metrics on loopback, as small as it can be and still be honest: one thread a scraper, so that
//! a scraper that is slow or gone is nobody else's business.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use failfast::prometheus::Format;
use prometheus_client::registry::Registry as Metrics;

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    gate: Arc<Gate>,
}

/// Holds scrapes between their reading and their answer.
#[derive(Default)]
struct Gate {
    held: Mutex<(bool, u32)>,
    changed: Condvar,
}

impl Service {
    pub(crate) fn start(metrics: Metrics) -> io::Result<Service> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let gate = Arc::new(Gate::default());
        let (metrics, held) = (Arc::new(metrics), Arc::clone(&gate));
        thread::spawn(move || {
            for scraper in listener.incoming().flatten() {
                let (metrics, gate) = (Arc::clone(&metrics), Arc::clone(&held));
                // What becomes of one scraper is of no interest to the service.
                thread::spawn(move || drop(answer(scraper, &metrics, &gate)));
            }
        });
        Ok(Service { address, gate })
    }

    /// From now on scrapes wait; returns when one does.
    pub(crate) fn hold(&self) {
        let mut held = self.gate.held.lock().unwrap();
        held.0 = true;
        let full = |(_, waiting): &mut (bool, u32)| *waiting == 0;
        drop(self.gate.changed.wait_while(held, full).unwrap());
    }

    pub(crate) fn release(&self) {
        self.gate.held.lock().unwrap().0 = false;
        self.gate.changed.notify_all();
    }
}

impl Gate {
    fn pass(&self) {
        let mut held = self.held.lock().unwrap();
        held.1 += 1;
        self.changed.notify_all();
        held = self.changed.wait_while(held, |(closed, _)| *closed).unwrap();
        held.1 -= 1;
    }
}

fn answer(mut scraper: TcpStream, metrics: &Metrics, gate: &Gate) -> io::Result<()> {
    let patience = Some(Duration::from_secs(5));
    scraper.set_read_timeout(patience)?;
    scraper.set_write_timeout(patience)?;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = scraper.read(&mut part)?;
        if read == 0 || request.len() > 8 * 1024 {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
    }
    let request = String::from_utf8_lossy(&request);
    if !request.starts_with("GET /metrics ") {
        return scraper.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    let accept = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then_some(value.trim())
    });
    let format = Format::asked_for(accept.unwrap_or(""));
    let body = format.encode(metrics).map_err(io::Error::other)?;
    gate.pass();
    let length = body.len();
    let kind = format.content_type();
    let head = "HTTP/1.1 200 OK\r\nConnection: close";
    write!(scraper, "{head}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}
