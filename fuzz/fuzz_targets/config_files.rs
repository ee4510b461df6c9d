//! Any text as a configuration in TOML, JSON and YAML: no panic, and what is read can be written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| failfast_fuzz::config_files(data));
