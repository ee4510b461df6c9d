//! The benches' mutex baseline answers as the oracle does, so that its price is the price of the same work.
//!
//! Random settings of the subset that the baseline has, random operations in one thread on the manual clock, several
//! permits outstanding, the clock stepping back now and then. After every operation:
//!
//! 1. both grant, or both refuse with the same state and the same time to come back;
//! 2. a report is counted or stale on both;
//! 3. state, generation, the window's counts and the run of failures are the same.

use core::time::Duration;
use std::cell::RefCell;

use failfast::clock::{Clock, ManualClock};
use failfast::oracle::{Oracle, OraclePermit};
use failfast::{CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, Window};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::mutex::{Baseline, Counts, Settings, Span, Ticket};

#[path = "../../benches/support/baseline.rs"]
mod mutex;

#[derive(Clone, Debug)]
enum Op {
    Acquire,
    /// Reports one of the outstanding permits (by number, modulo how many there are), with a given elapsed time or the measured one.
    Record(usize, Outcome, Option<u64>),
    Forward(u64),
    Back(u64),
    Trip,
    HalfOpen,
    Reset,
    ForceOpen,
}

/// Nanoseconds: within a bucket, around a window, around an open time.
fn steps() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, 0..300_u64, 0..3_000_u64, 0..4_000_000_u64]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        5 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    let record = (any::<usize>(), outcomes(), proptest::option::of(0..200_u64));
    prop_oneof![
        40 => Just(Op::Acquire),
        40 => record.prop_map(|(which, outcome, elapsed)| Op::Record(which, outcome, elapsed)),
        12 => steps().prop_map(Op::Forward),
        3 => steps().prop_map(Op::Back),
        1 => select(vec![Op::Trip, Op::HalfOpen, Op::Reset, Op::ForceOpen, Op::Reset]),
    ]
}

fn spans() -> impl Strategy<Value = Span> {
    prop_oneof![
        // Up to and beyond the 32 outcomes that one word of the ring takes.
        3 => (1..=80_u32).prop_map(|size| Span::Count { size }),
        3 => (12..=2_000_u64, 1..=12_u32).prop_map(|(length, buckets)| Span::Time {
            length: Duration::from_nanos(length),
            buckets,
        }),
        1 => Just(Span::Consecutive),
    ]
}

/// Rates whose parts per million divide evenly and others that don't.
fn rates() -> impl Strategy<Value = u32> {
    select(vec![0, 100_000, 333_333, 500_000, 666_667, 900_000, 1_000_000])
}

fn settings() -> impl Strategy<Value = Settings> {
    (spans(), rates(), rates(), 0..=6_u32, 1..=40_u32, 1..=3_000_000_u64, 1..=4_u32).prop_map(
        |(span, failure_ppm, slow_ppm, run, min_calls, wait, probes)| Settings {
            span,
            failure_ppm,
            slow_ppm,
            slow_limit: Duration::from_nanos(100),
            // At least one rule: a breaker without any is refused.
            run: if span == Span::Consecutive || failure_ppm + slow_ppm == 0 {
                run + 1
            } else {
                run
            },
            min_calls,
            open_wait: Duration::from_nanos(wait),
            probes,
        },
    )
}

/// The oracle with the same settings; its probe lease never lapses here.
fn oracle_of(settings: &Settings, clock: ManualClock) -> Oracle<ManualClock> {
    let rate = |ppm: u32| f64::from(ppm) / 1e6;
    let mut builder = CircuitBreaker::builder()
        .min_calls(settings.min_calls)
        .open_wait(OpenWait::fixed(settings.open_wait))
        .half_open(HalfOpen::probes(settings.probes))
        .probe_timeout(Duration::from_secs(366 * 24 * 60 * 60))
        .clock(clock);
    builder = match settings.span {
        Span::Count { size } => builder.window(Window::count(size)),
        Span::Time { length, buckets } => builder.window(Window::time(length).buckets(buckets)),
        Span::Consecutive => builder.window(Window::consecutive(settings.run)),
    };
    builder = match settings.failure_ppm {
        0 => builder.no_failure_rate(),
        ppm => builder.failure_rate(rate(ppm)),
    };
    if settings.slow_ppm > 0 {
        builder = builder.slow_call(settings.slow_limit, rate(settings.slow_ppm));
    }
    if settings.run > 0 && settings.span != Span::Consecutive {
        builder = builder.consecutive_failures(settings.run);
    }
    builder.build_oracle().expect("the settings are allowed")
}

/// How often the interesting things happened: a run that met none would prove nothing.
#[derive(Debug, Default)]
struct Met {
    trips: u32,
    recoveries: u32,
    refusals: u32,
    stale: u32,
}

struct Twins {
    clock: ManualClock,
    baseline: Baseline<ManualClock>,
    oracle: Oracle<ManualClock>,
    permits: Vec<(Ticket, OraclePermit)>,
}

