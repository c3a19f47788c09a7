//! `outer`: all products of the elements of two vectors.

use backstitch_kernels::Float;

use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// All products of the elements of two vectors.
    ///
    /// `y_ij = a_i b_j`
    ///
    /// # Shape
    /// `a (m)` and `b (n)` to `y (m, n)`.
    ///
    /// # Gradient
    /// `da = dy b`, `db = dyᵀ a`.
    ///
    /// # Panics
    /// When a tensor has not exactly one axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0, 2.0]).outer(&Tensor::from([3.0, 4.0]));
    /// assert_eq!(y.to_vec(), [3.0, 4.0, 6.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn outer(&self, b: &Tensor<T>) -> Tensor<T> {
        assert!(
            self.rank() == 1 && b.rank() == 1,
            "outer: needs (m) and (n); got {:?} and {:?}",
            self.shape(),
            b.shape()
        );
        self.unsqueeze(1) * b
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "outer",
    formula: "y[i, j] = a[i] b[j]",
    shapes: &[&[&[0], &[3]], &[&[1], &[1]], &[&[7], &[2]], &[&[5], &[33]], &[&[512], &[512]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].outer(&x[1])),
    oracle: Oracle::Whole(|x| {
        let shape = [x[0].numel(), x[1].numel()];
        Tensor::from_fn(shape, |idx| x[0].at(&[idx[0]]) * x[1].at(&[idx[1]]))
    }),
    refused: &[&[&[2, 2], &[2]], &[&[], &[2]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let (m, n) = (shapes[0][0] as f64, shapes[1][0] as f64);
        Cost { flops: m * n, elements: m + n + m * n }
    },
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
