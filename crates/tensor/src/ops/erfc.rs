//! `erfc`: complement of the error function.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// One less the error function, accurate where that is close to 1.
    ///
    /// `y = 1 - erf(x)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = -dy * 2/√π exp(-x²)`
    ///
    /// # Numerics
    /// 2 at -∞, 0 at ∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).erfc().item();
    /// assert!((y - 0.479500122186953).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn erfc(&self) -> Tensor<T> {
        pointwise(Erfc, self)
    }
}

struct Erfc;

impl<T: Float> Pointwise<T> for Erfc {
    const NAME: &'static str = "erfc";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::erfc(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        let scale = T::from_f64(-std::f64::consts::FRAC_2_SQRT_PI);
        d * (-at.input(0).square()).exp() * scale
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "erfc",
    formula: "y = 1 - erf(x)",
    shapes: SHAPES,
    domain: Domain::Range(-2.5, 2.5),
    build: build!(|x| x[0].erfc()),
    oracle: Oracle::Unary(super::erf::erfc_reference),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Terms(
        32.0,
        |x| Tensor::from_fn(x[0].shape(), |idx| if x[0].at(idx) < 2.0 { 1.0 } else { 2e-3 }),
        "the kernel's bound is 9.4 ulps; the oracle subtracts from 1 below 2",
    ),
}];
