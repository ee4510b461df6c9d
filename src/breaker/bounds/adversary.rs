//! Another thread's steps, taken right before a chosen step of the call, again and again: no bound is idle.

use core::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread;

use super::*;
use crate::breaker::engine::{Engine, Target};
use crate::breaker::rules::{Config, HalfOpenConfig, HalfOpenKind, Rules, WaitConfig};
use crate::breaker::state::Word;
use crate::outcome::Recorded;
use crate::seats::Seats;
use crate::sync::tally::{steps, steps_against, Step};
use crate::sync::AtomicU64;
use crate::window::buckets::{Buckets, Grid};
use crate::window::counts::Kind;
use crate::window::marks::{Mark, Marks};
use crate::window::stripes::Stripes;
use crate::window::verdict::{Known, View};

const NO_SEAT: usize = usize::MAX;
const LEASE: u64 = 1_000;

const RULES: Rules = Rules {
    failure_ppm: 1_000_000,
    slow_ppm: 0,
    slow_limit_ns: u64::MAX,
    failure_count: 0,
    run: 0,
    min_calls: 1,
};

const PROBES: HalfOpenConfig =
    HalfOpenConfig { kind: HalfOpenKind::Probes, places: 3, decide_at: 3 };

fn engine(window: WindowConfig, rules: Rules, stripes: u32, half_open: HalfOpenConfig) -> Engine {
    let wait = WaitConfig { initial_ns: 1, factor: 1.0, max_ns: u64::MAX, jitter_ppm: 1, seed: 0 };
    let min_calls = rules.min_calls;
    let lease_ns = LEASE;
    Engine::new(&Config { window, rules, min_calls, half_open, wait, lease_ns, stripes })
}

fn record(engine: &Engine, seat: usize, kind: Kind, now: u64) {
    let instants = move || (now, now);
    let (recorded, _) = engine.record(seat, engine.load(), &instants, kind, &mut |_| ());
    assert_eq!(recorded, Recorded::Counted);
}

/// Half-open with one place taken at instant 0, and the name of that place's permit.
fn probing(kind: HalfOpenKind, places: u32, decide_at: u32) -> (Rc<Engine>, Word) {
    let half_open = HalfOpenConfig { kind, places, decide_at };
    let engine = Rc::new(engine(WindowConfig::Count { size: 10 }, RULES, 1, half_open));
    engine.control(Target::HalfOpen { granted: 0 }, 0, &mut |_| ());
    let name = engine.acquire(0, &mut |_| ()).expect("every place is free");
    (engine, name)
}

/// Takes a place and gives it back, with a reading of the clock from long ago.
fn come_and_go(engine: &Engine) {
    let name = engine.acquire(0, &mut |_| ()).expect("a place is free");
    assert_eq!(engine.report(name, Outcome::Ignored, false, 0, &mut |_| ()), Recorded::Counted);
}

/// The word that the last exchange of `act` is about.
fn last_change<T>(act: impl FnOnce() -> T) -> usize {
    let last = Rc::new(Cell::new(0));
    let seen = Rc::clone(&last);
    steps_against(
        move |step| {
            if let Step::Change(word) = step {
                seen.set(word);
            }
        },
        act,
    );
    last.get()
}

/// Runs `act`; the adversary moves right before each of its exchanges of `word`, as often as `times` says.
fn against<T>(
    word: usize,
    mut times: usize,
    mut moves: impl FnMut() + 'static,
    act: impl FnOnce() -> T,
) -> usize {
    let adversary = move |step: Step| {
        if matches!(step, Step::Change(at) if at == word) && times > 0 {
            times -= 1;
            moves();
        }
    };
    steps_against(adversary, act)
}

/// What a transition takes where no shared word is old, to a state with a wait; and once a generation one more.
const PLAIN_TRANSIT: usize = TRANSIT - 6 - 1;
const PLAIN_DECIDE: usize = DECIDE - 6 - 1;

fn rival(engine: &Rc<Engine>) -> (usize, impl FnMut() + 'static) {
    let word = last_change(|| come_and_go(engine));
    let engine = Rc::clone(engine);
    (word, move || come_and_go(&engine))
}

