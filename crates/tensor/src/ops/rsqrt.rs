//! `rsqrt`: reciprocal square root.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// One over the square root of each element.
    ///
    /// `y = 1 / √x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = -dy * y³ / 2`
    ///
    /// # Numerics
    /// Infinity at 0, NaN below.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, 0.25]).rsqrt().to_vec(), [0.5, 2.0]);
    /// ```
    #[track_caller]
    pub fn rsqrt(&self) -> Tensor<T> {
        pointwise(Rsqrt, self)
    }
}

struct Rsqrt;

impl<T: Float> Pointwise<T> for Rsqrt {
    const NAME: &'static str = "rsqrt";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::rsqrt(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        let y = at.output();
        d * y * y.square() * T::from_f64(-0.5)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "rsqrt",
    formula: "y = 1 / sqrt(x)",
    shapes: SHAPES,
    domain: Domain::Range(0.3, 3.0),
    build: build!(|x| x[0].rsqrt()),
    oracle: Oracle::Unary(|x| 1.0 / x.sqrt()),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Ulps(1.5, "two correctly rounded operations"),
}];
