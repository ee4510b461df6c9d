//! Boards that were never read from a breaker.

use std::time::Duration;

use failfast::{Snapshot, State, Totals, Transition, TransitionCause, WindowKind};

use crate::model::{Board, Dial, Limits, Reading, Watched};

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn limits() -> Limits {
    Limits {
        window: WindowKind::Count { size: 20 },
        failure_rate: Some(0.5),
        slow: Some((Duration::from_millis(150), 0.5)),
        failure_count: None,
        run: Some(3),
        probes: 1,
    }
}

pub(crate) fn well() -> Dial {
    Dial { well: true, word: "well".into() }
}

pub(crate) fn snapshot(state: State) -> Snapshot {
    Snapshot {
        state,
        generation: 0,
        calls: 0,
        failures: 0,
        slow_calls: 0,
        slow_failures: 0,
        consecutive_failures: 0,
        failure_rate: None,
        slow_rate: None,
        open_attempt: 0,
    }
}

/// Calls permitted and refused so far, and nothing else.
pub(crate) fn reading(state: State, permitted: u64, refused: u64) -> Reading {
    let mut totals = Totals::default();
    totals.permitted = permitted;
    totals.succeeded = permitted;
    totals.refused = refused;
    Reading {
        snapshot: snapshot(state),
        totals,
        open_for: None,
        changes: Vec::new(),
        missed: 0,
        dial: well(),
    }
}

pub(crate) fn change(
    at: f64,
    generation: u64,
    (from, to): (State, State),
    cause: TransitionCause,
) -> Transition {
    Transition { from, to, generation, cause, at: seconds(at) }
}

/// A breaker that has been read ten times a second for so long, twenty calls a second, of which it refuses those while
/// open; the changes are what it did.
fn lived(board: &mut Board, index: usize, length: f64, changes: &[Transition], last: Reading) {
    let (mut permitted, mut refused) = (0, 0);
    let mut left = changes.iter().peekable();
    let mut state = changes.first().map_or(last.snapshot.state, |change| change.from);
    for tenth in 0..=(length * 10.0) as u64 {
        let at = tenth as f64 / 10.0;
        let mut now = reading(state, permitted, refused);
        while let Some(change) = left.next_if(|change| change.at <= seconds(at)) {
            state = change.to;
            now.changes.push(change.clone());
        }
        now.snapshot.state = state;
        board.read(index, seconds(at), now);
        if tenth == (length * 10.0) as u64 {
            break;
        }
        match state {
            State::Open | State::ForcedOpen => refused += 2,
            _ => permitted += 2,
        }
    }
    let mut last = last;
    last.totals.permitted = permitted;
    last.totals.succeeded = permitted;
    last.totals.refused = refused;
    board.read(index, seconds(length), last);
}

/// Four breakers after forty seconds: closed with some failures, open, half-open, and one that knows only runs.
pub(crate) fn busy() -> Board {
    use State::{Closed, HalfOpen, Open};
    let names = [
        ("payment", 41_001),
        ("inventory", 41_002),
        ("shipping", 41_003),
        ("notification", 41_004),
    ];
    let mut watched: Vec<Watched> =
        names.iter().map(|&(name, port)| Watched::new(name, port, limits())).collect();
    watched[2].limits.window = WindowKind::Time { length: Duration::from_secs(10), buckets: 10 };
    watched[2].limits.probes = 3;
    watched[3].limits = Limits {
        window: WindowKind::Consecutive { limit: 3 },
        failure_rate: None,
        slow: None,
        ..limits()
    };
    let mut board = Board::new(watched);

    let run = TransitionCause::ConsecutiveFailures { failures: 3 };
    let closing = TransitionCause::ProbesSucceeded { calls: 1, failures: 0 };
    let over = TransitionCause::OpenTimeOver;

    let mut payment = reading(Closed, 0, 0);
    payment.snapshot = Snapshot {
        calls: 20,
        failures: 8,
        slow_calls: 3,
        slow_failures: 1,
        consecutive_failures: 2,
        failure_rate: Some(0.4),
        slow_rate: Some(0.15),
        generation: 3,
        ..snapshot(Closed)
    };
    payment.dial = Dial { well: false, word: "fail 30%".into() };
    let outage = [
        change(10.2, 1, (Closed, Open), run),
        change(15.2, 2, (Open, HalfOpen), over),
        change(15.21, 3, (HalfOpen, Closed), closing),
    ];
    lived(&mut board, 0, 40.0, &outage, payment);

    let mut inventory = reading(Open, 0, 0);
    inventory.open_for = Some(seconds(3.2));
    inventory.dial = Dial { well: false, word: "slow".into() };
    let slow = TransitionCause::SlowRate { slow_calls: 10, calls: 20 };
    lived(&mut board, 1, 40.0, &[change(38.2, 1, (Closed, Open), slow)], inventory);

    let mut shipping = reading(HalfOpen, 0, 0);
    shipping.snapshot.calls = 1;
    shipping.dial = Dial { well: false, word: "hang".into() };
    let hung = [
        change(20.0, 1, (Closed, Open), run),
        change(25.0, 2, (Open, HalfOpen), over),
        change(25.4, 3, (HalfOpen, Open), TransitionCause::ProbeFailed),
        change(30.4, 4, (Open, HalfOpen), over),
        change(31.2, 5, (HalfOpen, Open), TransitionCause::ProbesLost { outstanding: 1 }),
        change(39.9, 6, (Open, HalfOpen), over),
    ];
    lived(&mut board, 2, 40.0, &hung, shipping);

    let mut notification = reading(Closed, 0, 0);
    notification.snapshot.consecutive_failures = 1;
    lived(&mut board, 3, 40.0, &[], notification);
    board
}

