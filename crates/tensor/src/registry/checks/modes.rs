//! The check of forward mode against reverse mode.

use super::{has_gradient, near_relative};
use crate::registry::report::{Case, CheckError, max_abs};
use crate::registry::trial::Trial;
use crate::rng::Rng;
use crate::spec::OpSpec;
use crate::tensor::Tensor;
use crate::transforms::{grad, jvp, vjp};

/// Compares `⟨dy, J v⟩` by forward mode with `⟨Jᵀ dy, v⟩` by reverse mode, for each input moving
/// alone and for all moving together; and `J v` with the derivative of `⟨Jᵀ dy, v⟩` by `dy`.
///
/// # Errors
/// When they differ by more than rounding explains: 1e-11 of the magnitude of the terms.
pub fn modes(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    if !has_gradient(spec) {
        return Ok(());
    }
    let case = Case { check: "modes", spec, trial };
    let x: Vec<Tensor<f64>> = trial.inputs(spec);
    let build = spec.build.f64;
    let mut rng = Rng::seed(trial.seed);
    let v: Vec<Tensor<f64>> = x.iter().map(|x| Tensor::randn(x.shape(), &mut rng)).collect();
    let (y, pull) = vjp(|x: &Vec<Tensor<f64>>| build(x), &x);
    let dy = trial.dy::<f64>(y.shape());
    let dx = pull(&dy);

    // Where the true derivative is zero, both are what rounding left of terms of this size.
    let size = |x: &Tensor<f64>| x.to_vec().iter().map(|x| x.abs()).sum::<f64>();
    let noise = 64.0 * f64::EPSILON * size(&dy) * v.iter().map(max_abs).fold(0.0, f64::max);

    let compare = |what: &str, moved: &Tensor<f64>, pairs: &[(&Tensor<f64>, &Tensor<f64>)]| {
        let terms = |a: &Tensor<f64>, b: &Tensor<f64>| -> Vec<f64> {
            a.to_vec().iter().zip(b.to_vec()).map(|(a, b)| a * b).collect()
        };
        case.ensure(moved.shape() == dy.shape(), || {
            let (got, want) = (moved.shape(), dy.shape());
            format!("the tangent with {what} moving needs shape {want:?}; got {got:?}")
        })?;
        let forward = terms(moved, &dy);
        let reverse: Vec<f64> = pairs.iter().flat_map(|(dx, v)| terms(dx, v)).collect();
        let (by_forward, by_reverse): (f64, f64) = (forward.iter().sum(), reverse.iter().sum());
        let scale: f64 = forward.iter().chain(&reverse).map(|term| term.abs()).sum();
        let error = (by_forward - by_reverse).abs();
        case.ensure(error <= 1e-11 * scale + noise, || {
            format!(
                "dy * jvp with {what} moving needs v * vjp = {by_reverse:e}; got {by_forward:e}, \
                 off by {error:e}"
            )
        })
    };
    let (_, moved) = jvp(|x: &Vec<Tensor<f64>>| build(x), &x, &v);
    let pairs: Vec<_> = dx.iter().zip(&v).collect();
    compare("all inputs", &moved, &pairs)?;
    let by_dy = grad(
        |dy: &Tensor<f64>| {
            let terms = pull(dy).iter().zip(&v).map(|(dx, v)| (dx * v).sum()).collect::<Vec<_>>();
            terms.iter().fold(dy.sum() * 0.0, |sum, term| sum + term)
        },
        &dy,
    );
    near_relative(&case, "the derivative of v * vjp by dy", &by_dy, &moved, 1e5)?;
    for i in 0..x.len() {
        let one = |moving: &Tensor<f64>| {
            let mut inputs = x.clone();
            inputs[i] = moving.clone();
            build(&inputs)
        };
        let (_, moved) = jvp(one, &x[i], &v[i]);
        compare(&format!("input {i}"), &moved, &[(&dx[i], &v[i])])?;
    }
    Ok(())
}
