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
const BUGS: &[Bug] = &[];
