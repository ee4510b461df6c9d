//! Policies around an empty call, each beside what a user would write by hand with the same layers.
//!
//! Only whether a call went well is looked at: the errors differ in size, and handing one over is not what is compared.

mod support;

use std::hint::black_box;
use std::time::Duration;

use failfast::{
    Again, Bulkhead, CircuitBreaker, Deadline, Fallback, Policy, RateLimit, RateLimited, Rejected,
    Retry, Window,
};

use support::Subject;

/// What a call by hand may meet.
enum Met {
    Limited(RateLimited),
    Full,
    Rejected(Rejected),
    Late,
    Inner,
}

/// Far longer than an empty call.
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    support::run("policy", subjects());
}

fn subjects() -> Vec<Subject> {
    let breaker = || {
        let breaker = CircuitBreaker::builder().window(Window::count(100)).build();
        breaker.expect("sound settings")
    };
    let bulkhead = || Bulkhead::new(1_000).expect("within the range");
    let limit = || {
        let generous = RateLimit::per_second(1_000_000).burst(u32::MAX);
        generous.build().expect("within the range")
    };
    let retry = || Retry::builder().sleeper(|_| ()).build().expect("sound settings");

    let bare = breaker();
    let guarded = Policy::builder().breaker(breaker()).build().expect("a breaker");
    let with_fallback = Policy::builder().breaker(breaker()).build().expect("a breaker");

    let refusing = breaker();
    refusing.force_open();
    let refused = breaker();
    refused.force_open();
    let refused = Policy::builder().breaker(refused).build().expect("a breaker");

    let (places, inner) = (bulkhead(), breaker());
    let two = Policy::builder().bulkhead(bulkhead()).breaker(breaker()).build().expect("both");

    let by_hand = by_hand(retry(), limit(), bulkhead(), breaker());
    let all = Policy::builder()
        .retry(retry())
        .rate_limit(limit())
        .bulkhead(bulkhead())
        .breaker(breaker())
        .timeout(LIMIT)
        .build()
        .expect("layers that fit");
    vec![
        Subject::new("breaker, call", move || {
            assert!(black_box(bare.call(|| Ok::<(), ()>(())).is_ok()), "closed");
        }),
        Subject::new("policy of a breaker", move || {
            assert!(black_box(guarded.call(|_| Ok::<(), ()>(())).is_ok()), "closed");
        })
        .against("breaker, call"),
        Subject::new("policy of a breaker, with fallback", move || {
            let fallback = Fallback::value(());
            assert!(
                black_box(with_fallback.call_or(fallback, |_| Ok::<(), ()>(())).is_ok()),
                "closed"
            );
        })
        .against("breaker, call"),
        Subject::new("breaker, refused", move || {
            black_box(refusing.call(|| Ok::<(), ()>(())).is_err());
        }),
        Subject::new("policy of a breaker, refused", move || {
            black_box(refused.call(|_| Ok::<(), ()>(())).is_err());
        })
        .against("breaker, refused"),
        Subject::new("bulkhead and breaker by hand", move || {
            let place = places.try_acquire().expect("a free place");
            assert!(black_box(inner.call(|| Ok::<(), ()>(())).is_ok()), "closed");
            drop(place);
        }),
        Subject::new("policy of bulkhead and breaker", move || {
            assert!(black_box(two.call(|_| Ok::<(), ()>(())).is_ok()), "a free place, and closed");
        })
        .against("bulkhead and breaker by hand"),
        Subject::new("all layers by hand", by_hand),
        Subject::new("policy of all layers", move || {
            assert!(
                black_box(all.call(|_| black_box(Ok::<(), ()>(()))).is_ok()),
                "nothing refuses"
            );
        })
        .against("all layers by hand"),
    ]
}

/// The order of a policy, written out.
fn by_hand<S: failfast::Sleep>(
    retry: Retry<S>,
    limit: RateLimit,
    bulkhead: Bulkhead,
    breaker: CircuitBreaker,
) -> impl Fn() {
    let endless = Deadline::never();
    let worth_it = |met: &Met| match met {
        Met::Limited(limited) => limited.retry_after().map_or(Again::No, Again::After),
        Met::Rejected(rejected) => rejected.retry_after().map_or(Again::Yes, Again::After),
        Met::Full | Met::Late | Met::Inner => Again::Yes,
    };
    move || {
        let answer = retry.call(&endless, worth_it, |deadline| {
            limit.try_acquire().map_err(Met::Limited)?;
            let _place = bulkhead.try_acquire().map_err(|_| Met::Full)?;
            let permit = breaker.try_acquire().map_err(Met::Rejected)?;
            let end = deadline.within(LIMIT);
            let result: Result<(), ()> = black_box(Ok(()));
            if end.is_over() {
                permit.failure();
                return Err(Met::Late);
            }
            match result {
                Ok(()) => {
                    permit.success();
                    Ok(())
                }
                Err(()) => {
                    permit.failure();
                    Err(Met::Inner)
                }
            }
        });
        assert!(black_box(answer.is_ok()), "nothing refuses");
    }
}
