//! What is refused, with its place, its key, the value given and the values allowed.

use failfast::config::Config;

use super::{FORMATS, JSON, TOML, YAML};

/// A change to one of the three forms of `circuits`, and the error that it makes.
struct Case<'t> {
    format: usize,
    from: String,
    to: String,
    key: &'t str,
    given: &'t str,
    allowed: &'t str,
}

impl<'t> Case<'t> {
    fn parse(line: &'t str) -> Self {
        let parts: Vec<_> = line.split(" | ").collect();
        let [format, change, key, given, allowed] = parts[..] else { panic!("{line}") };
        let (from, to) = change.split_once(" =>").expect("a change");
        let format = FORMATS.iter().position(|(name, _)| *name == format).expect("a format");
        let text = |part: &str| part.replace('¶', "\n");
        Case {
            format,
            from: text(from),
            to: text(to.strip_prefix(' ').unwrap_or(to)),
            key,
            given,
            allowed,
        }
    }

    fn check(&self) {
        let text = [TOML, JSON, YAML][self.format];
        let (format, read) = FORMATS[self.format];
        let at = text.find(&self.from).unwrap_or_else(|| panic!("{} has no {}", format, self.from));
        let text = text.replacen(&self.from, &self.to, 1);
        let error = read(&text).expect_err(&self.to);
        assert_eq!(error.key(), self.key, "{format} {error}");
        assert_eq!(error.given(), self.given, "{format} {error}");
        assert!(error.allowed().contains(self.allowed), "{format} {error}");
        let line = error.line().expect("a line");
        // What is not there at all is missed where its table begins.
        let parts: Vec<_> = self.key.split('.').collect();
        let header = format!("[{}]", parts[..parts.len() - 1].join("."));
        let begins = text.lines().nth(line - 1).is_some_and(|line| line == header);
        if !(begins && self.given == "nothing") {
            assert_eq!(line, text[..at].matches('\n').count() + 1, "{format} {error}");
        }
        assert!(error.to_string().starts_with(&format!("line {line}: {}: ", self.key)), "{error}");
        assert_eq!(error.file(), None);
    }
}

#[test]
fn a_change_for_the_worse_is_refused_at_its_line() {
    let lines = include_str!("refused.txt").lines();
    let cases: Vec<_> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(Case::parse).collect();
    assert!(cases.len() > 80);
    for case in cases {
        case.check();
    }
}

#[test]
fn texts_that_are_not_well_formed() {
    for (format, text, line, column, given, allowed) in [
        (
            0,
            "[breakers.payment]\nfailure_rate = 0.5.5\n",
            2,
            19,
            "\"failure_rate = 0.5.5\"",
            "TOML",
        ),
        (0, "a = 1\na = 2\n", 2, 1, "\"a = 2\"", "TOML (duplicate key"),
        (0, "[breakers", 1, 10, "\"[breakers\"", "TOML (unclosed table"),
        (
            1,
            "{\n  \"breakers\": {,}\n}",
            2,
            16,
            "\"\\\"breakers\\\": {,}\"",
            "JSON (key must be a string",
        ),
        (1, "", 1, 1, "nothing", "JSON (EOF"),
        (1, "{} {}", 1, 4, "\"{} {}\"", "JSON (trailing characters"),
        (1, "{\"\\ud800\": 1}", 1, 0, "\"{\\\"\\\\ud800\\\": 1}\"", "JSON"),
        (2, "breakers:\n\tpayment: 1\n", 2, 0, "\"payment: 1\"", "YAML"),
        (2, "a: b: c", 1, 0, "\"a: b: c\"", "YAML (mapping values"),
        (2, "[", 0, 0, "", "YAML"),
        (2, "a: &x 1\n", 1, 4, "an anchor", "templates are what settings share"),
        (2, "a: *x\n", 1, 0, "\"a: *x\"", "YAML"),
        (2, "breakers: !!map {}\n", 1, 11, "a tag", "without one"),
        (2, "---\n{}\n---\n{}\n", 3, 1, "a second document", "one document"),
        (2, "? [a]\n: 1\n", 1, 3, "a list or table", "a word"),
    ] {
        let (name, read) = FORMATS[format];
        let error = read(text).expect_err(text);
        assert_eq!(error.key(), "", "{name} {error}");
        if line > 0 {
            assert_eq!(error.line(), Some(line), "{name} {error}");
        }
        if column > 0 {
            assert_eq!(error.column(), Some(column), "{name} {error}");
        }
        if !given.is_empty() {
            assert_eq!(error.given(), given, "{name} {error}");
        }
        assert!(error.allowed().contains(allowed), "{name} {error}");
    }
}

