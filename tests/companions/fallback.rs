//! Fallbacks: what failed decides.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::{
    Bulkhead, CallError, CircuitBreaker, Deadline, Failed, Failure, Fallback, FallbackError,
    Policy, Refusal, TimedOut,
};
use proptest::prelude::*;

/// A call that was refused, one that was late, one that failed by itself, and a good one.
fn answers() -> [Result<u32, Failed<String>>; 4] {
    let bulkhead = Bulkhead::new(1).unwrap();
    let _place = bulkhead.try_acquire().unwrap();
    let full = bulkhead.try_acquire().unwrap_err();
    [
        Err(Failed::Refused(Refusal::Bulkhead(full))),
        Err(Failed::TimedOut(late())),
        Err(Failed::Inner("no route".to_owned())),
        Ok(1),
    ]
}

fn late() -> TimedOut {
    let clock = ManualClock::new();
    let second = Duration::from_secs(1);
    let policy = Policy::builder().timeout(second).clock(clock.clone()).build().unwrap();
    let over = Deadline::after_on(clock, Duration::ZERO);
    match policy.call_within(&over, |_| Ok::<_, ()>(())).unwrap_err().into_failed() {
        Failed::TimedOut(late) => late,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_failed_decides() {
    let stood_in = answers().map(|answer| {
        Fallback::new()
            .refused(|_| Ok::<_, Infallible>(10))
            .timed_out(|_| Ok(20))
            .inner(|error: &String| Ok(30 + error.len() as u32))
            .answer(answer)
            .unwrap()
    });
    assert_eq!(stood_in, [10, 20, 38, 1]);
    // Who does not look at the error need not name its type.
    let inferred = Fallback::new().inner(|_| Ok::<_, Infallible>(30)).otherwise(|_| Ok(40));
    assert_eq!(answers().map(|answer| inferred.answer(answer).unwrap()), [40, 40, 30, 1]);
}

#[test]
fn what_has_no_arm_goes_on_as_it_is() {
    for (number, answer) in answers().into_iter().enumerate() {
        let stood_in = Fallback::new().timed_out(|_| Ok::<_, String>(20)).answer(answer.clone());
        match number {
            1 => assert_eq!(stood_in, Ok(20)),
            3 => assert_eq!(stood_in, Ok(1)),
            _ => {
                let error = stood_in.unwrap_err();
                assert_eq!(error.to_string(), error.failed().to_string());
                assert_eq!(error.into_parts(), (answer.unwrap_err(), None));
            }
        }
    }
}

#[test]
fn failing_fallback_keeps_both_errors() {
    let failed = Failed::Inner(std::fmt::Error);
    let error: FallbackError<_, CallError<std::num::ParseIntError>> = Fallback::new()
        .otherwise(|_: Failed<&std::fmt::Error>| "none".parse().map_err(CallError::Inner))
        .answer(Err::<u32, _>(CallError::Inner(std::fmt::Error)))
        .unwrap_err();
    assert_eq!(error.failed(), &CallError::Inner(std::fmt::Error));
    assert_eq!(error.failed().failed(), failed.as_ref());
    assert!(error.fallback().is_some_and(|fallback| !fallback.is_rejected()));
    assert!(error.to_string().ends_with("; its fallback failed: invalid digit found in string"));
    assert!(error.source().is_some_and(|source| source.is::<CallError<std::fmt::Error>>()));
    assert!(error.into_parts().1.is_some());
}

#[test]
fn cached_value_default_another_call_and_queue() {
    let main = CircuitBreaker::builder().build().unwrap();
    let spare = CircuitBreaker::builder().build().unwrap();
    let policy = Policy::builder().breaker(&main).build().unwrap();
    let cache = RefCell::new(None);
    let ask = || {
        let price = policy.call(|_| Ok::<_, ()>(1_999));
        if let Ok(price) = price {
            cache.replace(Some(price));
        }
        Fallback::new().refused(|_| cache.borrow().ok_or("nothing cached")).answer(price)
    };
    main.force_open();
    assert_eq!(ask().unwrap_err().fallback(), Some(&"nothing cached"));
    main.reset();
    assert_eq!(ask(), Ok(1_999));
    main.force_open();
    assert_eq!(ask(), Ok(1_999), "a cached value");

    assert_eq!(policy.call_or(Fallback::value(0), |_| Ok::<_, ()>(5)), Ok(0), "a default");

    let other = || {
        let instead = Fallback::new().otherwise(|_: Failed<&()>| spare.call(|| Err("also down")));
        policy.call_or(instead, |_| Ok::<u32, ()>(5))
    };
    let error = other().unwrap_err();
    assert_eq!(error.fallback(), Some(&CallError::Inner("also down")), "another call");
    assert_eq!(spare.snapshot().failures, 1, "which has its own breaker");

    let (queue, worker) = mpsc::sync_channel(1);
    let later = |order: u32| {
        let instead = Fallback::new().refused(|_| queue.try_send(order));
        policy.call_or(instead, |_| Ok::<_, ()>(()))
    };
    assert_eq!(later(7), Ok(()));
    assert!(later(8).unwrap_err().fallback().is_some(), "a queue, and it is full");
    assert_eq!(worker.recv(), Ok(7));
}

proptest! {
    /// Against a plain match: every subset of arms, each of which may fail.
    #[test]
    fn arms_answer_as_a_match_does(kind in 0..4_usize, arms in prop::array::uniform4(any::<Option<bool>>())) {
        let [refused, timed_out, inner, otherwise] = arms;
        let answer = answers()[kind].clone();
        let arm = |number: u32, set: Option<bool>| match set {
            Some(true) => Ok(number),
            _ => Err(number),
        };
        let expected = match (kind, arms.get(kind).copied().flatten(), otherwise) {
            (3, ..) => Ok(1),
            (_, Some(good), _) => if good { Ok(kind as u32) } else { Err(Some(kind as u32)) },
            (_, None, Some(good)) => if good { Ok(9) } else { Err(Some(9)) },
            (_, None, None) => Err(None),
        };
        // One type a subset.
        macro_rules! ask {
            ($fallback:expr,) => { $fallback.answer(answer) };
            ($fallback:expr, $set:ident: $method:ident($arm:expr), $($rest:tt)*) => {
                if $set.is_some() {
                    ask!($fallback.$method($arm), $($rest)*)
                } else {
                    ask!($fallback, $($rest)*)
                }
            };
        }
        let heard: Result<u32, FallbackError<Failed<String>, u32>> = ask!(
            Fallback::new(),
            refused: refused(|_| arm(0, refused)),
            timed_out: timed_out(|_| arm(1, timed_out)),
            inner: inner(|_: &String| arm(2, inner)),
            otherwise: otherwise(|_: Failed<&String>| arm(9, otherwise)),
        );
        prop_assert_eq!(heard.map_err(|error| error.into_parts().1), expected);
    }
}
