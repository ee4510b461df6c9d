//! Any composition of layers, any answers: the policy against nested ifs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| failfast_fuzz::composition(data));
