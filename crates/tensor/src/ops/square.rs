//! `square`: second power.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The square of each element.
    ///
    /// `y = x²`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * 2 x`
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-2.0, 3.0]).square().to_vec(), [4.0, 9.0]);
    /// ```
    #[track_caller]
    pub fn square(&self) -> Tensor<T> {
        pointwise(Square, self)
    }
}

struct Square;

impl<T: Float> Pointwise<T> for Square {
    const NAME: &'static str = "square";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::square(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * at.input(0) * T::from_f64(2.0)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "square",
    formula: "y = x^2",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].square()),
    oracle: Oracle::Unary(|x| x * x),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
