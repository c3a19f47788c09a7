//! `remainder`: remainder of a division that rounds down.

use backstitch_kernels::Float;

use super::fmod::Remainder;
use super::operand::Operand;
use crate::op::apply;
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The remainder of a division that rounds down: it has the sign of b, like Python's `%`.
    ///
    /// `y = a - q b`, q the quotient, rounded down
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to their broadcast shape.
    ///
    /// # Gradient
    /// `da = dy`, `db = -dy * q`, also where the quotient is whole and the remainder jumps, as in
    /// PyTorch.
    ///
    /// # Numerics
    /// Exact but for one rounding where b is added. NaN where b is 0 or a is infinite.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([-5.0, 5.0]).remainder(&Tensor::from([3.0, -3.0]));
    /// assert_eq!(y.to_vec(), [1.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn remainder(&self, b: impl Operand<T>) -> Tensor<T> {
        let b = b.into_tensor();
        or_panic(broadcast("remainder", self.shape(), b.shape()));
        apply(Remainder::<true>, [self, &b])
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "remainder",
    formula: "y = a - b floor(a / b)",
    shapes: super::binary::SHAPES,
    // Quotients near whole numbers, where the remainder jumps, are not drawn.
    domain: Domain::Custom(|input, shape, rng| match input {
        0 => Tensor::rand(shape, -8.0, 8.0, rng).round() + Tensor::rand(shape, 0.2, 0.4, rng),
        _ => Tensor::rand(shape, -0.02, 0.02, rng) + Tensor::rand(shape, -1.0, 1.0, rng).sign(),
    }),
    build: build!(|x| x[0].remainder(&x[1])),
    oracle: Oracle::Binary(|a, b| {
        let y = a % b;
        if y != 0.0 && y.is_sign_negative() != b.is_sign_negative() { y + b } else { y }
    }),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(0.5, "exact, but for one rounding where b is added"),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn jumps_and_signs_are_those_of_pytorch() {
        let check = |a: f64, b: f64, want: [f64; 2]| {
            let b = Tensor::scalar(b).leaf();
            let y = Tensor::scalar(a).remainder(&b);
            assert_eq!([y.item(), y.backward().get(&b).unwrap().item()], want, "{a} {b:?}");
        };
        check(5.0, 3.0, [2.0, -1.0]);
        check(-5.0, 3.0, [1.0, 2.0]);
        check(5.0, -3.0, [-1.0, 2.0]);
        check(6.0, 3.0, [0.0, -2.0]);
        check(-6.0, 3.0, [0.0, 2.0]);
    }

    #[test]
    fn zero_and_infinite_divisors() {
        let y = |a: f64, b: f64| Tensor::scalar(a).remainder(b).item();
        assert!(y(1.0, 0.0).is_nan());
        assert_eq!(y(5.0, f64::INFINITY), 5.0);
        assert_eq!(y(-5.0, f64::INFINITY), f64::INFINITY);
    }
}
