//! `cos`: cosine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The cosine of each element, in radians.
    ///
    /// `y = cos x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = -dy * sin x`
    ///
    /// # Numerics
    /// Accurate for arguments of any size. NaN at ±∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).cos().item();
    /// assert!((y - 0.877582561890373).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn cos(&self) -> Tensor<T> {
        pointwise(Cos, self)
    }
}

struct Cos;

impl<T: Float> Pointwise<T> for Cos {
    const NAME: &'static str = "cos";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::cos(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        -(d * at.input(0).sin())
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "cos",
    formula: "y = cos(x)",
    shapes: SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].cos()),
    oracle: Oracle::Unary(f64::cos),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.5, "the kernel's stated bound"),
}];
