//! `sin`: sine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The sine of each element, in radians.
    ///
    /// `y = sin x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * cos x`
    ///
    /// # Numerics
    /// Accurate for arguments of any size. NaN at ±∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).sin().item();
    /// assert!((y - 0.479425538604203).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn sin(&self) -> Tensor<T> {
        pointwise(Sin, self)
    }
}

struct Sin;

impl<T: Float> Pointwise<T> for Sin {
    const NAME: &'static str = "sin";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::sin(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * at.input(0).cos()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "sin",
    formula: "y = sin(x)",
    shapes: SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].sin()),
    oracle: Oracle::Unary(f64::sin),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.4, "the kernel's stated bound"),
}];
