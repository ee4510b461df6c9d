//! Any composition of layers, beside a plain twin: nested ifs around the breaker's oracle.
//!
//! What is compared, call by call: the value or the error, with the layer that spoke, the attempts, why they stopped and
//! when to come back; how often the call was made, and within which time; the breaker's window; the places, the budget and
//! the time that are left. The fuzz target includes this file by path.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use failfast::clock::{Clock, ManualClock};
use failfast::oracle::Oracle;
use failfast::policy::{
    BreakerLayer, BulkheadLayer, Layer, Off, RateLimitLayer, RetryLayer, TimeoutLayer,
};
use failfast::{
    Bulkhead, CircuitBreaker, ConfigError, Deadline, Failed, HalfOpen, Jitter, OpenWait, Outcome,
    Policy, PolicyBuilder, PolicyError, RateLimit, Refusal, Rejected, Retry, RetryBudget,
    RetryStop, State, Window,
};

/// All times are multiples of this: a whole number of nanoseconds that backon's floats hold exactly.
pub(crate) const UNIT: Duration = Duration::from_nanos(7_812_500);

/// Which layers there are, and their settings; times in units.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) retry: Option<Retries>,
    /// Burst, and the time of a token.
    pub(crate) rate_limit: Option<(u32, u32)>,
    pub(crate) bulkhead: Option<u32>,
    pub(crate) breaker: Option<Breaks>,
    pub(crate) around: bool,
    pub(crate) timeout: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) delay: u32,
    pub(crate) total: Option<u32>,
    pub(crate) least: u32,
    /// Millionths for a first attempt, and the burst.
    pub(crate) budget: Option<(u32, u32)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Breaks {
    pub(crate) run: u32,
    pub(crate) wait: u32,
    pub(crate) probes: u32,
    pub(crate) lease: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A call within a deadline, if there is one, that takes so long and answers so, attempt by attempt; then `Ok`.
    Call(Option<u32>, Vec<(u32, Answer)>),
    /// So many of the places are taken by others from now on.
    Others(u32),
    Wait(u32),
    Control(Control),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Value(Outcome),
    Error(Outcome),
    Panic,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    Trip,
    HalfOpen,
    Reset,
    ForceOpen,
    Disable,
    MetricsOnly,
}

/// What a caller hears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Value(Outcome),
    Panic,
    Error(Layer, Option<Duration>, Said, u32, Option<RetryStop>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Limited,
    Full,
    Rejected(Rejected),
    TimedOut { has_begun: bool },
    Inner(Outcome),
}

fn units(count: u32) -> Duration {
    UNIT * count
}

/// Builds the composition and its twin, and takes the steps with both.
pub(crate) fn compose(settings: &Settings, steps: &[Step]) {
    let clock = ManualClock::new();
    let layers = Layers::new(settings, &clock);
    let policy = match (layers.policy(settings, &clock), misfit(settings)) {
        (Ok(policy), None) => policy,
        (Err(error), Some(field)) => return assert_eq!(error.field(), field, "{error}"),
        (Ok(_), Some(field)) => panic!("{field} does not fit: {settings:?}"),
        (Err(error), None) => panic!("{error}: {settings:?}"),
    };
    let mut twin = Twin::new(settings);
    let mut others = Vec::new();
    for step in steps {
        match step {
            Step::Call(deadline, script) => {
                let deadline = deadline.map(units);
                let held = others.len() as u32 + u32::from(settings.bulkhead.is_some());
                let (heard, made) = layers.call(&*policy, &clock, deadline, script, held);
                let expected = twin.call(deadline, script);
                assert_eq!((heard, &made), (expected, &twin.made), "{step:?}");
            }
            Step::Others(count) => {
                let Some(places) = settings.bulkhead else { continue };
                others.clear();
                others.extend((0..*count).map_while(|_| layers.bulkhead.try_acquire().ok()));
                twin.others = (*count).min(places);
            }
            Step::Wait(time) => {
                clock.advance(units(*time));
                twin.clock.advance(units(*time));
            }
            Step::Control(control) => {
                macro_rules! control {
                    ($($name:ident => $call:ident),*) => {
                        match control {
                            $(Control::$name => {
                                layers.breaker.$call();
                                twin.breaker.$call();
                            })*
                        }
                    };
                }
                control!(Trip => trip, HalfOpen => half_open, Reset => reset,
                    ForceOpen => force_open, Disable => disable, MetricsOnly => metrics_only);
            }
        }
        assert_eq!(clock.now(), twin.clock.now(), "both have waited as long: {step:?}");
        let (ours, theirs) = (layers.breaker.snapshot(), twin.breaker.snapshot());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{step:?}");
        assert_eq!(layers.bulkhead.in_use(), others.len() as u32, "places come back: {step:?}");
        assert_eq!(u64::from(layers.budget.available()), twin.balance / ONE, "{step:?}");
    }
}

