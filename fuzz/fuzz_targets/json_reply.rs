//! See `portcullis::fuzzing::json_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis::fuzzing::json_reply(bytes));
