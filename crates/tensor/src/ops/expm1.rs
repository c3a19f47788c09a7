//! `expm1`: exponential function minus one.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The exponential function less one, accurate near 0, where `exp` less one is not.
    ///
    /// `y = eˣ - 1`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * (y + 1)`
    ///
    /// # Numerics
    /// -1 at -∞, infinity above 88.7 (`f64`: 709.8). NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1e-10f64]).expm1().item();
    /// assert!((y - 1.00000000005e-10).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn expm1(&self) -> Tensor<T> {
        pointwise(Expm1, self)
    }
}

struct Expm1;

impl<T: Float> Pointwise<T> for Expm1 {
    const NAME: &'static str = "expm1";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::expm1(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * (at.output() + T::ONE)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "expm1",
    formula: "y = e^x - 1",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].expm1()),
    oracle: Oracle::Unary(f64::exp_m1),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.5, "the kernel's stated bound"),
}];
