//! Window kinds and sizes against shares of failures and clocks: see `support/windows.rs`.

mod support;

fn main() {
    support::run("windows", support::windows::subjects());
}
