//! Half-open: places, verdicts, and the lease.

use crate::breaker::engine::Target;
use crate::breaker::rules::{Config, HalfOpenConfig, HalfOpenKind, WindowConfig};
use crate::breaker::state::{Probes, Word};
use crate::event::TransitionCause;
use crate::outcome::{Outcome, Recorded};
use crate::phase::State;
use crate::race::{config, race, race3, rate, Breaker, TICK};
use crate::runner::Model;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("half_open::free_places_are_granted", 400, free_places),
    Model::whole("half_open::give_back_and_grant", 40, give_back_and_grant),
    Model::bounded("half_open::place_given_back_is_granted", 3, 1_000, place_given_back),
    Model::bounded("half_open::give_back_and_two_grants", 3, 1_100, give_back_and_two_grants),
    Model::bounded("half_open::success_and_failure_of_probes", 3, 520, success_and_failure),
    Model::whole("half_open::last_two_successes", 4_900, last_two_successes),
    Model::bounded("half_open::two_deciding_outcomes", 3, 9_300, two_deciding_outcomes),
    Model::bounded("half_open::grant_and_bad_verdict", 3, 11_000, grant_and_bad_verdict),
    Model::bounded("half_open::grant_and_good_verdict", 3, 460, grant_and_good_verdict),
    Model::bounded("half_open::report_across_one", 3, 3_400, report_across_one),
    Model::bounded("half_open::two_slow_failures", 3, 790, two_slow_failures),
    Model::bounded("half_open::slow_failure_across_one", 3, 5_600, slow_failure_across_one),
    Model::bounded("half_open::what_happened_before_a_verdict", 3, 360, before_a_verdict),
    Model::bounded("half_open::lapse_and_late_report", 3, 3_900, lapse_and_late_report),
    Model::bounded("half_open::lapse_and_report_after_it", 3, 3_900, lapse_and_report_after_it),
    Model::bounded("half_open::two_notice_the_lapse", 3, 2_900, two_notice_the_lapse),
    Model::whole("half_open::lapse_and_grant", 27_000, lapse_and_grant),
    Model::whole("half_open::lapse_and_give_back", 10_000, lapse_and_give_back),
    Model::whole("half_open::older_grant_and_newer_grant", 400, older_and_newer_grant),
    Model::bounded("half_open::lapse_and_grant_given_back", 3, 2_200, lapse_and_grant_given_back),
];

const fn half_open(kind: HalfOpenKind, places: u32, decide_at: u32) -> Config {
    let window = WindowConfig::Count { size: 2 };
    let half_open = HalfOpenConfig { kind, places, decide_at };
    Config { half_open, ..config(window, rate(500_000, 2)) }
}

const fn probes(places: u32) -> Config {
    half_open(HalfOpenKind::Probes, places, places)
}

/// A breaker made half-open by a control call: generation 1.
fn breaker(config: &Config) -> Breaker {
    let breaker = Breaker::new(config);
    breaker.control(Target::HalfOpen { granted: 0 });
    breaker
}

fn granted(breaker: &Breaker) -> u64 {
    breaker.engine.load().probes().granted
}

// ===== places =====

fn free_places() {
    let (a, b, _) = race(breaker(&probes(2)), |b| b.acquire(0), |b| b.acquire(0));
    assert!(a.is_some() && b.is_some(), "nobody is refused while a place is free");
}

fn give_back_and_grant() {
    let breaker = breaker(&probes(1));
    let name = breaker.acquire(0).unwrap();
    let (given, taken, breaker) =
        race(breaker, move |b| b.report(name, Outcome::Ignored, 0), |b| b.acquire(0));
    assert_eq!(given, Recorded::Counted, "a place is given back in its own generation");
    assert_eq!(granted(&breaker), u64::from(taken.is_some()), "a place has one holder");
    assert_eq!(breaker.acquire(0).is_some(), taken.is_none(), "refused if and only if taken");
}

/// A caller who is refused takes up no place meanwhile.
fn place_given_back() {
    let breaker = breaker(&probes(1));
    let name = breaker.acquire(0).unwrap();
    let (a, b, _) = race(
        breaker,
        |b| b.acquire(0),
        move |b| {
            b.report(name, Outcome::Ignored, 0);
            b.acquire(0)
        },
    );
    assert!(a.is_some() ^ b.is_some(), "the place that was given back is granted to one of two");
}

fn give_back_and_two_grants() {
    let breaker = breaker(&probes(1));
    let name = breaker.acquire(0).unwrap();
    let (_, a, b, breaker) = race3(
        breaker,
        move |b| b.report(name, Outcome::Ignored, 0),
        |b| b.acquire(0),
        |b| b.acquire(0),
    );
    assert!(a.is_none() || b.is_none(), "one place was never granted twice");
    assert_eq!(granted(&breaker), u64::from(a.or(b).is_some()), "a place has one holder");
}

