//! `relu6`: rectified linear unit up to 6.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Rectified linear unit that stops at 6.
    ///
    /// `y = min(max(x, 0), 6)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` where `0 < x < 6`, else 0. At the kinks 0 and 6 it is 0, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1.0, 2.0, 7.0]).relu6().to_vec(), [0.0, 2.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn relu6(&self) -> Tensor<T> {
        pointwise(Relu6, self)
    }
}

#[derive(Clone, Copy)]
struct Relu6;

impl<T: Float> Pointwise<T> for Relu6 {
    const NAME: &'static str = "relu6";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::relu6(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Relu6, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Relu6 {
    const NAME: &'static str = "relu6_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::relu6_backward(d, x, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "relu6",
    formula: "y = min(max(x, 0), 6)",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 8.0),
    build: build!(|x| x[0].relu6()),
    oracle: Oracle::Unary(|x| if x.is_nan() { x } else { x.clamp(0.0, 6.0) }),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, 0.0), (6.0, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Exact,
}];
