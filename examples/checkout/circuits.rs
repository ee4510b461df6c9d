//! The circuits: what a file says of them, and the four dependencies behind them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use failfast::config::{Config, InvalidConfig};

use failfast::{CheckRunner, Registry};
use serde_json::{json, Map, Value};
use ureq::Agent;

use crate::dependency::Dependency;
use crate::line::Line;

/// How long a ping may take, and how often there is one.
const PING: Duration = Duration::from_millis(200);
const PING_EVERY: Duration = Duration::from_millis(500);
/// Checkouts at once, in the file.
pub(crate) const BULKHEAD: &str = "checkout";

/// One of the four.
struct Trade {
    name: &'static str,
    is_required: bool,
    /// Whether a ping that passes ends an open time.
    ///
    /// Good where that time is long and a ping says much: shipping here. Not for payment, whose pings may well pass while
    /// every charge fails: it would be probed twice a second.
    recovers: bool,
    answer: fn(u64) -> String,
}

const TRADES: [Trade; 4] = [
    Trade { name: "payment", is_required: true, recovers: false, answer: done },
    Trade { name: "inventory", is_required: true, recovers: false, answer: stock },
    Trade { name: "shipping", is_required: false, recovers: true, answer: quote },
    Trade { name: "notification", is_required: false, recovers: false, answer: done },
];

fn done(_: u64) -> String {
    json!({ "done": true }).to_string()
}

fn stock(_: u64) -> String {
    json!({ "stock": 500 }).to_string()
}

/// 4.90 to 9.40.
fn quote(number: u64) -> String {
    json!({ "quote": 490 + number % 10 * 50 }).to_string()
}

/// Whether a ping that passes ends an open time of this dependency.
pub(crate) fn recovers(name: &str) -> bool {
    TRADES.iter().any(|trade| trade.name == name && trade.recovers)
}

/// Why a file is not taken.
#[derive(Debug)]
pub(crate) enum Unfit {
    File(InvalidConfig),
    /// A name that nobody here has, or one that is missing.
    Name {
        file: PathBuf,
        key: String,
        given: &'static str,
        allowed: String,
    },
}

impl From<InvalidConfig> for Unfit {
    fn from(error: InvalidConfig) -> Self {
        Unfit::File(error)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::File(error) => error.fmt(f),
            Unfit::Name { file, key, given, allowed } => {
                write!(f, "{}: {key}: given {given}, allowed is {allowed}", file.display())
            }
        }
    }
}

impl Unfit {
    /// `file`: where the settings came from.
    pub(crate) fn to_json(&self, file: &Path) -> Value {
        let mut body = json!({ "error": self.to_string(), "file": file });
        match self {
            Unfit::File(error) => {
                body["line"] = error.line().into();
                body["key"] = error.key().into();
                body["given"] = error.given().into();
                body["allowed"] = error.allowed().into();
            }
            Unfit::Name { key, given, allowed, .. } => {
                body["key"] = key.as_str().into();
                body["given"] = (*given).into();
                body["allowed"] = allowed.as_str().into();
            }
        }
        body
    }
}

/// Reads a file, and refuses names that would have no effect, and a file that a start would refuse for want of one.
pub(crate) fn read(file: &Path) -> Result<Config, Unfit> {
    let config = Config::load(file)?;
    let names = TRADES.map(|trade| trade.name);
    let kinds: [(&str, Vec<&String>, &[&str]); 3] = [
        ("breakers", config.breakers.keys().collect(), &names),
        ("bulkheads", config.bulkheads.keys().collect(), &[BULKHEAD]),
        ("rate_limits", config.rate_limits.keys().collect(), &[]),
    ];
    let unfit = |key, given, allowed| Unfit::Name { file: file.to_owned(), key, given, allowed };
    for (kind, given, known) in kinds {
        if let Some(name) = given.into_iter().find(|name| !known.contains(&name.as_str())) {
            let allowed = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err(unfit(format!("{kind}.{name}"), "a name that is not known here", allowed));
        }
    }
    if !config.bulkheads.contains_key(BULKHEAD) {
        let allowed = "an entry that says how many checkouts there are at once".into();
        return Err(unfit(format!("bulkheads.{BULKHEAD}"), "nothing", allowed));
    }
    Ok(config)
}

/// Reads the file again and puts it in force, all of it or nothing; gives what has changed, as JSON.
pub(crate) fn reload(registry: &Registry, file: &Path) -> Result<Value, Unfit> {
    let config = read(file)?;
    let before = in_force(registry);
    registry.apply(config)?;
    let after = in_force(registry);
    let changed: Vec<_> = after
        .iter()
        .filter(|(key, now)| before.get(*key) != Some(now))
        .map(|(key, now)| json!({ "key": key, "from": before.get(key), "to": now }))
        .collect();
    Ok(json!({ "changed": changed }))
}

/// Starts the dependencies, each behind the breaker of its name.
pub(crate) fn open(registry: &Registry, timeout: Duration) -> Result<[Line; 4], String> {
    let line = |trade: Trade| -> Result<Line, String> {
        let name = trade.name;
        let dependency = Dependency::start(name, None, trade.answer)
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let breaker = registry.breaker(name).map_err(|error| format!("{name}: {error}"))?;
        Line::to(dependency, trade.is_required, breaker, timeout)
            .map_err(|error| format!("{name}: {error}"))
    };
    let [payment, inventory, shipping, notification] = TRADES.map(line);
    Ok([payment?, inventory?, shipping?, notification?])
}

/// Pings every dependency in the background until the answer is dropped.
pub(crate) fn check(registry: &Registry, lines: &[Line; 4]) -> io::Result<CheckRunner> {
    let agent = Agent::config_builder()
        .proxy(None)
        .timeout_connect(Some(PING))
        .timeout_recv_response(Some(PING))
        .build()
        .new_agent();
    for line in lines {
        let url = format!("http://{}/ping", line.dependency.address());
        let (agent, breaker) = (agent.clone(), Arc::clone(&line.breaker));
        let recovers = recovers(line.name());
        let check = move || {
            agent.get(&url).call()?.body_mut().read_to_vec()?;
            if recovers {
                breaker.try_half_open();
            }
            Ok::<(), ureq::Error>(())
        };
        registry.check(line.name(), PING, check).map_err(io::Error::other)?;
    }
    registry.run_checks_every(PING_EVERY)
}

// ===== what is in force =====

/// What [`Registry::apply`] may change, by its place in the file.
fn in_force(registry: &Registry) -> Map<String, Value> {
    let mut all = Map::new();
    for breaker in registry.breakers() {
        let settings = breaker.settings();
        let (slow_limit, slow_rate) = settings.slow_call.unzip();
        let fields = json!({
            "window": settings.window,
            "failure_rate": settings.failure_rate,
            "failure_count": settings.failure_count,
            "consecutive_failures": settings.consecutive_failures,
            "slow_call.limit": slow_limit.map(|limit| limit.as_secs_f64()),
            "slow_call.rate": slow_rate,
            "min_calls": settings.min_calls,
            "open_wait": settings.open_wait,
            "half_open": settings.half_open,
            "probe_timeout": settings.probe_timeout.as_secs_f64(),
        });
        for (field, value) in fields.as_object().into_iter().flatten() {
            all.insert(format!("breakers.{}.{field}", breaker.name()), value.clone());
        }
    }
    for (name, bulkhead) in registry.bulkheads() {
        let most = bulkhead.max_concurrent();
        all.insert(format!("bulkheads.{name}.max_concurrent"), most.into());
    }
    all
}
