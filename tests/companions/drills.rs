//! Drills: each degradation of the patterns page, brought about by faults from a seed, and what the caller gets instead.
//!
//! Time is manual, and what would sleep moves it on. The one drill with threads, that of the pool, waits by channels.

use std::cell::{Cell, RefCell};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::policy::Layer;
use failfast::{
    Bulkhead, CircuitBreaker, Failed, Fallback, Faults, HalfOpen, IsolatedPool, Jitter, OpenWait,
    Policy, PoolError, RateLimit, Refusal, Retry, RetryBudget, RetryStop, State,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_secs(600);

/// Opens after three failures in a row, for a second.
fn breaker(clock: &ManualClock) -> Arc<CircuitBreaker<ManualClock>> {
    let breaker = CircuitBreaker::builder()
        .consecutive_failures(3)
        .open_wait(OpenWait::fixed(SECOND))
        .half_open(HalfOpen::probes(1))
        .clock(clock.clone());
    Arc::new(breaker.build().unwrap())
}

/// All at rest; hangs take a minute of the clock's time.
fn faults(clock: &ManualClock) -> Faults<ManualClock> {
    let builder = Faults::builder().seed(11).hangs(0.0, 60 * SECOND).sleeper(clock.clone());
    builder.build().unwrap()
}

#[test]
fn cache_answers_while_the_dependency_is_down_and_no_longer() {
    let clock = ManualClock::new();
    let (breaker, faults) = (breaker(&clock), faults(&clock));
    let policy = Policy::builder().breaker(Arc::clone(&breaker)).build().unwrap();
    let cached = Cell::new(None);
    let price = |fresh: u32| {
        let asked = policy.call(|_| faults.call(|| "injected", || Ok(fresh)));
        Fallback::new()
            .otherwise(|_: Failed<&&str>| cached.get().ok_or("nothing cached"))
            .answer(asked.inspect(|&price| cached.set(Some(price))))
    };
    faults.set_errors(1.0).unwrap();
    assert_eq!(price(1).unwrap_err().fallback(), Some(&"nothing cached"), "both errors are kept");
    faults.heal();
    assert_eq!(price(2), Ok(2));
    faults.set_errors(1.0).unwrap();
    for _ in 0..10 {
        assert_eq!(price(3), Ok(2), "the last one that was known");
    }
    assert_eq!((breaker.state(), faults.calls()), (State::Open, 5), "seven were not even tried");
    faults.heal();
    assert_eq!(price(4), Ok(2), "nobody knows yet");
    clock.advance(2 * SECOND);
    assert_eq!((price(5), breaker.state()), (Ok(5), State::Closed));
}

#[test]
fn default_stands_in_for_a_hang() {
    let clock = ManualClock::new();
    let (breaker, faults) = (breaker(&clock), faults(&clock));
    let policy = Policy::builder()
        .breaker(Arc::clone(&breaker))
        .timeout(SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    let recommended = || {
        let asked = policy.call(|_| faults.call(|| "hung up", || Ok("for you")));
        Fallback::value("bestseller").answer(asked).unwrap()
    };
    assert_eq!(recommended(), "for you");
    faults.set_hangs(1.0).unwrap();
    let before = clock.now();
    for _ in 0..10 {
        assert_eq!(recommended(), "bestseller");
    }
    // The caller waited for the hang itself: interrupting it takes a pool.
    assert_eq!(clock.now() - before, 3 * 60 * SECOND, "three hung, seven were refused");
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn queue_takes_what_can_not_be_paid_and_a_full_one_releases_the_goods() {
    #[derive(Debug, PartialEq)]
    enum Payment {
        Paid,
        Pending,
    }
    let clock = ManualClock::new();
    let (breaker, faults) = (breaker(&clock), faults(&clock));
    let policy = Policy::builder().breaker(Arc::clone(&breaker)).build().unwrap();
    let (queue, worker) = sync_channel(5);
    let reserved = RefCell::new(Vec::new());
    let order = |number: u32| {
        reserved.borrow_mut().push(number);
        Fallback::new()
            .otherwise(|_: Failed<&&str>| queue.try_send(number).map(|()| Payment::Pending))
            .answer(policy.call(|_| faults.call(|| "no route", || Ok(Payment::Paid))))
            .inspect_err(|_| reserved.borrow_mut().retain(|&other| other != number))
    };
    assert_eq!(order(0), Ok(Payment::Paid));
    faults.set_errors(1.0).unwrap();
    for number in 1..=5 {
        assert_eq!(order(number), Ok(Payment::Pending));
    }
    let error = order(6).unwrap_err();
    assert_eq!(error.failed().layer(), Layer::Breaker);
    assert!(error.fallback().is_some(), "the queue's error is kept beside the breaker's");
    assert_eq!(*reserved.borrow(), [0, 1, 2, 3, 4, 5], "those of the sixth are free again");

    faults.heal();
    clock.advance(2 * SECOND);
    let late: Vec<_> = worker.try_iter().collect();
    assert!(late.iter().all(|_| policy.call(|_| faults.call(|| "", || Ok(()))).is_ok()));
    assert_eq!((late.len(), breaker.state()), (5, State::Closed));
}

#[test]
fn alternative_is_asked_with_layers_of_its_own() {
    let clock = ManualClock::new();
    let (near, far) = (breaker(&clock), breaker(&clock));
    let (at_near, at_far) = (faults(&clock), faults(&clock));
    let ask = || {
        Fallback::new()
            .otherwise(|_: Failed<&&str>| far.call(|| at_far.call(|| "far", || Ok("far"))))
            .answer(near.call(|| at_near.call(|| "near", || Ok("near"))))
    };
    assert_eq!(ask(), Ok("near"));
    at_near.set_errors(1.0).unwrap();
    assert!((0..10).all(|_| ask() == Ok("far")));
    assert_eq!((near.state(), at_near.calls()), (State::Open, 4));
    assert_eq!((far.state(), far.snapshot().failures), (State::Closed, 0));
    at_far.set_errors(1.0).unwrap();
    let error = ask().unwrap_err();
    assert!(error.failed().rejected().is_some());
    assert_eq!(error.into_parts().1.unwrap().into_inner(), Some("far"));
}

#[test]
fn partial_answer_leaves_out_what_is_ill() {
    let clock = ManualClock::new();
    let ill = faults(&clock);
    ill.set_errors(1.0).unwrap();
    let well = faults(&clock);
    let parts = [("article", &well), ("reviews", &ill), ("delivery", &well)];
    let guarded = parts.map(|(name, faults)| (name, faults, breaker(&clock)));
    for _ in 0..10 {
        let page: Vec<_> = guarded
            .iter()
            .filter_map(|(name, faults, breaker)| {
                breaker.call(|| faults.call(|| (), || Ok(*name))).ok()
            })
            .collect();
        assert_eq!(page, ["article", "delivery"]);
    }
    assert_eq!((ill.calls(), well.calls()), (3, 20));
}

#[test]
fn retries_carry_a_third_of_errors_and_do_not_multiply_an_outage() {
    const CALLS: u32 = 300;
    let clock = ManualClock::new();
    let faults = faults(&clock);
    let budget = Arc::new(RetryBudget::new(0.5, 10).unwrap());
    let retry = Retry::builder()
        .attempts(3)
        .initial(10 * MS)
        .jitter(Jitter::Full)
        .seed(3)
        .budget(Arc::clone(&budget))
        .sleeper(clock.clone())
        .build()
        .unwrap();
    let policy = Policy::builder().retry(retry).clock(clock.clone()).build().unwrap();
    let run = || {
        let before = faults.calls();
        let mut good = 0;
        let mut stopped = Vec::new();
        for _ in 0..CALLS {
            match policy.call(|_| faults.call(|| "injected", || Ok(()))) {
                Ok(()) => good += 1,
                Err(error) => stopped.push(error.stopped().unwrap()),
            }
        }
        (good, faults.calls() - before, stopped)
    };
    faults.set_errors(0.3).unwrap();
    let (good, _, _) = run();
    assert!(good > CALLS * 9 / 10, "{good} of {CALLS} went well; without retries it is {}", 210);

    faults.set_errors(1.0).unwrap();
    let before = u64::from(budget.available());
    let (good, asked, stopped) = run();
    assert_eq!(good, 0);
    let most = u64::from(CALLS) + u64::from(CALLS) / 2 + before;
    assert!(asked <= most, "asked {asked} times, and not {}", 3 * CALLS);
    assert!(stopped.contains(&RetryStop::Budget));
}

#[test]
fn slow_dependency_fills_its_bulkhead_and_is_not_blamed_for_it() {
    let clock = ManualClock::new();
    let (breaker, bulkhead) = (breaker(&clock), Arc::new(Bulkhead::new(1).unwrap()));
    let policy = Policy::builder()
        .bulkhead(Arc::clone(&bulkhead))
        .breaker(Arc::clone(&breaker))
        .build()
        .unwrap();
    // While one call is slow, others come.
    let slow = Faults::builder().seed(1).delays(1.0, SECOND..=SECOND).sleeper(|_| {
        for _ in 0..10 {
            let other = Fallback::new()
                .refused(|refusal| match refusal {
                    Refusal::Bulkhead(_) => Ok("later, please"),
                    other => Err(other),
                })
                .answer(policy.call(|_| Ok::<_, &str>("not called")));
            assert_eq!(other, Ok("later, please"));
        }
    });
    let slow = slow.build().unwrap();
    assert_eq!(policy.call(|_| slow.call(|| "", || Ok("served"))), Ok("served"));
    assert_eq!((breaker.snapshot().calls, breaker.snapshot().failures), (1, 0));
    assert_eq!(bulkhead.in_use(), 0);
}

#[test]
fn mails_beyond_the_rate_are_left_for_later_and_the_order_goes_on() {
    let clock = ManualClock::new();
    let breaker = breaker(&clock);
    let mail = Policy::builder()
        .rate_limit(RateLimit::per_second(1).burst(3).clock(clock.clone()).build().unwrap())
        .breaker(Arc::clone(&breaker))
        .build()
        .unwrap();
    let outbox = RefCell::new(Vec::new());
    let sent = |order: u32| {
        let later = |_| {
            outbox.borrow_mut().push(order);
            Ok::<_, &str>("later")
        };
        Fallback::new().refused(later).answer(mail.call(|_| Ok::<_, &str>("sent"))).unwrap()
    };
    let all: Vec<_> = (0..5).map(sent).collect();
    assert_eq!(all, ["sent", "sent", "sent", "later", "later"]);
    clock.advance(SECOND);
    assert_eq!((sent(5), outbox.borrow().as_slice()), ("sent", [3, 4].as_slice()));
    assert_eq!(breaker.snapshot().failures, 0);
}

#[test]
fn hung_payment_fills_its_own_pool_only() {
    let breaker = Arc::new(CircuitBreaker::builder().consecutive_failures(3).build().unwrap());
    let builder = IsolatedPool::builder().threads(1).queue(0).breaker(Arc::clone(&breaker));
    let payment = Arc::new(builder.build().unwrap());
    let inventory = IsolatedPool::builder().threads(1).build().unwrap();
    // A hang of the drill lasts until the test ends it.
    let (hung, hangs) = channel();
    let (end, ended) = channel::<()>();
    let ended = Mutex::new(ended);
    let wait = move |_: Duration| {
        hung.send(()).unwrap();
        ended.lock().unwrap().recv().unwrap();
    };
    let faults = Faults::builder().hangs(1.0, LONG).sleeper(wait).build().unwrap();
    let first = thread::spawn({
        let payment = Arc::clone(&payment);
        move || payment.call(LONG, move || faults.call(|| "hung up", || Ok("paid")))
    });
    hangs.recv().unwrap();

    for _ in 0..100 {
        let pay = payment.call(LONG, || Ok::<_, &str>("paid"));
        let paid = Fallback::new().refused(|_| Ok::<_, &str>("pending")).answer(pay);
        assert_eq!(paid, Ok("pending"), "refused at once, for the only thread hangs");
        assert_eq!(inventory.call(LONG, || Ok::<_, &str>("reserved")), Ok("reserved"));
    }
    assert_eq!(
        (breaker.state(), breaker.snapshot().calls),
        (State::Closed, 0),
        "full is no failure"
    );
    end.send(()).unwrap();
    assert_eq!(first.join().unwrap(), Err(PoolError::Inner("hung up")));
    assert_eq!(breaker.snapshot().failures, 1);
}
