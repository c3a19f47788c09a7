//! `erf`: error function.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The error function, the part of a normal distribution with variance 1/2 within ±x.
    ///
    /// `y = 2/√π ∫₀ˣ exp(-t²) dt`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * 2/√π exp(-x²)`
    ///
    /// # Numerics
    /// ±1 at ±∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).erf().item();
    /// assert!((y - 0.520499877813047).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn erf(&self) -> Tensor<T> {
        pointwise(Erf, self)
    }
}

struct Erf;

impl<T: Float> Pointwise<T> for Erf {
    const NAME: &'static str = "erf";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::erf(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * (-at.input(0).square()).exp() * T::from_f64(std::f64::consts::FRAC_2_SQRT_PI)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "erf",
    formula: "y = erf(x)",
    shapes: SHAPES,
    domain: Domain::Range(-2.5, 2.5),
    build: build!(|x| x[0].erf()),
    oracle: Oracle::Unary(erf_reference),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(
        16.0,
        "the kernel's bound is 1.5; the oracle's series rounds as often as it has terms",
    ),
}];

/// The error function in f64: its series without alternating signs up to 2, its continued
/// fraction from there on.
pub(super) fn erf_reference(x: f64) -> f64 {
    match x.abs() < 2.0 {
        true => series(x),
        false => (1.0 - fraction(x.abs())).copysign(x),
    }
}

/// One less the error function in f64, accurate however small.
pub(super) fn erfc_reference(x: f64) -> f64 {
    match x < 2.0 {
        true if x > -2.0 => 1.0 - series(x),
        true => 1.0 + erf_reference(-x),
        false => fraction(x),
    }
}

/// `2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (1 · 3 · ... · (2n+1))`
fn series(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    for n in 1..100 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// `erfc(x) = e^(-x²)/√π / (x + (1/2) / (x + (2/2) / (x + (3/2) / (x + ...))))`, for x from 2 on.
fn fraction(x: f64) -> f64 {
    if x.is_infinite() {
        return 0.0;
    }
    let tail = (1..200).rev().fold(x, |tail, n| x + 0.5 * f64::from(n) / tail);
    0.5 * std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() / tail
}
