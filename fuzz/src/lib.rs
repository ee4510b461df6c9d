//! The fuzz targets' bodies: bytes become settings and operations, and the integration tests' driver runs them.
//!
//! The driver, the subjects and the table of settings are those of `tests/it`, included by path, so that a case found
//! here can be written down there as a test.
//!
//! How to run them, what the seeds are and what a long run has done: `README.md`.

#[path = "../../tests/companions/compose.rs"]
mod compose;
mod composed;
#[path = "../../tests/it/crew.rs"]
mod crew;
mod decode;
#[path = "../../tests/it/drive.rs"]
mod drive;
mod files;
#[path = "../../tests/it/inputs.rs"]
mod inputs;
#[path = "../../tests/it/ledger.rs"]
mod ledger;
mod meaning;
#[path = "../../tests/it/plan.rs"]
mod plan;
#[path = "../../tests/it/subject.rs"]
mod subject;
mod written;

use arbitrary::Unstructured;
use failfast::clock::ManualClock;
use failfast::oracle::Oracle;

use crate::drive::drive;
use crate::inputs::check_builder;
use crate::subject::Breaker;

/// Drives the breaker and its oracle with what the bytes say.
pub fn breaker_ops(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(settings) = decode::settings(&mut bytes) else {
        return;
    };
    let Ok((watch, totals)) = decode::watch_and_totals(&mut bytes) else {
        return;
    };
    let settings = plan::Settings { totals, ..settings };
    let ops = decode::until_spent(&mut bytes, decode::op);
    drive::<Breaker, Oracle<ManualClock>>(&settings, &ops, watch);
}

/// As [`breaker_ops`], but the breaker only counts: its windows fill, roll and empty, and nothing trips.
pub fn windows(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(settings) = decode::settings(&mut bytes) else {
        return;
    };
    let Ok((watch, totals)) = decode::watch_and_totals(&mut bytes) else {
        return;
    };
    let settings = plan::Settings { totals, ..settings };
    let mut ops = vec![plan::Op::Control(subject::Control::MetricsOnly)];
    ops.extend(decode::until_spent(&mut bytes, decode::window_op));
    drive::<Breaker, Oracle<ManualClock>>(&settings, &ops, watch);
}

/// Builds with what the bytes say and compares the answer with the table of settings.
pub fn config(data: &[u8]) {
    if let Ok(input) = decode::input(&mut Unstructured::new(data)) {
        check_builder(&input);
    }
}

/// Reads the bytes as a configuration file in every format; what is no UTF-8 among them as the mark for that.
pub fn config_files(data: &[u8]) {
    files::read(&String::from_utf8_lossy(data));
}

/// Composes a policy of what the bytes say, and takes their steps with it and with its twin.
pub fn composition(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    if let Ok(settings) = composed::settings(&mut bytes) {
        compose::compose(&settings, &decode::until_spent(&mut bytes, composed::step));
    }
}
