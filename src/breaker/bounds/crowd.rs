//! Real threads, each with a clock of its own that may step back: none of their calls passes its bound.
//!
//! A call is held against the bound for as many calls of others as it met, which is far below the bound for any.

use core::cell::Cell;
use core::time::Duration;
use std::sync::Barrier;

use super::*;
use crate::breaker::{CircuitBreaker, HalfOpen, OpenWait, Window};
use crate::clock::Clock;
use crate::sync::tally::steps;
use crate::sync::{AtomicU64, Ordering};
use crate::threads;

thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });

/// A clock that every thread has for itself.
#[derive(Clone, Copy)]
struct Own;

impl Clock for Own {
    fn now(&self) -> Duration {
        Duration::from_nanos(NOW.get())
    }
}

#[test]
fn a_reading_of_the_state_takes_most_steps_where_time_has_most_to_say() {
    NOW.set(0);
    let year = Duration::from_secs(366 * 86_400);
    let breaker = CircuitBreaker::builder()
        .open_wait(OpenWait::fixed(year).jitter(0.001))
        .probe_timeout(Duration::from_nanos(10))
        .clock(Own)
        .build()
        .unwrap();
    breaker.half_open();
    let probe = breaker.try_acquire().unwrap();
    NOW.set(100);
    assert_eq!(steps(|| assert_eq!(breaker.state(), State::Open)), STATE, "a lapsed lease");
    probe.success();
    breaker.trip();
    let long = 1 + 1 + 2 + LONG_WAIT;
    assert_eq!(steps(|| assert_eq!(breaker.state(), State::Open)), long, "a very long wait");
    assert_eq!(steps(|| assert!(breaker.try_acquire().is_err())), 1 + AROUND + LONG_WAIT);
}

#[test]
fn calls_that_do_not_depend_on_others_take_what_the_page_says() {
    NOW.set(0);
    let build = |window, slow: bool, runs: bool| {
        let builder = CircuitBreaker::builder().window(window).stripes(1_024).clock(Own);
        let builder = if slow { builder.slow_call(Duration::from_secs(9), 1.0) } else { builder };
        let builder = if runs { builder.consecutive_failures(9) } else { builder };
        builder.build().unwrap()
    };
    let warm = |breaker: &CircuitBreaker<Own>| {
        for _ in 0..30 {
            breaker.try_acquire().unwrap().success();
        }
        let permit = breaker.try_acquire().unwrap();
        steps(|| permit.success())
    };
    let (count, time) = (Window::count(10), Window::time(Duration::from_secs(1)));
    assert_eq!([false, true].map(|slow| warm(&build(count, slow, false))), [4, 5]);
    assert_eq!([false, true].map(|slow| warm(&build(time, slow, false))), [7, 8]);
    assert_eq!([false, true].map(|slow| warm(&build(time, slow, true))), [10, 11]);

    let breaker = build(time, true, true);
    let acquire = |breaker: &CircuitBreaker<Own>| steps(|| breaker.acquire());
    assert_eq!(acquire(&breaker), 2);
    let permit = breaker.try_acquire().unwrap();
    assert_eq!(steps(|| drop(permit)), 1);
    breaker.metrics_only();
    assert_eq!(acquire(&breaker), 2);
    breaker.force_open();
    assert_eq!(acquire(&breaker), 1);
    breaker.trip();
    assert_eq!(acquire(&breaker), 1);
    breaker.disable();
    assert_eq!(acquire(&breaker), 1);
    let permit = breaker.try_acquire().unwrap();
    let timed = || permit.record_timed(Outcome::Success, Duration::ZERO);
    assert_eq!(steps(timed), DISABLED);
}

/// How many calls of others overlap one's own.
struct Crowd {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Crowd {
    /// Says how many steps `act` took, and how many calls of others it met at most.
    fn measure<T>(&self, act: impl FnOnce() -> T) -> (usize, usize) {
        // Relaxed: a number of ended calls that is too old makes the answer larger; and a call whose steps `act` has
        // seen was begun before them, so it is counted.
        let ended = self.ended.load(Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        let taken = steps(act);
        let met = self.begun.load(Ordering::Relaxed) - ended - 1;
        self.ended.fetch_add(1, Ordering::Relaxed);
        (taken, met as usize)
    }
}

/// Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Rounds until calls meet; one is enough where two cores are free.
const ROUNDS: u64 = 200;
/// A call changes one word at most so often: a word that is swept, counted in and settled.
const CHANGES: usize = 3;

impl Size {
    /// What a report may take of a thread with a seat, and what one without adds.
    fn report(self, window: &WindowConfig, grant: Grant, outcome: Outcome, met: usize) -> usize {
        let turns = 1 + CHANGES * met;
        match grant.name.state() {
            State::HalfOpen => {
                let met = 3 + REPORT_TURN * turns + self.places + self.threads;
                met.min(self.report_half_open())
            }
            _ if outcome == Outcome::Ignored => 1,
            State::Disabled => DISABLED,
            _ => match window {
                WindowConfig::Count { .. } => self.count_success(met).max(self.count_mark(met)),
                WindowConfig::Time { .. } => self.time(met),
                WindowConfig::Consecutive => self.run_success().max(self.run_failure(met)),
            },
        }
    }

