//! `softshrink`: moves elements towards zero.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Moves each element towards zero by `lambda`, and no further than zero.
    ///
    /// `y = x - lambda` above lambda, `x + lambda` below -lambda, else 0; PyTorch's default is 0.5
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` where `|x| > lambda`, else 0; 0 at the kinks ±lambda, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Panics
    /// When lambda is negative.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1.0, 0.3, 2.0]).softshrink(0.5).to_vec(), [-0.5, 0.0, 1.5]);
    /// ```
    #[track_caller]
    pub fn softshrink(&self, lambda: T) -> Tensor<T> {
        assert!(lambda >= T::ZERO, "softshrink: needs a lambda of at least 0; got {lambda}");
        pointwise(Softshrink { lambda }, self)
    }
}

#[derive(Clone, Copy)]
struct Softshrink<T> {
    lambda: T,
}

impl<T: Float> Pointwise<T> for Softshrink<T> {
    const NAME: &'static str = "softshrink";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::softshrink(x, self.lambda, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(*self, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Softshrink<T> {
    const NAME: &'static str = "softshrink_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::shrink_backward(d, x, self.lambda, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "softshrink",
    formula: "y = x - 0.5 above 0.5, x + 0.5 below -0.5, else 0",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].softshrink(T::HALF)),
    oracle: Oracle::Unary(|x| if x.abs() <= 0.5 { 0.0 } else { x - 0.5f64.copysign(x) }),
    refused: &[],
    slope: Slope::Kinks(&[(-0.5, 0.0), (0.5, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
