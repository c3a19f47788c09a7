//! `hardshrink`: zeroes small elements.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Zeroes the elements within `lambda` of zero and keeps the others.
    ///
    /// `y = x` where `|x| > lambda`, else 0; PyTorch's default lambda is 0.5
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` where `|x| > lambda`, else 0; 0 at the jumps ±lambda, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1.0, 0.3, 2.0]).hardshrink(0.5).to_vec(), [-1.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn hardshrink(&self, lambda: T) -> Tensor<T> {
        pointwise(Hardshrink { lambda }, self)
    }
}

#[derive(Clone, Copy)]
struct Hardshrink<T> {
    lambda: T,
}

impl<T: Float> Pointwise<T> for Hardshrink<T> {
    const NAME: &'static str = "hardshrink";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::hardshrink(x, self.lambda, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(*self, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Hardshrink<T> {
    const NAME: &'static str = "hardshrink_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::shrink_backward(d, x, self.lambda, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "hardshrink",
    formula: "y = x where |x| > 0.5, else 0",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].hardshrink(T::HALF)),
    oracle: Oracle::Unary(|x| if x.abs() <= 0.5 { 0.0 } else { x }),
    refused: &[],
    slope: Slope::Kinks(&[(-0.5, 0.0), (0.5, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
