//! `minimum`: the smaller of two numbers.

use backstitch_kernels::Float;

use super::maximum::Winner;
use super::operand::Operand;
use crate::op::apply;
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The smaller of two numbers, element by element.
    ///
    /// `y = min(a, b)`
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to their broadcast shape.
    ///
    /// # Gradient
    /// `dy` goes to the smaller one; where both are equal, half of it to each, as in PyTorch.
    ///
    /// # Numerics
    /// NaN where either is NaN; then both get `dy`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 5.0]).minimum(2.0).to_vec(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn minimum(&self, b: impl Operand<T>) -> Tensor<T> {
        let b = b.into_tensor();
        or_panic(broadcast("minimum", self.shape(), b.shape()));
        apply(Winner::<false>, [self, &b])
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "minimum",
    formula: "y = min(a, b)",
    shapes: super::binary::SHAPES,
    domain: Domain::Custom(super::binary::draw_apart),
    build: build!(|x| x[0].minimum(&x[1])),
    oracle: Oracle::Binary(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn equal_ones_share_the_gradient() {
        let a = Tensor::from([1.0, 2.0, 3.0]).leaf();
        let b = Tensor::from([2.0, 2.0, 2.0]).leaf();
        let grads = (a.minimum(&b) * Tensor::from([10.0, 20.0, 30.0])).sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [10.0, 10.0, 0.0]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [0.0, 10.0, 30.0]);
    }

    #[test]
    fn nan_wins_and_goes_both_ways() {
        let a = Tensor::from([1.0, f32::NAN]).leaf();
        let b = Tensor::from([f32::NAN, 1.0]).leaf();
        let y = a.minimum(&b);
        assert!(y.to_vec().iter().all(|y| y.is_nan()));
        let grads = y.sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [1.0, 1.0]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [1.0, 1.0]);
    }
}
