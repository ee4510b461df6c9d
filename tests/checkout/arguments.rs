//! The command line.

use crate::options::Options;

fn parse(line: &str) -> Result<Option<Options>, String> {
    Options::parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn arguments_are_taken_with_and_without_an_equals_sign() {
    let options = parse("--port 8080 --load=20 --config some.toml").unwrap().unwrap();
    assert_eq!((options.port, options.load), (Some(8080), Some(20)));
    assert_eq!(options.config.unwrap().to_str(), Some("some.toml"));
    assert!(parse("--demo --sabotage").unwrap().unwrap().demo);
    assert!(parse("--help").unwrap().is_none());
}

#[test]
fn what_is_wrong_is_said() {
    let bad = [
        ("--prot 1", "unknown option \"--prot\""),
        ("8080", "unknown option \"8080\""),
        ("--port", "--port needs a value"),
        ("--port 65536", "given \"65536\", allowed is a number from 0 to 65535"),
        ("--port=", "given \"\""),
        ("--load 0", "given \"0\", allowed is a number from 1 to 10000"),
        ("--load -5", "given \"-5\""),
        ("--demo --load 5", "leave --load out"),
        ("--sabotage", "is for --demo"),
        ("--demo=no", "--demo takes no value; given \"no\""),
    ];
    for (line, complaint) in bad {
        let given = parse(line).unwrap_err();
        assert!(given.contains(complaint), "{line}: {given}");
    }
}
