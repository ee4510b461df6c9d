//! The checkout service as a child process: built by the same Cargo and in the same profile, killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::wait_for;

/// Builds the example and gives the program's path.
///
/// Cargo's lock on the target folder is free while a test runs.
pub fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["build", "--example", "checkout", "--all-features"]);
    cargo.args(["-p", "failfast", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "the checkout example doesn't build");
    let artifact = |line: &[u8]| {
        let message: Value = serde_json::from_slice(line).ok()?;
        let ours =
            message["target"]["name"] == "checkout" && message["target"]["kind"][0] == "example";
        message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
    };
    let mut lines = output.stdout.split(|byte| *byte == b'\n');
    lines.find_map(artifact).expect("cargo names the program")
}

/// A running service.
pub struct Service {
    child: Child,
    port: u16,
}

impl Service {
    /// Starts the program on the port, and waits until it answers.
    pub fn start(program: &Path, port: u16) -> Service {
        let mut child = Command::new(program)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        // Read to the end, so that it can't block on a full pipe.
        let said = BufReader::new(child.stdout.take().expect("its standard output"));
        thread::spawn(move || said.lines().map_while(Result::ok).for_each(drop));
        let mut service = Service { child, port };
        wait_for("the service's health", || {
            if let Ok(Some(status)) = service.child.try_wait() {
                panic!("the service ended at once: {status}");
            }
            ureq::get(format!("{}health", service.url())).call()
        });
        service
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What `GET /events` sends first.
    pub fn frame(&self) -> Value {
        let answer = ureq::get(format!("{}events", self.url())).call().expect("a stream");
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        let data = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("data:").map(|data| data.trim().to_string()));
        serde_json::from_str(&data.expect("an event")).expect("JSON")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago, and will be again when a service on it has ended.
///
/// Not one of those that systems give to outgoing connections (from 32,768 on Linux, 49,152 on others): one of these
/// could have it by then, even the page's own attempt to come back, which would so be connected to itself.
pub fn free_port() -> u16 {
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (first..32_000).find(free).expect("a free port")
}

/// Customers who send checkouts one after the other until this is dropped; refusals and errors don't stop them.
pub struct Customers {
    done: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Customers {
    /// `count` customers, each with `pause` after an answer.
    pub fn start(url: &str, count: usize, pause: Duration) -> Customers {
        let (done, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let customer = |_| {
            let (url, done, sent) =
                (format!("{url}checkout"), Arc::clone(&done), Arc::clone(&sent));
            thread::spawn(move || {
                let agent = ureq::Agent::config_builder()
                    .http_status_as_error(false)
                    .timeout_global(Some(Duration::from_secs(5)))
                    .build()
                    .new_agent();
                while !done.load(Ordering::Relaxed) {
                    if let Ok(mut answer) = agent.post(&url).send_empty() {
                        let _ = answer.body_mut().read_to_vec();
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(pause);
                }
            })
        };
        let threads = (0..count).map(customer).collect();
        Customers { done, sent, threads }
    }

    /// Checkouts answered so far, in whatever way.
    pub fn answered(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
