//! See `portcullis::fuzzing::variables`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis::fuzzing::variables(bytes));
