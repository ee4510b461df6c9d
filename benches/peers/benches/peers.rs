//! Other breakers beside ours and the mutex baseline: see `rivals/mod.rs`, and README.md for what is asked of each.

mod rivals;
#[path = "../../support/mod.rs"]
mod support;

fn main() {
    support::run("peers", rivals::subjects());
}
