//! Safetensors: any bytes are refused or read, as every type; what is read round-trips.
//! Stable twin: `tests/fuzz`.

#![no_main]

#[path = "../../tests/fuzz/checkpoints.rs"]
#[allow(dead_code, reason = "the other target's part")]
mod checkpoints;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    checkpoints::safetensors(bytes);
});
