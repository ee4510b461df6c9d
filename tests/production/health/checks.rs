//! The program's own checks: good, bad, hanging, panicking; run at once and in the background; and what they may heal.
//!
//! Nothing here sleeps. A time limit is either a millisecond that a check overruns for certain, since it waits for what
//! comes later; or far longer than the test.

use std::panic::panic_any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use failfast::clock::{Clock, ManualClock};
use failfast::{CheckStatus, Registry, State};

use super::{passes, registry, secs, status, wall, Answer, LONG};

const SHORT: Duration = Duration::from_millis(1);

/// A check that says when it has begun and waits for its answer.
fn prompted() -> (impl Fn() -> Answer, Receiver<()>, Sender<Answer>) {
    let (begin, begun) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let both = Mutex::new((begin, answers));
    let check = move || {
        let (begin, answers) = &*both.lock().unwrap();
        let _ = begin.send(());
        answers.recv().unwrap_or_else(|_| Err("nobody answered".to_owned()))
    };
    (check, begun, answer)
}

#[test]
fn a_check_says_what_its_last_run_said() {
    let (registry, clock) = registry();
    clock.set(secs(50));
    let answer = Arc::new(Mutex::new(Ok(())));
    let says = Arc::clone(&answer);
    let time = clock.clone();
    let check = move || {
        time.advance(secs(3));
        says.lock().unwrap().clone()
    };
    registry.check("db", LONG, check).unwrap();
    let fresh = status(&registry, "db");
    assert_eq!((fresh.status, fresh.running), (CheckStatus::NeverRan, false));
    assert_eq!((fresh.took, fresh.last_ran, fresh.age, fresh.error), (None, None, None, None));

    let ran = registry.run_checks().remove(0);
    assert_eq!((ran.status, ran.took, ran.time_limit), (CheckStatus::Passed, Some(secs(3)), LONG));
    assert_eq!(registry.health().http_status(), 200);
    clock.advance(secs(7));
    let later = &registry.health_at(wall()).checks[0];
    assert_eq!((later.age, later.last_ran), (Some(secs(10)), Some(wall() - secs(10))));

    *answer.lock().unwrap() = Err("refused".to_owned());
    assert_eq!(status(&registry, "db").status, CheckStatus::Passed, "health runs nothing");
    let ran = registry.run_checks().remove(0);
    assert_eq!((ran.status, ran.error.as_deref()), (CheckStatus::Failed, Some("refused")));
    assert_eq!(registry.health().http_status(), 503);
    *answer.lock().unwrap() = Ok(());
    registry.run_checks();
    assert_eq!(registry.health().http_status(), 200);
}

#[test]
fn checks_that_make_no_sense_are_refused_and_names_are_not_shared() {
    let (registry, _) = registry();
    let field =
        |name: &str, limit| registry.check(name, limit, passes).unwrap_err().field().to_owned();
    assert_eq!(field("", LONG), "name");
    assert_eq!(field("db", Duration::ZERO), "time_limit");
    assert_eq!(field("db", Duration::MAX), "time_limit");
    assert!(registry.run_checks().is_empty());
    registry.check("db", LONG, || Err("first")).unwrap();
    let error = registry.check("db", LONG, passes).unwrap_err();
    assert_eq!((error.field(), error.allowed()), ("name", "a name that is not taken"));
    assert_eq!(registry.run_checks()[0].error.as_deref(), Some("first"));
    assert!(registry.remove_check("db") && !registry.remove_check("db"));
    registry.check("db", LONG, passes).unwrap();
    assert_eq!(registry.run_checks()[0].status, CheckStatus::Passed);
    // The system's threads take no such name.
    registry.check("a\0b", LONG, passes).unwrap();
    assert_eq!(registry.run_checks()[0].status, CheckStatus::Passed);
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    struct Worse;
    impl Drop for Worse {
        fn drop(&mut self) {
            panic!("again, while it is thrown away");
        }
    }
    struct Unprintable;
    impl std::fmt::Display for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words");
        }
    }
    let (registry, _) = registry();
    let text = |text: &'static str| move || -> Answer { panic_any(text) };
    registry.check("a", LONG, text("at once")).unwrap();
    registry.check("b", LONG, || -> Answer { panic!("{} of {}", 1, 2) }).unwrap();
    registry.check("c", LONG, || -> Answer { panic_any(42) }).unwrap();
    registry.check("d", LONG, || -> Answer { panic_any(Worse) }).unwrap();
    registry.check("e", LONG, || Err(Unprintable)).unwrap();
    let checks = registry.run_checks();
    let errors: Vec<_> = checks.iter().map(|check| check.error.clone().unwrap()).collect();
    let expected =
        ["panicked: at once", "panicked: 1 of 2", "panicked", "panicked", "panicked: no words"];
    assert_eq!(errors, expected);
    assert!(checks.iter().all(|check| check.status == CheckStatus::Failed));
    assert_eq!(registry.run_checks().len(), 5, "and they can be run again");
}

