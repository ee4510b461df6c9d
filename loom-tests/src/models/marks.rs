//! Marks and tickets, by the edges that a whole breaker covers twice; and the window that ends at the minimum.

use crate::breaker::rules::{Config, WindowConfig};
use crate::breaker::state::Word;
use crate::orders::check;
use crate::phase::State;
use crate::race::{config, race, race3, rate, Breaker, NO_RULES};
use crate::runner::Model;
use crate::sync::{fence, Ordering};
use crate::window::counts::Kind::{Failure as F, Plain as S, Slow};
use crate::window::marks::{Mark, Marks};
use crate::window::stripes::Stripes;
use crate::window::verdict::{Known, View};

pub(crate) const MODELS: &[Model] = &[
    Model::bounded("count_window::failure_behind_the_minimum", 2, 570, || {
        check(COUNT, rate(400_000, 2), &[], &[(0, &[S, S, F]), (1, &[S])]);
    }),
    Model::bounded("ring::successes_behind_a_failure", 3, 290, successes_behind_a_failure),
    Model::whole("ring::success_before_an_earlier_ticket", 240, success_before_a_ticket),
    Model::bounded("ring::later_mark_is_not_seen_alone", 3, 50, two_marks),
    Model::whole("ring::minimum_with_its_ticket", 10, minimum_with_its_ticket),
    Model::bounded("ring::skip_with_a_later_sum", 2, 1_100, skip_with_a_later_sum),
    Model::bounded("generation::ticket_across_four", 3, 1_000, ticket_of_old_generation),
];

const COUNT: WindowConfig = WindowConfig::Count { size: 8 };

fn name(generation: u64) -> Word {
    Word::name(State::Closed, generation)
}

/// E14: two successes that one failure happens before are counted, and not yet judged by their own threads.
fn successes_behind_a_failure() {
    let stripes = Stripes::new(3);
    let success = |stripes: &Stripes, seat| assert!(stripes.count(seat, name(0), &|| true));
    (0..3).for_each(|seat| success(&stripes, seat));
    let (_, (reached, cause), _) = race(
        (Marks::new(4, 4), stripes),
        move |(marks, stripes)| {
            // As `Window::record_mark`.
            let ticket = marks.take_ticket();
            fence(Ordering::SeqCst);
            marks.write(ticket, name(0), Mark { kind: F, before: stripes.sum(name(0)) });
            fence(Ordering::SeqCst);
            success(stripes, 1);
            success(stripes, 2);
        },
        |(marks, stripes)| {
            // As `Window::record_success`, with seat 0.
            fence(Ordering::SeqCst);
            let near = stripes.sum(name(0));
            View { marks, stripes, name: name(0), size: Some(8), near }
                .judge_success(&rate(200_000, 5))
        },
    );
    assert!(cause.is_some() || !reached, "the failure is among the first five in every order");
}

/// E3, acquired by the fence of E12: a sum holds every success that happens before an earlier ticket.
fn success_before_a_ticket() {
    let (earlier, (later, sum), _) = race(
        (Marks::new(1, 1), Stripes::new(1)),
        |(marks, stripes)| {
            stripes.count(0, name(0), &|| true);
            // And stops before its own fence, which loom would never part from the step before it.
            marks.take_ticket()
        },
        |(marks, stripes)| {
            let ticket = marks.take_ticket();
            fence(Ordering::SeqCst);
            (ticket, stripes.sum(name(0)))
        },
    );
    assert!(later < earlier || sum == 1, "positions respect what happens before");
}

/// E3, reading end: of two marks of a thread a reading holds none, the first, or both.
fn two_marks() {
    let breaker = Breaker::new(&Config { stripes: 1, ..config(COUNT, NO_RULES) });
    let name = breaker.name();
    let (_, seen, _) =
        race(breaker, move |b| [Slow, F].map(|kind| b.record(0, name, kind, 0)), Breaker::counts);
    assert!(seen.failures <= seen.slow, "who sees a mark sees those that happen before it");
}

/// E8: who sees that the minimum is judged sees up to which ticket.
fn minimum_with_its_ticket() {
    let (_, at, _) = race(
        Marks::new(1, 1),
        |marks| marks.set_crossed(name(1), 7),
        |marks| marks.crossed_at(name(1)),
    );
    assert!(at >= 7, "no mark of an earlier ticket is kept from judging");
}

/// E14: who is told to skip by the mark of an earlier ticket has a sum that is no older.
fn skip_with_a_later_sum() {
    // Slow calls let a failure pass the filter, so that it recounts, and tells how far it is from a trip.
    let marks = Marks::new(8, 8);
    for _ in 0..3 {
        marks.write(marks.take_ticket(), name(0), Mark { kind: Slow, before: 0 });
    }
    let stripes = Stripes::new(1);
    stripes.count(0, name(0), &|| true);
    // As `Window::record_mark`.
    let fail = |(marks, stripes): &(Marks, Stripes)| {
        let ticket = marks.take_ticket();
        fence(Ordering::SeqCst);
        let skips = marks.skips(name(0), ticket);
        let near = stripes.sum(name(0));
        marks.write(ticket, name(0), Mark { kind: F, before: near });
        fence(Ordering::SeqCst);
        View { marks, stripes, name: name(0), size: Some(8), near }.judge_mark(
            ticket,
            Known { skips, crossed_at: 0 },
            &rate(500_000, 4),
        );
        (near, skips)
    };
    let succeed = |(_, stripes): &(Marks, Stripes)| stripes.count(0, name(0), &|| true);
    let ((sum, skips), _, (other_sum, other_skips), _) =
        race3((marks, stripes), fail, succeed, fail);
    assert!(!(skips && other_skips), "the first of two tickets skips nothing");
    assert!(!skips || sum >= other_sum, "no window of the later mark reaches back further");
    assert!(!other_skips || other_sum >= sum, "no window of the later mark reaches back further");
}

/// E12: a ticket of the first generation is below the base of the fifth, which has the same low bits.
fn ticket_of_old_generation() {
    let breaker = Breaker::new(&Config { stripes: 1, ..config(COUNT, NO_RULES) });
    let name = breaker.name();
    let (_, _, breaker) =
        race(breaker, move |b| b.fail(0, name), |b| (0..4).for_each(|_| b.reset()));
    assert_eq!(breaker.counts().calls, 0, "a new generation holds no outcome of an old one");
}