#[test]
fn an_acquire_gives_up_after_so_many_lost_places() {
    let (engine, _) = probing(HalfOpenKind::Probes, 10, 10);
    let (word, moves) = rival(&engine);
    let taken = against(word, 2 * LOSSES, moves, || {
        assert!(engine.acquire(0, &mut |_| ()).is_err());
    });
    // The word and the settings around it, the stamp twice, the generation, the exchange.
    assert_eq!(taken, LOSSES * (AROUND + 2 + 1 + 1) + (AROUND + 1));
    assert!(taken < DEFAULT.acquire_half_open());
}

#[test]
fn an_acquire_gives_up_after_so_many_lapses_that_it_could_not_commit() {
    let (engine, _) = probing(HalfOpenKind::Probes, 10, 10);
    let (word, moves) = rival(&engine);
    let taken = against(word, 2 * LOSSES, moves, || {
        assert!(engine.acquire(5 * LEASE, &mut |_| ()).is_err());
    });
    assert_eq!(taken, LOSSES * (AROUND + 1 + PLAIN_TRANSIT) + 1);
    let bound = DEFAULT.acquire_half_open();
    assert!(taken < bound && taken > bound / 10 * 7, "{taken} of {bound}");
}

#[test]
fn a_report_gives_up_after_so_many_verdicts_that_it_could_not_commit() {
    let (engine, name) = probing(HalfOpenKind::Rate, 10, 1);
    let (word, moves) = rival(&engine);
    let taken = against(word, 2 * LOSSES, moves, || {
        let recorded = engine.report(name, Outcome::Failure, false, 0, &mut |_| ());
        assert_eq!(recorded, Recorded::Stale);
    });
    assert_eq!(taken, LOSSES * (AROUND + 1 + 2 + super::RULES + PLAIN_DECIDE) + 1);
    let bound = DEFAULT.report_half_open();
    assert!(taken < bound && taken > bound / 10 * 7, "{taken} of {bound}");
}

#[test]
fn a_slow_failure_is_counted_once_every_other_probe_has_been() {
    let (engine, name) = probing(HalfOpenKind::Rate, 10, 10);
    let report = |engine: &Engine, name| {
        engine.report(name, Outcome::Failure, true, 0, &mut |_| ());
    };
    let others: Vec<Word> = (0..8).map(|_| engine.acquire(0, &mut |_| ()).unwrap()).collect();
    let slow = last_change(|| report(&engine, others[0]));
    let (rival, mut next) = (Rc::clone(&engine), others.into_iter().skip(1));
    let moves = move || {
        if let Some(name) = next.next() {
            report(&rival, name);
        }
    };
    let taken = against(slow, ANY, moves, || report(&engine, name));
    // Seven others came in between.
    assert_eq!(taken, (AROUND + 1 + 2 + 1) + 1 + 8);
}

#[test]
fn a_control_call_takes_one_attempt_more_for_each_change_of_the_word() {
    for others in [0, 1, 2, 50] {
        let (engine, _) = probing(HalfOpenKind::Probes, 10, 10);
        let (word, moves) = rival(&engine);
        let taken = against(word, others, moves, || {
            engine.control(Target::Open { from: 0 }, 0, &mut |_| ());
        });
        assert_eq!(taken, (others + 1) * (1 + LAPSED + PLAIN_TRANSIT) + 1);
        assert!(taken <= (others + 1) * CONTROL_TURN);
    }
}

#[test]
fn a_transition_that_sweeps_takes_every_step_of_its_bound() {
    let rules = Rules { min_calls: 10, run: 10, slow_ppm: 1_000_000, slow_limit_ns: 1, ..RULES };
    let engine = engine(WindowConfig::Count { size: 10 }, rules, 1, PROBES);
    // A thread without a seat writes each shared word, and then a generation passes.
    for kind in [Kind::Plain, Kind::Slow, Kind::Failure] {
        record(&engine, NO_SEAT, kind, 0);
    }
    engine.control(Target::Plain(State::MetricsOnly), 0, &mut |_| ());
    let taken = steps(|| engine.control(Target::Open { from: 0 }, 0, &mut |_| ()));
    assert_eq!(taken, 1 + TRANSIT);
}

