//! Other breakers beside ours and the mutex baseline: a success, a success with 1 % failures, a refusal.
//!
//! Every ratio is to the mutex baseline doing the same in the same round. README.md says what is asked of each.

use std::hint::black_box;
use std::time::Duration;

use failfast::{CircuitBreaker, OpenWait, Outcome, Window};
use failfast_peers::circuitbreaker_rs::CircuitBreakerRs;
use failfast_peers::failsafe::Failsafe;
use failfast_peers::governor::Governor;
use failfast_peers::nobreak::NoBreak;
use failfast_peers::recloser::Recloser;
use failfast_peers::reliakit::Reliakit;
use failfast_peers::tower_resilience::TowerResilience;
use failfast_peers::{opened, Failed, Peer};

use crate::support::baseline::{Settings, Span};
use crate::support::guards::{mutex, ours, refusal, share, success, Control, Guard};
use crate::support::{Subject, PER_CENT};

/// Longer than any run of a bench.
const OPEN_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

const BASELINE: [&str; 3] = ["mutex", "mutex, 1 % failures", "mutex, open"];

/// All of them, the baseline first.
pub(crate) fn subjects() -> Vec<Subject> {
    let defaults = || Settings { open_wait: OPEN_WAIT, ..Settings::default() };
    let consecutive = || Settings { span: Span::Consecutive, run: 1_000, ..defaults() };
    let builder = || CircuitBreaker::builder().open_wait(OpenWait::fixed(OPEN_WAIT));
    let run = || builder().window(Window::consecutive(1_000));
    let mut subjects = vec![
        success(BASELINE[0], mutex(defaults())),
        share(BASELINE[1], mutex(defaults()), PER_CENT),
        refusal(BASELINE[2], mutex(defaults()), Control::trip),
        success("mutex, consecutive", mutex(consecutive())).against(BASELINE[0]),
        success("failfast", ours(builder())).against(BASELINE[0]),
        share("failfast, 1 % failures", ours(builder()), PER_CENT).against(BASELINE[1]),
        refusal("failfast, open", ours(builder()), Control::trip).against(BASELINE[2]),
        success("failfast, consecutive", ours(run())).against(BASELINE[0]),
    ];
    subjects.extend(of_peer("recloser", Recloser::new, || opened(Recloser::new())));
    subjects.extend(of_peer("failsafe, consecutive", Failsafe::consecutive, || {
        opened(Failsafe::consecutive())
    }));
    // A refusal asks no policy: the first of three stands for all of them.
    subjects.extend(closed("failsafe, success rate", Failsafe::success_rate));
    subjects.extend(closed("failsafe, both policies", Failsafe::both));
    subjects.extend(of_peer("circuitbreaker-rs", CircuitBreakerRs::new, || {
        opened(CircuitBreakerRs::new())
    }));
    subjects.extend(of_peer("nobreak", NoBreak::new, || opened(NoBreak::new())));
    subjects.extend(of_peer("reliakit, consecutive", Reliakit::consecutive, || {
        opened(Reliakit::consecutive())
    }));
    subjects.extend(of_peer(
        "reliakit, rolling",
        Reliakit::rolling,
        || opened(Reliakit::rolling()),
    ));
    subjects.extend(tower_resilience());
    subjects.push(success("governor's check", Rival(Governor::generous())).against(BASELINE[0]));
    subjects.push(refused("governor's check", Governor::exhausted()));
    subjects
}

/// A peer as the loads want it.
struct Rival<P>(P);

impl<P: Peer> Guard for Rival<P> {
    #[inline(always)]
    fn report(&self, outcome: Outcome) -> bool {
        self.0.guard(match outcome {
            Outcome::Failure => Err(Failed),
            _ => Ok(()),
        })
    }

    #[inline(always)]
    fn ask(&self) {
        black_box(self.0.guard(Ok(())));
    }
}

fn of_peer<P: Peer>(name: &str, healthy: fn() -> P, open: fn() -> P) -> Vec<Subject> {
    let mut subjects = closed(name, healthy);
    subjects.push(refused(name, open()));
    subjects
}

fn closed<P: Peer>(name: &str, healthy: fn() -> P) -> Vec<Subject> {
    vec![
        success(name, Rival(healthy())).against(BASELINE[0]),
        share(format!("{name}, 1 % failures"), Rival(healthy()), PER_CENT).against(BASELINE[1]),
    ]
}

fn refused<P: Peer>(name: &str, open: P) -> Subject {
    let rival = Rival(open);
    Subject::new(format!("{name}, open"), move || rival.ask()).against(BASELINE[2])
}

/// A service wants its runtime around a whole batch.
fn tower_resilience() -> Vec<Subject> {
    let (healthy, failing, open) =
        (TowerResilience::new(), TowerResilience::new(), TowerResilience::opened());
    let none_refused = |refused| assert_eq!(refused, 0, "this load must not trip the breaker");
    vec![
        Subject::of_batches("tower-resilience", move |calls| {
            none_refused(healthy.batch(calls, |_| Ok(())));
        })
        .against(BASELINE[0]),
        Subject::of_batches("tower-resilience, 1 % failures", move |calls| {
            none_refused(failing.batch(calls, |number| match number % 100 {
                99 => Err(Failed),
                _ => Ok(()),
            }));
        })
        .against(BASELINE[1]),
        Subject::of_batches("tower-resilience, open", move |calls| {
            black_box(open.batch(calls, |_| Ok(())));
        })
        .against(BASELINE[2]),
    ]
}
