//! Random graphs: all ways to differentiate them agree. Stable twin: `tests/fuzz`.

#![no_main]

#[path = "../../tests/fuzz/graphs.rs"]
mod graphs;
#[path = "../../tests/fuzz/source.rs"]
mod source;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    graphs::Graph::draw(&mut source::Source(bytes)).check();
});
