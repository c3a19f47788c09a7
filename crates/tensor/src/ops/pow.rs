//! `pow`: powers with a number or a tensor as exponent.

use backstitch_kernels::{Float, View, elementwise};

use super::operand::Operand;
use super::pointwise::{Pointwise, no_slope, pointwise};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Each element to the power of a number or of another tensor's element.
    ///
    /// `y = x^p`
    ///
    /// # Shape
    /// `x (...)` and `p (...)`, or a number, to their broadcast shape.
    ///
    /// # Gradient
    /// `dx = dy * p x^(p - 1)`, and 0 where p is 0. `dp = dy * y ln x`, and 0 where x is 0 and p
    /// is not negative. Both as in PyTorch.
    ///
    /// # Numerics
    /// As C's `pow`: `x^0 = 1` for every x, NaN for negative x and broken p. The exponents ±0.5,
    /// ±1, ±2 and 3 are computed by products, divisions and roots, as in PyTorch; so
    /// `(-∞)^0.5` is NaN.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([2.0, 3.0]);
    /// assert_eq!(x.pow(2.0).to_vec(), [4.0, 9.0]);
    /// assert_eq!(x.pow(&Tensor::from([3.0, 0.0])).to_vec(), [8.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn pow(&self, exponent: impl Operand<T>) -> Tensor<T> {
        match exponent.number() {
            Some(exponent) => pointwise(PowNumber { exponent }, self),
            None => {
                let exponent = exponent.into_tensor();
                or_panic(broadcast("pow", self.shape(), exponent.shape()));
                apply(PowTensors, [self, &exponent])
            }
        }
    }
}

/// Power with a number as exponent.
struct PowNumber<T> {
    exponent: T,
}

impl<T: Float> Pointwise<T> for PowNumber<T> {
    const NAME: &'static str = "pow";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        match self.exponent.to_f64() {
            0.0 => y.fill(T::ONE),
            0.5 => elementwise::sqrt(x, y),
            1.0 => elementwise::affine(x, T::ONE, -T::ZERO, y),
            2.0 => elementwise::square(x, y),
            3.0 => {
                elementwise::square(x, y);
                elementwise::mul_assign(y, x);
            }
            -0.5 => elementwise::rsqrt(x, y),
            -1.0 => elementwise::recip(x, y),
            -2.0 => {
                elementwise::square(x, y);
                elementwise::recip_assign(y);
            }
            _ => elementwise::pow(x, View::scalar(&self.exponent), y),
        }
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        let x = at.input(0);
        match self.exponent.to_f64() {
            0.0 => no_slope(d),
            1.0 => d.clone(),
            2.0 => d * x * self.exponent,
            _ => d * x.pow(self.exponent - T::ONE) * self.exponent,
        }
    }
}

/// Power with a tensor as exponent.
struct PowTensors;

impl PowTensors {
    /// The slope by the base, without the term `0 * x^-1`, which is NaN at 0.
    fn by_base<T: Float>(x: &Tensor<T>, p: &Tensor<T>) -> Tensor<T> {
        Tensor::where_(&p.eq(T::ZERO), T::ZERO, p * x.pow(&(p - T::ONE)))
    }

    /// The slope by the exponent; at base 0 the logarithm is infinite and the power wins.
    fn by_exponent<T: Float>(x: &Tensor<T>, p: &Tensor<T>) -> Tensor<T> {
        let flat = x.eq(T::ZERO).logical_and(p.ge(T::ZERO));
        let base = Tensor::where_(&flat, T::ONE, x);
        Tensor::where_(&flat, T::ZERO, base.pow(p) * base.log())
    }
}

impl<T: Float> Op<T, 2> for PowTensors {
    const NAME: &'static str = "pow";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [x, p]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([x, p], elementwise::pow)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (x, p) = (at.input(0), at.input(1));
        [
            at.want(0, || (dy * Self::by_base(x, p)).sum_to(at.shape(0))),
            at.want(1, || (dy * Self::by_exponent(x, p)).sum_to(at.shape(1))),
        ]
    }

    fn jvp(&self, at: &Site<T>, [dx, dp]: Tangents<T, 2>) -> Tensor<T> {
        let (x, p) = (at.input(0), at.input(1));
        let by_x = dx.map(|dx| dx * Self::by_base(x, p));
        let by_p = dp.map(|dp| dp * Self::by_exponent(x, p));
        super::binary::sum_tangents(at, by_x, by_p)
    }
}

