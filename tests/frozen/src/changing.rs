//! States that change: threads stand frozen inside transitions, probes and control calls while others make more.

use core::mem;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use failfast::clock::ManualClock;
use failfast::{Builder, CircuitBreaker, HalfOpen, OpenWait, Outcome, Recorded, State, Window};

use crate::story::{Books, Breaker, Hand, Story};

const WAIT: Duration = Duration::from_millis(5);
const LEASE: Duration = Duration::from_secs(1);
/// Failures that trip.
const LIMIT: u64 = 5;
const PLACES: u32 = 3;

/// Counts what the observers hear, without a lock: a thread may stand frozen here too.
#[derive(Default)]
struct Journal {
    heard: AtomicU64,
    sum: AtomicU64,
    squares: AtomicU64,
}

impl Journal {
    fn hear(&self, generation: u64) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(generation, Ordering::Relaxed);
        self.squares.fetch_add(generation.wrapping_mul(generation), Ordering::Relaxed);
    }

    /// Whether each generation up to this one was heard exactly once, as far as number, sum and squares tell.
    fn is_whole(&self, last: u64) -> bool {
        let n = u128::from(last);
        let whole = [n, n * (n + 1) / 2, n * (n + 1) * (2 * n + 1) / 6];
        let heard = [&self.heard, &self.sum, &self.squares].map(|sum| sum.load(Ordering::Relaxed));
        heard == whole.map(|sum| sum as u64)
    }
}

/// What the runners do while others stand frozen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// One lives through whole lives of the breaker, each answer known; the other one reads.
    Live,
    /// Both do what the frozen ones do.
    Storm,
}

pub(crate) struct Changing {
    title: (&'static str, &'static str),
    breaker: Breaker,
    clock: ManualClock,
    journal: Arc<Journal>,
    others: Others,
    counts: bool,
    /// The first generation that the living runner has begun in this burst.
    fresh: AtomicU64,
}

/// Every row of the table with lives or storms.
pub(crate) fn stories(others: Others, state: &'static str) -> Vec<Changing> {
    let rates =
        |window| CircuitBreaker::builder().window(window).failure_rate(1.0).min_calls(LIMIT as u32);
    let time = Duration::from_secs(3_600);
    [
        ("count 100", rates(Window::count(100)), true),
        ("count, one stripe", rates(Window::count(100)).stripes(1), true),
        (
            "count, run, slow",
            rates(Window::count(100)).consecutive_failures(LIMIT as u32).slow_call(LEASE, 1.0),
            true,
        ),
        ("time 10 x 6 min", rates(Window::time(time)), true),
        ("time, one stripe", rates(Window::time(time)).stripes(1), true),
        ("consecutive", CircuitBreaker::builder().window(Window::consecutive(LIMIT as u32)), false),
    ]
    .map(|(window, builder, counts)| Changing::new((window, state), builder, others, counts))
    .into()
}

impl Changing {
    fn new(
        title: (&'static str, &'static str),
        builder: Builder,
        others: Others,
        counts: bool,
    ) -> Self {
        let clock = ManualClock::new();
        let journal = Arc::new(Journal::default());
        let breaker = builder
            .half_open(HalfOpen::probes(PLACES))
            .open_wait(OpenWait::fixed(WAIT))
            .probe_timeout(LEASE)
            .clock(clock.clone())
            .on_transition({
                let journal = Arc::clone(&journal);
                move |change| journal.hear(change.generation)
            })
            .build()
            .expect("the settings are allowed");
        let fresh = AtomicU64::new(u64::MAX);
        Changing { title, breaker, clock, journal, others, counts, fresh }
    }

