//! `softsign`: softsign.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// A gentler tanh: it reaches ±1 like 1/x.
    ///
    /// `y = x / (1 + |x|)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (1 + |x|)²`, in one kernel.
    ///
    /// # Numerics
    /// ±1 at ±∞, where PyTorch gives NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, -3.0]).softsign().to_vec(), [0.5, -0.75]);
    /// ```
    #[track_caller]
    pub fn softsign(&self) -> Tensor<T> {
        pointwise(Softsign, self)
    }
}

#[derive(Clone, Copy)]
struct Softsign;

impl<T: Float> Pointwise<T> for Softsign {
    const NAME: &'static str = "softsign";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::softsign(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Softsign, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Softsign {
    const NAME: &'static str = "softsign_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::softsign_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        let bottom = x.abs() + T::ONE;
        Some(x.sign() * T::from_f64(-2.0) / (bottom.square() * bottom))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "softsign",
    formula: "y = x / (1 + |x|)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].softsign()),
    oracle: Oracle::Unary(|x| if x.is_infinite() { x.signum() } else { x / (1.0 + x.abs()) }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 3.0),
    tolerance: Tolerance::Ulps(1.5, "two correctly rounded operations"),
}];