macro_rules! number_spec {
    ($name:literal, $formula:literal, $exponent:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: super::pointwise::SHAPES,
            domain: Domain::Range(0.4, 2.0),
            build: build!(|x| x[0].pow(T::from_f64($exponent))),
            oracle: Oracle::Unary(|x| x.powf($exponent)),
            refused: &[],
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 2.0),
            tolerance: Tolerance::Ulps(3.0, "at most two operations, or the standard library's"),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "pow",
        formula: "y = x^p",
        shapes: super::binary::SHAPES,
        domain: Domain::Ranges(&[(0.4, 2.0), (-2.0, 3.0)]),
        build: build!(|x| x[0].pow(&x[1])),
        oracle: Oracle::Binary(f64::powf),
        refused: super::binary::REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 20.0),
        tolerance: Tolerance::Ulps(2.0, "the standard library in this precision"),
    },
    number_spec!("pow 0", "y = x^0", 0.0),
    number_spec!("pow 1", "y = x^1", 1.0),
    number_spec!("pow 2", "y = x^2", 2.0),
    number_spec!("pow 3", "y = x^3", 3.0),
    number_spec!("pow -1", "y = x^-1", -1.0),
    number_spec!("pow -2", "y = x^-2", -2.0),
    number_spec!("pow 1.5", "y = x^1.5", 1.5),
    OpSpec { oracle: Oracle::Unary(f64::sqrt), ..number_spec!("pow 0.5", "y = x^0.5", 0.5) },
    OpSpec {
        oracle: Oracle::Unary(|x| 1.0 / x.sqrt()),
        ..number_spec!("pow -0.5", "y = x^-0.5", -0.5)
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradients by base and exponent at one point, with the exponent as a tensor.
    fn slopes(x: f64, p: f64) -> [f64; 2] {
        let (x, p) = (Tensor::scalar(x).leaf(), Tensor::scalar(p).leaf());
        let grads = x.pow(&p).backward();
        [grads.get(&x).unwrap().item(), grads.get(&p).unwrap().item()]
    }

    #[test]
    fn edges_are_those_of_pytorch() {
        assert_eq!(slopes(0.0, 0.0), [0.0, 0.0]);
        assert_eq!(slopes(0.0, 1.0), [1.0, 0.0]);
        assert_eq!(slopes(0.0, 2.0), [0.0, 0.0]);
        assert_eq!(slopes(0.0, 0.5), [f64::INFINITY, 0.0]);
        assert_eq!(slopes(0.0, -1.0), [f64::NEG_INFINITY; 2]);
        assert_eq!(slopes(2.0, 0.0), [0.0, 2.0f64.ln()]);
        let [by_x, by_p] = slopes(-2.0, 2.0);
        assert!(by_x == -4.0 && by_p.is_nan());
    }

    #[test]
    fn curvatures_at_a_base_of_zero_are_finite() {
        let x = Tensor::from([0.0f64, 3.0]);
        let power = |x: &Tensor<f64>| x.select(0, 0).pow(x.select(0, 1));
        assert_eq!(crate::hessian(power, &x).to_vec(), [0.0; 4]);
    }

    #[test]
    fn whole_exponents_keep_the_sign_of_zero() {
        for exponent in [1.0, 3.0, -1.0] {
            let y = Tensor::from([-0.0f64]).pow(exponent).item();
            assert!(y.is_sign_negative(), "{exponent}");
        }
    }

    #[test]
    fn numbers_as_exponents_have_the_same_edges() {
        for (x, p, want) in [
            (0.0, 0.0, 0.0),
            (0.0, 1.0, 1.0),
            (0.0, 2.0, 0.0),
            (0.0, 0.5, f64::INFINITY),
            (0.0, -1.0, f64::NEG_INFINITY),
            (-2.0, 3.0, 12.0),
            (f64::NAN, 0.0, 0.0),
            (f64::INFINITY, -1.0, 0.0),
        ] {
            let x = Tensor::scalar(x).leaf();
            assert_eq!(x.pow(p).backward().get(&x).unwrap().item(), want, "{x:?}^{p}");
        }
    }
}
