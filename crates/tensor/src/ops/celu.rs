//! `celu`: continuously differentiable exponential linear unit.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Exponential linear unit without a kink, whatever alpha is.
    ///
    /// `y = x` above 0, `alpha (exp(x / alpha) - 1)` below; PyTorch's default alpha is 1
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` above 0, `dy * (y / alpha + 1)` below, which is `dy * exp(x / alpha)`.
    ///
    /// # Numerics
    /// `-alpha` at -∞. NaN stays NaN.
    ///
    /// # Panics
    /// When alpha is 0.
    ///
    /// # Reference
    /// Barron 2017, equation 3.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([2.0f64, -2.0]).celu(2.0).to_vec();
    /// assert!(y[0] == 2.0 && (y[1] + 1.264241117657).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn celu(&self, alpha: T) -> Tensor<T> {
        assert!(alpha != T::ZERO, "celu: needs an alpha other than 0; got {alpha}");
        pointwise(Celu { alpha }, self)
    }
}

#[derive(Clone, Copy)]
struct Celu<T> {
    alpha: T,
}

impl<T: Float> Pointwise<T> for Celu<T> {
    const NAME: &'static str = "celu";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::celu(x, self.alpha, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(*self, d, at.output())
    }
}

impl<T: Float> Chain<T> for Celu<T> {
    const NAME: &'static str = "celu_slope";

    fn scale(&self, d: View<'_, T>, y: View<'_, T>, z: &mut [T]) {
        elementwise::celu_backward(d, y, self.alpha, z);
    }

    fn curvature(&self, y: &Tensor<T>) -> Option<Tensor<T>> {
        Some(Tensor::where_(&y.le(T::ZERO), T::ONE / self.alpha, T::ZERO))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "celu",
    formula: "y = x above 0, 1.5 (e^(x / 1.5) - 1) below",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].celu(T::from_f64(1.5))),
    oracle: Oracle::Unary(|x| if x > 0.0 { x } else { 1.5 * (x / 1.5).exp_m1() }),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, 1.0)]),
    cost: |shapes| Cost::elementwise(shapes, 11.0),
    tolerance: Tolerance::Ulps(
        6.0,
        "expm1's bound, a product, and the rounded quotient in the exponent",
    ),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::transforms::grad;

    #[test]
    fn at_zero_both_derivatives_are_those_from_below() {
        let first = |x: &Tensor<f64>| grad(|x: &Tensor<f64>| x.celu(2.0), x);
        let zero = Tensor::scalar(0.0);
        assert_eq!(first(&zero).item(), 1.0);
        assert_eq!(grad(first, &zero).item(), 0.5);
    }
}