/// The setting that `build` refuses.
fn misfit(settings: &Settings) -> Option<&'static str> {
    let Settings { retry, rate_limit, bulkhead, breaker, timeout, .. } = settings;
    if retry.is_none()
        && rate_limit.is_none()
        && bulkhead.is_none()
        && breaker.is_none()
        && timeout.is_none()
    {
        return Some("layers");
    }
    let total = retry.as_ref().and_then(|retry| retry.total);
    let lease = breaker.as_ref().map(|breaker| breaker.lease);
    let longer = |time: Option<u32>, most: Option<u32>| time > most && most.is_some();
    if longer(*timeout, total) {
        return Some("timeout");
    }
    if retry.as_ref().is_some_and(|retry| longer(Some(retry.least), *timeout)) {
        return Some("min_attempt");
    }
    if longer(*timeout, lease) {
        return Some("timeout");
    }
    (settings.around && retry.is_some() && longer(total, lease)).then_some("total_time")
}

// ===== the policy =====

struct Layers {
    retry: Option<Retry<ManualClock>>,
    budget: Arc<RetryBudget>,
    rate_limit: Option<RateLimit<ManualClock>>,
    bulkhead: Bulkhead,
    breaker: CircuitBreaker<ManualClock>,
}

type Call<'a> = dyn FnMut(&Deadline<ManualClock>) -> Result<Outcome, Outcome> + 'a;

/// A policy, whatever its layers.
trait Composed {
    fn call(
        &self,
        deadline: &Deadline<ManualClock>,
        call: &mut Call<'_>,
    ) -> Result<Outcome, PolicyError<Outcome>>;
}

impl<Rt, Rl, Bh, Br, To> Composed for Policy<Rt, Rl, Bh, Br, To, ManualClock>
where
    Rt: RetryLayer,
    Rl: RateLimitLayer,
    Bh: BulkheadLayer,
    Br: BreakerLayer,
    To: TimeoutLayer,
{
    fn call(
        &self,
        deadline: &Deadline<ManualClock>,
        call: &mut Call<'_>,
    ) -> Result<Outcome, PolicyError<Outcome>> {
        let classify = |result: &Result<Outcome, Outcome>| match *result {
            Ok(outcome) | Err(outcome) => outcome,
        };
        self.call_within_with(deadline, classify, call)
    }
}

type Built<'a> = Result<Box<dyn Composed + 'a>, ConfigError>;

fn breaker(settings: &Settings, clock: &ManualClock) -> failfast::Builder<ManualClock> {
    let Breaks { run, wait, probes, lease } =
        settings.breaker.clone().unwrap_or(Breaks { run: 1, wait: 1, probes: 1, lease: 1 });
    CircuitBreaker::builder()
        .window(Window::consecutive(run))
        .open_wait(OpenWait::fixed(units(wait)))
        .half_open(HalfOpen::probes(probes))
        .probe_timeout(units(lease))
        .clock(clock.clone())
}

fn budget(settings: &Settings) -> (u32, u32) {
    settings.retry.as_ref().and_then(|retry| retry.budget).unwrap_or((1, 1))
}

