//! IDX: never panics, and what parses round-trips. Stable twin: `crates/data/tests/idx.rs`.

#![no_main]

use backstitch_data::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = idx::parse(bytes) {
        let again = content.to_bytes().unwrap();
        assert_eq!(idx::parse(&again).unwrap().to_bytes().unwrap(), again);
    }
});
