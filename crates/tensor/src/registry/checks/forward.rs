//! The forward check: results against the oracle.

use backstitch_kernels::Float;

use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Compares the op with its oracle in both element types, within the spec's tolerance.
///
/// # Errors
/// When shapes differ or an element is further off than allowed.
pub fn forward(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "forward", spec, trial };
    against_oracle(&case, spec.build.f32)?;
    against_oracle(&case, spec.build.f64)
}

/// One element type against the oracle, at inputs that the type can hold.
pub(super) fn against_oracle<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let x: Vec<Tensor<T>> = case.trial.inputs(case.spec);
    let exact: Vec<Tensor<f64>> = x.iter().map(cast).collect();
    let want = case.spec.oracle.eval(&exact);
    case.near("the output", &build(&x), &want, &case.allowed::<T>(&exact, &want)?)
}
