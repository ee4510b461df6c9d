//! Headless Chromium through chromedriver: the few WebDriver commands that the page needs.
//!
//! <https://www.w3.org/TR/webdriver2/>; `goog/cdp/execute` and `se/log` are chromedriver's own.
//! Every failure is a panic: this is test code, and a browser that doesn't answer ends the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{json, Value};

use crate::wait_for;

/// Chromium asks nobody but the page's origin with these.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// Longer than any command of the test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// WebDriver's names of keys that write no character.
pub mod keys {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const SPACE: &str = " ";
}

/// Says why there is no browser here; installs Debian's where that can be done.
pub fn find_or_install() -> Result<(), String> {
    let missing = || ["chromium", "chromedriver"].into_iter().find(|program| !on_path(program));
    let Some(program) = missing() else { return Ok(()) };
    if !is_root() || !on_path("apt-get") {
        return Err(format!(
            "no {program} on the path (Debian's packages: chromium chromium-driver)"
        ));
    }
    println!("{program} is missing: installing Debian's packages chromium and chromium-driver");
    for arguments in [
        &["update", "-qq"][..],
        &[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "chromium",
            "chromium-driver",
            "fonts-dejavu-core",
        ],
    ] {
        let done = Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=120"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(format!("apt-get {} failed", arguments[0]));
        }
    }
    match missing() {
        None => Ok(()),
        Some(program) => Err(format!("no {program} even after its package was installed")),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// One window with a profile of its own; closed, and its driver ended, when dropped.
pub struct Browser {
    driver: Child,
    base: String,
    agent: ureq::Agent,
    profile: PathBuf,
}

impl Browser {
    pub fn open() -> Browser {
        static PROFILES: AtomicU32 = AtomicU32::new(0);
        let number = PROFILES.fetch_add(1, Ordering::Relaxed);
        let profile =
            std::env::temp_dir().join(format!("failfast-browser-{}-{number}", std::process::id()));
        fs::create_dir_all(&profile).expect("a folder for the profile");
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let said = BufReader::new(driver.stdout.take().expect("its standard output"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("on port ").nth(1)?.trim_end_matches('.').parse::<u16>();
                port.ok().filter(|port| *port != 0)
            })
            .expect("chromedriver says its port");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let mut browser =
            Browser { driver, base: format!("http://127.0.0.1:{port}"), agent, profile };
        browser.start_session();
        browser
    }

    fn start_session(&mut self) {
        let mut arguments: Vec<String> = FLAGS.map(String::from).to_vec();
        arguments.push(format!("--user-data-dir={}", self.profile.display()));
        let session = self.ask(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
                "timeouts": { "script": PATIENCE.as_millis() as u64 },
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
                "goog:chromeOptions": { "args": arguments },
            } } }),
        );
        let id = session["sessionId"].as_str().expect("a session");
        self.base += &format!("/session/{id}");
        // Away from Chromium's own first page, which asks for things from elsewhere.
        self.go("about:blank");
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.base);
        let answer = match method {
            "POST" => self
                .agent
                .post(&url)
                .header("content-type", "application/json")
                .send(body.to_string().as_bytes()),
            "DELETE" => self.agent.delete(&url).call(),
            _ => self.agent.get(&url).call(),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut value: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        assert!(status.is_success(), "{method} {path}: {}", value["value"]["message"]);
        value["value"].take()
    }

    pub fn go(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// The value of a script's `return`; run at once, whatever the page is about.
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The value of a script's `return`; run when the page has drawn all that it has taken.
    ///
    /// The page takes a frame when it comes, and draws it with the next animation frame: in between its new cards are
    /// empty. Observers of sizes are told after all callbacks of an animation frame, so after the page's, and before
    /// anything else can be taken. A hidden page has no animation frames, and is looked at as it is.
    pub fn look(&self, script: &str) -> Value {
        self.run(&format!(
            r#"
            const look = () => {{ {script} }};
            if (document.hidden) return look();
            return new Promise((tell, fail) => requestAnimationFrame(() => {{
                new ResizeObserver((_, observer) => {{
                    observer.disconnect();
                    try {{ tell(look()) }} catch (error) {{ fail(error) }}
                }}).observe(document.documentElement);
            }}));
            "#
        ))
    }

    /// Whether a JavaScript expression holds on the page as it is drawn.
    pub fn holds(&self, expression: &str) -> bool {
        self.look(&format!("return Boolean({expression})")) == Value::Bool(true)
    }

    /// Waits until the page as it is drawn has the expression hold; what can't be computed yet doesn't.
    pub fn shows(&self, what: &str, expression: &str) {
        let script = format!(
            "try {{ return Boolean({expression}) }} catch (error) {{ return String(error) }}"
        );
        wait_for(what, || match self.look(&script) {
            Value::Bool(true) => Ok(()),
            found => Err(found),
        });
    }

    /// A JavaScript expression's value as text, on the page as it is drawn.
    pub fn text(&self, expression: &str) -> String {
        match self.look(&format!("return {expression}")) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// Presses and releases a key, as a keyboard would.
    pub fn press(&self, key: &str) {
        self.ask(
            "POST",
            "/actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": [
                { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
            ] }] }),
        );
    }

    /// Clicks the element, scrolled into view, with a pointer; fails where something covers it.
    pub fn click(&self, selector: &str) {
        let element =
            self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let id = element.as_object().and_then(|found| found.values().next());
        let id = id.and_then(Value::as_str).expect("an element");
        self.ask("POST", &format!("/element/{id}/click"), &json!({}));
    }

    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// The size of the page's window in its own pixels.
    pub fn size(&self, width: u32, height: u32, pixels_per_px: f64) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": pixels_per_px, "mobile": false
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Media features as the system would set them: `prefers-color-scheme`, `prefers-reduced-motion`.
    pub fn prefer(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// A PNG of the window.
    pub fn picture(&self) -> Vec<u8> {
        let shot = self.ask("GET", "/screenshot", &Value::Null);
        decode_base64(shot.as_str().expect("a picture"))
    }

    /// What the console has got since the last call, of level `SEVERE`: errors, failed requests, broken policy.
    pub fn console_errors(&self) -> Vec<String> {
        let entries = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let severe = |entry: &&Value| entry["level"] == "SEVERE";
        let message = |entry: &Value| entry["message"].to_string();
        entries.as_array().expect("entries").iter().filter(severe).map(message).collect()
    }

    /// What has gone over the network since the last call: DevTools' `Network` events, their method and parameters.
    pub fn network(&self) -> Vec<(String, Value)> {
        let entries = self.ask("POST", "/se/log", &json!({ "type": "performance" }));
        let event = |entry: &Value| {
            let mut entry: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let method = entry["message"]["method"].as_str()?.to_string();
            method.starts_with("Network.").then(|| (method, entry["message"]["params"].take()))
        };
        entries.as_array().expect("entries").iter().filter_map(event).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Not through `ask`, whose panic would be a second one.
        let _ = self.agent.delete(&self.base).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        remove(&self.profile);
    }
}

/// Chromium's last writes may come while its folder goes.
fn remove(folder: &Path) {
    for _ in 0..50 {
        if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
