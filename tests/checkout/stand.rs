//! A running service with a configuration of its own, and what it takes to ask it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use failfast::State;
use serde_json::Value;
use ureq::Agent;

use crate::line::{Line, Patience};
use crate::service::{Service, Settings};

/// As the example's own, but that a circuit is open for a shorter time.
pub(crate) const CIRCUITS: &str = r#"
[templates.default]
consecutive_failures = 3
min_calls = 20
open_wait = "3s"
half_open = { probes = 1 }

[breakers.shipping]
open_wait = "1h"

[bulkheads.checkout]
max_concurrent = 64
"#;

/// Nothing here takes that long; who waits for it fails.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// No healthy answer takes that long, however busy the machine.
pub(crate) const PATIENT: Patience =
    Patience { call: Duration::from_secs(20), checkout: Duration::from_secs(30) };
/// For tests that wait for it. Not as short as the example's own, which a busy machine may need for a healthy answer.
pub(crate) const BRIEF: Patience =
    Patience { call: Duration::from_millis(1_000), checkout: Duration::from_millis(2_500) };

pub(crate) struct Stand {
    pub(crate) service: Service,
    pub(crate) file: PathBuf,
    agent: Agent,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) text: String,
    /// `null` where the body is none.
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

impl Stand {
    /// Only a hang makes anybody late here, and for so long that a test should not wait for it.
    pub(crate) fn open() -> Stand {
        Stand::with(|_| {})
    }

    /// Who hangs is soon late.
    pub(crate) fn brief() -> Stand {
        Stand::with(|settings| settings.patience = BRIEF)
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut Settings)) -> Stand {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("checkout-{}-{number}.toml", std::process::id());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::write(&file, CIRCUITS).unwrap();
        let mut settings =
            Settings { config: file.clone(), patience: PATIENT, ..Settings::default() };
        adjust(&mut settings);
        let service = Service::start(settings).unwrap();
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_recv_response(Some(LONG))
            .build()
            .new_agent();
        Stand { service, file, agent }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let begun = Instant::now();
        let response = self.agent.get(self.url(path)).call().unwrap();
        Answer::read(response, begun)
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        self.post_body(path, "")
    }

    pub(crate) fn post_body(&self, path: &str, body: &str) -> Answer {
        let begun = Instant::now();
        let response = self.agent.post(self.url(path)).send(body).unwrap();
        Answer::read(response, begun)
    }

    pub(crate) fn checkout(&self) -> Answer {
        self.post("checkout")
    }

    /// Turns a dial the way that a user does.
    pub(crate) fn turn(&self, name: &str, dial: &str) {
        assert_eq!(self.post(&format!("dependencies/{name}/{dial}")).status, 200);
    }

    pub(crate) fn line(&self, name: &str) -> &Line {
        self.service.app.shop.line(name).unwrap()
    }

    /// Three failures open a circuit.
    pub(crate) fn fail_until_open(&self, name: &str) {
        self.turn(name, "fail");
        for _ in 0..3 {
            assert_ne!(self.checkout().body["status"], "confirmed");
        }
        let changes = self.line(name).breaker.history();
        assert!(changes.iter().any(|change| change.to == State::Open), "{name}");
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.service.address()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        stream
    }

    pub(crate) fn events(&self) -> Events {
        let mut stream = self.connect();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: it\r\n\r\n").unwrap();
        Events { lines: BufReader::new(stream) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.service.address())
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Answer {
    fn read(mut response: ureq::http::Response<ureq::Body>, begun: Instant) -> Answer {
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().unwrap().parse().unwrap());
        let text = response.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, retry_after, text, body, took: begun.elapsed() }
    }
}

/// An event stream and its reader.
pub(crate) struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// The next picture; nothing once the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some(picture) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(picture).unwrap());
            }
            line.clear();
        }
        None
    }

    /// The first line of the answer.
    pub(crate) fn status(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }
}

/// Looks again and again, until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
