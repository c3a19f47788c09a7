//! `gelu`: Gaussian error linear unit.

use backstitch_kernels::{Float, View, elementwise};

use super::erf::erfc_reference;
use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Gaussian error linear unit, exact.
    ///
    /// `y = x Φ(x), Φ the normal distribution function`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * (Φ(x) + x φ(x))`, φ the normal density, in one kernel.
    ///
    /// # Numerics
    /// 0 at -∞, where PyTorch gives NaN.
    ///
    /// # Reference
    /// Hendrycks and Gimpel 2016, equation in section 2.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0f64]).gelu().item();
    /// assert!((y - 0.841344746068543).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn gelu(&self) -> Tensor<T> {
        pointwise(Gelu, self)
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl<T: Float> Pointwise<T> for Gelu {
    const NAME: &'static str = "gelu";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::gelu(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Gelu, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Gelu {
    const NAME: &'static str = "gelu_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::gelu_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        // The density is e^(-x²/2) / √(2π).
        let density = (x.square() * T::from_f64(-0.5)).exp() * T::from_f64(0.398_942_280_401_432_7);
        Some(density * (-x.square() + T::from_f64(2.0)))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "gelu",
    formula: "y = x Phi(x)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].gelu()),
    oracle: Oracle::Unary(|x| {
        x.max(f64::MIN) * 0.5 * erfc_reference(-x * std::f64::consts::FRAC_1_SQRT_2)
    }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Terms(
        40.0,
        |x| Tensor::from_fn(x[0].shape(), |idx| x[0].at(idx).abs()),
        "the kernel's bound is 9 ulps; the oracle's distribution function is within 32 of 1",
    ),
}];