/// The states that only an operator sets, metrics-only among them, and a breaker that was not read yet.
pub(crate) fn by_hand() -> Board {
    use State::{Closed, Disabled, ForcedOpen, MetricsOnly};
    let names = [("payment", 1), ("inventory", 22), ("shipping", 65_535), ("notification", 41_004)];
    let watched = names.iter().map(|&(name, port)| Watched::new(name, port, limits()));
    let mut board = Board::new(watched.collect());
    let by_hand = TransitionCause::Control;
    lived(
        &mut board,
        0,
        90.0,
        &[change(70.0, 1, (Closed, ForcedOpen), by_hand)],
        reading(ForcedOpen, 0, 0),
    );
    lived(
        &mut board,
        1,
        90.0,
        &[change(80.0, 1, (Closed, Disabled), by_hand)],
        reading(Disabled, 0, 0),
    );
    let mut watching = reading(MetricsOnly, 0, 0);
    watching.snapshot.calls = 20;
    watching.snapshot.failures = 15;
    watching.snapshot.failure_rate = Some(0.75);
    watching.snapshot.slow_rate = Some(0.0);
    watching.missed = 2;
    lived(&mut board, 2, 90.0, &[change(60.0, 1, (Closed, MetricsOnly), by_hand)], watching);
    board
}

/// Every figure as large as its type allows, and times to match.
pub(crate) fn extreme() -> Board {
    let names = ["payment", "inventory", "a-name-that-is-much-too-long-for-its-place", "通知"];
    let mut board = Board::new(
        names
            .iter()
            .map(|name| {
                let mut limits = limits();
                limits.window = WindowKind::Count { size: u32::MAX };
                limits.run = Some(u32::MAX);
                limits.probes = u32::MAX;
                limits.slow = Some((Duration::MAX, 1.0));
                Watched::new(name, u16::MAX, limits)
            })
            .collect(),
    );
    for (index, state) in State::ALL.into_iter().enumerate() {
        let index = index % 4;
        let at = Duration::from_nanos(u64::MAX);
        let mut first = reading(state, 0, 0);
        first.changes = vec![Transition {
            from: state,
            to: State::HalfOpen,
            generation: u64::MAX,
            cause: TransitionCause::SlowRate { slow_calls: u64::MAX, calls: u64::MAX },
            at: Duration::MAX,
        }];
        board.read(index, Duration::ZERO, first);
        let mut last = reading(state, u64::MAX, u64::MAX);
        last.snapshot = Snapshot {
            calls: u64::MAX,
            failures: u64::MAX,
            slow_calls: u64::MAX,
            slow_failures: 0,
            consecutive_failures: u64::MAX,
            failure_rate: Some(f64::NAN),
            slow_rate: Some(f64::INFINITY),
            generation: u64::MAX,
            open_attempt: u32::MAX,
            state,
        };
        last.totals.probes_failed = u64::MAX;
        last.totals.probes_succeeded = u64::MAX;
        last.open_for = Some(Duration::MAX);
        last.missed = u64::MAX;
        last.dial = Dial { well: false, word: "a dial of which nobody knew\n\u{1b}[2J".into() };
        board.read(index, at, last);
    }
    board
}