#[test]
fn a_mark_loses_to_one_older_ticket_and_one_newer() {
    let marks = Arc::new(Marks::new(3, 1));
    let name = Word::START;
    let mark = Mark { kind: Kind::Failure, before: 0 };
    let earlier = marks.take_ticket();
    let slot = last_change(|| marks.write(earlier, name, mark));
    let tickets = [(); 4].map(|()| marks.take_ticket());
    // A thread with an older ticket of the slot has asked whether the ring has gone round, and stops before it exchanges.
    let (stops, stopped) = channel();
    let (wakes, woken) = channel();
    let (ends, ended) = channel();
    let (late, older) = (Arc::clone(&marks), tickets[3]);
    let sleeper = thread::spawn(move || {
        let mut exchanges = 0;
        let sleep = move || {
            exchanges += 1;
            if exchanges == 2 {
                stops.send(()).expect("somebody waits");
                woken.recv().expect("somebody wakes");
            }
        };
        against(slot, 2, sleep, || late.write(older, name, mark));
        ends.send(()).expect("somebody waits");
    });
    stopped.recv().expect("the sleeper stops");
    let ticket = [(); 4].map(|()| marks.take_ticket())[3];
    let rival = Arc::clone(&marks);
    let mut exchanges = 0;
    let moves = move || {
        exchanges += 1;
        if exchanges == 2 {
            wakes.send(()).expect("the sleeper waits");
            ended.recv().expect("the sleeper ends");
        } else if exchanges == 3 {
            // A whole lap of newer tickets goes by.
            for _ in 0..4 {
                rival.write(rival.take_ticket(), name, mark);
            }
        }
    };
    assert_eq!(against(slot, 3, moves, || marks.write(ticket, name, mark)), WRITE);
    sleeper.join().expect("it has ended");
}

/// A generation of slow calls, none of them judged yet: as many threads stand between writing a mark and judging it.
fn unjudged(size: usize, slots: usize) -> (Rc<Marks>, Stripes, Vec<u64>) {
    let marks = Rc::new(Marks::new(size, slots - size));
    assert_eq!(marks.slots(), slots as u64);
    let mark = Mark { kind: Kind::Slow, before: 0 };
    let tickets: Vec<u64> = (0..slots).map(|_| marks.take_ticket()).collect();
    for ticket in &tickets {
        marks.write(*ticket, Word::START, mark);
    }
    (marks, Stripes::new(1), tickets)
}

#[test]
fn a_mark_judges_every_window_that_was_filled_while_it_slept() {
    let (size, slots) = (240, 256);
    let (marks, stripes, tickets) = unjudged(size, slots);
    let known = Known { skips: false, crossed_at: 0 };
    let size = Some(size as u64);
    let view = View { marks: &marks, stripes: &stripes, name: Word::START, size, near: 0 };
    // Each mark might have failed, so the filter passes; none did.
    let taken = steps(|| assert_eq!(view.judge_mark(tickets[0], known, &RULES), None));
    let bound = Size { stripes: 1, ring: slots, ..DEFAULT }.judge_windows(ANY);
    assert!(taken < bound && taken > bound / 10 * 9, "{taken} of {bound}");
}

#[test]
fn the_minimum_is_counted_again_for_every_entry_that_goes() {
    let (size, slots) = (16, 32);
    let (marks, stripes, _) = unjudged(size, slots);
    let view =
        View { marks: &marks, stripes: &stripes, name: Word::START, size: Some(16), near: 0 };
    // In each turn, right after the first walk, one more entry is overwritten by a newer ticket.
    let rival = Rc::clone(&marks);
    let first = 1 + 3 + 5 + slots;
    let mut step = 0;
    let adversary = move |_| {
        step += 1;
        if step > first && (step - first) % (2 * slots + 1) == 1 {
            let mark = Mark { kind: Kind::Slow, before: 0 };
            rival.write(rival.take_ticket(), Word::START, mark);
        }
    };
    let taken = steps_against(adversary, || assert_eq!(view.judge_success(&RULES).1, None));
    let bound = Size { stripes: 1, ring: slots, ..DEFAULT }.judge_minimum(ANY);
    assert!(taken < bound && taken > bound / 10 * 8, "{taken} of {bound}");
}