impl Twins {
    fn new(settings: Settings, start: u64) -> Self {
        let clock = ManualClock::new();
        clock.set(Duration::from_nanos(start));
        Twins {
            baseline: Baseline::new(settings, clock.clone()),
            oracle: oracle_of(&settings, clock.clone()),
            clock,
            permits: Vec::new(),
        }
    }

    fn apply(&mut self, op: &Op, met: &mut Met) -> Result<(), TestCaseError> {
        match *op {
            Op::Acquire => match (self.baseline.try_acquire(), self.oracle.try_acquire()) {
                (Ok(ticket), Ok(permit)) => self.permits.push((ticket, permit)),
                (Err(refused), Err(rejected)) => {
                    met.refusals += 1;
                    prop_assert_eq!(refused.state, rejected.state());
                    prop_assert_eq!(refused.retry_after, rejected.retry_after());
                }
                (ticket, permit) => prop_assert!(false, "{ticket:?} but {permit:?}"),
            },
            Op::Record(which, outcome, elapsed) if !self.permits.is_empty() => {
                let (ticket, permit) = self.permits.swap_remove(which % self.permits.len());
                let before = self.oracle.state();
                let (found, expected) = match elapsed.map(Duration::from_nanos) {
                    None => {
                        (self.baseline.record(ticket, outcome), self.oracle.record(permit, outcome))
                    }
                    Some(elapsed) => (
                        self.baseline.record_timed(ticket, outcome, elapsed),
                        self.oracle.record_timed(permit, outcome, elapsed),
                    ),
                };
                prop_assert_eq!(found, expected);
                met.stale += u32::from(found == Recorded::Stale);
                match (before, self.oracle.state()) {
                    (State::Closed, State::Open) => met.trips += 1,
                    (State::HalfOpen, State::Closed) => met.recoveries += 1,
                    _ => {}
                }
            }
            Op::Record(..) => {}
            Op::Forward(by) => self.clock.advance(Duration::from_nanos(by)),
            Op::Back(by) => {
                let to = self.clock.now().saturating_sub(Duration::from_nanos(by));
                self.clock.set(to);
            }
            Op::Trip => {
                self.baseline.trip();
                self.oracle.trip();
            }
            Op::HalfOpen => {
                self.baseline.half_open();
                self.oracle.half_open();
            }
            Op::Reset => {
                self.baseline.reset();
                self.oracle.reset();
            }
            Op::ForceOpen => {
                self.baseline.force_open();
                self.oracle.force_open();
            }
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let snapshot = self.oracle.snapshot();
        let expected = Counts {
            calls: snapshot.calls,
            failures: snapshot.failures,
            slow_calls: snapshot.slow_calls,
            slow_failures: snapshot.slow_failures,
        };
        prop_assert_eq!(self.baseline.state(), snapshot.state);
        prop_assert_eq!(self.baseline.generation(), snapshot.generation);
        prop_assert_eq!(self.baseline.counts(), expected);
        prop_assert_eq!(self.baseline.consecutive_failures(), snapshot.consecutive_failures);
        Ok(())
    }
}

#[test]
fn the_mutex_baseline_answers_as_the_oracle_does() {
    let config = Config { cases: 1_000, failure_persistence: None, ..Config::default() };
    // The same cases every time: what is met below is a property of the test, not of luck.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let met = RefCell::new(Met::default());
    let cases = (settings(), 0..100_000_u64, vec(ops(), 1..400));
    TestRunner::new_with_rng(config, rng)
        .run(&cases, |(settings, start, ops)| {
            let mut twins = Twins::new(settings, start);
            ops.iter().try_for_each(|op| twins.apply(op, &mut met.borrow_mut()))
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner();
    println!("{met:?}");
    assert!(
        met.trips > 500 && met.recoveries > 100 && met.refusals > 1_000 && met.stale > 1_000,
        "hardly anything happened: {met:?}"
    );
}

/// Too rare for random operations to meet: failures land in an older bucket, where older successes still outweigh
/// them, and the first success after the clock has caught up completes a trip.
#[test]
fn failures_recorded_while_the_clock_stood_back_are_judged_when_it_has_caught_up() {
    let settings = Settings {
        span: Span::Time { length: Duration::from_nanos(100), buckets: 10 },
        min_calls: 2,
        ..Settings::default()
    };
    let mut twins = Twins::new(settings, 0);
    let mut met = Met::default();
    let mut report = |at, outcome, times| {
        twins.clock.set(Duration::from_nanos(at));
        for _ in 0..times {
            twins.apply(&Op::Acquire, &mut met).unwrap();
            let record = Op::Record(0, outcome, None);
            twins.apply(&record, &mut met).unwrap();
        }
        twins.baseline.state()
    };
    assert_eq!(report(0, Outcome::Success, 10), State::Closed);
    assert_eq!(report(115, Outcome::Success, 1), State::Closed);
    assert_eq!(report(95, Outcome::Failure, 2), State::Closed); // 2 of 12 at 95 ns
    assert_eq!(report(115, Outcome::Success, 1), State::Open); // 2 of 4 at 115 ns
}
