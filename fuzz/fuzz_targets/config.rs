//! Any builder input: no panic, and an error that names what is at fault.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| failfast_fuzz::config(data));
