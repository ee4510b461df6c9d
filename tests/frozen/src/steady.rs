//! States that stay: what every call must answer is known, and the books are the whole window.

use core::time::Duration;

use failfast::clock::ManualClock;
use failfast::{Builder, CircuitBreaker, OpenWait, Outcome, Recorded, State, Window};

use crate::story::{Books, Breaker, Hand, Story};

/// Rounds between two control calls that begin a fresh generation.
const EPOCH: u64 = 8;
/// Calls of one runner in a burst.
const BURST: u64 = 2_000;
/// The largest window: hardly an epoch fills it, and one that is on the way ends early.
const ROOMY: u32 = 1_048_576;
/// One bucket of the time windows here: an epoch fills eight of ten.
const BUCKET: Duration = Duration::from_secs(1);
/// A call given this is slow.
const SLOW: Duration = Duration::from_secs(9);

/// Which outcomes the calls have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    Good,
    /// One call of ten fails.
    Mixed,
    /// One of four fails; below every limit.
    Failing,
    /// One of four fails, one of five is slow.
    Slow,
    Bad,
}

impl Traffic {
    fn outcome(self, call: u64) -> (Outcome, bool) {
        let fails = match self {
            Traffic::Good => false,
            Traffic::Mixed => call % 10 == 9,
            Traffic::Failing | Traffic::Slow => call % 4 == 3,
            Traffic::Bad => true,
        };
        let outcome = if fails { Outcome::Failure } else { Outcome::Success };
        (outcome, self == Traffic::Slow && call % 5 == 4)
    }
}

/// What the window must show of the calls that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Calls,
    /// As many as this, at most.
    Last(u64),
    /// All failures are one run.
    Run,
    /// A run is known only once one has begun.
    LastRun,
    Nothing,
}

pub(crate) struct Steady {
    title: (&'static str, &'static str),
    breaker: Breaker,
    clock: ManualClock,
    traffic: Traffic,
    state: State,
    enter: fn(&Breaker),
    shows: Shows,
    buckets: bool,
}

