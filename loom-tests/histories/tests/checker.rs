//! The checker itself: good histories are explained, and planted bad ones refused, each for its own reason.
//!
//! Most histories are the answers of a real breaker, changed in one place. Its threads are played one after the other,
//! and what is written down says nothing of that.

use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use failfast::{Outcome, Recorded, State, Transition, TransitionCause};
use failfast_histories::checker::check;
use failfast_histories::history::{Answer, At, Call, Control, History, Op, Ordered};
use failfast_histories::plan::{Family, HalfOpen, Phase, Plan, Settings, Step, Window, TICK};
use failfast_histories::run::{history, Player, Table};
use failfast_histories::subject;
use failfast_histories::subject::{Notes, Subject};

thread_local!(static NOTES: RefCell<Notes> = RefCell::default());

subject!(Breaker, failfast, AtomicU64, NOTES, 0);

const ACQUIRE: Step = Step::Acquire;
const SUCCESS: Step = report(Outcome::Success);
const FAILURE: Step = report(Outcome::Failure);

/// Reports the oldest permit that is held.
const fn report(outcome: Outcome) -> Step {
    Step::Report { which: 0, outcome, elapsed: None }
}

const fn at(thread: usize, index: usize) -> At {
    At { thread, index }
}

/// What one thread after the other is answered by a real breaker, without a word of synchronisation between them.
fn played(settings: Settings, threads: &[&[Step]]) -> History {
    let breaker = Breaker::build(&settings);
    let table = Table::new(&breaker, threads.len());
    let mut logs: Vec<Vec<Op>> = Vec::new();
    for (thread, steps) in threads.iter().enumerate() {
        let mut others = vec![Vec::new(); threads.len()];
        others[thread] = steps.to_vec();
        let plan = Plan { settings, phases: vec![Phase { first: Vec::new(), threads: others }] };
        let mut player = Player::new(&table, thread);
        player.play_all(&plan, || {});
        let mut log = player.into_log();
        log.iter_mut().for_each(|op| op.after.clear());
        logs.push(log);
    }
    History { settings, threads: logs }
}

/// All calls of a thread follow all of another.
fn join(history: &mut History, earlier: usize, later: usize) {
    let last = at(earlier, history.threads[earlier].len() - 1);
    history.threads[later][0].after.push(last);
}

#[track_caller]
fn refused(history: &History, because: &str) {
    match check(history) {
        Ok(explained) => panic!("explained by {:?}:\n{history}", explained.order),
        Err(refused) => {
            assert!(refused.reason.contains(because), "for another reason: {refused}\n{history}");
        }
    }
}

#[track_caller]
fn explained(history: &History) {
    if let Err(refused) = check(history) {
        panic!("{refused}\n{history}");
    }
}

/// Two failures that trip, and a success, overlapping.
fn trip() -> History {
    played(Settings::default(), &[&[ACQUIRE, FAILURE], &[ACQUIRE, FAILURE, ACQUIRE]])
}

fn closed_by(window: Window) -> Settings {
    Settings { window, failure_rate: Some(1.0), min_calls: 3, ..Settings::default() }
}

// ===== good histories =====

#[test]
fn what_one_thread_after_the_other_is_answered_is_explained() {
    for family in Family::ALL {
        for seed in 0..200 {
            let plan = family.plan(1, 20, seed);
            let breaker = Breaker::build(&plan.settings);
            let table = Table::new(&breaker, 1);
            let mut player = Player::new(&table, 0);
            player.play_all(&plan, || {});
            explained(&history(&plan, vec![player.into_log()]));
        }
    }
}

#[test]
fn answers_may_be_in_another_order_than_the_wall_s() {
    // The second thread returned first, and is explained second.
    let mut history = trip();
    for op in &mut history.threads[0] {
        op.wall = (1_000, 2_000);
    }
    explained(&history);
}

