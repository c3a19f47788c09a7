//! `elu`: exponential linear unit.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Exponential linear unit: a relu that bends to `-alpha` below zero.
    ///
    /// `y = x` above 0, `alpha (eˣ - 1)` below; PyTorch's default alpha is 1
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` above 0, `dy * (y + alpha)` below, which is `dy * alpha eˣ`. At 0, a kink unless
    /// alpha is 1, it is `alpha * dy`, as in PyTorch.
    ///
    /// # Numerics
    /// `-alpha` at -∞. NaN stays NaN.
    ///
    /// # Reference
    /// Clevert et al. 2016, equation 15.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([2.0f64, -1.0]).elu(1.0).to_vec();
    /// assert!(y[0] == 2.0 && (y[1] + 0.632120558829).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn elu(&self, alpha: T) -> Tensor<T> {
        pointwise(Elu { alpha }, self)
    }
}

#[derive(Clone, Copy)]
struct Elu<T> {
    alpha: T,
}

impl<T: Float> Pointwise<T> for Elu<T> {
    const NAME: &'static str = "elu";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::elu(x, self.alpha, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(*self, d, at.output())
    }
}

impl<T: Float> Chain<T> for Elu<T> {
    const NAME: &'static str = "elu_slope";

    fn scale(&self, d: View<'_, T>, y: View<'_, T>, z: &mut [T]) {
        elementwise::elu_backward(d, y, self.alpha, z);
    }

    fn curvature(&self, y: &Tensor<T>) -> Option<Tensor<T>> {
        Some(y.le(T::ZERO).to::<T>())
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "elu",
    formula: "y = x above 0, 1.5 (e^x - 1) below",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].elu(T::from_f64(1.5))),
    oracle: Oracle::Unary(|x| if x > 0.0 { x } else { 1.5 * x.exp_m1() }),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, 1.5)]),
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(4.0, "expm1's bound and a product"),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::transforms::grad;

    #[test]
    fn at_zero_both_derivatives_are_those_from_below() {
        let first = |x: &Tensor<f64>| grad(|x: &Tensor<f64>| x.elu(1.5), x);
        let zero = Tensor::scalar(0.0);
        assert_eq!(first(&zero).item(), 1.5);
        assert_eq!(grad(first, &zero).item(), 1.5);
    }
}
