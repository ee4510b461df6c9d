//! Comparisons of generations, numbers, laps and bases, each made blind: found by hand, so that none is forgotten
//! because it is written in another way.
//!
//! A text must stand exactly once in the function that is named.

use crate::copy::Copy;
use crate::{scan, Mutant, FILES};

/// File, function, what is blind, the model that notices if one does, the text, what stands in its place.
type Tag = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

pub(crate) fn mutants(copy: &Copy) -> Vec<Mutant> {
    TAGS.iter()
        .map(|(file, function, what, by, old, new)| Mutant {
            site: format!("{file}: {function}"),
            edges: String::new(),
            what: what.to_string(),
            texts: vec![(*file, replace(file, &copy.read(file), function, old, new))],
            // A slice of the list's own entry, which lives as long as the program.
            models: match by.is_empty() {
                true => FILES.iter().find(|(of, _)| of == file).expect("a file with models").1,
                false => std::slice::from_ref(by),
            },
        })
        .collect()
}

/// The text with `old` replaced in a function, where it must stand exactly once.
pub(crate) fn replace(file: &str, text: &str, function: &str, old: &str, new: &str) -> String {
    let mut places = text.match_indices(old).map(|(at, _)| at).filter(|at| {
        let begun = text[..*at].lines().rev().find_map(scan::function);
        // A text may begin with the function's first line.
        begun == Some(function) || old.lines().find_map(scan::function) == Some(function)
    });
    match (places.next(), places.next()) {
        (Some(at), None) => [&text[..at], new, &text[at + old.len()..]].concat(),
        (found, _) => {
            let times = if found.is_some() { "more than once" } else { "nowhere" };
            panic!("{file}: {function} has this text {times}:\n{old}")
        }
    }
}

