//! Half-open storms, transitions under load, and readings while others record: see `support/storm.rs`.

mod support;

fn main() {
    support::run("storm", support::storm::subjects());
}
