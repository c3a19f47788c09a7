//! The check of second derivatives.

use super::has_gradient;
use crate::check::check_second_order;
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Compares the derivative of the op's gradient, in reverse and forward mode, with central
/// differences of the gradient along random directions.
///
/// # Errors
/// When one is off by more than [`SECOND_ORDER_TOLERANCE`](crate::SECOND_ORDER_TOLERANCE).
pub fn second_order(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    if !has_gradient(spec) {
        return Ok(());
    }
    let case = Case { check: "second order", spec, trial };
    let x: Vec<Tensor<f64>> = trial.inputs(spec);
    let build = spec.build.f64;
    check_second_order(|x: &Vec<Tensor<f64>>| build(x), &x).map_err(|error| case.fail(error))
}
