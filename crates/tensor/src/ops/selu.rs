//! `selu`: scaled exponential linear unit.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Scaled exponential linear unit, with the constants that keep mean 0 and variance 1.
    ///
    /// `y = λ x above 0, λ α (eˣ - 1) below`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = λ dy` above 0, `dy * (y + λ α)` below. At the kink 0 it is `λ α = 1.7581`, as in
    /// PyTorch.
    ///
    /// # Numerics
    /// -λα at -∞. NaN stays NaN.
    ///
    /// # Reference
    /// Klambauer et al. 2017, equation 2.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0f64, -1.0]).selu().to_vec();
    /// assert!((y[0] - 1.050700987355).abs() < 1e-12 && (y[1] + 1.111330737813).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn selu(&self) -> Tensor<T> {
        pointwise(Selu, self)
    }
}

#[derive(Clone, Copy)]
struct Selu;

impl<T: Float> Pointwise<T> for Selu {
    const NAME: &'static str = "selu";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::selu(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Selu, d, at.output())
    }
}

impl<T: Float> Chain<T> for Selu {
    const NAME: &'static str = "selu_slope";

    fn scale(&self, d: View<'_, T>, y: View<'_, T>, z: &mut [T]) {
        elementwise::selu_backward(d, y, z);
    }

    fn curvature(&self, y: &Tensor<T>) -> Option<Tensor<T>> {
        Some(y.le(T::ZERO).to::<T>())
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "selu",
    formula: "y = lambda x above 0, lambda alpha (e^x - 1) below",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].selu()),
    oracle: Oracle::Unary(|x| LAMBDA * if x > 0.0 { x } else { ALPHA * x.exp_m1() }),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, LAMBDA * ALPHA)]),
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(5.0, "expm1's bound, and three roundings of constants and products"),
}];

/// `α` of Klambauer et al. 2017, section 2.
const ALPHA: f64 = 1.673_263_242_354_377_2;
/// `λ` of the same.
const LAMBDA: f64 = 1.050_700_987_355_480_5;

#[cfg(test)]
mod tests {
    use super::{ALPHA, LAMBDA};
    use crate::tensor::Tensor;
    use crate::transforms::grad;

    #[test]
    fn at_zero_both_derivatives_are_those_from_below() {
        let first = |x: &Tensor<f64>| grad(|x: &Tensor<f64>| x.selu(), x);
        let zero = Tensor::scalar(0.0);
        assert_eq!(first(&zero).item(), LAMBDA * ALPHA);
        assert_eq!(grad(first, &zero).item(), LAMBDA * ALPHA);
    }
}
