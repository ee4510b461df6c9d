//! Finds what can be attacked without knowing what it is for: orderings, and the checks of exchanges.

use crate::Mutant;

/// What each ordering is weakened to.
const WEAKER: &[(&str, &[&str])] =
    &[("AcqRel", &["Acquire", "Release"]), ("Acquire", &["Relaxed"]), ("Release", &["Relaxed"])];

/// What changes a word only if it is still as it was, and what does the same without looking again; the models' own
/// `sync` has both.
const CHECKED: &[(&str, &str)] = &[
    ("compare_exchange", "exchange_unchecked"),
    ("compare_exchange_weak", "exchange_unchecked"),
    ("fetch_max", "swap"),
    ("fetch_add", "fetch_add_torn"),
    ("fetch_or", "fetch_or_torn"),
    ("fetch_and", "fetch_and_torn"),
];

/// A place in a file's code.
struct Site<'a> {
    file: &'static str,
    text: &'a str,
    models: &'static [&'static str],
    function: &'a str,
    edges: Vec<&'a str>,
}

impl Site<'_> {
    /// The mutant in which the bytes from `at` to `end` are others.
    fn mutant(&self, at: usize, end: usize, new: &str, what: String) -> Mutant {
        let text = [&self.text[..at], new, &self.text[end..]].concat();
        Mutant {
            site: format!("{}: {}", self.file, self.function),
            edges: self.edges.join(" "),
            what,
            texts: vec![(self.file, text)],
            models: self.models,
        }
    }
}

/// The mutants of a file, its unit tests left out.
pub(crate) fn mutants(
    file: &'static str,
    text: &str,
    models: &'static [&'static str],
) -> Vec<Mutant> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut site = Site { file, text, models, function: "", edges: Vec::new() };
    let mut mutants = Vec::new();
    let (mut start, mut in_comment) = (0, false);
    for line in code.split_inclusive('\n') {
        let is_comment = line.trim_start().starts_with("//");
        if is_comment {
            if !in_comment {
                site.edges.clear();
            }
            site.edges.extend(words(line).filter(|word| is_edge(word)));
        } else {
            site.function = function(line).unwrap_or(site.function);
            weaken(&site, line, start, &mut mutants);
            drop_checks(&site, line, start, &mut mutants);
        }
        in_comment = is_comment;
        start += line.len();
    }
    mutants
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn is_edge(word: &str) -> bool {
    word.strip_prefix(['E', 'B', 'J', 'T'])
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The name of the function that a line begins.
pub(crate) fn function(line: &str) -> Option<&str> {
    words(line).skip_while(|word| *word != "fn").nth(1)
}

fn weaken(site: &Site<'_>, line: &str, start: usize, mutants: &mut Vec<Mutant>) {
    for (at, _) in line.match_indices("Ordering::") {
        let order = words(&line[at..]).nth(2).unwrap_or_default();
        let at = start + at;
        let call = call_around(&site.text[..at]);
        if call == "fence" {
            let begin = at - "fence(".len();
            let end = at + "Ordering::".len() + order.len() + ");".len();
            mutants.push(site.mutant(begin, end, "", format!("{order} fence removed")));
            continue;
        }
        for (_, weaker) in WEAKER.iter().filter(|(strong, _)| *strong == order) {
            for weak in *weaker {
                let begin = at + "Ordering::".len();
                let what = format!("{call}: {order} -> {weak}");
                mutants.push(site.mutant(begin, begin + order.len(), weak, what));
            }
        }
    }
}

fn drop_checks(site: &Site<'_>, line: &str, start: usize, mutants: &mut Vec<Mutant>) {
    for (checked, unchecked) in CHECKED {
        for (at, call) in line.match_indices(&format!(".{checked}(")) {
            let (at, end) = (start + at + 1, start + at + call.len() - 1);
            let what = format!("{} -> {unchecked}", receiver(&site.text[..at - 1], checked));
            mutants.push(site.mutant(at, end, unchecked, what));
        }
    }
}

/// The call in whose arguments the text ends, with the word that it is made on.
fn call_around(before: &str) -> String {
    let mut depth = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' if depth > 0 => depth -= 1,
            '(' => {
                let name = words(&before[..at]).last().unwrap_or_default();
                let rest = before[..at].strip_suffix(name).unwrap_or_default();
                return rest.strip_suffix('.').map_or(name.to_string(), |on| receiver(on, name));
            }
            _ => {}
        }
    }
    String::new()
}

/// A method's name, with the word that it is called on if there is one right before it.
fn receiver(before: &str, method: &str) -> String {
    match words(before).last() {
        Some(on) if !on.is_empty() => format!("{on}.{method}"),
        _ => method.to_string(),
    }
}
