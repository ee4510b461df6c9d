//! Bugs of the kind that circuit breakers have had, each with the one model that must catch it.

use crate::copy::Copy;
use crate::tags::replace;
use crate::Mutant;

/// A text of one file: file, function, what stands there, what is put there.
type Edit = (&'static str, &'static str, &'static str, &'static str);

/// What the bug is, the model, and the places.
type Bug = (&'static str, &'static [&'static str], &'static [Edit]);

pub(crate) fn mutants(copy: &Copy) -> Vec<Mutant> {
    BUGS.iter()
        .map(|&(what, models, edits)| {
            let mut texts: Vec<(&'static str, String)> = Vec::new();
            for &(file, function, old, new) in edits {
                let known = texts.iter().position(|(of, _)| *of == file);
                let text = known.map_or_else(|| copy.read(file), |at| texts.remove(at).1);
                texts.push((file, replace(file, &text, function, old, new)));
            }
            let (file, function, ..) = edits[0];
            Mutant {
                site: format!("{file}: {function}"),
                edges: String::new(),
                what: what.to_string(),
                texts,
                models,
            }
        })
        .collect()
}

#[rustfmt::skip]
const BUGS: &[Bug] = &[
    // Generations.
    ("an outcome is counted in whatever generation is current", &["generation::success_across_one"], &[
        ("breaker/engine.rs", "record", "if self.load() != name {\n            return (Recorded::Stale, false);\n        }",
            "let name = self.load();\n        if name.state() != State::Closed {\n            return (Recorded::Stale, false);\n        }"),
        ("breaker/engine.rs", "count_warm", "self.load() == name && ", ""),
    ]),
    ("a generation has one bit", &["generation::success_across_two"], &[
        ("breaker/state.rs", "name", "GENERATION.put(generation))", "GENERATION.put(generation & 1))"),
    ]),
    ("a loser tells the observers as well", &["state::two_openers"], &[
        ("breaker/engine.rs", "transit", "state.exchange(word, next).then_some(change)",
            "state.exchange(word, next);\n        Some(change)"),
    ]),
    ("a transition is stored, not exchanged", &["state::end_of_the_open_time_and_reset"], &[
        ("breaker/cell.rs", "exchange", ".compare_exchange(", ".exchange_unchecked("),
    ]),
    ("a loser notes where the next generation begins", &["state::loser_erases_no_mark"], &[
        ("breaker/engine.rs", "transit", "if self.load() != word {", "if false {"),
    ]),
    ("an acquire reads the state relaxed", &["state::what_happened_before_a_trip"], &[
        ("breaker/cell.rs", "load", "Ordering::Acquire", "Ordering::Relaxed"),
    ]),
    ("a snapshot does not look again", &["reading::successes"], &[
        ("breaker/engine.rs", "read", "if self.load() == word {", "if true {"),
    ]),
    // Half-open.
    ("a place is taken first and given back if there was none", &["half_open::place_given_back_is_granted"], &[
        ("breaker/engine.rs", "acquire", "if word.probes().granted >= half_open.places.into() || lost >= ATTEMPTS {",
            "if word.probes().granted >= half_open.places.into() {\n                        if !self.shared.state.exchange(word, word.with_grant()) {\n                            continue;\n                        }\n                        loop {\n                            let word = self.load();\n                            if self.shared.state.exchange(word, word.with_give_back()) {\n                                break;\n                            }\n                        }"),
    ]),
    ("the lease is renewed after the grant", &["half_open::lapse_and_grant"], &[
        ("breaker/engine.rs", "acquire", "// E10, as above.\n                    self.touch(now);", ""),
        ("breaker/engine.rs", "acquire", "return Ok(Word::name(State::HalfOpen, generation));",
            "self.touch(now);\n                        return Ok(Word::name(State::HalfOpen, generation));"),
    ]),
    ("a late report does not ask for the lease", &["half_open::lapse_and_report_after_it"], &[
        ("breaker/engine.rs", "report", "if let Some(at) = self.lapsed_by(word, now, lease) {",
            "if let Some(at) = self.lapsed_by(word, now, lease).filter(|_| false) {"),
    ]),
    ("a grant and its give-back restore the word", &["half_open::lapse_and_grant_given_back"], &[
        ("breaker/state.rs", "with_give_back", "Word(TOUCHED.set(word, TOUCHED.get(self.0) + 1))", "Word(word)"),
    ]),
    ("a probe's outcome is counted, then judged", &["half_open::two_deciding_outcomes"], &[
        ("breaker/engine.rs", "report", "let (to, cause) = match self.judge_probes(next, rules.kind, rules.decide_at, now) {",
            "let verdict = self.judge_probes(next, rules.kind, rules.decide_at, now);\n            let word = if verdict.is_some() && self.shared.state.exchange(word, next) { next } else { word };\n            let (to, cause) = match verdict {"),
    ]),
    ("an acquire goes by settings that are older than the state", &["reconfigure::change_and_grant"], &[
        ("breaker/engine.rs", "acquire", "let (word, half_open, lease) = self.limits().around(|| self.load());",
            "let (_, half_open, lease) = self.limits().around(|| ());\n            let word = self.load();"),
    ]),
    // Windows.
    ("the warm mark is set before the minimum is judged",
        &["count_window::two_successes_after_a_failure_reach_the_minimum"], &[
        ("window/mod.rs", "record_success", "fence(Ordering::SeqCst);\n        let view = self.view(name, size, self.stripes.sum(name));",
            "let view = self.view(name, size, self.stripes.sum(name));\n        if view.near + 1 >= u64::from(rules.min_calls) {\n            self.stripes.set_warm(seat, name);\n            return Some(None);\n        }"),
    ]),
    ("the sum is judged as it stands, not the calls up to the minimum",
        &["count_window::two_successes_after_a_failure_reach_the_minimum"], &[
        ("window/verdict.rs", "judge_minimum", "if position < min {", "if position < u64::MAX {"),
        ("window/verdict.rs", "judge_minimum", "Counts { calls: min, ..first }",
            "Counts { calls: written + successes, ..first }"),
    ]),
    ("an older lap overwrites a slot of the ring", &["ring::late_writer_and_later_lap"], &[
        ("window/marks.rs", "write", "while self.next_ticket() - ticket <= self.slots() {", "loop {"),
    ]),
    ("a failure is judged before it can be seen", &["count_window::two_failures_trip"], &[
        ("window/mod.rs", "record_mark", "self.marks.write(ticket, name, Mark { kind, before });", ""),
        ("window/mod.rs", "record_mark", "Some(self.view(name, size, before).judge_mark(ticket, known, rules))",
            "let cause = self.view(name, size, before).judge_mark(ticket, known, rules);\n        self.marks.write(ticket, name, Mark { kind, before });\n        Some(cause)"),
    ]),
    ("a shared count is read, then written", &["stripes::two_seatless_threads"], &[
        ("window/stripes.rs", "count_shared", ".compare_exchange(", ".exchange_unchecked("),
    ]),
    ("a bucket has its new number before its counts are zero", &["time_window::new_window_sees_no_old_count"], &[
        ("window/buckets.rs", "turn_to", "self.number.store(NONE, Ordering::Relaxed);",
            "self.number.store(number, Ordering::Release);"),
    ]),
    ("an outcome is settled before it is judged",
        &["time_window::two_successes_after_a_failure_reach_the_minimum"], &[
        ("window/buckets.rs", "count", "+ ONE) | UNSETTLED", "+ ONE)"),
    ]),
    // The registry.
    ("a thing that was built too late takes the place of the first", &["registry::two_ask_while_it_is_removed"], &[
        ("registry/shelves.rs", "find_or_build", "if let Some(found) = find(&stock.shelves) {",
            "if let Some(found) = find(&stock.shelves).filter(|_| false) {"),
    ]),
    ("a thing is put up though its plan is gone", &["registry::asked_for_while_replanned"], &[
        ("registry/shelves.rs", "find_or_build", "if stock.plans == plans {", "if stock.plans >= plans {"),
    ]),
    // Seats, clock.
    ("a seat is handed on without what was counted on it", &["seats::owner_after_owner"], &[
        ("seats.rs", "claim", "word.fetch_or(1 << bit, Ordering::Acquire)", "word.fetch_or(1 << bit, Ordering::Relaxed)"),
    ]),
    ("an exchange that may fail without a reason is not tried again", &["clock::advance_and_spurious_failure"], &[
        ("clock/manual.rs", "advance", "while let Err(seen)", "if let Err(seen)"),
    ]),
];
