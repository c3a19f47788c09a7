//! `abs`: absolute value.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The magnitude of each element.
    ///
    /// `y = |x|`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * sign(x)`. At the kink `x = 0` it is 0, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-2.0, 0.0, 3.0]).abs().to_vec(), [2.0, 0.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn abs(&self) -> Tensor<T> {
        pointwise(Abs, self)
    }
}

#[derive(Clone, Copy)]
struct Abs;

impl<T: Float> Pointwise<T> for Abs {
    const NAME: &'static str = "abs";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::abs(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Abs, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Abs {
    const NAME: &'static str = "abs_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::abs_backward(d, x, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "abs",
    formula: "y = |x|",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].abs()),
    oracle: Oracle::Unary(f64::abs),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
