//! The command line and the surroundings.

use std::time::Duration;

use crate::draw::{Colours, Letters};
use crate::options::{is_dumb, paper, Options, USAGE};

fn parse(line: &str) -> Result<Option<Options>, String> {
    Options::parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn options_are_read_in_both_forms() {
    assert_eq!(parse(""), Ok(Some(Options::default())));
    assert_eq!(parse("--help"), Ok(None));
    let options = parse("--for 20s --port=7001 --rate 50 --plain --no-color --ascii --demo");
    assert_eq!(
        options,
        Ok(Some(Options {
            demo: true,
            length: Some(Duration::from_secs(20)),
            plain: true,
            no_color: true,
            ascii: true,
            port: Some(7001),
            rate: 50,
            pictures: Vec::new(),
        }))
    );
    let times = [("500ms", 500), ("20s", 20_000), ("7", 7_000), ("2m", 120_000)];
    for (text, millis) in times {
        let options = parse(&format!("--for={text}")).unwrap().unwrap();
        assert_eq!(options.length, Some(Duration::from_millis(millis)));
    }
    let pictures = parse("--picture a.svg --picture b.txt").unwrap().unwrap().pictures;
    assert_eq!(pictures.len(), 2);
}

#[test]
fn what_is_not_allowed_is_refused_in_words() {
    for (line, complaint) in [
        ("--fro 20s", "unknown option \"--fro\""),
        ("20s", "unknown option \"20s\""),
        ("--for", "--for needs a value"),
        ("--for soon", "--for: given \"soon\", allowed is a time such as 20s, 500ms or 2m"),
        ("--for 0s", "--for: given \"0s\", allowed is a time such as 20s, 500ms or 2m"),
        ("--for 5h", "--for: given \"5h\", allowed is a time such as 20s, 500ms or 2m"),
        (
            "--for 99999999999999999999s",
            "--for: given \"99999999999999999999s\", allowed is a time such as 20s, 500ms or 2m",
        ),
        ("--port 0", "--port: given \"0\", allowed is a number from 1 to 65532"),
        ("--port 65533", "--port: given \"65533\", allowed is a number from 1 to 65532"),
        ("--rate 0", "--rate: given \"0\", allowed is a number from 1 to 200"),
        ("--rate=-1", "--rate: given \"-1\", allowed is a number from 1 to 200"),
        ("--plain=yes", "--plain takes no value; given \"yes\""),
        ("--picture a.png", "--picture: allowed is a file whose name ends in .svg or .txt"),
        ("--demo --picture a.svg", "--demo and --picture are two scripts; give one of them"),
    ] {
        assert_eq!(parse(line), Err(complaint.into()), "{line}");
    }
}

#[test]
fn the_surroundings_decide_on_colours_and_letters() {
    let drawn = |line: &str, environment: &[(&str, &str)]| {
        let options = parse(line).unwrap().unwrap();
        let paper = paper(&options, |name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        (paper.colours, paper.letters)
    };
    use {Colours::Ansi, Letters::Ascii, Letters::Unicode};
    let utf8 = ("LANG", "en_GB.UTF-8");
    assert_eq!(drawn("", &[utf8]), (Ansi, Unicode));
    assert_eq!(drawn("--no-color", &[utf8]), (Colours::None, Unicode));
    assert_eq!(drawn("--ascii", &[utf8]), (Ansi, Ascii));
    assert_eq!(drawn("", &[utf8, ("NO_COLOR", "1")]), (Colours::None, Unicode));
    assert_eq!(drawn("", &[utf8, ("NO_COLOR", "")]), (Ansi, Unicode), "empty is not set");
    assert_eq!(drawn("", &[utf8, ("TERM", "dumb")]), (Colours::None, Ascii));
    assert_eq!(drawn("", &[utf8, ("LC_CTYPE", "C.utf8")]), (Ansi, Unicode));
    if !cfg!(windows) {
        assert_eq!(drawn("", &[utf8, ("LC_ALL", "C")]), (Ansi, Ascii), "LC_ALL goes before");
        assert_eq!(drawn("", &[]), (Ansi, Ascii));
    }
    assert!(is_dumb(|_| Some("dumb".into())) && !is_dumb(|_| None));
}

#[test]
fn the_usage_fits_a_terminal_and_names_every_option() {
    for option in ["demo", "for", "plain", "no-color", "ascii", "port", "rate", "picture", "help"] {
        assert!(USAGE.contains(&format!("  --{option} ")), "{option}");
    }
    assert!(USAGE.lines().all(|line| line.len() <= 120));
}