// ===== verdicts =====

fn success_and_failure() {
    let breaker = breaker(&probes(2));
    let names = [breaker.acquire(0).unwrap(), breaker.acquire(0).unwrap()];
    let (_, failure, breaker) = race(
        breaker,
        move |b| b.report(names[0], Outcome::Success, 0),
        move |b| b.report(names[1], Outcome::Failure, 0),
    );
    assert_eq!(failure, Recorded::Counted, "no success overtakes a probe's failure");
    assert_eq!(breaker.changes()[1].cause, TransitionCause::ProbeFailed, "a failed probe opens");
    assert_eq!(breaker.state(), State::Open, "once");
}

fn last_two_successes() {
    let breaker = breaker(&probes(2));
    let names = [breaker.acquire(0).unwrap(), breaker.acquire(0).unwrap()];
    let succeed = |name| move |b: &Breaker| b.report(name, Outcome::Success, 0);
    let (_, _, breaker) = race(breaker, succeed(names[0]), succeed(names[1]));
    assert_eq!(breaker.states(), [State::HalfOpen, State::Closed], "all good probes close it");
}

/// Either outcome is the second of two that decide, whichever comes first.
fn two_deciding_outcomes() {
    let breaker = breaker(&half_open(HalfOpenKind::Rate, 3, 2));
    let names = [0; 3].map(|_| breaker.acquire(0).unwrap());
    breaker.report(names[0], Outcome::Success, 0);
    let (good, bad, breaker) = race(
        breaker,
        move |b| b.report(names[1], Outcome::Success, 0),
        move |b| b.report(names[2], Outcome::Failure, 0),
    );
    let decided = breaker.state();
    assert_eq!(breaker.states().len(), 2, "a probe round is decided once");
    let expected = match decided {
        State::Closed => (Recorded::Counted, Recorded::Stale),
        _ => (Recorded::Stale, Recorded::Counted),
    };
    assert_eq!((good, bad), expected, "the outcome that decides counts, the other is stale");
}

fn grant_and_bad_verdict() {
    let breaker = breaker(&probes(2));
    let name = breaker.acquire(0).unwrap();
    let (failure, grant, breaker) = race(
        breaker,
        move |b| b.report(name, Outcome::Failure, 0),
        |b| b.acquire(0).map(|name| (name, b.report(name, Outcome::Success, 0))),
    );
    assert_eq!(failure, Recorded::Counted, "a grant keeps no verdict from being reached");
    assert_eq!(breaker.states(), [State::HalfOpen, State::Open], "a failed probe opens");
    assert!(grant.is_none_or(|(name, _)| name.named_generation() == 1), "no place after it");
}

fn grant_and_good_verdict() {
    let breaker = breaker(&half_open(HalfOpenKind::Rate, 2, 1));
    let name = breaker.acquire(0).unwrap();
    let (success, grant, breaker) =
        race(breaker, move |b| b.report(name, Outcome::Success, 0), |b| b.acquire(0));
    assert_eq!(success, Recorded::Counted, "a grant keeps no verdict from being reached");
    let of = grant.expect("granted: a place is free, or the breaker is closed");
    let generation = if of.state() == State::HalfOpen { 1 } else { 2 };
    assert_eq!(of.named_generation(), generation, "a permit names the generation of its grant");
    assert_eq!(breaker.state(), State::Closed, "a good probe closes");
}

/// A probe's report sleeps while another half-open generation begins.
fn report_across_one() {
    let breaker = breaker(&probes(2));
    let name = breaker.acquire(0).unwrap();
    let (_, _, breaker) = race(
        breaker,
        move |b| b.report(name, Outcome::Failure, 0),
        |b| b.control(Target::HalfOpen { granted: 0 }),
    );
    assert_eq!(breaker.state(), State::HalfOpen, "the control call comes last, or alone");
    assert_eq!(breaker.engine.load().probes(), Probes::default(), "nothing of the old generation");
}

/// Places for three, so that two slow failures decide nothing.
const SLOW: Config = half_open(HalfOpenKind::Rate, 3, 3);

fn fail_slowly(breaker: &Breaker, name: Word) -> Recorded {
    breaker.engine.report(name, Outcome::Failure, true, 0, &mut |_| panic!("nothing is decided"))
}

fn two_slow_failures() {
    let breaker = breaker(&SLOW);
    let names = [breaker.acquire(0).unwrap(), breaker.acquire(0).unwrap()];
    let fail = |name| move |b: &Breaker| fail_slowly(b, name);
    let (_, _, breaker) = race(breaker, fail(names[0]), fail(names[1]));
    assert_eq!(breaker.counts().slow_failures, 2, "no slow failure is lost");
}

