//! `tanh`: hyperbolic tangent.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The hyperbolic tangent, which squeezes the numbers into -1 to 1.
    ///
    /// `y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * (1 - y²)`, in one kernel.
    ///
    /// # Numerics
    /// ±1 at ±∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).tanh().item();
    /// assert!((y - 0.462117157260010).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn tanh(&self) -> Tensor<T> {
        pointwise(Tanh, self)
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl<T: Float> Pointwise<T> for Tanh {
    const NAME: &'static str = "tanh";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::tanh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Tanh, d, at.output())
    }
}

impl<T: Float> Chain<T> for Tanh {
    const NAME: &'static str = "tanh_slope";

    fn scale(&self, d: View<'_, T>, y: View<'_, T>, z: &mut [T]) {
        elementwise::tanh_backward(d, y, z);
    }

    fn curvature(&self, y: &Tensor<T>) -> Option<Tensor<T>> {
        Some(y * T::from_f64(-2.0))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "tanh",
    formula: "y = tanh(x)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].tanh()),
    oracle: Oracle::Unary(f64::tanh),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(3.5, "the kernel's stated bound"),
}];
