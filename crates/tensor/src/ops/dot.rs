//! `dot`: the inner product of two vectors.

use backstitch_kernels::Float;

use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The inner product of two vectors.
    ///
    /// `y = Σ_i a_i b_i`
    ///
    /// # Shape
    /// `a (k)` and `b (k)` to a scalar `()`.
    ///
    /// # Gradient
    /// `da = dy b`, `db = dy a`.
    ///
    /// # Panics
    /// When a tensor has not exactly one axis, or the lengths differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0]).dot(&Tensor::from([3.0, 4.0])).item(), 11.0);
    /// ```
    #[track_caller]
    pub fn dot(&self, b: &Tensor<T>) -> Tensor<T> {
        assert!(
            self.rank() == 1 && self.shape() == b.shape(),
            "dot: needs (k) and (k); got {:?} and {:?}",
            self.shape(),
            b.shape()
        );
        self.matmul(b)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "dot",
    formula: "y = Σ a b",
    shapes: &[&[&[0], &[0]], &[&[1], &[1]], &[&[7], &[7]], &[&[65], &[65]], &[&[4096], &[4096]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].dot(&x[1])),
    oracle: Oracle::Whole(|x| Tensor::scalar(products(x).sum())),
    refused: &[&[&[2], &[3]], &[&[2, 2], &[2]], &[&[], &[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost { flops: 2.0 * shapes[0][0] as f64, elements: 2.0 * shapes[0][0] as f64 },
    tolerance: Tolerance::Terms(
        16.0,
        |x| Tensor::scalar(products(x).map(f64::abs).sum()),
        "sums in order within chunks of k, in several accumulators",
    ),
}];

fn products(x: &[Tensor<f64>]) -> impl Iterator<Item = f64> {
    x[0].to_vec().into_iter().zip(x[1].to_vec()).map(|(a, b)| a * b)
}
