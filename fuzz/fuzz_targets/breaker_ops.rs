//! Any settings, any operations: the breaker against its oracle.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| failfast_fuzz::breaker_ops(data));
