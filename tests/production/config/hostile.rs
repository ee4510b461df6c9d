//! Whatever bytes a file holds, the answer is settings or an error that can be printed on a line, in bounded time.

use failfast::config::Config;
use proptest::prelude::*;

use super::{FORMATS, JSON, TOML, YAML};

/// Reads a text in all formats; what comes of it must make sense.
fn reads(text: &str) -> Result<(), TestCaseError> {
    // YAML takes a lone carriage return for the end of a line.
    let breaks = text.matches(['\n', '\r']).count();
    for (format, read) in FORMATS {
        match read(text) {
            Ok(config) => prop_assert_eq!(config.validate(), Ok(()), "{}", format),
            Err(error) => {
                let line = error.line().expect("texts have lines");
                prop_assert!(line <= breaks + 1, "{} {}: {:?}", format, error, text);
                prop_assert!(error.column() >= Some(1));
                let words = error.to_string();
                prop_assert!(!words.contains(char::is_control), "{} {:?}", format, words);
                prop_assert!(!error.given().is_empty() && !error.allowed().is_empty());
                prop_assert!(words.len() < error.key().len() + 700, "{} {}", format, words);
            }
        }
    }
    Ok(())
}

/// Pieces that mean something in one of the formats.
const PIECES: [&str; 48] = [
    "[",
    "]",
    "{",
    "}",
    "[[",
    "]]",
    ":",
    ": ",
    "=",
    ",",
    "\n",
    "\r\n",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "\\",
    "\\u",
    "\\ud800",
    "#",
    "---\n",
    "...\n",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "|\n",
    ">-\n",
    "%YAML 1.2\n",
    "null",
    "true",
    "nan",
    "inf",
    "1e999",
    "-0",
    "0x",
    "99999999999999999999",
    "1979-05-27T07:32:00Z",
    "off",
    "\"off\"",
    "\"1s 1s\"",
    "\u{feff}",
    "\0",
    "\u{85}",
    "\t",
    "  ",
];

/// A change to a text: at a place, so many characters out, and this in.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let piece = prop_oneof![
        Just(String::new()),
        prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, piece), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        reads(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        reads(&pieces.concat())?;
    }

    #[test]
    fn files_with_mistakes(format in 0_usize..3, edits in edits()) {
        let mut text: Vec<char> = [TOML, JSON, YAML][format].chars().collect();
        for (at, out, piece) in edits {
            let start = at.index(text.len());
            let end = (start + out).min(text.len());
            text.splice(start..end, piece.chars());
        }
        reads(&text.into_iter().collect::<String>())?;
    }
}

#[test]
fn files_that_end_too_soon() {
    for text in [TOML, JSON, YAML] {
        for (end, _) in text.char_indices() {
            reads(&text[..end]).unwrap();
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = 20_000;
    for (open, middle, close) in [
        ("[", "", "]"),
        ("[", "", ""),
        ("{\"a\":", "1", "}"),
        ("{\"a\":", "", ""),
        ("{a: ", "1", "}"),
        ("a = [", "", "]"),
        ("- ", "1", ""),
        ("? ", "1", ""),
        ("a.", "a = 1", ""),
        ("{", "", ""),
        ("[[a", "", ""),
        ("&a ", "1", ""),
        ("!", "", ""),
    ] {
        let text = format!("{}{middle}{}", open.repeat(deep), close.repeat(deep));
        reads(&text).unwrap();
        for (_, read) in FORMATS {
            assert!(read(&text).is_err(), "{open}");
        }
    }
    let table = format!("[{}a]\n", "a.".repeat(deep));
    assert!(Config::from_toml(&table).is_err());
    let inline = format!("a = {}1{}", "{ a = ".repeat(deep), " }".repeat(deep));
    assert!(Config::from_toml(&inline).is_err());
}

/// A few lines of aliases that would become a gigabyte.
#[test]
fn laughter_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for number in 1..10 {
        let aliases = vec![format!("*a{}", number - 1); 10].join(", ");
        text.push_str(&format!("a{number}: &a{number} [{aliases}]\n"));
    }
    let error = Config::from_yaml(&text).unwrap_err();
    assert_eq!(error.given(), "an anchor");
}

#[test]
fn many_entries_are_read() {
    let mut config = Config::default();
    for number in 0..5_000 {
        let entry = failfast::config::BreakerConfig::default().min_calls(number + 1);
        config = config.with_breaker(format!("breaker-{number}"), entry);
    }
    let toml = toml::to_string(&config).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(Config::from_toml(&toml).as_ref(), Ok(&config));
    assert_eq!(Config::from_json(&json).as_ref(), Ok(&config));
    assert_eq!(Config::from_yaml(&json).as_ref(), Ok(&config));
}
