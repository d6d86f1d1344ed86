//! See `portcullis::fuzzing::query_string`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis::fuzzing::query_string(bytes));