#[test]
fn checks_run_at_the_same_time() {
    let (registry, _) = registry();
    let meet = Arc::new(Barrier::new(8));
    for n in 0..8 {
        let meet = Arc::clone(&meet);
        // One after the other they would wait for ever.
        registry
            .check(&format!("check-{n}"), LONG, move || {
                meet.wait();
                passes()
            })
            .unwrap();
    }
    assert!(registry.run_checks().iter().all(|check| check.status == CheckStatus::Passed));
}

#[test]
fn a_check_that_hangs_times_out_and_is_not_started_again() {
    let (registry, clock) = registry();
    let (check, begun, answer) = prompted();
    registry.check("hangs", SHORT, check).unwrap();
    registry.check("quick", LONG, passes).unwrap();
    let checks = registry.run_checks();
    assert_eq!((checks[0].status, checks[0].running), (CheckStatus::TimedOut, true));
    assert_eq!(checks[0].error.as_deref(), Some("no answer within 1ms"));
    assert_eq!(checks[1].status, CheckStatus::Passed);
    assert_eq!(registry.health().http_status(), 503);
    begun.recv().unwrap();
    clock.advance(secs(4));
    for _ in 0..20 {
        assert_eq!(registry.run_checks()[0].status, CheckStatus::TimedOut);
    }
    assert!(begun.try_recv().is_err(), "no second thread hangs");
    assert_eq!(status(&registry, "hangs").took, Some(secs(4)), "so far");

    // What it says in the end came too late.
    answer.send(passes()).unwrap();
    while status(&registry, "hangs").running {
        thread::yield_now();
    }
    assert_eq!(status(&registry, "hangs").status, CheckStatus::TimedOut);
    // And now it is asked again.
    answer.send(Err("refused".to_owned())).unwrap();
    registry.run_checks();
    begun.recv().unwrap();
    assert_ne!(status(&registry, "hangs").status, CheckStatus::Passed);
}

#[test]
fn health_neither_runs_a_check_nor_waits_for_one() {
    let (registry, clock) = registry();
    let (check, begun, answer) = prompted();
    registry.check("db", LONG, check).unwrap();
    answer.send(passes()).unwrap();
    registry.run_checks();
    begun.recv().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| registry.run_checks());
        begun.recv().unwrap();
        clock.advance(secs(5));
        let shown = status(&registry, "db");
        assert_eq!((shown.status, shown.running), (CheckStatus::Passed, true));
        assert_eq!(shown.age, Some(secs(5)), "of the run before");
        answer.send(Err("gone".to_owned())).unwrap();
    });
    assert_eq!(status(&registry, "db").status, CheckStatus::Failed);
    assert!(begun.try_recv().is_err());
}

#[test]
fn two_who_run_the_checks_share_one_run() {
    let (registry, _) = registry();
    let (check, begun, answer) = prompted();
    registry.check("db", LONG, check).unwrap();
    thread::scope(|scope| {
        let run = || scope.spawn(|| registry.run_checks().remove(0).status);
        let first = run();
        begun.recv().unwrap();
        let others = [run(), run(), run()];
        // One that comes only when the others are over begins a run of its own: there are answers for all.
        for _ in 0..4 {
            answer.send(passes()).unwrap();
        }
        assert_eq!(first.join().unwrap(), CheckStatus::Passed);
        assert_eq!(others.map(|other| other.join().unwrap()), [CheckStatus::Passed; 3]);
    });
    println!("{} of the three found no run to share", begun.try_iter().count());
    assert!(!status(&registry, "db").running);
}