type Row = (&'static str, fn() -> Builder, Shows);

fn count_100() -> Row {
    ("count 100", || CircuitBreaker::builder().window(Window::count(100)), Shows::Last(100))
}

fn count() -> Row {
    ("count 1,048,576", || CircuitBreaker::builder().window(Window::count(ROOMY)), Shows::Calls)
}

fn count_shared() -> Row {
    ("count, one stripe", || count().1().stripes(1), Shows::Calls)
}

fn time() -> Row {
    let builder = || CircuitBreaker::builder().window(Window::time(10 * BUCKET));
    ("time 10 x 1 s", builder, Shows::Calls)
}

fn time_shared() -> Row {
    ("time, one stripe", || time().1().stripes(1), Shows::Calls)
}

fn consecutive() -> Row {
    let builder = || CircuitBreaker::builder().window(Window::consecutive(65_536));
    ("consecutive 65,536", builder, Shows::LastRun)
}

/// A limit that is longer than the ring of positions is made for: counted in the stripes.
fn consecutive_long() -> Row {
    let builder = || CircuitBreaker::builder().window(Window::consecutive(u32::MAX));
    ("consecutive 2^32 - 1", builder, Shows::Run)
}

fn consecutive_shared() -> Row {
    ("consecutive, one stripe", || consecutive_long().1().stripes(1), Shows::Run)
}

/// Every row of the table whose state stays.
pub(crate) fn stories() -> Vec<Steady> {
    let rate = |builder: Builder| builder.failure_rate(0.9);
    let same = |builder: Builder| builder;
    let below = |builder: Builder| builder.min_calls(ROOMY);
    let slow = |builder: Builder| {
        builder.failure_rate(0.9).slow_call(SLOW / 2, 0.9).consecutive_failures(1_000)
    };
    let mut stories = Vec::new();
    for row in [count_100(), count(), time()] {
        stories.push(Steady::closed(row, "closed, healthy", Traffic::Good, rate));
    }
    stories.push(Steady::closed(consecutive(), "closed, healthy", Traffic::Good, same));
    for row in [count(), time()] {
        stories.push(Steady::closed(row, "closed, below minimum", Traffic::Mixed, below));
    }
    for row in [count(), count_shared(), time(), time_shared()] {
        stories.push(Steady::closed(row, "closed, failing", Traffic::Failing, rate));
    }
    for row in [count(), time()] {
        stories.push(Steady::closed(row, "closed, failing, slow", Traffic::Slow, slow));
    }
    stories.push(Steady::closed(consecutive(), "closed, failing", Traffic::Failing, same));
    for row in [consecutive_long(), consecutive_shared()] {
        stories.push(Steady::closed(row, "closed, failing", Traffic::Bad, same));
    }
    for row in [count_100(), count(), time(), consecutive_long()] {
        stories.push(Steady::controlled(row, State::MetricsOnly, Breaker::metrics_only));
    }
    stories.push(Steady::controlled(count(), State::Disabled, Breaker::disable));
    stories.push(Steady::controlled(count(), State::Open, Breaker::trip));
    stories.push(Steady::controlled(count(), State::ForcedOpen, Breaker::force_open));
    stories
}

impl Steady {
    fn new(
        (window, builder, shows): Row,
        state: (&'static str, State),
        traffic: Traffic,
        rules: impl Fn(Builder) -> Builder,
        enter: fn(&Breaker),
    ) -> Self {
        let clock = ManualClock::new();
        clock.set(BUCKET);
        let breaker = rules(builder())
            .open_wait(OpenWait::fixed(SLOW))
            .clock(clock.clone())
            .build()
            .expect("the settings are allowed");
        enter(&breaker);
        Steady {
            title: (window, state.0),
            breaker,
            clock,
            traffic,
            state: state.1,
            enter,
            shows,
            buckets: window.starts_with("time"),
        }
    }

    fn closed(
        row: Row,
        state: &'static str,
        traffic: Traffic,
        rules: impl Fn(Builder) -> Builder,
    ) -> Self {
        Steady::new(row, (state, State::Closed), traffic, rules, Breaker::reset)
    }

    fn controlled(row: Row, state: State, enter: fn(&Breaker)) -> Self {
        let (name, shows) = match state {
            State::MetricsOnly => ("metrics only", row.2),
            State::Disabled => ("disabled", Shows::Nothing),
            State::Open => ("open", Shows::Nothing),
            _ => ("forced open", Shows::Nothing),
        };
        let row = (row.0, row.1, shows);
        Steady::new(row, (name, state), Traffic::Bad, |builder| builder, enter)
    }

    #[inline]
    fn call(&self, hand: &mut Hand<'_>) {
        let (outcome, slow) = self.traffic.outcome(hand.next_call());
        let refuses = matches!(self.state, State::Open | State::ForcedOpen);
        match hand.inside(|| self.breaker.try_acquire()) {
            Ok(permit) => {
                let recorded = hand.inside(|| match (slow, outcome) {
                    (true, _) => permit.record_timed(outcome, SLOW),
                    (false, Outcome::Success) => permit.success(),
                    (false, _) => permit.record(outcome),
                });
                hand.note(outcome, slow, recorded);
                if refuses || recorded != Recorded::Counted {
                    hand.books.expect(false, || format!("{:?}: {recorded:?}", self.title));
                }
            }
            Err(rejected) => {
                let as_open = rejected.retry_after().is_some() == (self.state == State::Open);
                if !refuses || rejected.state() != self.state || !as_open {
                    hand.books.expect(false, || format!("{:?}: {rejected:?}", self.title));
                }
            }
        }
    }

    /// Ends the epoch: what must be left of the window is known to the call again.
    fn turn_over(&self, books: &Books) {
        let report = |outcome, calls| {
            for _ in 0..calls {
                self.breaker.try_acquire().expect("closed").record(outcome);
            }
        };
        match self.shows {
            Shows::Last(size) => {
                report(Outcome::Success, size);
                report(Outcome::Failure, 7);
                let found = self.breaker.snapshot();
                books.expect((found.calls, found.failures) == (size, 7), || {
                    format!("{:?}: 7 of {size} failed: {found:?}", self.title)
                });
            }
            Shows::Run | Shows::LastRun => {
                for run in [0, 7] {
                    report(Outcome::Success, 1);
                    report(Outcome::Failure, run);
                    let found = self.breaker.snapshot();
                    books.expect(found.consecutive_failures == run, || {
                        format!("{:?}: a run of {run}: {found:?}", self.title)
                    });
                }
            }
            _ => {}
        }
        if self.buckets {
            self.clock.advance(10 * BUCKET);
            let found = self.breaker.snapshot();
            books.expect(found.calls == 0, || {
                format!("{:?}: idle time empties the window: {found:?}", self.title)
            });
        }
        (self.enter)(&self.breaker);
        books.clear();
    }
}

impl Story for Steady {
    fn title(&self) -> (&'static str, &'static str) {
        self.title
    }

    fn step(&self, hand: &mut Hand<'_>) {
        self.call(hand);
    }

    fn burst(&self, runner: usize, hand: &mut Hand<'_>) -> u64 {
        for call in 0..BURST {
            if self.buckets && runner == 0 && call == BURST / 2 {
                // While somebody stands frozen with a reading of the old bucket in its hand.
                self.clock.advance(BUCKET);
            }
            self.call(hand);
        }
        BURST
    }

    fn at_rest(&self, round: u64, books: &Books) {
        let counted = books.counted();
        let found = self.breaker.snapshot();
        let shown = (found.calls, found.failures, found.slow_calls, found.slow_failures);
        let all = (counted.calls, counted.failures, counted.slow, counted.slow_failures);
        let right = match self.shows {
            Shows::Calls if !self.buckets && counted.calls > ROOMY.into() => {
                found.calls == u64::from(ROOMY)
            }
            Shows::Calls => shown == all,
            Shows::Last(size) => {
                let calls = size.min(counted.calls);
                let failures = if self.traffic == Traffic::Bad { calls } else { 0 };
                shown == (calls, failures, 0, 0)
            }
            Shows::Run if self.traffic == Traffic::Good => found.consecutive_failures == 0,
            Shows::Run => found.consecutive_failures == counted.failures,
            Shows::LastRun => true,
            Shows::Nothing => shown == (0, 0, 0, 0),
        };
        books.expect(right && found.state == self.state, || {
            format!("{:?}, round {round}: counted {counted:?}, shown {found:?}", self.title)
        });
        if round % EPOCH == EPOCH - 1 || counted.calls > u64::from(ROOMY) / 2 {
            self.turn_over(books);
        }
    }
}
