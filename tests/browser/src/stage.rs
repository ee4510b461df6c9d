//! A stage for the page: serves it as the service does, and plays whatever frames a test makes.
//!
//! The service can't be told to show all six states at once, an hour in ten seconds, or a breaker with markup in its
//! name; the stage can. One thread a connection, HTTP/1.1 without keep-alive, the standard library alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

/// The page, as the service serves it.
pub const PAGE: &str = include_str!("../../../examples/checkout/page.html");

/// Between two frames, as the service sends them. After two seconds without one nothing on the page counts as live.
const EVERY: Duration = Duration::from_millis(200);

/// Who listens, and to what.
#[derive(Default)]
struct Scene {
    listeners: Vec<Sender<String>>,
    /// How many have listened so far.
    visits: usize,
    /// What is played again and again.
    frame: Option<Value>,
    played_at: f64,
}

impl Scene {
    fn play(&mut self) {
        let Some(frame) = &mut self.frame else { return };
        self.played_at = now_ms();
        frame["at_ms"] = self.played_at.into();
        let data = frame.to_string();
        self.send(&data);
    }

    fn send(&mut self, data: &str) {
        self.listeners.retain(|listener| listener.send(data.to_string()).is_ok());
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Scene>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Scene> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Stage {
    address: SocketAddr,
    scene: Shared,
    turned: Receiver<String>,
    /// Ends the player when dropped.
    _open: Sender<()>,
}

impl Stage {
    pub fn open() -> Stage {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let scene = Shared::default();
        let (turn, turned) = mpsc::channel();
        let all = scene.clone();
        // Ends with the process.
        thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                let (all, turn) = (all.clone(), turn.clone());
                thread::spawn(move || answer(visitor, &all, &turn));
            }
        });
        let (open, is_open) = mpsc::channel();
        let player = scene.clone();
        thread::spawn(move || {
            while is_open.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                player.lock().play();
            }
        });
        Stage { address, scene, turned, _open: open }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many pages listen.
    pub fn listening(&self) -> usize {
        self.scene.lock().listeners.len()
    }

    /// How many times a page has begun to listen.
    pub fn visits(&self) -> usize {
        self.scene.lock().visits
    }

    /// Plays a frame to all that listen, and goes on with it, each time of the present moment: a page that hears nothing
    /// for two seconds is not live, and a test on a busy machine takes longer than that.
    pub fn play(&self, frame: Value) {
        let mut scene = self.scene.lock();
        scene.frame = Some(frame);
        scene.play();
    }

    /// Plays nothing more, and gives the time in the last frame.
    pub fn fall_silent(&self) -> f64 {
        let mut scene = self.scene.lock();
        scene.frame = None;
        scene.played_at
    }

    /// Sends text as the data of one event to all that listen.
    pub fn send(&self, data: &str) {
        self.scene.lock().send(data);
    }

    /// Ends the event streams, as a service that stops does.
    pub fn hang_up(&self) {
        self.fall_silent();
        self.scene.lock().listeners.clear();
    }

    /// The requests to turn a dial so far, as `name/dial`, still encoded.
    pub fn turned(&self) -> Vec<String> {
        self.turned.try_iter().collect()
    }
}

fn answer(visitor: TcpStream, scene: &Shared, turn: &Sender<String>) {
    let mut lines = BufReader::new(&visitor);
    let mut request = String::new();
    if lines.read_line(&mut request).is_err() {
        return;
    }
    let mut line = String::new();
    let mut length = 0;
    while lines.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let _ = lines.take(length).read_to_end(&mut Vec::new());
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    match (method, path) {
        ("GET", "/") => respond(&visitor, "200 OK", "text/html; charset=utf-8", PAGE),
        ("GET", "/events") => {
            let (say, said) = mpsc::channel();
            if begin_events(&visitor).is_ok() {
                let mut scene = scene.lock();
                scene.listeners.push(say);
                scene.visits += 1;
            }
            for data in said {
                if write!(&visitor, "data: {data}\n\n").is_err() {
                    return;
                }
            }
        }
        ("POST", path) if path.starts_with("/dependencies/") => {
            let dial = path["/dependencies/".len()..].to_string();
            let (status, body) = match dial.ends_with("/hang") {
                true => ("503 Service Unavailable", "not this one"),
                false => ("200 OK", "{}"),
            };
            let _ = turn.send(dial);
            respond(&visitor, status, "application/json", body);
        }
        _ => respond(&visitor, "404 Not Found", "text/plain", "no such thing"),
    }
}

fn begin_events(mut visitor: &TcpStream) -> std::io::Result<()> {
    visitor.set_nodelay(true)?;
    visitor.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
          Connection: close\r\n\r\n",
    )
}

fn respond(mut visitor: &TcpStream, status: &str, kind: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = visitor.write_all((head + body).as_bytes());
}

/// Milliseconds since 1970.
pub fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs_f64() * 1e3).floor()
}

/// A frame in the form of `EVENTS.md`, of breakers in the same form.
pub fn frame(at_ms: f64, uptime_s: f64, p50: f64, breakers: &[Value]) -> Value {
    json!({
        "seq": 1, "at_ms": at_ms, "uptime_s": uptime_s, "healthy": true,
        "checkout": {
            "confirmed_per_s": 48.0, "degraded_per_s": 1.0, "refused_per_s": 0.0, "failed_per_s": 0.0,
            "latency_ms": { "count": 240, "p50": p50, "p99": 11.9, "p999": 80.4, "max": 251.3 },
        },
        "dependencies": breakers,
    })
}

/// A breaker that does well, in the form of `EVENTS.md`; a test changes what it is about.
pub fn breaker(name: &str, state: &str) -> Value {
    json!({
        "name": name, "required": true,
        "dial": { "position": "well", "rate": 1.0, "ms": 0 },
        "check": { "passing": true, "ago_s": 0.3, "error": null },
        "pool": { "in_use": 2, "threads": 8, "queue": 0, "timeout_ms": 400 },
        "breaker": {
            "state": state, "state_s": 12.0, "generation": 0, "open_for_s": null, "open_wait_s": 5.0,
            "window": { "kind": "time", "seconds": 10.0 },
            "calls": 100, "failures": 10, "slow_calls": 5, "consecutive_failures": 0, "min_calls": 20,
            "failure_rate": 0.1, "failure_rate_limit": 0.5, "slow_rate": 0.05, "slow_rate_limit": 0.5,
            "slow_limit_ms": 150, "failure_count_limit": null, "consecutive_failures_limit": 3,
            "half_open": { "kind": "probes", "count": 1 },
            "calls_per_s": 50.0, "failures_per_s": 1.0, "refused_per_s": 0.0,
            "transitions": [],
        },
    })
}
