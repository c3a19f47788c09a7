//! The gradient check: reverse and forward mode against central differences.

use super::has_gradient;
use crate::check::check_gradients;
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::spec::{Domain, OpSpec, Slope};
use crate::tensor::Tensor;

/// Compares the op's gradient in f64 with central differences along random directions, with a
/// random incoming gradient.
///
/// The op is applied twice to the same inputs and the outputs are summed, so that a gradient that
/// overwrites instead of adding is caught; where all inputs have one shape, also with one tensor
/// in place of all of them.
///
/// # Errors
/// When a derivative is off by more than [`FIRST_ORDER_TOLERANCE`](crate::FIRST_ORDER_TOLERANCE),
/// or the output is outside the graph.
pub fn gradient(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    if !has_gradient(spec) {
        return Ok(());
    }
    let case = Case { check: "gradient", spec, trial };
    let x: Vec<Tensor<f64>> = trial.inputs(spec);
    let leaves: Vec<Tensor<f64>> = x.iter().map(Tensor::leaf).collect();
    let tracked = (spec.build.f64)(&leaves).is_tracked();
    case.ensure(tracked, || "the output of tracked inputs needs to be in the graph".into())?;

    let build = spec.build.f64;
    let twice = |x: &Vec<Tensor<f64>>| build(x) + build(x) * 0.5;
    check_gradients(twice, &x).map_err(|error| case.fail(error))?;

    let one_shape = x.iter().all(|other| other.shape() == x[0].shape());
    let one_domain = matches!(spec.domain, Domain::Range(..));
    if x.len() > 1 && one_shape && one_domain && !matches!(spec.slope, Slope::Kinks(_)) {
        let same = |one: &Tensor<f64>| build(&vec![one.clone(); x.len()]);
        check_gradients(same, &x[0])
            .map_err(|error| case.fail(format!("with one tensor as all inputs: {error}")))?;
    }
    Ok(())
}
