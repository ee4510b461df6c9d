//! Reading the recorded traces: gzip, one JSON object a line, one object a trace.
//!
//! Only the shape of the format is known here; what a peer's answers mean is each peer's file's business.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use failfast::State;
use flate2::read::GzDecoder;
use serde_json::Value;

/// One recorded life of a peer's breaker.
pub(crate) struct Trace {
    pub(crate) id: String,
    pub(crate) config: Value,
    pub(crate) ops: Vec<Op>,
}

/// One operation and what the peer answered.
pub(crate) struct Op {
    pub(crate) kind: Kind,
    /// The state after the operation; `None` where reading it would have disturbed the peer.
    pub(crate) state: Option<State>,
    /// The peer's counters, in the order of its own file format.
    pub(crate) counters: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Advance { ns: u64 },
    Acquire { permit: u64, allowed: bool },
    Success { permit: u64, elapsed: Option<u64> },
    Failure { permit: u64, elapsed: Option<u64> },
    Release { permit: u64 },
    IgnoredError { permit: u64 },
    Observe,
    Close,
    Open,
    HalfOpen,
    ForceOpen,
    Disable,
    MetricsOnly,
    Reset,
    Isolate,
    Dispose,
}

/// All traces of a file below `tests/vectors`.
pub(crate) fn read(file: &str) -> Vec<Trace> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let packed = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BufReader::new(GzDecoder::new(packed))
        .lines()
        .map(|line| parse(&line.expect("a line of text")))
        .collect()
}

/// A whole number in a configuration.
pub(crate) fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a whole number: {value}"))
}

/// A number in a configuration.
pub(crate) fn real(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// A word in a configuration.
pub(crate) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a word: {value}"))
}

/// The state of that name.
pub(crate) fn state(name: &str) -> State {
    match name {
        "closed" => State::Closed,
        "open" => State::Open,
        "half_open" => State::HalfOpen,
        "forced_open" | "isolated" => State::ForcedOpen,
        "disabled" => State::Disabled,
        "metrics_only" => State::MetricsOnly,
        other => panic!("unknown state {other}"),
    }
}

fn parse(line: &str) -> Trace {
    let trace: Value = serde_json::from_str(line).expect("a JSON object a line");
    Trace {
        id: word(&trace["id"]).to_owned(),
        config: trace["config"].clone(),
        ops: trace["ops"].as_array().expect("a list of operations").iter().map(operation).collect(),
    }
}

fn operation(op: &Value) -> Op {
    let permit = || whole(&op["permit"]);
    let elapsed = op["duration_ns"].as_u64();
    let kind = match word(&op["op"]) {
        "advance" => Kind::Advance { ns: whole(&op["ns"]) },
        "acquire" => Kind::Acquire {
            permit: permit(),
            allowed: op["allowed"].as_bool().expect("allowed or not"),
        },
        "success" => Kind::Success { permit: permit(), elapsed },
        "failure" => Kind::Failure { permit: permit(), elapsed },
        "release" => Kind::Release { permit: permit() },
        "ignored_error" => Kind::IgnoredError { permit: permit() },
        "observe" => Kind::Observe,
        "close" => Kind::Close,
        "open" => Kind::Open,
        "half_open" => Kind::HalfOpen,
        "force_open" => Kind::ForceOpen,
        "disable" => Kind::Disable,
        "metrics_only" => Kind::MetricsOnly,
        "reset" => Kind::Reset,
        "isolate" => Kind::Isolate,
        "dispose" => Kind::Dispose,
        other => panic!("unknown operation {other}"),
    };
    // The counters' key differs from peer to peer; pybreaker has two scalars.
    let counters = ["m", "c", "w"]
        .iter()
        .find_map(|key| op[*key].as_array())
        .map(|list| list.iter().map(real).collect())
        .or_else(|| Some(vec![op["f"].as_f64()?, op["s"].as_f64()?]))
        .unwrap_or_default();
    Op { kind, state: op["state"].as_str().map(state), counters }
}