#[test]
fn roots_that_are_no_tables() {
    for (format, text) in [(1, "[]"), (1, "null"), (1, "7"), (2, "- a\n"), (2, "payment\n")] {
        let (name, read) = FORMATS[format];
        let error = read(text).expect_err(text);
        assert_eq!((error.line(), error.key()), (Some(1), ""), "{name} {error}");
        assert!(error.allowed().starts_with("a table of templates, breakers"), "{name} {error}");
    }
}

/// A table is found at its key, and so is a list: neither stands at one place.
#[test]
fn values_of_several_lines_are_found_at_their_keys() {
    for (format, text, place) in [
        (0, "[breakers.payment]\n\n min_calls = [\n1,\n2]", (3, 2)),
        (0, "[breakers]\n payment = {\n}\nsearch = { window = { } }", (4, 12)),
        (2, "breakers:\n payment:\n  min_calls:\n   - 1\n   - 2\n", (3, 3)),
        (2, "breakers:\n payment:\n  window:\n   count: 1\n   time: 1s\n", (3, 3)),
    ] {
        let (name, read) = FORMATS[format];
        let error = read(text).expect_err(text);
        assert_eq!(
            (error.line(), error.column()),
            (Some(place.0), Some(place.1)),
            "{name} {error}"
        );
    }
}

#[test]
fn sixteen_levels_are_read_in_every_format() {
    let nested = |keys: usize| {
        let toml = format!("{}a = 1", "a.".repeat(keys - 1));
        let json = format!("{}1{}", "{\"a\":".repeat(keys), "}".repeat(keys));
        [toml, json.clone(), json]
    };
    for ((format, read), text) in FORMATS.into_iter().zip(nested(15)) {
        assert_eq!(read(&text).unwrap_err().key(), "a", "{format}");
    }
    for ((format, read), text) in FORMATS.into_iter().zip(nested(16)) {
        assert_eq!(read(&text).unwrap_err().allowed(), "at most 16 levels", "{format}");
    }
    let lists = format!("a = {}{}", "[".repeat(16), "]".repeat(16));
    assert_eq!(Config::from_toml(&lists).unwrap_err().allowed(), "at most 16 levels");
    let tables = format!("a = {}1{}", "{ a = ".repeat(15), " }".repeat(15));
    assert_eq!(Config::from_toml(&tables).unwrap_err().allowed(), "at most 16 levels");
}

#[test]
fn names_are_quoted_where_a_dot_would_mislead() {
    let error = Config::from_toml("[breakers.\"a.b\"]\nstripes = 0").unwrap_err();
    assert_eq!(error.key(), "breakers.\"a.b\".stripes");
    let error = Config::from_json(r#"{"breakers": {"\u001b[31m": {"stripes": 0}}}"#).unwrap_err();
    assert_eq!(error.key(), r#"breakers."\u{1b}[31m".stripes"#, "no colour in a log");
    let long = "x".repeat(1_000);
    let error = Config::from_toml(&format!("[breakers.p]\ntemplate = {long:?}")).unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
}

#[test]
fn columns_count_characters() {
    let error = Config::from_toml("breakers.\"äöü漢\".stripes = 0").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(1), Some(27)));
    let error = Config::from_json("{\"breakers\": {\"äöü漢\":\n {\"é\": 1}}}").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(2), Some(8)));
    let long = "ä".repeat(2_000);
    let error = Config::from_toml(&format!("[breakers]\n{long:?}.stripes = 0")).unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(2), Some(2_014)));
}
