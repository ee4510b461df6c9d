//! The demo's claims, about runs that were made up: they are kept by a run that went well and broken by one that did not.

use failfast::{State, TransitionCause};

use crate::boards::{change, limits, reading, seconds};
use crate::model::{Board, Watched};
use crate::script::Script;

/// What goes wrong in a run.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    NeverOpens,
    LetsThrough,
    OpensShort,
    OpensForOther,
    NeverCloses,
    TouchesOthers,
}

/// Plays the demo's script against breakers that do what they should, but for payment.
fn play(wrong: Wrong) -> (bool, f64, Vec<String>) {
    use State::{Closed, HalfOpen, Open};
    let names = ["payment", "inventory", "shipping", "notification"];
    let watched = names.iter().map(|name| Watched::new(name, 1, limits()));
    let mut board = Board::new(watched.collect());
    let mut script = Script::demo();
    let mut permitted = [0_u64; 4];
    let mut refused = [0_u64; 4];
    let mut opens_at = [f64::INFINITY; 4];
    let mut state = [Closed; 4];
    let mut generation = [0_u64; 4];
    for tenth in 0..200 {
        let now = f64::from(tenth) / 10.0;
        while let Some(step) = script.due(seconds(now)) {
            if step.what != "recover" && !(step.index == 0 && wrong == Wrong::NeverOpens) {
                opens_at[step.index] = now + 0.3;
                if wrong == Wrong::TouchesOthers {
                    opens_at[3] = now + 0.3;
                }
            }
        }
        let mut events = Vec::new();
        for index in 0..4 {
            let mine = |other: Wrong| index == 0 && wrong == other;
            let mut changes = Vec::new();
            let mut turn = |state: &mut State, to, cause, at: f64| {
                generation[index] += 1;
                changes.push(change(at, generation[index], (*state, to), cause));
                *state = to;
            };
            let wait = if mine(Wrong::OpensShort) { 4.5 } else { 5.0 };
            if state[index] == Closed && now >= opens_at[index] {
                let cause = match index {
                    _ if mine(Wrong::OpensForOther) => TransitionCause::Control,
                    1 => TransitionCause::SlowRate { slow_calls: 20, calls: 40 },
                    _ => TransitionCause::ConsecutiveFailures { failures: 3 },
                };
                turn(&mut state[index], Open, cause, opens_at[index]);
            } else if state[index] == Open && now >= opens_at[index] + wait {
                turn(
                    &mut state[index],
                    HalfOpen,
                    TransitionCause::OpenTimeOver,
                    opens_at[index] + wait,
                );
                if !mine(Wrong::NeverCloses) {
                    let cause = TransitionCause::ProbesSucceeded { calls: 1, failures: 0 };
                    turn(&mut state[index], Closed, cause, opens_at[index] + wait + 0.01);
                    opens_at[index] = f64::INFINITY;
                }
            }
            match state[index] {
                Open => {
                    refused[index] += 2;
                    permitted[index] += u64::from(mine(Wrong::LetsThrough));
                }
                _ => permitted[index] += 2,
            }
            let mut now_read = reading(state[index], permitted[index], refused[index]);
            now_read.changes = changes;
            now_read.snapshot.generation = generation[index];
            now_read.open_for = (state[index] == Open).then(|| seconds(1.0));
            events.extend(board.read(index, seconds(now), now_read));
        }
        script.look(&board, &events);
        if script.is_over(seconds(now)) {
            let claims = script.claims();
            let broken = claims.iter().filter(|claim| !claim.kept).map(|claim| claim.text.clone());
            return (claims.len() == 16, now, broken.collect());
        }
    }
    panic!("the demo has no end");
}

#[test]
fn a_run_that_goes_well_keeps_every_claim_in_time() {
    let (all, end, broken) = play(Wrong::Nothing);
    assert!(all && broken.is_empty(), "{broken:?}");
    assert!(end < 10.0, "{end}");
}

#[test]
fn whatever_goes_wrong_breaks_a_claim() {
    for (wrong, claim) in [
        (Wrong::NeverOpens, "payment: opens"),
        (Wrong::LetsThrough, "payment: while open"),
        (Wrong::OpensShort, "payment: asked again after 4.50 s"),
        (Wrong::OpensForOther, "payment: opened 0.3 s after it broke: by hand"),
        (Wrong::NeverCloses, "payment: closed: no"),
        (Wrong::TouchesOthers, "notification: its neighbours"),
    ] {
        let (_, end, broken) = play(wrong);
        assert!(broken.iter().any(|text| text.starts_with(claim)), "{claim}: {broken:?}");
        assert!(end <= 14.0, "{claim}: {end}");
    }
}

#[test]
fn the_minute_ends_and_claims_nothing() {
    let mut script = Script::minute();
    let mut steps = 0;
    while let Some(step) = script.due(seconds(60.0)) {
        assert!(step.index < 4 && !script.is_over(step.at));
        steps += 1;
    }
    assert!(steps > 5 && script.is_over(seconds(60.0)) && script.claims().is_empty());
}
