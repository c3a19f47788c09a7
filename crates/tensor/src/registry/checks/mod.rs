//! The checks: one file for each kind.

use backstitch_kernels::Float;

use super::report::{Case, CheckError, max_abs};
use super::trial::Trial;
use crate::spec::{OpSpec, Slope, Tolerance};
use crate::tensor::Tensor;
use crate::transforms::vjp;

mod forward;
mod fused;
mod gradient;
mod instruction_sets;
mod large;
mod layouts;
mod modes;
mod precision;
mod refused;
mod second_order;
mod slope;
mod special;
mod subsets;
mod threads;

pub use forward::forward;
pub use fused::fused;
pub use gradient::gradient;
pub use instruction_sets::instruction_sets;
pub use large::large;
pub use layouts::layouts;
pub use modes::modes;
pub use precision::precision;
pub use refused::refused;
pub use second_order::second_order;
pub use slope::slope;
pub use special::special;
pub use subsets::subsets;
pub use threads::threads;

/// A function that finds out whether an op does what its spec says, on one set of inputs.
pub type Check = fn(&OpSpec, &Trial) -> Result<(), CheckError>;

/// All checks, by name, the most telling ones first.
pub const CHECKS: &[(&str, Check)] = &[
    ("forward", forward),
    ("special", special),
    ("gradient", gradient),
    ("subsets", subsets),
    ("slope", slope),
    ("layouts", layouts),
    ("modes", modes),
    ("second order", second_order),
    ("precision", precision),
    ("fused", fused),
    ("instruction sets", instruction_sets),
    ("threads", threads),
    ("refused", refused),
    ("large", large),
];

/// How many epsilons of the largest gradient a gradient may be off by where two ways to compute
/// it in one precision are compared, or one in f32 with one in f64.
///
/// A backward reads a saved value that is off by what the forward's tolerance allows, subtracts
/// it from values near it, and sums up: the forward's error, magnified by the ratio of a value to
/// such a difference, which the example domains keep below 100.
pub fn slack(spec: &OpSpec) -> f64 {
    match spec.tolerance {
        Tolerance::Exact => 100.0,
        Tolerance::Ulps(units, _) | Tolerance::Terms(units, ..) => 100.0 * (1.0 + units),
    }
}

/// Whether an op's output depends on its inputs in a way that has a derivative.
fn has_gradient(spec: &OpSpec) -> bool {
    !matches!(spec.slope, Slope::None(_))
}

/// The output at `x` and the gradients of all inputs from the trial's incoming gradient.
///
/// # Panics
/// When a gradient has not the shape of its input.
fn gradients<T: Float>(
    build: fn(&[Tensor<T>]) -> Tensor<T>,
    x: &[Tensor<T>],
    trial: &Trial,
) -> (Tensor<T>, Vec<Tensor<T>>) {
    let x = x.to_vec();
    let (y, pull) = vjp(|x: &Vec<Tensor<T>>| build(x), &x);
    let dx = pull(&trial.dy(y.shape()));
    for (x, dx) in x.iter().zip(&dx) {
        assert_eq!(x.shape(), dx.shape(), "a gradient needs the shape of its input");
    }
    (y, dx)
}

/// Compares within so many epsilons of the largest magnitude in either tensor, or of 1, which is
/// that of the inputs and of the incoming gradient.
fn near_relative<T: Float>(
    case: &Case,
    what: &str,
    got: &Tensor<T>,
    want: &Tensor<f64>,
    units: f64,
) -> Result<(), CheckError> {
    let scale = max_abs(want).max(max_abs(got)).clamp(1.0, T::MAX.to_f64());
    let allowed = units * T::EPSILON.to_f64() * scale;
    case.near(what, got, want, &vec![allowed; want.numel()])
}
