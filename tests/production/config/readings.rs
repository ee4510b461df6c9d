//! States, snapshots and transitions as data.

use std::time::Duration;

use failfast::{Snapshot, State, Transition, TransitionCause};
use serde_json::{from_value, json, to_value};

#[test]
fn states_have_names() {
    let names = ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"];
    for (state, name) in State::ALL.into_iter().zip(names) {
        assert_eq!(to_value(state).unwrap(), name);
        assert_eq!(from_value::<State>(json!(name)).unwrap(), state);
    }
    assert!(from_value::<State>(json!("half-open")).is_err());
}

#[test]
fn a_snapshot_is_its_fields() {
    let snapshot = Snapshot {
        state: State::HalfOpen,
        generation: u64::MAX,
        calls: 20,
        failures: 10,
        slow_calls: 3,
        slow_failures: 2,
        consecutive_failures: 4,
        failure_rate: Some(0.5),
        slow_rate: None,
        open_attempt: 1,
    };
    let data = json!({
        "state": "half_open",
        "generation": 18_446_744_073_709_551_615_u64,
        "calls": 20,
        "failures": 10,
        "slow_calls": 3,
        "slow_failures": 2,
        "consecutive_failures": 4,
        "failure_rate": 0.5,
        "slow_rate": null,
        "open_attempt": 1,
    });
    assert_eq!(to_value(&snapshot).unwrap(), data);
    assert_eq!(from_value::<Snapshot>(data).unwrap(), snapshot);
}

#[test]
fn a_transition_tells_its_cause_by_name_with_the_numbers_beside() {
    let mut transition = Transition {
        from: State::Closed,
        to: State::Open,
        generation: 7,
        cause: TransitionCause::FailureRate { failures: 10, calls: 20 },
        at: Duration::from_millis(90_250),
    };
    let data = json!({
        "from": "closed",
        "to": "open",
        "generation": 7,
        "cause": { "name": "failure_rate", "failures": 10, "calls": 20 },
        "at": "1m 30s 250ms",
    });
    assert_eq!(to_value(&transition).unwrap(), data);
    assert_eq!(from_value::<Transition>(data).unwrap(), transition);

    for cause in [
        TransitionCause::SlowRate { slow_calls: 1, calls: 2 },
        TransitionCause::FailureCount { failures: 1 },
        TransitionCause::ConsecutiveFailures { failures: 1 },
        TransitionCause::OpenTimeOver,
        TransitionCause::ProbeFailed,
        TransitionCause::ProbeSlow,
        TransitionCause::ProbesSucceeded { calls: 3, failures: 1 },
        TransitionCause::ProbesLost { outstanding: 2 },
        TransitionCause::Control,
        TransitionCause::Reconfigured,
    ] {
        transition.cause = cause;
        let data = to_value(&transition).unwrap();
        assert_eq!(data["cause"]["name"], cause.name());
        assert_eq!(from_value::<Transition>(data).unwrap(), transition);
    }
}
