//! What the browser test and the pictures share: Chromium by WebDriver, the checkout service as a child, and a stage
//! that plays any frames to the page.
//!
//! Nothing here is part of the library; nothing is fetched but Debian's Chromium, where it is missing and may be.

pub mod service;
pub mod stage;
pub mod webdriver;

use std::time::{Duration, Instant};

/// Asks until the answer is there, and gives up after `limit` with what was waited for.
///
/// # Panics
///
/// When the limit is over.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(15));
    }
}
