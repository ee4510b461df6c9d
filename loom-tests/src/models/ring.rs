//! The ring of marks and the stripes, taken by themselves.

use crate::breaker::state::Word;
use crate::phase::State;
use crate::race::{race, SEATLESS};
use crate::runner::Model;
use crate::window::counts::Kind;
use crate::window::marks::{Mark, Marks};
use crate::window::stripes::Stripes;

pub(crate) const MODELS: &[Model] = &[
    Model::whole("ring::late_writer_and_later_lap", 73, late_writer),
    Model::whole("ring::two_late_writers", 73, two_late_writers),
    Model::whole("stripes::sum_counts_no_old_generation", 44, sum_of_new_generation),
    Model::whole("stripes::breaks_count_no_old_generation", 44, breaks_of_new_generation),
    Model::whole("stripes::run_of_new_generation_is_no_old_one", 44, run_of_new_generation),
    Model::whole("stripes::run_has_not_the_length_of_the_next", 1_800, run_of_new_length),
    Model::whole("stripes::two_seatless_threads", 87, two_seatless),
    Model::whole("stripes::run_is_not_taken_for_a_new_one", 44, run_of_old_length),
    Model::whole("stripes::seatless_run_of_another_number", 8, seatless_run),
];

fn name(generation: u64) -> Word {
    Word::name(State::Closed, generation)
}

fn mark(before: u64) -> Mark {
    Mark { kind: Kind::Failure, before }
}

/// E4: a ring of one slot goes round while a ticket waits to be written.
fn late_writer() {
    let marks = Marks::new(1, 0);
    let late = marks.take_ticket();
    let (_, next, marks) = race(
        marks,
        move |marks| marks.write(late, name(0), mark(1)),
        |marks| {
            let next = marks.take_ticket();
            marks.write(next, name(0), mark(2));
            next
        },
    );
    assert_eq!(marks.read(next, name(0), 0), Ok(mark(2)), "a later lap is never overwritten");
    assert!(marks.read(late, name(0), 0).is_err(), "an earlier lap is gone");
}

/// E4: as above, where the late writer meets another late one first.
fn two_late_writers() {
    let marks = Marks::new(1, 0);
    let late = [marks.take_ticket(), marks.take_ticket()];
    let (_, next, marks) = race(
        marks,
        move |marks| marks.write(late[1], name(0), mark(1)),
        move |marks| {
            marks.write(late[0], name(0), mark(0));
            let next = marks.take_ticket();
            marks.write(next, name(0), mark(2));
            next
        },
    );
    assert_eq!(marks.read(next, name(0), 0), Ok(mark(2)), "a later lap is never overwritten");
}

/// E5: the zero of a new generation before its name.
fn sum_of_new_generation() {
    let stripes = Stripes::new(1);
    for _ in 0..3 {
        stripes.count(0, name(0), &|| true);
    }
    let (_, sum, stripes) = race(
        stripes,
        |stripes| stripes.count(0, name(1), &|| true),
        |stripes| stripes.sum(name(1)),
    );
    assert!(sum <= 1, "a sum counts no success of an old generation");
    assert_eq!(stripes.sum(name(1)), 1, "no success is lost");
}

/// E5: the same for what breaks runs.
fn breaks_of_new_generation() {
    let stripes = Stripes::new(1);
    for _ in 0..3 {
        stripes.count_break(0, name(0), &|| true);
    }
    let (_, breaks, _) = race(
        stripes,
        |stripes| stripes.count_break(0, name(1), &|| true),
        |stripes| stripes.breaks(name(1), 0),
    );
    assert!(breaks <= 1, "a sum counts no slow success of an old generation");
}

/// E5: the same for the length of a run.
fn run_of_new_generation() {
    let stripes = Stripes::new(1);
    for _ in 0..3 {
        stripes.count_failure(0, name(0), 0, &|| true);
    }
    let (_, run, _) = race(
        stripes,
        |stripes| stripes.count_failure(0, name(1), 0, &|| true),
        |stripes| stripes.run_after(name(1), 0),
    );
    assert!(run <= 1, "a run holds no failure of an old generation");
}

fn two_seatless() {
    let count = |stripes: &Stripes| stripes.count(SEATLESS, name(0), &|| true);
    let (_, _, stripes) = race(Stripes::new(0), count, count);
    assert_eq!(stripes.sum(name(0)), 2, "no success of a shared word is lost");
}

/// E11: the length is zero before the run is another.
fn run_of_old_length() {
    let stripes = Stripes::new(1);
    for _ in 0..3 {
        stripes.count_failure(0, name(0), 0, &|| true);
    }
    let (_, run, _) = race(
        stripes,
        |stripes| stripes.count_failure(0, name(0), 1, &|| true),
        |stripes| stripes.run_after(name(0), 1),
    );
    assert!(run <= 1, "the length of an old run is not that of a new one");
}

fn seatless_run() {
    let stripes = Stripes::new(0);
    for _ in 0..3 {
        stripes.count_failure(SEATLESS, name(0), 0, &|| true);
    }
    let (_, run, _) = race(
        stripes,
        |stripes| stripes.count_failure(SEATLESS, name(0), 1, &|| true),
        |stripes| stripes.run_after(name(0), 1),
    );
    assert!(run <= 1, "the length of an old run is not that of a new one");
}

/// E11: the number of successes again, after the length.
fn run_of_new_length() {
    let stripes = Stripes::new(1);
    stripes.count_failure(0, name(0), 0, &|| true);
    let (_, run, _) = race(
        stripes,
        |stripes| {
            stripes.count_failure(0, name(0), 1, &|| true);
            stripes.count_failure(0, name(0), 1, &|| true);
        },
        |stripes| stripes.run_after(name(0), 0),
    );
    assert!(run <= 1, "the length of a new run is not that of an old one");
}
