//! The check of gradients in f32 against gradients in f64.

use super::{gradients, has_gradient, near_relative, slack};
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Compares the gradient in f32 with that in f64, which differences have confirmed, at the same
/// inputs and the same incoming gradient.
///
/// # Errors
/// When they differ by more than the forward's tolerance, carried through one more multiplication
/// and sum, allows: see [`slack`].
pub fn precision(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    if !has_gradient(spec) {
        return Ok(());
    }
    let case = Case { check: "precision", spec, trial };
    let x: Vec<Tensor<f32>> = trial.inputs(spec);
    let exact: Vec<Tensor<f64>> = x.iter().map(cast).collect();
    let (_, dx) = gradients(spec.build.f32, &x, trial);
    let (_, want) = gradients(spec.build.f64, &exact, trial);
    for (i, (dx, want)) in dx.iter().zip(&want).enumerate() {
        near_relative(&case, &format!("the gradient of input {i}"), dx, want, slack(spec))?;
    }
    Ok(())
}