impl Layers {
    fn new(settings: &Settings, clock: &ManualClock) -> Self {
        let (ppm, burst) = budget(settings);
        let budget = Arc::new(RetryBudget::new(f64::from(ppm) / 1e6, burst).expect("a budget"));
        let retry = settings.retry.as_ref().map(|retry| {
            let mut builder = Retry::builder()
                .attempts(retry.attempts)
                .initial(units(retry.delay))
                .max_delay(units(retry.delay))
                .factor(1.0)
                .jitter(Jitter::None)
                .min_attempt(units(retry.least));
            if let Some(total) = retry.total {
                builder = builder.total_time(units(total));
            }
            if retry.budget.is_some() {
                builder = builder.budget(Arc::clone(&budget));
            }
            builder.sleeper(clock.clone()).build().expect("sound times")
        });
        let rate_limit = settings.rate_limit.map(|(burst, token)| {
            let limit = RateLimit::per(units(token), 1).burst(burst).clock(clock.clone());
            limit.build().expect("a sound limit")
        });
        Layers {
            retry,
            budget,
            rate_limit,
            bulkhead: Bulkhead::new(settings.bulkhead.unwrap_or(1)).expect("places"),
            breaker: breaker(settings, clock).build().expect("a sound breaker"),
        }
    }

    /// One type a composition; all of them.
    fn policy(&self, settings: &Settings, clock: &ManualClock) -> Built<'_> {
        let builder = Policy::builder().clock(clock.clone());
        match &self.retry {
            Some(retry) if settings.around && settings.breaker.is_some() => {
                let builder = builder.retry(retry).breaker(&self.breaker);
                self.limited(settings, builder.breaker_around_retries())
            }
            Some(retry) => self.guarded(settings, builder.retry(retry)),
            None => self.guarded(settings, builder),
        }
    }

    fn guarded<'a, Rt: RetryLayer + 'a>(
        &'a self,
        settings: &Settings,
        builder: PolicyBuilder<Rt, Off, Off, Off, Off, ManualClock>,
    ) -> Built<'a> {
        match settings.breaker {
            Some(_) => self.limited(settings, builder.breaker(&self.breaker)),
            None => self.limited(settings, builder),
        }
    }

    fn limited<'a, Rt: RetryLayer + 'a, Br: BreakerLayer + 'a>(
        &'a self,
        settings: &Settings,
        builder: PolicyBuilder<Rt, Off, Off, Br, Off, ManualClock>,
    ) -> Built<'a> {
        match &self.rate_limit {
            Some(limit) => self.bounded(settings, builder.rate_limit(limit)),
            None => self.bounded(settings, builder),
        }
    }

    fn bounded<'a, Rt: RetryLayer + 'a, Rl: RateLimitLayer + 'a, Br: BreakerLayer + 'a>(
        &'a self,
        settings: &Settings,
        builder: PolicyBuilder<Rt, Rl, Off, Br, Off, ManualClock>,
    ) -> Built<'a> {
        match settings.bulkhead {
            Some(_) => timed(settings, builder.bulkhead(&self.bulkhead)),
            None => timed(settings, builder),
        }
    }

    fn call(
        &self,
        policy: &dyn Composed,
        clock: &ManualClock,
        deadline: Option<Duration>,
        script: &[(u32, Answer)],
        held: u32,
    ) -> (Heard, Vec<Option<Duration>>) {
        let mut made = Vec::new();
        let deadline = match deadline {
            Some(left) => Deadline::after_on(clock.clone(), left),
            None => Deadline::never_on(clock.clone()),
        };
        let result = catch_unwind(AssertUnwindSafe(|| {
            policy.call(&deadline, &mut |end| {
                let (time, answer) = nth(script, made.len());
                made.push(end.remaining());
                assert_eq!(self.bulkhead.in_use(), held, "a place is held during the call");
                clock.advance(units(time));
                match answer {
                    Answer::Value(outcome) => Ok(outcome),
                    Answer::Error(outcome) => Err(outcome),
                    // Without the hook, which would print.
                    Answer::Panic => resume_unwind(Box::new(())),
                }
            })
        }));
        let heard = match result {
            Err(_) => Heard::Panic,
            Ok(Ok(outcome)) => Heard::Value(outcome),
            Ok(Err(error)) => {
                let said = match error.failed() {
                    Failed::Refused(Refusal::RateLimit(_)) => Said::Limited,
                    Failed::Refused(Refusal::Bulkhead(_)) => Said::Full,
                    Failed::Refused(Refusal::Breaker(rejected)) => Said::Rejected(rejected),
                    Failed::Refused(other) => panic!("no such layer: {other}"),
                    Failed::TimedOut(late) => Said::TimedOut { has_begun: late.has_begun() },
                    Failed::Inner(outcome) => Said::Inner(*outcome),
                };
                let (attempts, stopped) = (error.attempts(), error.stopped());
                Heard::Error(error.layer(), error.retry_after(), said, attempts, stopped)
            }
        };
        (heard, made)
    }
}