#[test]
fn a_time_window_is_read_twice_if_others_have_moved_on() {
    let (stripes, buckets) = (4, 8);
    let window = WindowConfig::Time { length_ns: buckets as u64, buckets: buckets as u32 };
    let engine = engine(window, RULES, stripes as u32, PROBES);
    for now in 0..buckets as u64 {
        for seat in 0..stripes {
            record(&engine, seat, Kind::Plain, now);
        }
    }
    record(&engine, 1, Kind::Plain, buckets as u64);
    let taken = steps(|| record(&engine, 0, Kind::Plain, buckets as u64 - 1));
    let size = Size { stripes, buckets, ..DEFAULT };
    // The facade, the name's load and the transition are not in it; nor is a stripe that enters a generation, or a bucket
    // that turns. Of the bucket that is new or has left, a stripe's number is read and nothing else.
    let absent = SETTLE_COLD_TIMED - 1 + DECIDE + (4 + buckets) + 6;
    // No rate is reached, so nothing is read again; and of the shared buckets, but for the one that the first word stands
    // for, a number is read and nothing else.
    let absent = absent + size.find() + (2 * buckets - 1) * 5;
    assert_eq!(taken, size.time(0) - absent - 5 * stripes);
}

#[test]
fn a_rate_that_seems_reached_is_read_again_for_every_bucket_that_comes_or_goes() {
    let (stripes, buckets) = (4, 8);
    let window = Rc::new(Buckets::new(Grid::new(buckets as u64, buckets as u32), stripes));
    let fail = |window: &Buckets, seat, now| {
        window.count(seat, Word::START, now, Kind::Failure, &|| true);
    };
    let last = buckets as u64 - 1;
    fail(&window, 0, last);
    // Right before each reading but the first, a thread begins a bucket of the window, or replaces it by a later one.
    let rival = Rc::clone(&window);
    let mut changes = [0, buckets as u64]
        .into_iter()
        .flat_map(move |later| (0..buckets as u64).map(move |number| number + later))
        .flat_map(move |now| (1..stripes).map(move |seat| (seat, now)));
    let (mut first, mut readings) = (None, 0);
    let counted = Rc::new(Cell::new(0));
    let count = Rc::clone(&counted);
    let adversary = move |step| {
        let Step::Load(word) = step else { return };
        if word == *first.get_or_insert(word) {
            readings += 1;
            count.set(readings);
            if readings > 1 {
                if let Some((seat, now)) = changes.next() {
                    fail(&rival, seat, now);
                }
            }
        }
    };
    steps_against(adversary, || assert!(window.judge(0, Word::START, last, &RULES).1.is_some()));
    let size = Size { stripes, buckets, ..DEFAULT };
    assert_eq!(counted.get(), 2 + 2 * (stripes - 1) * buckets);
    assert!(counted.get() <= size.readings(ANY) / 2, "of one window");
}

#[test]
fn a_thread_without_a_seat_tries_once_more_for_each_that_counts() {
    for others in [0, 1, 50] {
        let stripes = Rc::new(Stripes::new(1));
        let count = |stripes: &Stripes| assert!(stripes.count(NO_SEAT, Word::START, &|| true));
        let shared = last_change(|| count(&stripes));
        let rival = Rc::clone(&stripes);
        let taken = against(shared, others, move || count(&rival), || count(&stripes));
        assert_eq!(taken, 1 + others + 1, "and as many looks at the state");

        let buckets = Rc::new(Buckets::new(Grid::new(10, 1), 0));
        let count = |buckets: &Buckets| {
            buckets.count(NO_SEAT, Word::START, 5, Kind::Plain, &|| true);
        };
        let shared = last_change(|| count(&buckets));
        let rival = Rc::clone(&buckets);
        let taken = against(shared, others, move || count(&rival), || count(&buckets));
        assert_eq!(taken, (others + 1) * 3);
    }
}

#[test]
fn a_seat_is_found_or_missed_after_one_attempt_a_bit() {
    let seats = Rc::new(Seats::over([const { AtomicU64::new(0) }; WORDS]));
    let rival = Rc::clone(&seats);
    // Every seat is taken by somebody else right before this thread would have it.
    let adversary = move |step| {
        if matches!(step, Step::Change(_)) {
            assert!(rival.claim().is_some());
        }
    };
    let taken = steps_against(adversary, || assert_eq!(seats.claim(), None));
    assert_eq!(taken, WORDS + WORDS * u64::BITS as usize);
    let seats = Seats::over([const { AtomicU64::new(0) }; WORDS]);
    assert_eq!(steps(|| assert_eq!(seats.claim(), Some(0))), 2);
    assert_eq!(steps(|| seats.release(0)), 1);
}
