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
/// The output is squared, so that the gradient that comes in moves with the inputs: a backward is
/// linear in it, and that derivative is checked as well.
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
    check_second_order(curved, &x).map_err(|error| case.fail(error))
}
