//! Configurations: three formats of one, templates, what serde writes and reads, and everything that may be wrong with
//! a file.

use failfast::config::{Config, InvalidConfig};

mod checks;
mod files;
mod formats;
mod hostile;
mod readings;
mod refusals;
mod strategies;
mod templates;

/// A reader of one format.
type Read = fn(&str) -> Result<Config, InvalidConfig>;

const FORMATS: [(&str, Read); 3] =
    [("toml", Config::from_toml), ("json", Config::from_json), ("yaml", Config::from_yaml)];

/// The three forms of one configuration that the module's page shows.
const TOML: &str = include_str!("../../src/config/circuits.toml");
const JSON: &str = include_str!("../../src/config/circuits.json");
const YAML: &str = include_str!("../../src/config/circuits.yaml");
