//! `log1p`: natural logarithm of one more.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The natural logarithm of each element plus one, accurate near 0.
    ///
    /// `y = ln(1 + x)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (1 + x)`
    ///
    /// # Numerics
    /// -∞ at -1, NaN below.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1e-10f64]).log1p().item();
    /// assert!((y - 9.9999999995e-11).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn log1p(&self) -> Tensor<T> {
        pointwise(Log1p, self)
    }
}

struct Log1p;

impl<T: Float> Pointwise<T> for Log1p {
    const NAME: &'static str = "log1p";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::log1p(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d / (at.input(0) + T::ONE)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "log1p",
    formula: "y = ln(1 + x)",
    shapes: SHAPES,
    domain: Domain::Range(-0.7, 3.0),
    build: build!(|x| x[0].log1p()),
    oracle: Oracle::Unary(f64::ln_1p),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.5, "the kernel's stated bound"),
}];
