//! `fmod`: remainder of a division that rounds towards zero.

use backstitch_kernels::{Float, elementwise};

use super::operand::Operand;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The remainder of a division that rounds towards zero: it has the sign of a, like C's `fmod` and Rust's `%`.
    ///
    /// `y = a - q b`, q the quotient, rounded towards zero
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to their broadcast shape.
    ///
    /// # Gradient
    /// `da = dy`, `db = -dy * q`, also where the quotient is whole and the remainder jumps, as in
    /// PyTorch.
    ///
    /// # Numerics
    /// Exact. NaN where b is 0 or a is infinite.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([-5.0, 5.0]).fmod(&Tensor::from([3.0, -3.0]));
    /// assert_eq!(y.to_vec(), [-2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn fmod(&self, b: impl Operand<T>) -> Tensor<T> {
        let b = b.into_tensor();
        or_panic(broadcast("fmod", self.shape(), b.shape()));
        apply(Remainder::<false>, [self, &b])
    }
}

/// `a - q b` with the quotient rounded down if `FLOORED`, else towards zero.
pub(super) struct Remainder<const FLOORED: bool>;

/// The whole quotient, a constant wherever it has a derivative. It is found from the remainder,
/// which is exact, since `a / b` may round up to the next whole number.
fn quotient<T: Float>(at: &Site<T>) -> Tensor<T> {
    ((at.input(0).detach() - at.output().detach()) / at.input(1).detach()).round()
}

impl<T: Float, const FLOORED: bool> Op<T, 2> for Remainder<FLOORED> {
    const NAME: &'static str = if FLOORED { "remainder" } else { "fmod" };
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([a, b], if FLOORED { elementwise::remainder } else { elementwise::rem })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        [
            at.want(0, || dy.sum_to(at.shape(0))),
            at.want(1, || -(dy * quotient(at)).sum_to(at.shape(1))),
        ]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let shape = at.output().shape();
        let by_a = da.map(|da| da.expand(shape));
        let by_b = db.map(|db| -(db * quotient(at)));
        super::binary::sum_tangents(at, by_a, by_b)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "fmod",
    formula: "y = a - b trunc(a / b)",
    shapes: super::binary::SHAPES,
    // Quotients near whole numbers, where the remainder jumps, are not drawn.
    domain: Domain::Custom(|input, shape, rng| match input {
        0 => Tensor::rand(shape, -8.0, 8.0, rng).round() + Tensor::rand(shape, 0.2, 0.4, rng),
        _ => Tensor::rand(shape, -0.02, 0.02, rng) + Tensor::rand(shape, -1.0, 1.0, rng).sign(),
    }),
    build: build!(|x| x[0].fmod(&x[1])),
    oracle: Oracle::Binary(|a, b| a % b),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn jumps_and_signs_are_those_of_pytorch() {
        let check = |a: f64, b: f64, want: [f64; 2]| {
            let b = Tensor::scalar(b).leaf();
            let y = Tensor::scalar(a).fmod(&b);
            assert_eq!([y.item(), y.backward().get(&b).unwrap().item()], want, "{a} {b:?}");
        };
        check(5.0, 3.0, [2.0, -1.0]);
        check(-5.0, 3.0, [-2.0, 1.0]);
        check(5.0, -3.0, [2.0, 1.0]);
        check(6.0, 3.0, [0.0, -2.0]);
        check(-6.0, 3.0, [0.0, 2.0]);
    }

    #[test]
    fn zero_and_infinite_divisors() {
        let y = |a: f64, b: f64| Tensor::scalar(a).fmod(b).item();
        assert!(y(1.0, 0.0).is_nan());
        assert_eq!(y(5.0, f64::INFINITY), 5.0);
        assert_eq!(y(-5.0, f64::INFINITY), -5.0);
    }
}
