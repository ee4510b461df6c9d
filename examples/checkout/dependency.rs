//! A dependency: an HTTP/1.1 server on loopback whose health is a dial, which anybody can turn over HTTP.
//!
//! ```text
//! curl -X POST 'http://127.0.0.1:PORT/fail'            every request gets a 500; ?rate=0.3: three of ten
//! curl -X POST 'http://127.0.0.1:PORT/slow?ms=250'     the answer takes that much longer
//! curl -X POST 'http://127.0.0.1:PORT/hang'            nothing is said, until the dial is turned or ?ms= is over
//! curl -X POST 'http://127.0.0.1:PORT/recover'         all is well again, for those that hang too
//! ```
//!
//! `GET /ping` is answered as the dial says; so is every other path, after a little work.
//! One thread a connection, keep-alive, nothing but the standard library.

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a healthy answer takes: this, and up to as much again.
const WORK: Duration = Duration::from_millis(1);
/// Between a slow-call limit of 150 ms and a timeout of 400 ms, as the example sets them.
const SLOW: Duration = Duration::from_millis(250);
/// Longer than anybody waits.
const HANG: Duration = Duration::from_secs(60);
/// Longest `?ms=`.
const LONGEST: Duration = Duration::from_secs(600);

/// Far above what the clients of the example send.
const MAX_HEAD: usize = 8 * 1024;
const MAX_BODY: usize = 64 * 1024;
/// How long a request may take to arrive once its first byte is there, and an answer to leave.
const TRANSFER: Duration = Duration::from_secs(1);
/// How often an idle connection looks whether the server has been stopped.
const IDLE_CHECK: Duration = Duration::from_millis(250);
/// More are hung up on: a dependency that hangs must not take all threads of the machine.
const MAX_CONNECTIONS: usize = 256;
/// The threads sleep and write a few bytes.
const STACK: usize = 128 * 1024;

/// How a dependency does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dial {
    pub(crate) position: Position,
    /// The share of requests that it strikes, evenly spread, in parts per million.
    rate_ppm: u32,
    /// How long `Slow` and `Hang` last.
    lasts: Duration,
}

/// Where a dial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Well,
    /// Answers 500.
    Fail,
    /// Answers late.
    Slow,
    /// Says nothing.
    Hang,
}

impl Dial {
    pub(crate) const WELL: Dial = Dial::at(Position::Well);
    /// What the dials are called in a path.
    pub(crate) const NAMES: [&'static str; 4] = ["fail", "slow", "hang", "recover"];

    /// The position as it is without `rate` or `ms`.
    pub(crate) const fn at(position: Position) -> Dial {
        let lasts = match position {
            Position::Well | Position::Fail => Duration::ZERO,
            Position::Slow => SLOW,
            Position::Hang => HANG,
        };
        Dial { position, rate_ppm: 1_000_000, lasts }
    }

    /// Reads `fail`, `slow`, `hang` or `recover`, and a query such as `rate=0.3&ms=250`; `None` for any other name.
    ///
    /// # Errors
    ///
    /// In words, for a `rate` or `ms` that is not allowed and for anything else in the query.
    pub(crate) fn parse(name: &str, query: &str) -> Option<Result<Dial, String>> {
        let dial = Dial::at(match name {
            "fail" => Position::Fail,
            "slow" => Position::Slow,
            "hang" => Position::Hang,
            "recover" => Position::Well,
            _ => return None,
        });
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Some(
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).try_fold(dial, Dial::with),
        )
    }

    fn with(self, (key, value): (&str, &str)) -> Result<Dial, String> {
        match key {
            "rate" => match value.parse::<f64>() {
                Ok(rate) if (0.0..=1.0).contains(&rate) => {
                    Ok(Dial { rate_ppm: (rate * 1e6).round() as u32, ..self })
                }
                _ => Err(format!("rate: given {value:?}, allowed is a number from 0 to 1")),
            },
            "ms" => match value.parse().map(Duration::from_millis) {
                Ok(_) if self.lasts.is_zero() => {
                    Err(format!("ms: given {value:?}, allowed is none but for slow and hang"))
                }
                Ok(lasts) if lasts <= LONGEST => Ok(Dial { lasts, ..self }),
                _ => Err(format!(
                    "ms: given {value:?}, allowed is a whole number from 0 to {}",
                    LONGEST.as_millis()
                )),
            },
            _ => Err(format!("query: given {key:?}, allowed is rate and ms")),
        }
    }

    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.rate_ppm) / 1e6
    }

    /// How long `Slow` and `Hang` last; zero for the others.
    pub(crate) const fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Whether it strikes this request: the same ones in every run, evenly spread.
    fn strikes(&self, number: u64) -> bool {
        let struck = |number: u64| u128::from(number) * u128::from(self.rate_ppm) / 1_000_000;
        self.position != Position::Well && struck(number + 1) > struck(number)
    }
}

