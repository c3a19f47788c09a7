//! `lerp`: the way from one tensor to another.

use backstitch_kernels::Float;

use super::operand::Operand;
use crate::shape::{ShapeError, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Linear interpolation: the point that lies `weight` of the way to `end`.
    ///
    /// `y = a + weight (end - a)`
    ///
    /// # Shape
    /// `a (...)`, and `end (...)` and `weight (...)`, which may be numbers, to their broadcast
    /// shape.
    ///
    /// # Gradient
    /// `da = dy * (1 - weight)`, `dend = dy * weight`, `dweight = dy * (end - a)`
    ///
    /// # Numerics
    /// Starts from the nearer end, as PyTorch does: exactly `a` for weight 0, `end` for weight 1.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0]).lerp(5.0, 0.25).to_vec(), [2.0, 2.75]);
    /// ```
    #[track_caller]
    pub fn lerp(&self, end: impl Operand<T>, weight: impl Operand<T>) -> Tensor<T> {
        let number = weight.number();
        let (end, weight) = (end.into_tensor(), weight.into_tensor());
        or_panic(shape_rule(self.shape(), end.shape(), weight.shape()));
        let way = &end - self;
        let from_start = || self + &way * &weight;
        let from_end = || &end - &way * (-&weight + T::ONE);
        match number {
            Some(weight) if weight < T::HALF => from_start(),
            Some(_) => from_end(),
            None => Tensor::where_(&weight.lt(T::HALF), from_start(), from_end()),
        }
    }
}

fn shape_rule(a: &[usize], end: &[usize], weight: &[usize]) -> Result<(), ShapeError> {
    let whole = broadcast("lerp", a, end).and_then(|shape| broadcast("lerp", &shape, weight));
    whole.map(|_| ()).map_err(|_| {
        let got = format!("{a:?}, {end:?} and {weight:?}");
        ShapeError::new("lerp", "three shapes that broadcast", got)
    })
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "lerp",
    formula: "y = a + weight (end - a)",
    shapes: &[
        &[&[], &[], &[]],
        &[&[0], &[1], &[]],
        &[&[7], &[7], &[7]],
        &[&[3, 17], &[17], &[3, 1]],
        &[&[2, 1, 5], &[4, 1], &[]],
        &[&[256, 1024], &[256, 1024], &[]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].lerp(&x[1], &x[2])),
    oracle: Oracle::Whole(|x| lerp_terms(x, |a, end, weight| a + weight * (end - a))),
    refused: &[&[&[2, 3], &[4], &[]], &[&[2], &[], &[3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 3.0),
    tolerance: Tolerance::Terms(
        3.0,
        |x| {
            lerp_terms(x, |a, end, weight| {
                (1.0 + weight.abs()) * (a.abs() + end.abs()) + a.abs() + end.abs()
            })
        },
        "a difference, a product and a sum; they may cancel",
    ),
}];

/// A function of the three inputs, element by element.
fn lerp_terms(x: &[Tensor<f64>], term: fn(f64, f64, f64) -> f64) -> Tensor<f64> {
    let shape = broadcast("", x[0].shape(), x[1].shape()).expect("was accepted");
    let shape = broadcast("", &shape, x[2].shape()).expect("was accepted");
    let [a, end, weight] = [0, 1, 2].map(|i| x[i].broadcast_view(&shape));
    Tensor::from_fn(shape, |idx| term(a.at(idx), end.at(idx), weight.at(idx)))
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn both_ends_are_exact() {
        let (a, end) = (Tensor::from([0.1f32, 1e8]), Tensor::from([0.7f32, 3.0]));
        for weight in [Tensor::scalar(1.0), Tensor::from([1.0, 1.0])] {
            assert_eq!(a.lerp(&end, &weight).to_vec(), end.to_vec());
        }
        assert_eq!(a.lerp(&end, 1.0).to_vec(), end.to_vec());
        assert_eq!(a.lerp(&end, 0.0).to_vec(), a.to_vec());
    }
}
