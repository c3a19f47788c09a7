//! `hardsigmoid`: piecewise linear sigmoid.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// A sigmoid of three straight lines.
    ///
    /// `y = min(max(x + 3, 0), 6) / 6`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / 6` where `-3 < x < 3`, else 0. At the kinks ±3 it is 0, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-4.0, 0.0, 3.0]).hardsigmoid().to_vec(), [0.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn hardsigmoid(&self) -> Tensor<T> {
        pointwise(Hardsigmoid, self)
    }
}

#[derive(Clone, Copy)]
struct Hardsigmoid;

impl<T: Float> Pointwise<T> for Hardsigmoid {
    const NAME: &'static str = "hardsigmoid";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::hardsigmoid(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Hardsigmoid, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Hardsigmoid {
    const NAME: &'static str = "hardsigmoid_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::hardsigmoid_backward(d, x, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "hardsigmoid",
    formula: "y = min(max(x + 3, 0), 6) / 6",
    shapes: SHAPES,
    domain: Domain::Range(-5.0, 5.0),
    build: build!(|x| x[0].hardsigmoid()),
    oracle: Oracle::Unary(|x| if x.is_nan() { x } else { (x + 3.0).clamp(0.0, 6.0) / 6.0 }),
    refused: &[],
    slope: Slope::Kinks(&[(-3.0, 0.0), (3.0, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 4.0),
    tolerance: Tolerance::Terms(
        1.5,
        |x| Tensor::from_fn(x[0].shape(), |idx| 0.5 + x[0].at(idx).abs().min(3.0) / 6.0),
        "x + 3 cancels near -3, and is rounded before the division",
    ),
}];
