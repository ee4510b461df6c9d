//! Mutants that no model can notice, each with the reason.

/// File and function, what is changed, and why no model notices.
const REASONS: &[(&str, &str, &str)] = &[];

/// Why a mutant is equivalent under the models, if it is known to be.
pub(crate) fn reason(site: &str, what: &str) -> Option<&'static str> {
    let of = REASONS.iter().find(|(of, change, _)| *of == site && *change == what);
    of.map(|(_, _, reason)| *reason)
}
