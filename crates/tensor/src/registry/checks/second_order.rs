//! The check of second derivatives.

use super::has_gradient;
use crate::check::check_second_order_by_parts;
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Compares the derivatives of the op's gradient and of its tangent, in reverse and forward mode,
/// with central differences of the gradient and of the tangent along random directions: the first
/// derivative by all inputs or by one alone, while all inputs move or one alone.
///
/// The output is squared, so that the gradient that comes in moves with the inputs: a backward is
/// linear in it, and that derivative is checked as well. Tangents move by themselves.
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
    let curved = |x: &Vec<Tensor<f64>>| {
        let y = build(x);
        &y + y.square() * 0.5
    };
    check_second_order_by_parts(curved, &x).map_err(|error| case.fail(error))
}
