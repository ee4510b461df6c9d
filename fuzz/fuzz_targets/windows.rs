//! The three windows at odd times, without the state machine in between: the breaker against its oracle.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| failfast_fuzz::windows(data));
