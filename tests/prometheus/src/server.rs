//! A Prometheus server of our own, and what its HTTP API says.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fail;

/// How long anything may take that is done in a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that is gone when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("failfast-prometheus-{}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())));
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Ends the server with the pipe, so that it outlives neither this program nor a sudden end of it.
const LEASH: &str = r#"prometheus "$@" & cat; kill -9 $!"#;

/// The process, killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one that scrapes this address every second and knows these rules.
    pub(crate) fn start(folder: &Path, scraped: SocketAddr, rules: &Path) -> Server {
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{job_name: failfast, static_configs: [{{targets: ['{scraped}']}}]}}]\n",
            rules.display()
        );
        fs::write(&config, text).unwrap_or_else(|error| fail(&error.to_string()));
        promtool(&["check", "config", &config.display().to_string()], "");
        let mut process = Command::new("sh")
            .args(["-c", LEASH, "prometheus"])
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| fail(&format!("prometheus does not start: {error}")));
        let log = BufReader::new(process.stderr.take().expect("a pipe"));
        let (tell, told) = std::sync::mpsc::channel();
        // Reads to the end, so that the server never waits for its log to be read.
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
                    drop(tell.send(address.trim().to_owned()));
                } else if line.contains("level=error") {
                    eprintln!("  prometheus: {line}");
                }
            }
        });
        let address = told.recv_timeout(PATIENCE);
        // From here on the drop ends it.
        let mut server = Server { process, address: scraped };
        let address = address.unwrap_or_else(|_| server.abandon("prometheus does not listen"));
        server.address = address.parse().unwrap_or_else(|_| server.abandon(&address));
        let end = Instant::now() + PATIENCE;
        while get(server.address, "/-/ready", "*/*").0 != 200 {
            if Instant::now() > end {
                server.abandon("prometheus does not get ready");
            }
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn abandon(&mut self, why: &str) -> ! {
        self.kill();
        fail(why)
    }

    /// The answer's `data` to a request of its API.
    pub(crate) fn ask(&self, path: &str) -> Value {
        let (status, body) = get(self.address, &format!("/api/v1/{path}"), "application/json");
        let mut answer: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        if status != 200 || answer["status"] != "success" {
            fail(&format!("{path}: {status} {body}"));
        }
        answer["data"].take()
    }

    /// The series that a query finds now, each with its labels and value.
    pub(crate) fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let mut data = self.ask(&format!("query?query={}", encoded(query)));
        let Value::Array(found) = data["result"].take() else { fail("no result") };
        let series = found.into_iter().map(|mut one| {
            let value = one["value"][1].as_str().and_then(|value| value.parse().ok());
            (one["metric"].take(), value.unwrap_or(f64::NAN))
        });
        series.collect()
    }

    /// Waits until a query has an answer that will do.
    pub(crate) fn wait_for(&self, query: &str, will_do: impl Fn(f64) -> bool) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.query(query).iter().any(|(_, value)| will_do(*value)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        fail(&format!("{query}: {:?} after {PATIENCE:?}", self.query(query)));
    }

    /// Ends it at once, as a machine does that loses its power.
    pub(crate) fn kill(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs promtool, which must be content and have nothing to remark.
pub(crate) fn promtool(arguments: &[&str], input: &str) {
    let mut process = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| fail(&format!("promtool does not start: {error}")));
    let mut pipe = process.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = process.wait_with_output().unwrap_or_else(|error| fail(&error.to_string()));
    let remarks = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !remarks.is_empty() || writer.join().is_err() {
        let said = String::from_utf8_lossy(&output.stdout);
        fail(&format!("promtool {}: {}\n{said}{remarks}", arguments.join(" "), output.status));
    }
}

/// One request; the status and the body.
pub(crate) fn get(address: SocketAddr, path: &str, accept: &str) -> (u16, String) {
    let answer = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        // In this version the body ends with the connection.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    let answer = answer.unwrap_or_else(|error| fail(&format!("{path}: {error}")));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}
