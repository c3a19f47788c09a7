//! Arguments of ops, from the registry: refused in words, or right. Stable twin: `tests/fuzz`.

#![no_main]

#[path = "../../tests/fuzz/ops.rs"]
mod ops;
#[path = "../../tests/fuzz/source.rs"]
#[allow(dead_code, reason = "the other target's part")]
mod source;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    ops::Call::draw(&mut source::Source(bytes)).check();
});