impl Position {
    /// One word, as in `GET /events`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Position::Well => "well",
            Position::Fail => "fail",
            Position::Slow => "slow",
            Position::Hang => "hang",
        }
    }
}

/// As JSON.
impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (position, ms) = (self.position.name(), self.lasts.as_millis());
        write!(f, r#"{{"position":"{position}","rate":{:?},"ms":{ms}}}"#, self.rate())
    }
}

/// The running dependency; dropping it stops it.
pub(crate) struct Dependency {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    name: &'static str,
    /// The JSON of an answer, by the number of the request.
    answer: fn(u64) -> String,
    desk: Mutex<Desk>,
    /// The desk has changed.
    turned: Condvar,
    asked: AtomicU64,
    pings: AtomicU64,
    connections: AtomicUsize,
}

struct Desk {
    dial: Dial,
    /// How often the dial has been turned.
    turns: u64,
    stop: bool,
}

impl Dependency {
    /// Listens on loopback: on `port`, or on one that the system picks. `answer` makes the JSON of each good answer.
    ///
    /// # Errors
    ///
    /// As the system says: the port is taken, or there are no threads.
    pub(crate) fn start(
        name: &'static str,
        port: Option<u16>,
        answer: fn(u64) -> String,
    ) -> io::Result<Dependency> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            name,
            answer,
            desk: Mutex::new(Desk { dial: Dial::WELL, turns: 0, stop: false }),
            turned: Condvar::new(),
            asked: AtomicU64::new(0),
            pings: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("{name}-accept"))
                .spawn(move || accept(&listener, &shared))?
        };
        Ok(Dependency { address, shared, acceptor: Some(acceptor) })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.shared.name
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the dial stands.
    pub(crate) fn dial(&self) -> Dial {
        self.shared.desk().dial
    }

    /// Turns the dial; who hangs by the old position is answered by the new one.
    pub(crate) fn turn(&self, dial: Dial) {
        self.shared.turn(dial);
    }

    /// Requests so far, answered or not, pings not among them.
    pub(crate) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Dependency {
    fn drop(&mut self) {
        self.shared.desk().stop = true;
        self.shared.turned.notify_all();
        // The acceptor sits in `accept`; a connection wakes it. Connections see the flag when they are next idle.
        if TcpStream::connect_timeout(&self.address, IDLE_CHECK).is_ok() {
            if let Some(acceptor) = self.acceptor.take() {
                let _ = acceptor.join();
            }
        }
    }
}