#[rustfmt::skip]
const TAGS: &[Tag] = &[
    // The state word.
    ("breaker/cell.rs", "attempt", "generation of the attempt not compared", "state::numbers",
        "if ATTEMPT_ERA.get(word) == generation & ATTEMPT_ERA.max()", "if true"),
    ("breaker/cell.rs", "settle", "generation of the attempt not compared", "state::numbers",
        "if ATTEMPT_ERA.get(seen) == generation.wrapping_sub(1) & ATTEMPT_ERA.max()", "if true"),
    ("breaker/state.rs", "name", "two bits of generation", "generation::failure_across_four",
        "GENERATION.put(generation))", "GENERATION.put(generation & 3))"),
    ("breaker/state.rs", "open", "no generation in the open word", "state::trip_and_reset",
        "OPEN_GENERATION.put(generation)", "OPEN_GENERATION.put(0)"),
    ("breaker/state.rs", "half_open", "no generation in the half-open word", "half_open::lapse_and_give_back",
        "HALF_OPEN_GENERATION.put(generation)", "HALF_OPEN_GENERATION.put(0)"),
    ("breaker/state.rs", "with_give_back", "give-backs not counted", "half_open::lapse_and_grant_given_back",
        "Word(TOUCHED.set(word, TOUCHED.get(self.0) + 1))", "Word(word)"),
    ("breaker/engine.rs", "count_untimed", "generation of the permit not compared", "generation::success_across_one",
        "self.load() == name && ", ""),
    ("breaker/engine.rs", "count_warm", "generation of the permit not compared", "generation::bucket_across_one",
        "self.load() == name && ", ""),
    ("breaker/engine.rs", "count", "generation of the permit not compared", "generation::success_across_one",
        "if self.load() != name {", "if false {"),
    ("breaker/engine.rs", "count", "state not read again", "generation::seatless_success_across_two",
        "still_current: &|| self.load() == name", "still_current: &|| true"),
    ("breaker/engine.rs", "report", "generation of the permit not compared", "half_open::report_across_one",
        "|| self.shared.state.generation(word) != name.named_generation()", ""),
    ("breaker/engine.rs", "count_slow_failed", "older generation not told from this one", "half_open::two_slow_failures",
        "let next = if ahead == 0 {", "let next = if ahead == 0 || ahead > SLOW_FAILED_ERA.max() / 2 {"),
    ("breaker/engine.rs", "count_slow_failed", "later generation not told from an older one", "half_open::slow_failure_across_one",
        "} else if ahead <= SLOW_FAILED_ERA.max() / 2 {", "} else if false {"),
    ("breaker/engine.rs", "transit", "word not compared after the ticket was read", "state::loser_erases_no_mark",
        "if self.load() != word {", "if false {"),
    ("breaker/engine.rs", "transit", "state not read again before a shared word is cleared", "state::loser_erases_no_shared_count",
        "&|| self.load() == word", "&|| true"),
    ("breaker/engine.rs", "read", "state not compared after the reading", "reading::seatless_buckets",
        "if self.load() == word {", "if true {"),
    ("breaker/engine.rs", "read_word", "generation of the slow failures not compared", "reading::slow_failures_of_probes",
        "SLOW_FAILED.set(slow_failed, 0) == SLOW_FAILED_ERA.put(generation)", "true"),
    // Settings.
    ("breaker/engine.rs", "decide", "generation not compared with that of the settings", "reconfigure::new_limit_over",
        "None => self.transit(word, to, cause),\n            Some(version) => self.renew(word, version),",
        "_ => self.transit(word, to, cause),"),
    ("breaker/reconfigure.rs", "settle", "state not exchanged where no generation ends", "reconfigure::change_and_half_open",
        "if self.shared.state.exchange(word, word) {", "if true {"),
    ("breaker/limits.rs", "read", "version not compared after the reading", "reconfigure::reading",
        "if self.head.version.load(Ordering::Relaxed) == version {", "if true {"),
    // The window.
    ("window/mod.rs", "record_mark", "state not read again after the ticket", "generation::failure_across_four",
        "if !(record.still_current)() {", "if false {"),
    ("window/verdict.rs", "judge_mark", "skip used though others are in flight", "count_window::two_failures_behind_a_recount",
        "if !(alone && known.skips)", "if !known.skips"),
    ("window/verdict.rs", "judge_mark", "ticket not compared with that of the minimum", "",
        "if ticket < known.crossed_at && ", "if known.crossed_at == u64::MAX && "),
    ("window/verdict.rs", "judge_windows", "skip published though others are in flight", "ring::skip_with_a_later_sum",
        "if newest == ticket + 1 {", "if true {"),
    ("window/verdict.rs", "judge_windows", "unwritten tickets not taken from the skip", "count_window::late_failure_and_recount",
        ".saturating_sub(unwritten)", ".saturating_sub(0 * unwritten)"),
    ("window/verdict.rs", "judge_minimum", "number of marks not compared with that of the first walk", "count_window::totals_are_kept",
        "if above == written {", "if true {"),
    ("window/verdict.rs", "count_run", "number of successes not compared", "runs::earlier_success",
        "|| mark.before != before", ""),
    // Stripes.
    ("window/stripes.rs", "enter", "stripe not emptied for a new generation", "stripes::sum_counts",
        "if self.generation.load(Ordering::Relaxed) != name.bits() {",
        "if self.generation.load(Ordering::Relaxed) == NONE {"),
    ("window/stripes.rs", "count_warm", "generation of the warm mark not compared", "generation::success_across_one",
        "if stripe.warm.load(Ordering::Relaxed) != name.bits()",
        "if stripe.warm.load(Ordering::Relaxed) == NONE"),
    ("window/stripes.rs", "sweep", "generation not compared", "reading::seatless_successes",
        "tag.get(seen) != current & tag.max() && ", ""),
    ("window/stripes.rs", "sweep", "state not read again", "state::loser_erases_no_shared_count",
        " && still_current() {", " {"),
    ("window/stripes.rs", "sum", "generation of a stripe not compared", "generation::success_across_one",
        "if stripe.generation.load(Ordering::Acquire) == name.bits()", "if true"),
    ("window/stripes.rs", "breaks", "generation of a stripe not compared", "stripes::breaks",
        "if stripe.generation.load(Ordering::Acquire) == name.bits()", "if true"),
    ("window/stripes.rs", "count_failure", "number of successes not compared", "stripes::run_",
        "if stripe.run_before.load(Ordering::Relaxed) != before {", "if false {"),
    ("window/stripes.rs", "run_after", "generation of a stripe not compared", "stripes::run_of_new_generation",
        "if stripe.generation.load(Ordering::Acquire) == name.bits()\n                &&", "if"),
    ("window/stripes.rs", "run_after", "number of successes not compared before the length", "stripes::run_",
        "&& stripe.run_before.load(Ordering::Acquire) == before", ""),
    ("window/stripes.rs", "run_after", "number of successes not compared after the length", "stripes::run_has_not",
        "if stripe.run_before.load(Ordering::Relaxed) == before {", "if true {"),
    ("window/stripes.rs", "run_after", "generation of the shared run not compared", "stripes::seatless_run",
        "if RUN.set(shared, 0) == tag {", "if true {"),
    ("window/stripes.rs", "shared_count", "generation of the shared word not compared", "reading::seatless_successes",
        "if TAG.get(word) == name.named_generation() & TAG.max() {", "if true {"),
    ("window/stripes.rs", "count_shared", "state not read again", "generation::seatless_success_across_two",
        "if !still_current() {", "if false {"),
    ("window/stripes.rs", "count_shared", "generation of the shared word not compared", "generation::seatless_success_across_two",
        "if count.set(seen, 0) != tag {", "if seen == 0 {"),
    // Marks.
    ("window/marks.rs", "write", "lap of the slot not compared", "ring::late_writer",
        "while self.next_ticket() - ticket <= self.slots() {", "loop {"),
    ("window/marks.rs", "read", "lap not compared", "ring::late_writer",
        "&& LAP.get(entry) == self.lap(ticket) & LAP.max()", ""),
    ("window/marks.rs", "read", "generation not compared", "generation::failure_across_one",
        "&& ERA.get(entry) == name.named_generation() & ERA.max()", ""),
    ("window/marks.rs", "note_base", "no base noted", "generation::failure_across_four",
        "fetch_max(ticket, Ordering::Relaxed)", "fetch_max(0 * ticket, Ordering::Relaxed)"),
    ("window/marks.rs", "base", "base of the other generation", "reading::failures",
        "name.named_generation() as usize & 1", "(name.named_generation() as usize + 1) & 1"),
    ("window/marks.rs", "crossed", "generation not compared", "generation::minimum_of_each",
        "self.notes.crossed.load(Ordering::Relaxed) == name.bits() + 1",
        "self.notes.crossed.load(Ordering::Relaxed) != 0"),
    ("window/marks.rs", "crossed_at", "generation not compared", "generation::minimum_of_each",
        "self.notes.crossed.load(Ordering::Acquire) == name.bits() + 1",
        "self.notes.crossed.load(Ordering::Acquire) != 0"),
    ("window/marks.rs", "skips", "generation not compared", "generation::skip_ends_after_one",
        "SKIP_ERA.get(skip) == name.named_generation() & SKIP_ERA.max()", "true"),
    ("window/marks.rs", "skips", "ticket not compared with the base", "generation::skip_ends_after_four",
        "&& from >= self.base(name)", ""),
    // Buckets.
    ("window/buckets.rs", "enter", "buckets not emptied for a new generation", "generation::bucket_across_one",
        "if self.generation.load(Ordering::Relaxed) == name.bits() {",
        "if self.generation.load(Ordering::Relaxed) != NONE {"),
    ("window/buckets.rs", "count_warm", "generation not compared", "generation::bucket_across_one",
        "stripe.generation.load(Ordering::Relaxed) != name.bits()\n            ||", ""),
    ("window/buckets.rs", "count_warm", "instant not compared with the warm bucket", "time_window::two_successes_at_a_seam",
        "since >= stripe.length.load(Ordering::Relaxed)", "stripe.length.load(Ordering::Relaxed) == 0"),
    ("window/buckets.rs", "turn_to", "number not compared", "time_window::two_threads_at_a_seam",
        "if old == number {", "if old != NONE {"),
    ("window/buckets.rs", "turn_to", "later bucket not told from an older one", "",
        "if old != NONE && grid.keeps(old, number) {", "if false {"),
    ("window/buckets.rs", "advance", "state not read again", "generation::seatless_bucket_across",
        "if !still_current() {", "if false {"),
    ("window/buckets.rs", "advance", "generation not compared", "generation::seatless_bucket_of_an",
        "if same_era && ", "if "),
    ("window/buckets.rs", "advance", "later bucket not told from an older one", "time_window::two_seatless_late",
        "if same_era && grid.keeps(NEWEST.get(seen), NEWEST.get(mine)) {", "if false {"),
    ("window/buckets.rs", "judge", "later bucket not judged", "time_window::two_failures_at_a_seam",
        "newest <= number", "true"),
    ("window/buckets.rs", "find", "generation not compared", "generation::bucket_across_one",
        "if stripe.generation.load(Ordering::Acquire) != name.bits() {", "if false {"),
    ("window/buckets.rs", "find", "number not compared with the window", "time_window::two_sides",
        "if !self.grid.holds(last, number) {", "if false {"),
    ("window/buckets.rs", "find", "number not compared again after the counts", "time_window::old_window",
        "if bucket.number.load(Ordering::Relaxed) != number {", "if false {"),
    ("window/buckets.rs", "count_shared", "generation and bucket not compared", "generation::seatless_bucket_across_one",
        "if HASH.get(seen) == hash { seen }", "if seen != 0 { seen }"),
    ("window/buckets.rs", "settle_shared", "generation and bucket not compared", "",
        "while HASH.get(seen) == hash && ", "while "),
    ("window/buckets.rs", "find_shared", "generation and bucket not compared", "time_window::two_seatless_",
        "word != 0 && HASH.get(word) == hash", "word != 0"),
];