fn timed<'a, Rt, Rl, Bh, Br>(
    settings: &Settings,
    builder: PolicyBuilder<Rt, Rl, Bh, Br, Off, ManualClock>,
) -> Built<'a>
where
    Rt: RetryLayer + 'a,
    Rl: RateLimitLayer + 'a,
    Bh: BulkheadLayer + 'a,
    Br: BreakerLayer + 'a,
{
    Ok(match settings.timeout {
        Some(limit) => Box::new(builder.timeout(units(limit)).build()?),
        None => Box::new(builder.build()?),
    })
}

fn nth(script: &[(u32, Answer)], number: usize) -> (u32, Answer) {
    script.get(number).copied().unwrap_or((0, Answer::Value(Outcome::Success)))
}

// ===== the twin =====

/// A whole retry, in the budget's millionths.
const ONE: u64 = 1_000_000;

struct Twin {
    settings: Settings,
    clock: ManualClock,
    breaker: Oracle<ManualClock>,
    others: u32,
    balance: u64,
    /// What is in the bucket, as the time that it took to come in; and when that was so.
    tokens: (Duration, Duration),
    /// The time that each call of this turn was given.
    made: Vec<Option<Duration>>,
}

/// How one attempt ended: what is heard, and what it says about the dependency.
type End = (Result<Outcome, Option<Said>>, Outcome);

const PANIC: End = (Err(None), Outcome::Failure);

fn refused(said: Said) -> End {
    (Err(Some(said)), Outcome::Ignored)
}

impl Twin {
    fn new(settings: &Settings) -> Self {
        let clock = ManualClock::new();
        let (_, burst) = budget(settings);
        let full =
            settings.rate_limit.map_or(Duration::ZERO, |(burst, token)| units(burst * token));
        Twin {
            settings: settings.clone(),
            breaker: breaker(settings, &clock).build_oracle().expect("a sound breaker"),
            clock,
            others: 0,
            balance: u64::from(burst) * ONE,
            tokens: (full, Duration::ZERO),
            made: Vec::new(),
        }
    }

    fn call(&mut self, left: Option<Duration>, script: &[(u32, Answer)]) -> Heard {
        self.made.clear();
        let end = left.map(|left| self.clock.now() + left);
        let around = self.settings.around
            && self.settings.retry.is_some()
            && self.settings.breaker.is_some();
        if !around {
            return self.retried(end, script).0;
        }
        match self.breaker.try_acquire() {
            Err(rejected) => {
                let said = Said::Rejected(rejected);
                Heard::Error(Layer::Breaker, rejected.retry_after(), said, 0, None)
            }
            Ok(permit) => {
                let (heard, last) = self.retried(end, script);
                self.breaker.record(permit, last);
                heard
            }
        }
    }

    /// The retry, and the last thing that an attempt said about the dependency.
    fn retried(&mut self, end: Option<Duration>, script: &[(u32, Answer)]) -> (Heard, Outcome) {
        let Some(retry) = self.settings.retry.clone() else {
            let (result, outcome) = self.attempt(end, script);
            return (self.heard(result, 1, None), outcome);
        };
        let total = retry.total.map(|total| self.clock.now() + units(total));
        let (end, too_late) = match (total, end) {
            (Some(total), Some(end)) if end <= total => (Some(end), RetryStop::Deadline),
            (Some(total), _) => (Some(total), RetryStop::TotalTime),
            (None, end) => (end, RetryStop::Deadline),
        };
        let least = units(retry.least).max(Duration::from_nanos(1));
        if end.is_some_and(|end| end < self.clock.now() + least) {
            let said = Said::TimedOut { has_begun: false };
            return (Heard::Error(Layer::Retry, None, said, 0, Some(too_late)), Outcome::Ignored);
        }
        if let Some((ppm, burst)) = retry.budget {
            self.balance = (self.balance + u64::from(ppm)).min(u64::from(burst) * ONE);
        }
        let (mut attempts, mut last) = (1, Outcome::Ignored);
        loop {
            let (result, outcome) = self.attempt(end, script);
            if outcome != Outcome::Ignored {
                last = outcome;
            }
            let Err(Some(said)) = result else {
                return (self.heard(result, attempts, None), last);
            };
            let heard = |stopped| (self.heard(result, attempts, Some(stopped)), last);
            let floor = match said {
                Said::Limited | Said::Rejected(_) if self.hint(said).is_some() => self.hint(said),
                Said::Rejected(rejected) if rejected.state() == State::ForcedOpen => None,
                Said::TimedOut { has_begun: false } => None,
                Said::Inner(outcome) if outcome != Outcome::Failure => None,
                _ => Some(Duration::ZERO),
            };
            let Some(floor) = floor else { return heard(RetryStop::NotRetryable) };
            if attempts == retry.attempts {
                return heard(RetryStop::Attempts);
            }
            let wait = units(retry.delay).max(floor);
            if end.is_some_and(|end| end < self.clock.now() + wait + least) {
                return heard(too_late);
            }
            if retry.budget.is_some() {
                if self.balance < ONE {
                    return heard(RetryStop::Budget);
                }
                self.balance -= ONE;
            }
            self.clock.advance(wait);
            attempts += 1;
        }
    }

