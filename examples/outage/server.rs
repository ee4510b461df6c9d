//! The backend: an HTTP/1.1 server on loopback whose health is a dial.
//!
//! One thread a connection, keep-alive, and its work is sleeping, so that it is never the bottleneck: what limits the
//! load is each side's own pool.
//! Requests are counted by side (the first letter of the path) and by the dial's position at their arrival.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::scenario::{Health, HANG, WORK};

/// The longest request head that is accepted; the client of this example sends about 100 bytes.
const LONGEST_HEAD: usize = 4096;
/// How often an idle connection looks whether the server has been stopped.
const IDLE_CHECK: Duration = Duration::from_millis(250);
/// How long a request head may take to arrive once its first byte is there.
const HEAD_TIMEOUT: Duration = Duration::from_secs(1);
/// The threads only sleep and write a few bytes, and there may be a hundred while the backend hangs.
const STACK: usize = 128 * 1024;

/// The running backend; dropping it stops it.
pub(crate) struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    dial: AtomicU8,
    stop: AtomicBool,
    /// For each side: requests so far, by the dial's position.
    hits: [[AtomicU64; Health::ALL.len()]; 2],
}

impl Backend {
    /// Listens on loopback: on `port`, or on one that the system picks.
    ///
    /// # Errors
    ///
    /// In words, when the port is taken or may not be used.
    pub(crate) fn start(port: Option<u16>) -> Result<Backend, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))
            .map_err(|error| explain_bind(port, &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("cannot read the server's own address: {error}"))?;
        let shared = Arc::new(Shared {
            dial: AtomicU8::new(Health::Healthy.code()),
            stop: AtomicBool::new(false),
            hits: Default::default(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("accept".into())
                .spawn(move || accept(&listener, &shared))
                .map_err(|error| format!("cannot start the server's thread: {error}"))?
        };
        Ok(Backend { address, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Turns the dial.
    pub(crate) fn turn(&self, health: Health) {
        self.shared.dial.store(health.code(), Ordering::Relaxed);
    }

    /// Requests of side `side` (0 or 1) that arrived while the dial stood at `health`.
    pub(crate) fn hits(&self, side: usize, health: Health) -> u64 {
        self.shared.hits[side][usize::from(health.code())].load(Ordering::Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The acceptor sits in `accept`; a connection wakes it. Connections see the flag when they are next idle.
        if TcpStream::connect_timeout(&self.address, IDLE_CHECK).is_ok() {
            if let Some(acceptor) = self.acceptor.take() {
                let _ = acceptor.join();
            }
        }
    }
}

fn explain_bind(port: Option<u16>, error: &io::Error) -> String {
    match (port, error.kind()) {
        (Some(port), ErrorKind::AddrInUse) => format!(
            "port {port} on 127.0.0.1 is in use; give another one, or leave --port out and the system picks a free one"
        ),
        (Some(port), ErrorKind::PermissionDenied) => format!(
            "port {port} needs privileges; give one from 1024, or leave --port out and the system picks a free one"
        ),
        (Some(port), _) => format!("cannot listen on 127.0.0.1:{port}: {error}"),
        (None, _) => format!("cannot listen on 127.0.0.1: {error}"),
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let connection = listener.accept();
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok((stream, _)) = connection else {
            // Out of descriptors, or the peer has gone again: neither gets better by spinning.
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let shared = Arc::clone(shared);
        // A connection that gets no thread is dropped, which its client sees as a reset. Errors on a connection
        // (the client gave up) end that connection and nothing else.
        let _ = thread::Builder::new()
            .name("connection".into())
            .stack_size(STACK)
            .spawn(move || serve(stream, &shared));
    }
}

/// Serves one connection until its client closes it, the dial says down, or the server stops.
fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE_CHECK))?;
    let mut head = [0_u8; LONGEST_HEAD];
    while let Some(length) = await_head(&stream, &mut head, shared)? {
        let side = usize::from(head.starts_with(b"GET /right"));
        let health = Health::from_code(shared.dial.load(Ordering::Relaxed));
        let number = shared.hits[side][usize::from(health.code())].fetch_add(1, Ordering::Relaxed);
        if health == Health::Down {
            // The request is still unread: closing the socket now makes the system send a reset.
            return Ok(());
        }
        stream.read_exact(&mut head[..length])?;
        thread::sleep(match health {
            Health::Hanging => HANG,
            _ => work(number),
        });
        stream.write_all(match health {
            // Numbers 0, 3 and 6 of each ten: thirty per cent to the call, and never two in a row.
            Health::Failing if matches!(number % 10, 0 | 3 | 6) => {
                b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\n\r\nerror\n"
            }
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
        })?;
    }
    Ok(())
}

/// Waits for a whole request head and looks at it without taking it off the socket; gives its length.
fn await_head(stream: &TcpStream, head: &mut [u8], shared: &Shared) -> io::Result<Option<usize>> {
    let mut first_byte: Option<Instant> = None;
    loop {
        let seen = match stream.peek(head) {
            Ok(0) => return Ok(None),
            Ok(seen) => seen,
            Err(error) if is_timeout(&error) => {
                if shared.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(end) = head[..seen].windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(end + 4));
        }
        let since = *first_byte.get_or_insert_with(Instant::now);
        if seen == head.len() || since.elapsed() > HEAD_TIMEOUT {
            return Err(ErrorKind::InvalidData.into());
        }
        // Half a head: a peek would come back at once with the same bytes.
        thread::sleep(Duration::from_millis(1));
    }
}

/// A blocking read that ran out of time says one or the other, by platform.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The time of work on request `number`: scattered, but the same in every run.
fn work(number: u64) -> Duration {
    let (least, spread) = WORK;
    // Steps of 7 through 20 places, shifted every ten numbers, so that the failing numbers are not always quick.
    least + spread * ((number.wrapping_mul(7) + number / 10 * 3) % 20) as u32 / 20
}
