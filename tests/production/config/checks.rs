//! The check of a whole configuration says what `build` says.

use failfast::config::{BreakerConfig, Config, InvalidConfig};
use failfast::ConfigError;
use proptest::prelude::*;

use super::strategies::{entry, wild_entry};

/// The error of a configuration with this breaker alone.
fn check(entry: &BreakerConfig) -> Result<(), InvalidConfig> {
    Config::default().with_breaker("payment", entry.clone()).validate()
}

fn build(entry: &BreakerConfig) -> Result<(), ConfigError> {
    entry.to_builder().build().map(|_| ())
}

/// The key below the breaker that a builder's method stands for.
fn key(field: &str) -> &str {
    match field {
        "buckets" => "window",
        "jitter" => "open_wait",
        field => field,
    }
}

fn agrees(entry: &BreakerConfig) -> Result<(), TestCaseError> {
    match (check(entry), build(entry)) {
        (Ok(()), Ok(())) => {}
        (Err(file), Err(built)) if built.field() == "rules" => {
            prop_assert_eq!(file.key(), "breakers.payment");
            prop_assert_eq!(file.allowed(), built.allowed());
        }
        (Err(file), Err(built)) => {
            let mut parts = file.key().split('.').skip(2);
            prop_assert_eq!(parts.next(), Some(key(built.field())), "{} {}", file, built);
            prop_assert_eq!(file.allowed(), built.allowed());
        }
        (checked, built) => {
            prop_assert!(false, "{checked:?} and {built:?} for {entry:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_breaker_is_allowed_exactly_if_it_can_be_built(entry in entry()) {
        agrees(&entry)?;
    }

    #[test]
    fn and_so_is_one_with_wild_settings(entry in wild_entry()) {
        agrees(&entry)?;
    }

    /// However settings are spread over entry and template, the same comes of them.
    #[test]
    fn it_does_not_matter_which_entry_says_it(own in entry(), base in entry()) {
        let spread = Config::default()
            .with_template("base", base.clone())
            .with_breaker("payment", own.clone().template("base"));
        let whole = own.over(&base);
        match (spread.breaker("payment"), build(&whole)) {
            (Ok(resolved), Ok(())) => prop_assert_eq!(resolved, whole),
            (Err(_), Err(_)) => {}
            (resolved, built) => prop_assert!(false, "{resolved:?} and {built:?}"),
        }
    }
}