    /// Anything that a user may do, at random.
    fn act(&self, hand: &mut Hand<'_>) {
        let breaker = &self.breaker;
        match hand.below(32) {
            0 => hand.inside(|| breaker.reset()),
            1 => hand.inside(|| breaker.trip()),
            2 => hand.inside(|| breaker.half_open()),
            3 => match hand.below(4) {
                0 => hand.inside(|| breaker.force_open()),
                1 => hand.inside(|| breaker.disable()),
                2 => hand.inside(|| breaker.metrics_only()),
                _ => self.clock.advance(LEASE),
            },
            4 => drop(hand.inside(|| breaker.snapshot())),
            5 => drop(hand.inside(|| breaker.state())),
            _ => match hand.inside(|| breaker.try_acquire()) {
                Ok(permit) => match hand.below(8) {
                    0 => hand.inside(|| drop(permit)),
                    1 => drop(hand.inside(|| permit.record_timed(Outcome::Success, 2 * LEASE))),
                    2..=4 => drop(hand.inside(|| permit.success())),
                    _ => drop(hand.inside(|| permit.failure())),
                },
                Err(rejected) => match rejected.retry_after() {
                    Some(wait) => self.clock.advance(wait),
                    None if rejected.state() == State::ForcedOpen => {
                        hand.inside(|| breaker.half_open());
                    }
                    None => {}
                },
            },
        }
    }

    /// One whole life from a fresh generation on, by one thread: no answer is left open. Says how many calls it made.
    ///
    /// Whoever stands frozen belongs to generations before it.
    fn live(&self, lost_probe: bool, books: &Books) -> u64 {
        let breaker = &self.breaker;
        let check = |holds: bool, law: &str| {
            books.expect(holds, || format!("{:?}: {law}: {:?}", self.title, breaker.snapshot()));
        };
        let report = |outcome| match breaker.try_acquire() {
            Ok(permit) => permit.record(outcome) == Recorded::Counted,
            Err(_) => false,
        };
        breaker.reset();
        let first = breaker.snapshot();
        check(first.state == State::Closed && first.calls == 0, "a reset leaves nothing");
        self.fresh.fetch_min(first.generation, Ordering::Release);
        for failure in 1..=LIMIT {
            check(report(Outcome::Failure), "a closed breaker grants and counts");
            let state = if failure < LIMIT { State::Closed } else { State::Open };
            check(breaker.state() == state, "it trips at the limit, and not before");
        }
        self.open_time_goes_by(books);
        if lost_probe {
            mem::forget(breaker.try_acquire());
            self.clock.advance(LEASE);
            check(breaker.state() == State::Open, "a lost probe opens again");
            self.open_time_goes_by(books);
        }
        let mut probes: Vec<_> = (0..PLACES).map_while(|_| breaker.try_acquire().ok()).collect();
        check(probes.len() == PLACES as usize, "every place is granted");
        check(breaker.try_acquire().is_err(), "and no more");
        drop(probes.pop());
        check(breaker.state() == State::HalfOpen, "a place given back decides nothing");
        probes.extend(breaker.try_acquire().ok());
        check(probes.len() == PLACES as usize, "and is granted again");
        for probe in probes {
            check(probe.success() == Recorded::Counted, "every probe counts");
        }
        check(breaker.state() == State::Closed, "the last success closes");
        for _ in 0..7 {
            check(report(Outcome::Success), "a closed breaker grants and counts");
        }
        check(report(Outcome::Failure), "a closed breaker grants and counts");
        let last = breaker.snapshot();
        let generations = if lost_probe { 5 } else { 3 };
        check(last.generation == first.generation + generations, "one generation a change");
        if self.counts {
            check((last.calls, last.failures) == (8, 1), "one of eight failed");
        } else {
            check(last.consecutive_failures == 1, "a run of one");
        }
        32
    }

    fn open_time_goes_by(&self, books: &Books) {
        let wait = self.breaker.try_acquire().err().and_then(|rejected| rejected.retry_after());
        books.expect(wait.is_some_and(|wait| wait <= WAIT + Duration::from_micros(1_100)), || {
            format!("{:?}: open for {WAIT:?}, but {wait:?}", self.title)
        });
        self.clock.advance(wait.unwrap_or_default());
    }
}

impl Story for Changing {
    fn title(&self) -> (&'static str, &'static str) {
        self.title
    }

