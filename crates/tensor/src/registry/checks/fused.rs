//! The check of fused ops against their decompositions.

use backstitch_kernels::Float;

use super::{gradients, has_gradient, near_relative, slack};
use crate::graph::with_decomposition;
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Compares values and gradients of the op with those of its decomposition into primitives.
/// A primitive op is its own decomposition and passes.
///
/// # Errors
/// When they differ by more than rounding explains: see [`slack`].
pub fn fused(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "fused", spec, trial };
    as_decomposed(&case, spec.build.f32)?;
    as_decomposed(&case, spec.build.f64)
}

fn as_decomposed<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let x: Vec<Tensor<T>> = case.trial.inputs(case.spec);
    let run = || match has_gradient(case.spec) {
        true => gradients(build, &x, case.trial),
        false => (build(&x), Vec::new()),
    };
    let ((y, dx), (want, want_dx)) = (run(), with_decomposition(run));
    let near = |what: &str, got: &Tensor<T>, want: &Tensor<T>| {
        near_relative(case, what, got, &cast(want), slack(case.spec))
    };
    near("the output against its decomposition", &y, &want)?;
    for (i, (dx, want)) in dx.iter().zip(&want_dx).enumerate() {
        near(&format!("the gradient of input {i} against its decomposition's"), dx, want)?;
    }
    Ok(())
}
