//! The registry: all ops with what tests, benches and fuzzing need to know about them, and the
//! checks that every op must pass. Needs the feature `registry`.
//!
//! [`specs`] lists the built-in ops. [`CHECKS`] are functions of a spec and a [`Trial`], a set of
//! example inputs, so that ops of one's own can be put through the same checks by [`check`]:
//!
//! ```
//! use backstitch_tensor::Tensor;
//! use backstitch_tensor::registry::*;
//!
//! let spec = OpSpec {
//!     name: "triple",
//!     formula: "y = 3 x",
//!     shapes: &[&[&[]], &[&[0]], &[&[7]], &[&[3, 17]], &[&[64, 64]]],
//!     domain: Domain::Range(-1.0, 1.0),
//!     build: Build { f32: |x| &x[0] * 3.0, f64: |x| &x[0] * 3.0 },
//!     oracle: Oracle::Unary(|x| x + x + x),
//!     refused: &[],
//!     slope: Slope::Smooth,
//!     cost: |shapes| Cost::elementwise(shapes, 1.0),
//!     tolerance: Tolerance::Ulps(1.0, "the oracle rounds twice"),
//! };
//! check(&spec).unwrap();
//!
//! let wrong = OpSpec { oracle: Oracle::Unary(|x| x + x), ..spec };
//! assert!(check(&wrong).unwrap_err().to_string().starts_with("triple: forward:"));
//! ```

pub mod checks;
mod report;
mod trial;

pub use crate::spec::{Build, Cost, Domain, OpSpec, Oracle, Slope, Tolerance};
pub use checks::CHECKS;
pub use report::CheckError;
pub use trial::{Layout, Trial};

/// The specs of all ops, in order of their files.
pub fn specs() -> impl Iterator<Item = &'static OpSpec> {
    crate::ops::SPECS.iter().copied().flatten()
}

/// Puts an op through every check, at all its example shapes and with all layouts.
///
/// The last example shape, of a size that users train, is left to checks of large sizes.
///
/// # Errors
/// The first check that fails, with the inputs, the element and both values.
pub fn check(spec: &OpSpec) -> Result<(), CheckError> {
    for trial in trial::Trial::examples(spec) {
        for &(_, check) in CHECKS {
            check(spec, &trial)?;
        }
    }
    Ok(())
}
