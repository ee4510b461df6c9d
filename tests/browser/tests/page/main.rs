//! The live picture in headless Chromium: the page against the real service, and against a stage that plays any frames.
//!
//! An own runner: one test after the other, because a browser wants both cores; what is measured is printed. Without
//! Chromium, and without the means to install it, everything is skipped, and that is said.

mod audit;
mod real;
mod staged;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Instant;

use failfast_browser_tests::webdriver;

const TESTS: [(&str, fn()); 10] = [
    ("the policy names the script and the style that are there", staged::policy_fits),
    ("names and reasons are text, whatever they hold", staged::names_are_text),
    ("what is not live does not look live", staged::stale_is_said),
    ("a service that has started anew has a log of its own", staged::started_anew),
    ("a tab in the background goes on", staged::background),
    ("text and marks can be read: both themes, all states", staged::contrast),
    ("changing figures move nothing", staged::nothing_moves),
    ("an hour of changes takes no more memory than two minutes", staged::an_hour),
    ("keys and themes", staged::keys_and_themes),
    ("the service: break, watch, heal, kill, restart", real::story),
];

fn main() -> ExitCode {
    if let Err(reason) = webdriver::find_or_install() {
        println!("skipped, nothing was tested: {reason}");
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, test) in TESTS {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
            continue;
        }
        println!("{name}");
        let start = Instant::now();
        let verdict = match catch_unwind(AssertUnwindSafe(test)) {
            Ok(()) => "ok",
            Err(_) => {
                failed += 1;
                "FAILED"
            }
        };
        println!("  {verdict}, {:.1} s", start.elapsed().as_secs_f64());
    }
    match failed {
        0 => ExitCode::SUCCESS,
        _ => {
            println!("{failed} failed");
            ExitCode::FAILURE
        }
    }
}
