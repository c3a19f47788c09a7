//! `logsigmoid`: logarithm of the logistic function.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The logarithm of the sigmoid, without its underflow.
    ///
    /// `y = ln(1 / (1 + e⁻ˣ))`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * sigmoid(-x)`, in one kernel.
    ///
    /// # Numerics
    /// x itself far below 0, 0 far above.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).logsigmoid().item();
    /// assert!((y - -0.474076984180107).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn logsigmoid(&self) -> Tensor<T> {
        pointwise(Logsigmoid, self)
    }
}

#[derive(Clone, Copy)]
struct Logsigmoid;

impl<T: Float> Pointwise<T> for Logsigmoid {
    const NAME: &'static str = "logsigmoid";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::logsigmoid(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Logsigmoid, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Logsigmoid {
    const NAME: &'static str = "logsigmoid_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::logsigmoid_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        let y = x.sigmoid();
        Some(&y * (&y - T::ONE))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logsigmoid",
    formula: "y = ln(sigmoid(x))",
    shapes: SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].logsigmoid()),
    oracle: Oracle::Unary(|x| x.min(0.0) - (-x.abs()).exp().ln_1p()),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(
        5.0,
        "the kernel's stated bound, and three roundings of the oracle's",
    ),
}];
