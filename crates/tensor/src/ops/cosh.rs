//! `cosh`: hyperbolic cosine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The hyperbolic cosine of each element.
    ///
    /// `y = (eˣ + e⁻ˣ) / 2`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * sinh x`
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).cosh().item();
    /// assert!((y - 1.127625965206381).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn cosh(&self) -> Tensor<T> {
        pointwise(Cosh, self)
    }
}

struct Cosh;

impl<T: Float> Pointwise<T> for Cosh {
    const NAME: &'static str = "cosh";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::cosh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * at.input(0).sinh()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "cosh",
    formula: "y = cosh(x)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].cosh()),
    oracle: Oracle::Unary(f64::cosh),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
