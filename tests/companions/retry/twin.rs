//! Random settings and outcomes, and a plain twin that adds up numbers.
//!
//! Properties: the twin's attempts, sleeps, stop and budget are ours; and, asked of ours alone: no sleep was to end past the
//! end, no attempt begins with less time than it needs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::{Again, Deadline, Jitter, Retry, RetryBudget, RetryStop};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const NEVER: u64 = u64::MAX;

/// An attempt that fails: how long it takes, and what its error says.
#[derive(Clone, Copy, Debug)]
struct Failure {
    takes: u64,
    again: Again,
}

fn failure() -> impl Strategy<Value = Failure> {
    let again = prop_oneof![
        12 => Just(Again::Yes),
        4 => (0..2_000 * MS).prop_map(|floor| Again::After(Duration::from_nanos(floor))),
        1 => Just(Again::No),
    ];
    (0..300 * MS, again).prop_map(|(takes, again)| Failure { takes, again })
}

#[derive(Clone, Debug)]
struct Settings {
    attempts: u32,
    initial: u64,
    max: u64,
    total: Option<u64>,
    min_attempt: u64,
    /// The sleeper sleeps so much longer than it is asked to.
    oversleeps: u64,
    /// What the budget is paid, in millionths of a retry.
    ratio: u64,
}

fn settings() -> impl Strategy<Value = Settings> {
    let total = prop_oneof![Just(None), (600 * MS..4_000 * MS).prop_map(Some)];
    let min_attempt = prop_oneof![Just(1), 1..300 * MS];
    let oversleeps = prop_oneof![2 => Just(0), 1 => 0..100 * MS];
    let ratio = 1..=1_000_000_u64;
    (1..8_u32, 1..300 * MS, 0..1_000 * MS, total, min_attempt, oversleeps, ratio).prop_map(
        |(attempts, initial, more, total, min_attempt, oversleeps, ratio)| {
            let max = initial + more;
            Settings { attempts, initial, max, total, min_attempt, oversleeps, ratio }
        },
    )
}

/// What one call did.
#[derive(Debug, PartialEq)]
struct Record {
    /// When each attempt began.
    attempts: Vec<u64>,
    /// When each sleep began, and how long it was to be.
    sleeps: Vec<(u64, u64)>,
    /// `None` if the last attempt succeeded.
    stopped: Option<RetryStop>,
    ended: u64,
    budget: u64,
}

/// The twin: half of each delay is waited for, which is what the draw of a half makes of full jitter.
fn twin(settings: &Settings, script: &[Failure], left: u64, mut budget: u64) -> Record {
    let mut now = 0;
    let total = settings.total.unwrap_or(NEVER);
    let (end, late) =
        if total < left { (total, RetryStop::TotalTime) } else { (left, RetryStop::Deadline) };
    let (mut attempts, mut sleeps) = (Vec::new(), Vec::new());
    let mut delay = Duration::from_nanos(settings.initial);
    let stopped = 'call: {
        if end < settings.min_attempt {
            break 'call Some(late);
        }
        budget = (budget + settings.ratio).min(5_000_000);
        for made in 1.. {
            attempts.push(now);
            let Some(Failure { takes, again }) = script.get(made as usize - 1) else {
                break 'call None;
            };
            now += takes;
            let floor = match again {
                Again::No => break 'call Some(RetryStop::NotRetryable),
                Again::Yes => 0,
                Again::After(floor) => floor.as_nanos() as u64,
            };
            if made == settings.attempts {
                break 'call Some(RetryStop::Attempts);
            }
            if made > 1 {
                // In 32-bit floats, as backon does it; how far that is from the power is looked at elsewhere.
                delay = Duration::from_secs_f32(2.0 * delay.as_secs_f32());
                delay = delay.min(Duration::from_nanos(settings.max));
            }
            let wait = (delay.as_nanos().div_ceil(2) as u64).max(floor);
            if now + wait + settings.min_attempt > end {
                break 'call Some(late);
            }
            if budget < 1_000_000 {
                break 'call Some(RetryStop::Budget);
            }
            budget -= 1_000_000;
            if wait > 0 {
                sleeps.push((now, wait));
                now += wait + settings.oversleeps;
                if now + settings.min_attempt > end {
                    break 'call Some(late);
                }
            }
        }
        unreachable!("the script or the attempts end");
    };
    Record { attempts, sleeps, stopped, ended: now, budget: budget / 1_000_000 }
}

fn ours(settings: &Settings, script: &[Failure], left: u64, budget: &Arc<RetryBudget>) -> Record {
    let clock = ManualClock::new();
    let sleeps = Arc::new(Mutex::new(Vec::new()));
    let (noted, slept, oversleeps) = (Arc::clone(&sleeps), clock.clone(), settings.oversleeps);
    let mut builder = Retry::builder()
        .attempts(settings.attempts)
        .initial(Duration::from_nanos(settings.initial))
        .max_delay(Duration::from_nanos(settings.max))
        .min_attempt(Duration::from_nanos(settings.min_attempt))
        .jitter(Jitter::Full)
        .random_source(|| 1 << 63)
        .budget(Arc::clone(budget));
    if let Some(total) = settings.total {
        builder = builder.total_time(Duration::from_nanos(total));
    }
    let retry = builder
        .sleeper(move |time: Duration| {
            noted.lock().unwrap().push((slept.now_nanos(), time.as_nanos() as u64));
            slept.advance(time + Duration::from_nanos(oversleeps));
        })
        .build()
        .unwrap();
    let deadline = match left {
        NEVER => Deadline::never_on(clock.clone()),
        left => Deadline::after_on(clock.clone(), Duration::from_nanos(left)),
    };
    let mut attempts = Vec::new();
    let answer = retry.call(
        &deadline,
        |again| *again,
        |end| {
            if let Some(left) = end.remaining() {
                assert!(left >= Duration::from_nanos(settings.min_attempt), "can't finish");
            }
            attempts.push(clock.now_nanos());
            let Some(Failure { takes, again }) = script.get(attempts.len() - 1) else {
                return Ok(());
            };
            clock.advance(Duration::from_nanos(*takes));
            Err(*again)
        },
    );
    let stopped = answer.err().map(|failed| {
        assert_eq!(failed.attempts() as usize, attempts.len());
        assert_eq!(failed.error().is_some(), !attempts.is_empty());
        failed.stopped()
    });
    let sleeps = sleeps.lock().unwrap().clone();
    let budget = budget.available().into();
    Record { attempts, sleeps, stopped, ended: clock.now_nanos(), budget }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn does_what_the_plain_twin_does(
        settings in settings(),
        script in proptest::collection::vec(failure(), 0..9),
        left in prop_oneof![Just(NEVER), 0..5_000 * MS],
        deposits in 0..25_u64,
    ) {
        let budget = Arc::new(RetryBudget::new(settings.ratio as f64 / 1e6, 5).unwrap());
        while budget.try_withdraw() {}
        (0..deposits).for_each(|_| budget.deposit());
        let ours = ours(&settings, &script, left, &budget);
        let paid = (deposits * settings.ratio).min(5_000_000);
        prop_assert_eq!(&ours, &twin(&settings, &script, left, paid));

        let end = left.min(settings.total.unwrap_or(NEVER));
        for (begun, time) in &ours.sleeps {
            prop_assert!(begun + time < end, "slept past the end");
        }
    }
}