#[test]
fn an_outcome_that_overlaps_the_trip_may_be_counted_late() {
    let mut history = played(
        closed_by(Window::Count(3)),
        &[&[ACQUIRE, FAILURE, ACQUIRE, FAILURE, ACQUIRE, FAILURE], &[ACQUIRE]],
    );
    // Granted before, answered while the trip was on its way.
    let mut acquire = Op::new(Call::Acquire, Answer::Granted);
    acquire.wall = (0, 0);
    history.threads[1] = vec![
        acquire,
        Op::new(
            Call::Report { permit: at(1, 0), outcome: Outcome::Success, elapsed: None },
            Answer::Recorded(Recorded::Counted),
        ),
    ];
    let explained = check(&history).expect("the success comes last, or first of more than three");
    assert_eq!(explained.late, 1, "first, it would have kept the rate below its limit");
}

#[test]
fn a_trip_may_be_committed_by_the_failure_that_comes_first() {
    let mut history = trip();
    // The same trip, heard by the other thread.
    let heard = std::mem::take(&mut history.threads[1][1].heard);
    history.threads[0][1].heard = heard;
    history.threads[0][1].now = history.threads[1][1].now;
    explained(&history);
    // But not where the one that completes it came after it had returned.
    history.threads[1][0].after = vec![at(0, 1)];
    refused(&history, "no generation fits 0.1");
}

// ===== planted =====

#[test]
fn one_permit_more_than_places() {
    let settings = Settings { half_open: HalfOpen::Probes(2), ..Settings::default() };
    let half_open = Step::Control(Control::HalfOpen);
    let mut history = played(settings, &[&[half_open, ACQUIRE, ACQUIRE], &[ACQUIRE]]);
    join(&mut history, 0, 1);
    explained(&history);
    history.threads[1][0].answer = Answer::Granted;
    refused(&history, "the oracle's Refused { state: HalfOpen");
}

#[test]
fn an_outcome_counted_in_the_next_generation() {
    let reset = Step::Control(Control::Reset);
    let mut history = played(Settings::default(), &[&[ACQUIRE, reset, FAILURE, Step::Snapshot]]);
    explained(&history);
    let [.., Op { answer: Answer::Snapshot(shown), .. }] = &mut history.threads[0][..] else {
        panic!("the last call is a snapshot")
    };
    (shown.calls, shown.failures) = (1, 1);
    refused(&history, "the answer is Snapshot(Snapshot { state: Closed, generation: 1, calls: 1");
}

#[test]
fn an_outcome_counted_after_its_thread_has_seen_the_end_of_its_generation() {
    let mut history =
        played(Settings::default(), &[&[ACQUIRE, FAILURE, ACQUIRE, FAILURE], &[ACQUIRE, ACQUIRE]]);
    // Granted in generation 0; then refused by the open state; then counted all the same.
    history.threads[1][0] = Op::new(Call::Acquire, Answer::Granted);
    let report = Call::Report { permit: at(1, 0), outcome: Outcome::Success, elapsed: None };
    history.threads[1].push(Op::new(report, Answer::Recorded(Recorded::Stale)));
    explained(&history);
    history.threads[1][2].answer = Answer::Recorded(Recorded::Counted);
    refused(&history, "no generation fits");
}

#[test]
fn a_trip_missing_that_every_order_demands() {
    let mut history = trip();
    history.threads[1][1].heard.clear();
    history.threads[1][2] = Op::new(Call::Acquire, Answer::Granted);
    refused(&history, "demands a trip, and there is none");
}

#[test]
fn a_trip_that_no_order_allows() {
    // Failure, success, failure on one thread: the rate of 1.0 is never reached from three calls on.
    let steps = [ACQUIRE, FAILURE, ACQUIRE, SUCCESS, ACQUIRE, FAILURE];
    let mut history = played(closed_by(Window::Count(3)), &[&steps, &[ACQUIRE, FAILURE]]);
    explained(&history);
    let change = Transition {
        from: State::Closed,
        to: State::Open,
        generation: 1,
        cause: TransitionCause::FailureRate { failures: 3, calls: 3 },
        at: Duration::ZERO,
    };
    history.threads[1][1].heard = vec![change];
    history.threads[1][1].now = Some(Duration::ZERO);
    refused(&history, "no call is left to demand it");
}

#[test]
fn a_trip_with_other_numbers_than_any_order_has() {
    let mut history = trip();
    history.threads[1][1].heard[0].cause = TransitionCause::FailureRate { failures: 2, calls: 3 };
    refused(&history, "it has seen a later generation");
}

