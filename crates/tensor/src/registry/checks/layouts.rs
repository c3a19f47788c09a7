//! The check of layouts: views give what row-major copies of them give.

use backstitch_kernels::Float;

use super::{gradients, has_gradient, near_relative};
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::{OpSpec, Tolerance};
use crate::tensor::Tensor;
use crate::transforms::vjp;

/// Compares values and gradients at inputs and an incoming gradient of the trial's layouts with
/// those at row-major copies.
///
/// Bit for bit, unless the spec's tolerance is by [`Tolerance::Terms`]: a sum may take its terms
/// in the order in which they lie in memory.
///
/// # Errors
/// When a layout changes a result.
pub fn layouts(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "layouts", spec, trial };
    as_contiguous(&case, spec.build.f32)?;
    as_contiguous(&case, spec.build.f64)
}

fn as_contiguous<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let x: Vec<Tensor<T>> = case.trial.repeating_inputs(case.spec);
    let copies: Vec<Tensor<T>> = x.iter().map(Tensor::contiguous).collect();
    let compare = |what: &str, got: &Tensor<T>, want: &Tensor<T>| match case.spec.tolerance {
        Tolerance::Terms(units, ..) => near_relative(case, what, got, &cast(want), 8.0 + units),
        _ => case.same_bits(what, got, want),
    };
    if !has_gradient(case.spec) {
        return compare("the output", &build(&x), &build(&copies));
    }
    let (y, dx) = gradients(build, &x, case.trial);
    let (want, want_dx) = gradients(build, &copies, case.trial);
    compare("the output", &y, &want)?;
    for (i, (dx, want)) in dx.iter().zip(&want_dx).enumerate() {
        compare(&format!("the gradient of input {i}"), dx, want)?;
    }
    // The incoming gradient in row-major order as well.
    let (y, pull) = vjp(|x: &Vec<Tensor<T>>| build(x), &copies);
    let dy = case.trial.dy::<T>(y.shape()).contiguous();
    for (i, (dx, want)) in pull(&dy).iter().zip(&want_dx).enumerate() {
        compare(&format!("the gradient of input {i} from a row-major dy"), dx, want)?;
    }
    Ok(())
}
