//! `sigmoid`: logistic function.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The logistic function, which squeezes the numbers into 0 to 1.
    ///
    /// `y = 1 / (1 + e⁻ˣ)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * y (1 - y)`, in one kernel.
    ///
    /// # Numerics
    /// Neither overflows nor cancels: 0 at -∞, 1 at ∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).sigmoid().item();
    /// assert!((y - 0.622459331201855).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn sigmoid(&self) -> Tensor<T> {
        pointwise(Sigmoid, self)
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl<T: Float> Pointwise<T> for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::sigmoid(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Sigmoid, d, at.output())
    }
}

impl<T: Float> Chain<T> for Sigmoid {
    const NAME: &'static str = "sigmoid_slope";

    fn scale(&self, d: View<'_, T>, y: View<'_, T>, z: &mut [T]) {
        elementwise::sigmoid_backward(d, y, z);
    }

    fn curvature(&self, y: &Tensor<T>) -> Option<Tensor<T>> {
        Some(y * T::from_f64(-2.0) + T::ONE)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "sigmoid",
    formula: "y = 1 / (1 + e^-x)",
    shapes: SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].sigmoid()),
    oracle: Oracle::Unary(|x| 1.0 / (1.0 + (-x).exp())),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(
        5.0,
        "the kernel's stated bound, and three roundings of the oracle's",
    ),
}];
