//! The breaker around other things: `call`, permits that leave their thread, a thousand breakers side by side.

use failfast::CircuitBreaker;

use self::support::baseline::Settings;
use self::support::guards::{mutex, ours, success};
use self::support::loads::{
    borrowed_through_rayon, call_nothing, mutex_through_rayon, owned, owned_through_rayon,
    rayon_alone, side_by_side,
};

mod support;

fn main() {
    // Rayon's threads hold seats besides ours.
    let seats = u32::try_from(4 * support::cores()).unwrap_or(u32::MAX).clamp(8, 1_024);
    let breaker = || ours(CircuitBreaker::builder().stripes(seats));
    let rival = || mutex(Settings::default());
    let subjects = vec![
        success("mutex, acquire and success", rival()),
        success("failfast, acquire and success", breaker()).against("mutex, acquire and success"),
        call_nothing("failfast, call", breaker()).against("mutex, acquire and success"),
        owned("failfast, owned permit", breaker()).against("mutex, acquire and success"),
        rayon_alone("rayon, a task of nothing"),
        mutex_through_rayon("mutex, through rayon", rival()),
        owned_through_rayon("failfast, owned through rayon", breaker())
            .against("mutex, through rayon"),
        borrowed_through_rayon("failfast, borrowed through rayon", breaker())
            .against("mutex, through rayon"),
        side_by_side("mutex, 1,024 side by side", rival),
        side_by_side("failfast, 1,024 side by side", || ours(CircuitBreaker::builder()))
            .against("mutex, 1,024 side by side"),
    ];
    support::run("calls", subjects);
}
