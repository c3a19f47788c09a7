//! The check of large inputs: what only blocks, chunks and tails of long loops can get wrong.

use super::forward::against_oracle;
use super::has_gradient;
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::rng::Rng;
use crate::spec::{OpSpec, Oracle};
use crate::tensor::Tensor;
use crate::transforms::{jvp, vjp};

/// For trials of a size that users train: element-wise ops against the oracle, and derivatives
/// of every op against one central difference along a random direction.
///
/// # Errors
/// When a value is further off than the spec allows, or a derivative by more than 1e-7 of the
/// magnitude of its terms.
pub fn large(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "large", spec, trial };
    if !matches!(spec.oracle, Oracle::Whole(_)) {
        against_oracle(&case, spec.build.f32)?;
    }
    if has_gradient(spec) { along_one_direction(&case) } else { Ok(()) }
}

/// The step of the difference: elements move by this times a normal draw, hardly further than
/// domains keep inputs away from kinks.
const STEP: f64 = 1e-3;

fn along_one_direction(case: &Case) -> Result<(), CheckError> {
    let build = case.spec.build.f64;
    let x: Vec<Tensor<f64>> = case.trial.inputs(case.spec);
    let mut rng = Rng::seed(case.trial.seed);
    let v: Vec<Tensor<f64>> =
        x.iter().map(|x| Tensor::rand(x.shape(), -1.0, 1.0, &mut rng)).collect();
    let f = |x: &Vec<Tensor<f64>>| build(x);
    let (y, pull) = vjp(f, &x);
    let dy: Tensor<f64> = case.trial.dy(y.shape());
    let dot = |a: &Tensor<f64>, b: &Tensor<f64>, term: fn(f64) -> f64| -> f64 {
        a.to_vec().iter().zip(b.to_vec()).map(|(a, b)| term(a * b)).sum()
    };
    let moved = |step: f64| {
        let x: Vec<Tensor<f64>> = x.iter().zip(&v).map(|(x, v)| x + v * step).collect();
        dot(&build(&x), &dy, |term| term)
    };
    let slope = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
    let difference = (4.0 * slope(STEP / 2.0) - slope(STEP)) / 3.0;
    // Of the differences; and of terms that cancel within the op, as of a softmax of one class,
    // which are about as large as dy.
    let noise = 64.0 * f64::EPSILON * (dot(&y, &dy, f64::abs) / STEP + dy.abs().sum().item());

    let dx = pull(&dy);
    let by_reverse: f64 = dx.iter().zip(&v).map(|(dx, v)| dot(dx, v, |term| term)).sum();
    let scale: f64 = dx.iter().zip(&v).map(|(dx, v)| dot(dx, v, f64::abs)).sum();
    let by_forward = dot(&jvp(f, &x, &v).1, &dy, |term| term);
    for (what, got) in [("vjp", by_reverse), ("jvp", by_forward)] {
        let error = (got - difference).abs();
        case.ensure(error <= 1e-7 * scale + noise, || {
            format!("{what} along a direction needs {difference:e}; got {got:e}, off by {error:e}")
        })?;
    }
    Ok(())
}
