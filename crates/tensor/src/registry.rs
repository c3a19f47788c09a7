//! The registry: all ops with what tests, benches and fuzzing need to know about them.

pub use crate::spec::{Build, Cost, Domain, OpSpec, Oracle, Slope, Tolerance};

/// The specs of all ops, in order of their files.
pub fn specs() -> impl Iterator<Item = &'static OpSpec> {
    crate::ops::SPECS.iter().copied().flatten()
}
