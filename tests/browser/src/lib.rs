//! What the browser test and the pictures share: Chromium by WebDriver, the checkout service as a child, and a stage
//! that plays any frames to the page.
//!
//! Nothing here is part of the library; nothing is fetched but Debian's Chromium, where it is missing and may be.

pub mod service;
pub mod stage;
pub mod webdriver;

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What hasn't come by then never comes, however slow and busy the machine.
const SOON: Duration = Duration::from_secs(60);

/// Asks until the answer is there, and gives up with what was waited for and what was found instead.
///
/// # Panics
///
/// When it hasn't come within a minute.
pub fn wait_for<T, E: Debug>(what: &str, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(found) => assert!(
                start.elapsed() < SOON,
                "waited {SOON:?} in vain for {what}, found {found:?}"
            ),
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}