    fn without_seat(self, window: &WindowConfig, met: usize) -> usize {
        let turns = 1 + CHANGES * met;
        match window {
            WindowConfig::Time { .. } => 1 + 2 * turns + 5 * turns + 1 + turns,
            _ => 1 + 2 * turns,
        }
    }

    fn read(self, window: &WindowConfig, met: usize) -> usize {
        let attempt = match window {
            WindowConfig::Time { .. } => self.read_time(),
            _ => self.read_count(),
        };
        (1 + CHANGES * met) * attempt
    }
}

fn crowded(window: Window, config: WindowConfig, stripes: u32) {
    let builder = CircuitBreaker::builder().window(window).stripes(stripes).clock(Own);
    let builder = match config {
        WindowConfig::Consecutive => builder,
        _ => builder.consecutive_failures(6).slow_call(Duration::from_nanos(100), 0.9).min_calls(5),
    };
    let breaker = builder
        .open_wait(OpenWait::fixed(Duration::from_nanos(1)))
        .half_open(HalfOpen::rate(3))
        .probe_timeout(Duration::from_nanos(1 << 21))
        .build()
        .unwrap();
    let size =
        Size { stripes: stripes as usize, ring: 32, buckets: 4, places: 3, threads: 4, runs: true };
    let crowd = Crowd { begun: AtomicU64::new(0), ended: AtomicU64::new(0) };
    let round = |round: u64| -> usize {
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=4)
                .map(|seed| {
                    let (breaker, crowd, start) = (&breaker, &crowd, &start);
                    let dice = Dice(4 * round + seed);
                    scope.spawn(move || {
                        start.wait();
                        calls(breaker, &config, size, crowd, dice)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no bound is passed")).sum()
        })
    };
    // Where others take the cores, the threads of a round may run one after the other.
    assert!((0..ROUNDS).any(|number| round(number) > 0), "no call met another: nothing was tried");
    assert!(breaker.snapshot().generation > 500, "too few changes of state");
}

/// One thread of a crowd; says how many of its calls met others.
fn calls(
    breaker: &CircuitBreaker<Own>,
    window: &WindowConfig,
    size: Size,
    crowd: &Crowd,
    mut dice: Dice,
) -> usize {
    let seat = threads::seat();
    let mut held: Vec<Grant> = Vec::new();
    let mut crowded = 0;
    for _ in 0..8_000 {
        NOW.set(match dice.below(256) {
            0 => NOW.get() + (1 << 47),
            1 => NOW.get() % (1 << 40),
            2..=8 => NOW.get().saturating_sub(dice.below(100)),
            9..=40 => NOW.get() + (1 << 19),
            _ => NOW.get() + dice.below(40),
        });
        let what = dice.below(64);
        let (call, taken, bound, met) = match what {
            0..=20 => {
                let mut grant = None;
                let (taken, met) = crowd.measure(|| grant = breaker.acquire().ok());
                let turns = 2 + CHANGES * met;
                held.extend(grant);
                ("acquire", taken, 1 + ACQUIRE_TURN * turns + 1, met)
            }
            21..=56 if !held.is_empty() => {
                let grant = held.swap_remove(dice.below(held.len() as u64) as usize);
                let outcome = match dice.below(8) {
                    0..=3 => Outcome::Success,
                    4..=6 => Outcome::Failure,
                    _ => Outcome::Ignored,
                };
                let elapsed = dice.below(150);
                let (taken, met) = crowd.measure(|| match what % 3 {
                    0 => breaker.settle_timed(grant, outcome, elapsed),
                    _ => breaker.settle(grant, outcome),
                });
                let mut bound = size.report(window, grant, outcome, met);
                if seat >= size.stripes {
                    bound += size.without_seat(window, met);
                }
                ("report", taken, bound, met)
            }
            21..=59 => {
                let (taken, met) = crowd.measure(|| breaker.state());
                ("state", taken, STATE, met)
            }
            60 | 61 => {
                let (taken, met) = crowd.measure(|| breaker.snapshot());
                ("snapshot", taken, size.read(window, met), met)
            }
            _ => {
                let to = dice.below(8);
                let (taken, met) = crowd.measure(|| match to {
                    0 => breaker.trip(),
                    1 => breaker.half_open(),
                    2 => breaker.disable(),
                    3 => breaker.metrics_only(),
                    4 => breaker.force_open(),
                    _ => breaker.reset(),
                });
                ("control", taken, CONTROL_TURN * (2 + CHANGES * met), met)
            }
        };
        assert!(taken <= bound, "{call} took {taken} steps of {bound} and met {met}");
        crowded += usize::from(met > 0);
    }
    crowded
}

#[test]
fn no_call_of_a_crowd_passes_its_bound_in_a_count_window() {
    for stripes in [1, 1_024] {
        crowded(Window::count(10), WindowConfig::Count { size: 10 }, stripes);
    }
}

#[test]
fn no_call_of_a_crowd_passes_its_bound_in_a_time_window() {
    for stripes in [1, 1_024] {
        let (length_ns, buckets) = (1 << 10, 4);
        let window = Window::time(Duration::from_nanos(length_ns)).buckets(buckets);
        crowded(window, WindowConfig::Time { length_ns, buckets }, stripes);
    }
}

#[test]
fn no_call_of_a_crowd_passes_its_bound_in_a_consecutive_window() {
    for stripes in [1, 1_024] {
        crowded(Window::consecutive(4), WindowConfig::Consecutive, stripes);
    }
}
