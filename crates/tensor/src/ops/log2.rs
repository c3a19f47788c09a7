//! `log2`: logarithm to base two.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The logarithm of each element to base 2.
    ///
    /// `y = log₂ x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (x ln 2)`
    ///
    /// # Numerics
    /// -∞ at 0, NaN below.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([8.0, 0.5]).log2().to_vec(), [3.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn log2(&self) -> Tensor<T> {
        pointwise(Log2, self)
    }
}

struct Log2;

impl<T: Float> Pointwise<T> for Log2 {
    const NAME: &'static str = "log2";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::log2(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d / (at.input(0) * T::from_f64(std::f64::consts::LN_2))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "log2",
    formula: "y = log2(x)",
    shapes: SHAPES,
    domain: Domain::Range(0.3, 4.0),
    build: build!(|x| x[0].log2()),
    oracle: Oracle::Unary(f64::log2),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(3.0, "the kernel's stated bound"),
}];
