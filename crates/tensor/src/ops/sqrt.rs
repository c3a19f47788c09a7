//! `sqrt`: square root.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The square root of each element.
    ///
    /// `y = √x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (2 y)`. At 0 it is infinite, as in PyTorch.
    ///
    /// # Numerics
    /// Correctly rounded. NaN below 0; -0 stays -0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, 9.0]).sqrt().to_vec(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn sqrt(&self) -> Tensor<T> {
        pointwise(Sqrt, self)
    }
}

struct Sqrt;

impl<T: Float> Pointwise<T> for Sqrt {
    const NAME: &'static str = "sqrt";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::sqrt(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d / (at.output() * T::from_f64(2.0))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "sqrt",
    formula: "y = sqrt(x)",
    shapes: SHAPES,
    domain: Domain::Range(0.3, 3.0),
    build: build!(|x| x[0].sqrt()),
    oracle: Oracle::Unary(f64::sqrt),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