impl Shared {
    /// No holder can leave it half changed, so a poisoned one is as good as any.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.desk().stop
    }

    fn turn(&self, dial: Dial) {
        let mut desk = self.desk();
        desk.dial = dial;
        desk.turns += 1;
        self.turned.notify_all();
    }

    /// Does to this request what the dial says; gives whether the answer is a good one, nothing once it is stopped.
    fn suffer(&self, number: u64) -> Option<bool> {
        let mut desk = self.desk();
        loop {
            let (dial, turns) = (desk.dial, desk.turns);
            match dial.position {
                _ if desk.stop => return None,
                _ if !dial.strikes(number) => return Some(true),
                Position::Well => return Some(true),
                Position::Fail => return Some(false),
                Position::Slow | Position::Hang => {
                    let same = |desk: &mut Desk| desk.turns == turns && !desk.stop;
                    let (after, waited) = self
                        .turned
                        .wait_timeout_while(desk, dial.lasts, same)
                        .unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() {
                        return Some(true);
                    }
                    desk = after;
                }
            }
        }
    }

    /// Status and body; nothing where the connection is closed without a word.
    fn answer(&self, method: &str, target: &str) -> Option<(&'static str, String)> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = path.trim_start_matches('/');
        if let Some(dial) = Dial::parse(name, query) {
            return Some(match dial {
                _ if method != "POST" => ("405 Method Not Allowed", error("dials take POST")),
                Err(complaint) => ("400 Bad Request", error(&complaint)),
                Ok(dial) => {
                    self.turn(dial);
                    ("200 OK", format!(r#"{{"dependency":"{}","dial":{dial}}}"#, self.name))
                }
            });
        }
        let (number, body) = match name {
            "ping" => {
                let number = self.pings.fetch_add(1, Ordering::Relaxed);
                (number, r#"{"pong":true}"#.to_owned())
            }
            _ => {
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                thread::sleep(work(number));
                (number, (self.answer)(number))
            }
        };
        Some(match self.suffer(number)? {
            true => ("200 OK", body),
            false => ("500 Internal Server Error", error("the dial says fail")),
        })
    }
}

/// The time of work on request `number`: scattered, but the same in every run.
fn work(number: u64) -> Duration {
    WORK + WORK * (number.wrapping_mul(7) % 20) as u32 / 20
}

/// `text` in an object.
fn error(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    format!(r#"{{"error":"{escaped}"}}"#)
}

// ===== connections =====

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let connection = listener.accept();
        if shared.is_stopped() {
            return;
        }
        let Ok((stream, _)) = connection else {
            // Out of descriptors, or the peer has gone again: neither gets better by spinning.
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let same = Arc::clone(shared);
        // Errors on a connection (its client has gone) end that connection and nothing else.
        let started = thread::Builder::new()
            .name(format!("{}-connection", shared.name))
            .stack_size(STACK)
            .spawn(move || {
                let _ = serve(stream, &same);
                same.connections.fetch_sub(1, Ordering::Relaxed);
            });
        if started.is_err() {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Serves one connection until its client closes it or the server stops.
fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE_CHECK))?;
    stream.set_write_timeout(Some(TRANSFER))?;
    let mut answer_to = stream.try_clone()?;
    let mut wire = Wire { reader: BufReader::new(stream), shared };
    while let Some(head) = wire.head()? {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
        let length = header(&head, "content-length").map_or(Ok(0), str::parse::<usize>);
        let refusal = match length {
            _ if header(&head, "transfer-encoding").is_some() => Some("411 Length Required"),
            Ok(length) if length <= MAX_BODY => None,
            Ok(_) => Some("413 Content Too Large"),
            Err(_) => Some("400 Bad Request"),
        };
        if let Some(status) = refusal {
            return respond(&mut answer_to, status, "{}");
        }
        wire.skip(length.unwrap_or(0))?;
        let Some((status, body)) = shared.answer(method, target) else {
            return Ok(());
        };
        respond(&mut answer_to, status, &body)?;
        if header(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
    }
    Ok(())
}

fn respond(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// The reading half of a connection.
struct Wire<'a> {
    reader: BufReader<TcpStream>,
    shared: &'a Shared,
}

impl Wire<'_> {
    /// The next request's head; `None` where there is none any more.
    fn head(&mut self) -> io::Result<Option<String>> {
        let mut head = Vec::new();
        let mut end = None;
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_HEAD {
                return Err(ErrorKind::InvalidData.into());
            }
            let Some(bytes) = self.more(end)? else {
                return Ok(None);
            };
            // Up to the end of a line: the blank one ends the head.
            let line =
                bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
            head.extend_from_slice(&bytes[..line]);
            self.reader.consume(line);
            end.get_or_insert_with(|| Instant::now() + TRANSFER);
        }
        Ok(Some(String::from_utf8_lossy(&head).into_owned()))
    }

    fn skip(&mut self, mut left: usize) -> io::Result<()> {
        let end = Instant::now() + TRANSFER;
        while left > 0 {
            let seen = self.more(Some(end))?.map_or(0, <[u8]>::len).min(left);
            if seen == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.reader.consume(seen);
            left -= seen;
        }
        Ok(())
    }

    /// What has arrived, which is not empty; `None` once the peer has closed or the server has stopped.
    fn more(&mut self, end: Option<Instant>) -> io::Result<Option<&[u8]>> {
        loop {
            // Asked each time: one who sends a byte now and then is late too.
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(ErrorKind::TimedOut.into());
            }
            match self.reader.fill_buf() {
                Ok([]) => return Ok(None),
                Ok(_) => break,
                // A blocking read that ran out of time says one or the other, by platform.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.shared.is_stopped() {
                return Ok(None);
            }
        }
        Ok(Some(self.reader.buffer()))
    }
}
