//! Mutants that no model can notice, each with the reason.

/// File and function, what is changed, and why no model notices.
#[rustfmt::skip]
const REASONS: &[(&str, &str, &str)] = &[
    ("breaker/cell.rs: settle", "generation.fetch_max -> swap",
        "a word that a sleeping thread set back by fewer than 2^16 generations completes the state word as well; no model \
         makes so many"),
    ("breaker/engine.rs: touch", "stamp.compare_exchange -> exchange_unchecked",
        "only behind a clock that was wrong: of two calls that overlap either may be the one whose instant stays"),
    ("breaker/limits.rs: note_since", "since.compare_exchange -> exchange_unchecked",
        "no model makes two more changes while a thread sleeps over its note: the unit test \
         `a_copy_says_since_when_it_judges_alone` notices"),
    ("totals/tally.rs: read", "shown.fetch_max -> swap",
        "no race: a clock that stepped back is what it is for, and the test \
         `totals::times_are_those_between_the_transitions` notices"),
    ("window/verdict.rs: judge_mark", "ticket not compared with that of the minimum",
        "the noted ticket was read before the mark took its own, which is therefore never below it: what counts is whether \
         it was known"),
    ("window/marks.rs: set_crossed", "crossed_at.fetch_max -> swap",
        "as for the comparison in `judge_mark`: any ticket noted in this generation is below that of whoever reads it first"),
    ("window/marks.rs: set_crossed", "crossed.fetch_max -> swap",
        "a thread that slept takes the note of a later generation back: its minimum is judged again, with the same result"),
    ("window/buckets.rs: turn_to", "later bucket not told from an older one",
        "no race, since a stripe has one writer: the unit test `a_clock_that_steps_back_spoils_nothing_for_later` notices"),
    ("window/buckets.rs: settle_shared", "generation and bucket not compared",
        "no model has a verdict that turns on it: the unit test `a_late_settling_leaves_the_bucket_alone_that_came_after` \
         notices"),
    ("pool/job.rs: hand_over", "word.fetch_or -> fetch_or_torn",
        "the end was in time by then: that the caller left meanwhile is read by nobody"),
];

/// Why a mutant is equivalent under the models, if it is known to be.
pub(crate) fn reason(site: &str, what: &str) -> Option<&'static str> {
    let of = REASONS.iter().find(|(of, change, _)| *of == site && *change == what);
    of.map(|(_, _, reason)| *reason)
}
