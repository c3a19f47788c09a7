//! `mish`: self-regularized non-monotonic activation.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Mish: x times the tanh of its softplus.
    ///
    /// `y = x tanh(ln(1 + eˣ))`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * (t + x p (1 - t²))` with `t = tanh(ln(1 + eˣ))` and `p = sigmoid(x)`, in one
    /// kernel.
    ///
    /// # Numerics
    /// 0 at -∞, where PyTorch gives NaN.
    ///
    /// # Reference
    /// Misra 2019, equation 3.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0f64]).mish().item();
    /// assert!((y - 0.865098388267310).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn mish(&self) -> Tensor<T> {
        pointwise(Mish, self)
    }
}

#[derive(Clone, Copy)]
struct Mish;

impl<T: Float> Pointwise<T> for Mish {
    const NAME: &'static str = "mish";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::mish(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Mish, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Mish {
    const NAME: &'static str = "mish_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::mish_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        // y'' = p (1 - t²) (2 + x (1 - p - 2 t p))
        let (p, t) = (x.sigmoid(), x.softplus().tanh());
        let bend = -(&p + &t * &p * T::from_f64(2.0)) + T::ONE;
        Some((-t.square() + T::ONE) * p * (x * bend + T::from_f64(2.0)))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "mish",
    formula: "y = x tanh(ln(1 + e^x))",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].mish()),
    oracle: Oracle::Unary(|x| x.max(f64::MIN) * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(8.0, "the kernel's stated bound, and the oracle's roundings"),
}];
