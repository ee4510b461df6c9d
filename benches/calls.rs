//! `call`, permits that leave their thread, a thousand breakers side by side: see `support/calls.rs`.

mod support;

fn main() {
    support::run("calls", support::calls::subjects());
}
