//! `hardswish`: piecewise quadratic swish.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// x times its hardsigmoid, as in MobileNetV3.
    ///
    /// `y = x min(max(x + 3, 0), 6) / 6`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * (x / 3 + 1/2)` where `-3 < x < 3`, 0 below, `dy` above. At the kinks -3 and 3 it
    /// is 0 and `dy`, as in PyTorch.
    ///
    /// # Numerics
    /// 0 at -∞, where PyTorch gives NaN. NaN stays NaN.
    ///
    /// # Reference
    /// Howard et al. 2019, section 5.2.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-4.0, 3.0, 6.0]).hardswish().to_vec(), [0.0, 3.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn hardswish(&self) -> Tensor<T> {
        pointwise(Hardswish, self)
    }
}

#[derive(Clone, Copy)]
struct Hardswish;

impl<T: Float> Pointwise<T> for Hardswish {
    const NAME: &'static str = "hardswish";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::hardswish(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Hardswish, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Hardswish {
    const NAME: &'static str = "hardswish_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::hardswish_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        let inside = x.abs().lt(T::from_f64(3.0));
        Some(Tensor::where_(&inside, T::from_f64(1.0 / 3.0), T::ZERO))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "hardswish",
    formula: "y = x min(max(x + 3, 0), 6) / 6",
    shapes: SHAPES,
    domain: Domain::Range(-5.0, 5.0),
    build: build!(|x| x[0].hardswish()),
    oracle: Oracle::Unary(|x| {
        if x.is_nan() { x } else { x.max(f64::MIN) * ((x + 3.0).clamp(0.0, 6.0) / 6.0) }
    }),
    refused: &[],
    slope: Slope::Kinks(&[(-3.0, 0.0), (3.0, 1.0)]),
    cost: |shapes| Cost::elementwise(shapes, 5.0),
    tolerance: Tolerance::Terms(
        2.0,
        |x| Tensor::from_fn(x[0].shape(), |idx| x[0].at(idx).abs()),
        "x + 3 cancels near -3; two products",
    ),
}];