    fn step(&self, hand: &mut Hand<'_>) {
        self.act(hand);
    }

    fn burst(&self, runner: usize, hand: &mut Hand<'_>) -> u64 {
        match (self.others, runner) {
            (Others::Live, 0) => {
                let calls = (0..30).map(|life| self.live(life % 4 == 0, hand.books)).sum();
                self.fresh.store(u64::MAX, Ordering::Release);
                calls
            }
            (Others::Live, _) => {
                for _ in 0..500 {
                    let fresh = self.fresh.load(Ordering::Acquire);
                    let found = self.breaker.snapshot();
                    let of_a_life = found.calls <= 8 && found.failures <= LIMIT;
                    hand.books.expect(of_a_life || found.generation < fresh, || {
                        format!("{:?}: two generations mixed: {found:?}", self.title)
                    });
                    self.breaker.state();
                }
                1_000
            }
            (Others::Storm, _) => {
                (0..1_000).for_each(|_| self.act(hand));
                1_000
            }
        }
    }

    fn at_rest(&self, _: u64, books: &Books) {
        self.live(true, books);
        self.fresh.store(u64::MAX, Ordering::Release);
        let last = self.breaker.snapshot().generation;
        books.expect(self.journal.is_whole(last), || {
            format!("{:?}: not every change was heard once", self.title)
        });
    }
}

/// Half-open, where every place that is taken is given back: the period never ends.
pub(crate) struct GiveBacks {
    title: (&'static str, &'static str),
    breaker: Breaker,
    places: i64,
    held: AtomicI64,
}

impl GiveBacks {
    pub(crate) fn new(title: (&'static str, &'static str), rule: HalfOpen, places: u32) -> Self {
        let breaker = CircuitBreaker::builder()
            .half_open(rule)
            .clock(ManualClock::new())
            .build()
            .expect("the settings are allowed");
        breaker.half_open();
        GiveBacks { title, breaker, places: places.into(), held: AtomicI64::new(0) }
    }
}

impl Story for GiveBacks {
    fn title(&self) -> (&'static str, &'static str) {
        self.title
    }

    fn step(&self, hand: &mut Hand<'_>) {
        match hand.inside(|| self.breaker.try_acquire()) {
            Ok(permit) => {
                // Never more than there are: who stands frozen beside this count is missing in it.
                let held = self.held.fetch_add(1, Ordering::Relaxed) + 1;
                hand.books.expect(held <= self.places, || {
                    format!("{:?}: {held} hold {} places", self.title, self.places)
                });
                self.held.fetch_sub(1, Ordering::Relaxed);
                match hand.next_call() % 2 {
                    0 => hand.inside(|| drop(permit)),
                    _ => {
                        let recorded = hand.inside(|| permit.ignore());
                        hand.books.expect(recorded == Recorded::Counted, || {
                            format!("{:?}: given back in its own generation", self.title)
                        });
                    }
                }
            }
            Err(rejected) => {
                hand.books.expect(rejected.state() == State::HalfOpen, || format!("{rejected:?}"));
            }
        }
    }

    fn burst(&self, _: usize, hand: &mut Hand<'_>) -> u64 {
        (0..1_000).for_each(|_| self.step(hand));
        1_000
    }

    fn at_rest(&self, round: u64, books: &Books) {
        let places = self.places as usize;
        let mut permits: Vec<_> =
            (0..=places).map_while(|_| self.breaker.try_acquire().ok()).collect();
        books.expect(permits.len() == places, || {
            format!("{:?}: {} of {places} places are free", self.title, permits.len())
        });
        let found = self.breaker.snapshot();
        books.expect((found.state, found.calls) == (State::HalfOpen, 0), || format!("{found:?}"));
        if round % 4 == 3 {
            for permit in permits.drain(..) {
                permit.success();
            }
            books.expect(self.breaker.state() == State::Closed, || {
                format!("{:?}: {places} successes close", self.title)
            });
            self.breaker.half_open();
        }
    }
}
