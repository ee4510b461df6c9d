//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: cargo run --release --example checkout --all-features [-- OPTIONS]

  --port N        listen on 127.0.0.1:N; 0, as by default: the system picks a free port
  --config FILE   the circuits' settings, instead of examples/checkout/circuits.toml
  --load N        send N checkouts a second to itself
  --demo          live through three phases of a load, check what they showed, and end
  --sabotage      with --demo: disable payment's circuit before, to see that the demo notices
  --help          this text
";
/// More is not the load of one process that also serves it.
const MOST_LOAD: u32 = 10_000;

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) port: Option<u16>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) load: Option<u32>,
    pub(crate) demo: bool,
    pub(crate) sabotage: bool,
}

impl Options {
    /// `None` when help is asked for.
    ///
    /// # Errors
    ///
    /// In words: which argument, what was given, and what is allowed.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Options>, String> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next() {
            let (name, mut inline) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                let value = inline.take().or_else(|| arguments.next());
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--port" => {
                    let value = value()?;
                    options.port = Some(value.parse().map_err(|_| {
                        format!("--port: given {value:?}, allowed is a number from 0 to 65535")
                    })?);
                }
                "--config" => options.config = Some(value()?.into()),
                "--load" => {
                    let value = value()?;
                    let load = value.parse().ok().filter(|load| (1..=MOST_LOAD).contains(load));
                    options.load = Some(load.ok_or(format!(
                        "--load: given {value:?}, allowed is a number from 1 to {MOST_LOAD}"
                    ))?);
                }
                "--demo" => options.demo = true,
                "--sabotage" => options.sabotage = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown option {argument:?}")),
            }
            if let Some(value) = inline {
                return Err(format!("{name} takes no value; given {value:?}"));
            }
        }
        if options.demo && options.load.is_some() {
            return Err("--demo has its own load; leave --load out".into());
        }
        if options.sabotage && !options.demo {
            return Err("--sabotage is for --demo".into());
        }
        Ok(Some(options))
    }
}
