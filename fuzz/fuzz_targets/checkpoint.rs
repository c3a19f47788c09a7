//! Checkpoints: a run is loaded whole, or the model stays as it was.
//! Stable twin: `tests/fuzz`.

#![no_main]

#[path = "../../tests/fuzz/checkpoints.rs"]
#[allow(dead_code, reason = "the other target's part")]
mod checkpoints;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    checkpoints::checkpoint(bytes);
});