#[test]
fn a_check_that_is_removed_while_it_runs_keeps_nobody_waiting_and_says_nothing() {
    let (registry, _) = registry();
    let (check, begun, answer) = prompted();
    registry.check("db", LONG, check).unwrap();
    thread::scope(|scope| {
        let run = scope.spawn(|| registry.run_checks());
        begun.recv().unwrap();
        assert!(registry.remove_check("db"));
        assert!(run.join().unwrap().is_empty(), "nobody waits for it");
    });
    // Another of its name has nothing to do with it, and is under way while the first one ends.
    let (other, other_begun, other_answer) = prompted();
    registry.check("db", LONG, other).unwrap();
    thread::scope(|scope| {
        let run = scope.spawn(|| registry.run_checks());
        other_begun.recv().unwrap();
        answer.send(Err("late".to_owned())).unwrap();
        // The thread of the first lets go of its check when it has said what it had to say.
        while begun.try_recv() != Err(TryRecvError::Disconnected) {
            thread::yield_now();
        }
        assert!(status(&registry, "db").running);
        other_answer.send(Ok(())).unwrap();
        assert_eq!(run.join().unwrap()[0].status, CheckStatus::Passed);
    });
}

#[test]
fn a_check_may_use_its_registry() {
    let registry = Arc::new(registry().0);
    let weak = Arc::downgrade(&registry);
    registry
        .check("nosy", LONG, move || {
            let registry = weak.upgrade().expect("it is in use");
            registry.breaker("payment").unwrap();
            registry.check("other", LONG, passes).unwrap();
            registry.run_checks();
            registry.remove_check("nosy");
            passes()
        })
        .unwrap();
    registry.run_checks();
    while registry.health().checks.len() != 1 || registry.health().checks[0].running {
        thread::yield_now();
    }
    assert_eq!(status(&registry, "other").status, CheckStatus::NeverRan, "a check starts none");
    assert!(registry.find_breaker("payment").is_some());
}

// ===== in the background =====

/// A check that hands over a token each time it runs.
#[test]
fn a_check_that_runs_the_checks_is_told_at_once_how_they_are() {
    let (registry, _) = registry();
    let registry = Arc::new(registry);
    let (waits, begun, answer) = prompted();
    registry.check("waits", LONG, waits).unwrap();
    // Two of them: each would wait for the other too.
    let (tell, told) = mpsc::channel();
    for name in ["nested-a", "nested-b"] {
        let (weak, tell) = (Arc::downgrade(&registry), tell.clone());
        let asks = move || -> Answer {
            let checks = weak.upgrade().expect("it is in use").run_checks();
            let seen = checks.into_iter().map(|check| (check.name, check.running));
            tell.send(seen.collect::<Vec<_>>()).map_err(|error| error.to_string())
        };
        registry.check(name, LONG, asks).unwrap();
    }
    let runner = thread::spawn({
        let registry = Arc::clone(&registry);
        move || registry.run_checks()
    });
    begun.recv().unwrap();
    for own in told.iter().take(2) {
        assert_eq!(own.len(), 3);
        assert!(own.contains(&("waits".to_owned(), true)), "nobody waited for it: {own:?}");
    }
    answer.send(Ok(())).unwrap();
    let checks = runner.join().unwrap();
    assert!(checks.iter().all(|check| check.status == CheckStatus::Passed), "{checks:?}");
    // Each was run once: by the outer call.
    assert!(begun.try_recv().is_err() && told.try_recv().is_err());
}

fn rendezvous() -> (impl Fn() -> Answer, Receiver<()>) {
    let (tell, told): (SyncSender<()>, _) = mpsc::sync_channel(0);
    (move || tell.send(()).map_err(|gone| gone.to_string()), told)
}

