//! No call through a policy allocates, however it ends.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use failfast::clock::ManualClock;
use failfast::policy::{
    BreakerLayer, BulkheadLayer, Layer, RateLimitLayer, RetryLayer, TimeoutLayer,
};
use failfast::{
    Bulkhead, CircuitBreaker, Deadline, Failed, Fallback, Policy, RateLimit, Retry, RetryBudget,
};

const SECOND: Duration = Duration::from_secs(1);

/// What the layers are built on.
struct Site {
    clock: ManualClock,
    limit: RateLimit<ManualClock>,
    bulkhead: Bulkhead,
    breaker: CircuitBreaker<ManualClock>,
}

impl Site {
    fn new() -> Self {
        let clock = ManualClock::new();
        let limit = RateLimit::per(SECOND, 1).burst(4).clock(clock.clone()).build().unwrap();
        let breaker = CircuitBreaker::builder().clock(clock.clone()).build().unwrap();
        Site { clock, limit, bulkhead: Bulkhead::new(1).unwrap(), breaker }
    }

    fn retry(&self) -> Retry<ManualClock> {
        let budget = Arc::new(RetryBudget::new(1.0, 10).unwrap());
        let builder = Retry::builder().attempts(3).total_time(30 * SECOND).budget(budget);
        builder.sleeper(self.clock.clone()).build().unwrap()
    }

    /// Calls in every way, and counts; on a thread whose first report is over.
    fn check<Rt, Rl, Bh, Br, To>(&self, policy: &Policy<Rt, Rl, Bh, Br, To, ManualClock>)
    where
        Rt: RetryLayer,
        Rl: RateLimitLayer,
        Bh: BulkheadLayer,
        Br: BreakerLayer,
        To: TimeoutLayer,
    {
        self.breaker.try_acquire().unwrap().success();
        self.clock.advance(60 * SECOND);
        let order = Deadline::after_on(self.clock.clone(), 1_000 * SECOND);
        let mut heard = [const { None }; 8];
        let info = measure(|| {
            let rest = || self.clock.advance(60 * SECOND);
            heard[0] = policy.call(|_| Ok::<_, u32>(())).err();
            rest();
            heard[1] = policy.call_within(&order, |_| Err::<(), _>(1)).err();
            rest();
            let late = policy.call(|_| {
                self.clock.advance(2 * SECOND);
                Ok::<_, u32>(())
            });
            heard[2] = late.err();
            rest();
            let fallback = Fallback::new().otherwise(|_: Failed<&u32>| Err::<(), u32>(2));
            let both = policy.call_or(fallback, |_| Err(1)).err();
            heard[3] = both.map(|error| error.into_parts().0);
            rest();
            let place = self.bulkhead.try_acquire().ok();
            heard[4] = policy.call(|_| Ok::<_, u32>(())).err();
            drop(place);
            rest();
            self.breaker.force_open();
            heard[5] = policy.call(|_| Ok::<_, u32>(())).err();
            self.breaker.trip();
            heard[6] = policy.call(|_| Ok::<_, u32>(())).err();
            self.breaker.reset();
            while self.limit.try_acquire().is_ok() {}
            heard[7] = policy.call_within(&order, |_| Ok::<_, u32>(())).err();
        });
        assert_eq!((info.count_total, info.bytes_total), (0, 0), "{heard:?}");
        // What was to be met has been met.
        let layers = heard.map(|error| error.map(|error| error.layer()));
        println!("{layers:?}");
        assert_eq!((layers[0], layers[1]), (None, Some(Layer::Call)));
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}

#[test]
fn no_way_through_all_layers_allocates() {
    let site = Site::new();
    let inside = Policy::builder()
        .retry(site.retry())
        .rate_limit(&site.limit)
        .bulkhead(&site.bulkhead)
        .breaker(&site.breaker)
        .timeout(SECOND)
        .clock(site.clock.clone())
        .build()
        .unwrap();
    site.check(&inside);
    let around = Policy::builder()
        .retry(site.retry())
        .rate_limit(&site.limit)
        .bulkhead(&site.bulkhead)
        .breaker(&site.breaker)
        .timeout(SECOND)
        .breaker_around_retries()
        .clock(site.clock.clone())
        .build()
        .unwrap();
    site.check(&around);
    // The first use of a thread is over after the warm-up there too.
    thread::scope(|scope| scope.spawn(|| site.check(&inside)).join()).unwrap();
}

#[test]
fn no_way_through_a_single_layer_allocates() {
    let site = Site::new();
    let builder = || Policy::builder().clock(site.clock.clone());
    site.check(&builder().retry(site.retry()).build().unwrap());
    site.check(&builder().bulkhead(&site.bulkhead).build().unwrap());
    site.check(&builder().breaker(&site.breaker).build().unwrap());
    site.check(&builder().timeout(SECOND).build().unwrap());
    site.check(&builder().rate_limit(&site.limit).build().unwrap());
}

#[test]
fn only_a_caller_that_has_to_wait_for_its_place_allocates() {
    let site = Site::new();
    let builder = Policy::builder().bulkhead_waiting(&site.bulkhead, SECOND / 1_000);
    let policy = builder.clock(site.clock.clone()).build().unwrap();
    let call = || measure(|| _ = policy.call(|_| Ok::<_, ()>(())));
    assert_eq!(call().count_total, 0);
    let place = site.bulkhead.try_acquire().unwrap();
    // Its place in the queue, and the queue's first growth.
    assert!((1..=2).contains(&call().count_total), "{:?}", call());
    drop(place);
    assert_eq!(call().count_total, 0);
}
