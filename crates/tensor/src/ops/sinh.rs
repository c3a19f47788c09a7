//! `sinh`: hyperbolic sine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The hyperbolic sine of each element.
    ///
    /// `y = (eˣ - e⁻ˣ) / 2`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * cosh x`
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).sinh().item();
    /// assert!((y - 0.521095305493747).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn sinh(&self) -> Tensor<T> {
        pointwise(Sinh, self)
    }
}

struct Sinh;

impl<T: Float> Pointwise<T> for Sinh {
    const NAME: &'static str = "sinh";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::sinh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * at.input(0).cosh()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "sinh",
    formula: "y = sinh(x)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].sinh()),
    oracle: Oracle::Unary(f64::sinh),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