#[test]
fn the_background_runner_runs_until_it_is_dropped() {
    let (registry, _) = registry();
    let (check, told) = rendezvous();
    registry.check("db", LONG, check).unwrap();
    let runner = registry.run_checks_every(SHORT).unwrap();
    for _ in 0..5 {
        told.recv().unwrap();
    }
    assert_eq!(format!("{runner:?}"), "CheckRunner { .. }");
    // It is waiting to hand over, or about to: it does not keep the drop waiting for its limit of a minute.
    let begun = Instant::now();
    drop(runner);
    assert!(begun.elapsed() < LONG / 2, "it ends at once");
    // At most the run that was under way is left.
    let _ = told.recv_timeout(SHORT);
    while status(&registry, "db").running {
        let _ = told.try_recv();
        thread::yield_now();
    }
    assert!(told.try_recv().is_err(), "nothing runs any more");
    assert_eq!(status(&registry, "db").status, CheckStatus::Passed);
}

#[test]
fn a_runner_that_waits_for_its_next_round_ends_at_once() {
    let (registry, _) = registry();
    registry.check("db", LONG, passes).unwrap();
    let runner = registry.run_checks_every(LONG).unwrap();
    while status(&registry, "db").status != CheckStatus::Passed {
        thread::yield_now();
    }
    let begun = Instant::now();
    drop(runner);
    assert!(begun.elapsed() < LONG / 2);
}

/// A clock that tells whether anybody still has it.
#[derive(Clone)]
struct Held(ManualClock, #[allow(dead_code, reason = "counted")] Arc<()>);

impl Clock for Held {
    fn now(&self) -> Duration {
        self.0.now()
    }
}

#[test]
fn the_thread_of_a_runner_is_gone_when_it_is_dropped() {
    let held = Arc::new(());
    let registry = Registry::with_clock(Held(ManualClock::new(), Arc::clone(&held)));
    let runner = registry.run_checks_every(LONG).unwrap();
    drop(registry);
    assert!(Arc::strong_count(&held) > 1, "the runner goes on");
    drop(runner);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_runner_has_a_period_that_is_one() {
    let (registry, _) = registry();
    for wrong in [Duration::ZERO, Duration::MAX] {
        let error = registry.run_checks_every(wrong).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("period: given "), "{error}");
    }
}

#[test]
fn a_runner_outlives_its_registry_and_two_do_not_mind_each_other() {
    let (registry, _) = registry();
    let (check, told) = rendezvous();
    registry.check("db", LONG, check).unwrap();
    let first = registry.run_checks_every(SHORT).unwrap();
    let second = registry.run_checks_every(SHORT).unwrap();
    drop(registry);
    drop(first);
    for _ in 0..3 {
        told.recv().unwrap();
    }
    // A check that waits here is told that nobody will come.
    drop(told);
    drop(second);
}

// ===== early recovery =====

#[test]
fn a_passing_check_ends_the_open_time_of_an_open_breaker_and_of_no_other() {
    let (registry, clock) = registry();
    let breaker = registry.breaker("payment").unwrap();
    let (well, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (handle, is_well, count) = (Arc::clone(&breaker), Arc::clone(&well), Arc::clone(&ended));
    let check = move || {
        if is_well.load(Ordering::Relaxed) == 0 {
            return Err("connection refused");
        }
        if handle.state() == State::Open {
            count.fetch_add(1, Ordering::Relaxed);
            handle.half_open();
        }
        Ok(())
    };
    registry.check("payment", LONG, check).unwrap();

    for _ in 0..20 {
        breaker.try_acquire().unwrap().failure();
    }
    clock.advance(secs(2));
    registry.run_checks();
    assert_eq!(breaker.state(), State::Open, "still down");
    well.store(1, Ordering::Relaxed);
    assert!(breaker.open_for().unwrap() > secs(27));
    registry.run_checks();
    assert_eq!((breaker.state(), registry.health().http_status()), (State::HalfOpen, 503));
    // The probes decide, not the check.
    for _ in 0..3 {
        registry.run_checks();
        breaker.try_acquire().unwrap().success();
    }
    assert_eq!((breaker.state(), registry.health().http_status()), (State::Closed, 200));
    breaker.force_open();
    registry.run_checks();
    assert_eq!(breaker.state(), State::ForcedOpen, "what an operator said stays");
    assert_eq!(
        ended.load(Ordering::Relaxed),
        1,
        "half_open() was called for the open breaker only"
    );
}