#[test]
fn stale_for_a_permit_whose_generation_lives() {
    let mut history = played(Settings::default(), &[&[ACQUIRE, SUCCESS], &[ACQUIRE, SUCCESS]]);
    explained(&history);
    history.threads[0][1].answer = Answer::Recorded(Recorded::Stale);
    refused(&history, "no generation fits 0.");
}

#[test]
fn a_refusal_while_closed() {
    let mut history = played(Settings::default(), &[&[ACQUIRE, SUCCESS], &[ACQUIRE]]);
    history.threads[1][0].answer = Answer::Refused { state: State::Open, retry_after: Some(TICK) };
    refused(&history, "no generation fits 1.0");
}

#[test]
fn two_winners_of_a_transition() {
    let mut history = trip();
    history.threads[0][1].heard = history.threads[1][1].heard.clone();
    refused(&history, "generation 2 does not begin exactly once");
}

#[test]
fn a_failure_lost_at_rest() {
    let count = Settings { failure_rate: Some(1.0), ..Settings::default() };
    let threads: [&[Step]; 3] = [&[ACQUIRE, SUCCESS], &[ACQUIRE, FAILURE], &[Step::Snapshot]];
    let mut history = played(count, &threads);
    let lose = |history: &mut History| {
        let Answer::Snapshot(shown) = &mut history.threads[2][0].answer else { panic!() };
        (shown.calls, shown.failures, shown.failure_rate) = (1, 0, None);
    };
    lose(&mut history);
    explained(&history); // The reports are still on their way.
    join(&mut history, 0, 2);
    join(&mut history, 1, 2);
    refused(&history, "calls: 1, failures: 0");
}

#[test]
fn an_open_period_that_is_shorter_than_asked_for() {
    let trip = Step::Control(Control::Trip);
    let mut history = played(Settings::default(), &[&[trip, Step::Advance(TICK), ACQUIRE]]);
    explained(&history);
    let early = TICK - Duration::from_nanos(1);
    history.threads[0][1].call = Call::Advance(early);
    history.threads[0][2].now = Some(early);
    history.threads[0][2].heard[0].at = early;
    refused(&history, "the oracle's Refused { state: Open, retry_after: Some(1ns) }");
}

#[test]
fn a_probe_counted_after_the_verdict() {
    let settings = Settings { half_open: HalfOpen::Probes(2), ..Settings::default() };
    let half_open = Step::Control(Control::HalfOpen);
    let mut history = played(settings, &[&[half_open, ACQUIRE, ACQUIRE, FAILURE, SUCCESS]]);
    explained(&history);
    // On another thread, which overlaps: half-open is exact all the same.
    let mut late = history.threads[0].pop().expect("the last report");
    late.answer = Answer::Recorded(Recorded::Counted);
    late.after = vec![at(0, 2)];
    history.threads.push(vec![late]);
    // Counted first it would be fine: so it must follow the verdict.
    explained(&history);
    history.threads[1][0].after = vec![at(0, 3)];
    refused(&history, "no generation fits 0.2");
}

// ===== happens-before =====

fn three_threads(after: &[(At, At)]) -> History {
    let op = || Op::new(Call::Acquire, Answer::Granted);
    let mut threads: Vec<Vec<Op>> = (0..3).map(|_| vec![op(), op()]).collect();
    for (later, earlier) in after {
        threads[later.thread][later.index].after.push(*earlier);
    }
    History { settings: Settings::default(), threads }
}

#[test]
fn messages_and_threads_order_calls_across_threads() {
    let history = three_threads(&[(at(1, 1), at(0, 0)), (at(2, 0), at(1, 1))]);
    let ordered = Ordered::new(&history);
    let [a0, a1, b1, c0] = [at(0, 0), at(0, 1), at(1, 1), at(2, 0)].map(|at| ordered.number(at));
    assert_eq!(ordered.before[c0] >> a0 & 1, 1, "through the second thread");
    assert!(ordered.overlap(a1, b1) && ordered.overlap(a1, c0));
    assert!(!ordered.overlap(a0, b1));
}

#[test]
#[should_panic(expected = "happens before itself")]
fn a_circle_is_no_history() {
    Ordered::new(&three_threads(&[(at(1, 0), at(0, 1)), (at(0, 0), at(1, 1))]));
}