    fn attempt(&mut self, end: Option<Duration>, script: &[(u32, Answer)]) -> End {
        if let Some((burst, token)) = self.settings.rate_limit {
            let (level, since) = self.tokens;
            let now = self.clock.now();
            let level = (level + (now - since)).min(units(burst * token));
            self.tokens = (level, now);
            if level < units(token) {
                return refused(Said::Limited);
            }
            self.tokens.0 -= units(token);
        }
        if self.settings.bulkhead.is_some_and(|places| self.others >= places) {
            return refused(Said::Full);
        }
        let inside = self.settings.breaker.is_some()
            && !(self.settings.around && self.settings.retry.is_some());
        if !inside {
            return self.timed(end, script);
        }
        match self.breaker.try_acquire() {
            Err(rejected) => refused(Said::Rejected(rejected)),
            Ok(permit) => {
                let (result, outcome) = self.timed(end, script);
                self.breaker.record(permit, outcome);
                (result, outcome)
            }
        }
    }

    fn timed(&mut self, end: Option<Duration>, script: &[(u32, Answer)]) -> End {
        let Some(limit) = self.settings.timeout.map(units) else {
            return self.made(end, script);
        };
        let now = self.clock.now();
        if end.is_some_and(|end| now >= end) {
            return refused(Said::TimedOut { has_begun: false });
        }
        let end = end.map_or(now + limit, |end| end.min(now + limit));
        match self.made(Some(end), script) {
            PANIC => PANIC,
            ignored @ (Err(_), Outcome::Ignored) => ignored,
            _ if self.clock.now() >= end => {
                (Err(Some(Said::TimedOut { has_begun: true })), Outcome::Failure)
            }
            in_time => in_time,
        }
    }

    fn made(&mut self, end: Option<Duration>, script: &[(u32, Answer)]) -> End {
        let (time, answer) = nth(script, self.made.len());
        self.made.push(end.map(|end| end.saturating_sub(self.clock.now())));
        self.clock.advance(units(time));
        match answer {
            Answer::Value(outcome) => (Ok(outcome), outcome),
            Answer::Error(outcome) => (Err(Some(Said::Inner(outcome))), outcome),
            Answer::Panic => PANIC,
        }
    }

    fn heard(
        &self,
        result: Result<Outcome, Option<Said>>,
        attempts: u32,
        stopped: Option<RetryStop>,
    ) -> Heard {
        let said = match result {
            Ok(outcome) => return Heard::Value(outcome),
            Err(None) => return Heard::Panic,
            Err(Some(said)) => said,
        };
        let layer = match said {
            Said::Limited => Layer::RateLimit,
            Said::Full => Layer::Bulkhead,
            Said::Rejected(_) => Layer::Breaker,
            Said::TimedOut { .. } => Layer::Timeout,
            Said::Inner(_) => Layer::Call,
        };
        Heard::Error(layer, self.hint(said), said, attempts, stopped)
    }

    /// When to come back.
    fn hint(&self, said: Said) -> Option<Duration> {
        match said {
            Said::Limited => {
                let (_, token) = self.settings.rate_limit?;
                Some(units(token) - self.tokens.0)
            }
            Said::Rejected(rejected) => rejected.retry_after(),
            _ => None,
        }
    }
}