/// A thread sleeps between its report and the count of slow failures.
fn slow_failure_across_one() {
    let breaker = breaker(&SLOW);
    let name = breaker.acquire(0).unwrap();
    let (_, _, breaker) = race(
        breaker,
        move |b| fail_slowly(b, name),
        |b| {
            b.control(Target::HalfOpen { granted: 0 });
            fail_slowly(b, b.acquire(0).expect("a place"));
        },
    );
    assert_eq!(breaker.counts().slow_failures, 1, "the last generation's own, and no other");
}

fn before_a_verdict() {
    let breaker = breaker(&probes(2));
    let names = [breaker.acquire(0).unwrap(), breaker.acquire(0).unwrap()];
    race(
        (breaker, loom::cell::Cell::new(0)),
        move |(b, note)| {
            note.set(7);
            b.report(names[0], Outcome::Success, 0);
        },
        move |(b, note)| {
            b.report(names[1], Outcome::Success, 0);
            if b.state() == State::Closed {
                assert_eq!(note.get(), 7, "what a probe's thread did before is seen behind it");
            }
        },
    );
}

// ===== the lease =====

fn lapse_and_late_report() {
    let breaker = breaker(&probes(1));
    let name = breaker.acquire(0).unwrap();
    let (report, call, breaker) = race(
        breaker,
        move |b| b.report(name, Outcome::Success, TICK - 1),
        |b| b.acquire(TICK), // Commits the lapse, is too early or too late for it.
    );
    let closed = breaker.state() == State::Closed;
    assert_eq!(breaker.states().len(), 2, "a report that counts or a lapse, not both");
    assert_eq!(report == Recorded::Counted, closed, "the report is stale after a lapse");
    assert!(closed || call.is_none(), "after a lapse a call is refused");
}

/// The lease is over for both, whoever commits it.
fn lapse_and_report_after_it() {
    let breaker = breaker(&probes(1));
    let name = breaker.acquire(0).unwrap();
    let (report, call, breaker) =
        race(breaker, move |b| b.report(name, Outcome::Success, TICK), |b| b.acquire(TICK));
    assert_eq!((report, call), (Recorded::Stale, None), "a lease that is over is over for all");
    assert_eq!(breaker.states(), [State::HalfOpen, State::Open], "a lapse is committed once");
}

fn two_notice_the_lapse() {
    let breaker = breaker(&probes(1));
    breaker.acquire(0).unwrap();
    let (a, b, breaker) = race(breaker, |b| b.acquire(TICK), |b| b.acquire(TICK));
    assert_eq!((a, b), (None, None), "the lapse opens again");
    assert_eq!(breaker.states(), [State::HalfOpen, State::Open], "a lapse is committed once");
}

/// E10: who sees the place that was granted last sees its stamp.
fn lapse_and_grant() {
    let breaker = breaker(&probes(3));
    breaker.acquire(0).unwrap();
    let (grant, _, breaker) = race(breaker, |b| b.acquire(TICK - 1), |b| b.acquire(TICK));
    let lost = breaker.changes().len() > 1;
    assert!(grant.is_none() || !lost, "a grant renews the lease of the places before it");
    assert!(lost || grant.is_some(), "a free place is granted");
}

fn lapse_and_give_back() {
    let breaker = breaker(&probes(3));
    let names = [breaker.acquire(0).unwrap(), breaker.acquire(0).unwrap()];
    let (given, _, breaker) =
        race(breaker, move |b| b.report(names[0], Outcome::Ignored, TICK - 1), |b| b.acquire(TICK));
    let lost = breaker.changes().len() > 1;
    assert_eq!(given == Recorded::Stale, lost, "a give-back renews the lease, or comes too late");
}

/// The stamp only moves forwards, also by a thread that read the clock long ago.
fn older_and_newer_grant() {
    let breaker = breaker(&probes(3));
    let (_, _, breaker) = race(breaker, |b| b.acquire(TICK - 1), |b| b.acquire(0));
    assert!(breaker.acquire(TICK).is_some(), "the lease runs from the latest sign of life");
}

/// A lapse that was judged before a grant and its give-back is not committed after them.
fn lapse_and_grant_given_back() {
    let breaker = breaker(&probes(3));
    breaker.acquire(0).unwrap();
    let (lived, _, breaker) = race(
        breaker,
        |b| {
            let name = b.acquire(TICK - 1);
            name.is_some_and(|name| b.report(name, Outcome::Ignored, TICK - 1) == Recorded::Counted)
        },
        |b| b.acquire(TICK),
    );
    assert!(!lived || breaker.changes().len() == 1, "a sign of life renews the lease");
}
