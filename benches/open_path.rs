//! What a refused call pays, beside one reading of the clock and the mutex baseline.

use std::time::Duration;

use failfast::clock::DefaultClock;
use failfast::{CircuitBreaker, OpenWait};

use self::support::baseline::Settings;
use self::support::guards::{clock_readings, mutex, ours, refusal, Control};

mod support;

/// Longer than any run of this bench.
const OPEN_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

fn main() {
    let builder = || CircuitBreaker::builder().open_wait(OpenWait::fixed(OPEN_WAIT));
    let breaker = || ours(builder());
    let counting = || ours(builder().totals(true));
    let rival = || mutex(Settings { open_wait: OPEN_WAIT, ..Settings::default() });
    let subjects = vec![
        refusal("mutex, open", rival(), Control::trip),
        clock_readings("one clock reading", DefaultClock::new(), 1),
        refusal("failfast, open", breaker(), Control::trip).at_most("one clock reading", 1.3, 1.3),
        refusal("mutex, forced open", rival(), Control::force_open),
        refusal("failfast, forced open", breaker(), Control::force_open)
            .against("mutex, forced open"),
        refusal("failfast, open, totals", counting(), Control::trip).against("failfast, open"),
        refusal("failfast, forced open, totals", counting(), Control::force_open)
            .against("failfast, forced open"),
    ];
    support::run("open path", subjects);
}
