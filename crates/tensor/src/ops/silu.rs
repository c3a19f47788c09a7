//! `silu`: sigmoid linear unit.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Sigmoid linear unit, also called swish.
    ///
    /// `y = x / (1 + e⁻ˣ)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * p (1 + x (1 - p))` with `p = sigmoid(x)`, in one kernel.
    ///
    /// # Numerics
    /// 0 at -∞, where PyTorch gives NaN.
    ///
    /// # Reference
    /// Hendrycks and Gimpel 2016; Ramachandran et al. 2017.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0f64]).silu().item();
    /// assert!((y - 0.731058578630005).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn silu(&self) -> Tensor<T> {
        pointwise(Silu, self)
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl<T: Float> Pointwise<T> for Silu {
    const NAME: &'static str = "silu";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::silu(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Silu, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Silu {
    const NAME: &'static str = "silu_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::silu_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        let p = x.sigmoid();
        let bend = x * (&p * T::from_f64(-2.0) + T::ONE) + T::from_f64(2.0);
        Some((&p - p.square()) * bend)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "silu",
    formula: "y = x sigmoid(x)",
    shapes: SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].silu()),
    oracle: Oracle::Unary(|x| if x == f64::NEG_INFINITY { 0.0 } else { x / (1.0 + (-x).exp()) }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(
        6.0,
        "the kernel's stated bound, and three roundings of the oracle's",
    ),
}];
