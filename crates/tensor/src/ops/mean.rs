//! `mean`: averages all elements, or those along some axes.

use backstitch_kernels::Float;

use crate::shape::{AxisSet, IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The mean of all elements.
    ///
    /// `y = Σ x / n`
    ///
    /// # Shape
    /// `x (...)` to a scalar `()`.
    ///
    /// # Gradient
    /// `dx = dy / n`, repeated.
    ///
    /// # Numerics
    /// The mean of no elements is NaN.
    #[track_caller]
    pub fn mean(&self) -> Tensor<T> {
        self.mean_dim([], false)
    }

    /// The means along some axes; `keepdim` leaves those axes with length 1. No axes means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy / n`, repeated along `dims`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 6.0]]);
    /// assert_eq!(x.mean_dim(0, false).to_vec(), [2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn mean_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        let dims = dims.into_dims();
        let axes = or_panic(AxisSet::new("mean", dims, self.rank()));
        let count: usize = axes.iter().map(|axis| self.shape()[axis]).product();
        self.sum_dim(dims, keepdim) * (T::ONE / T::from_usize(count))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "mean",
    formula: "y[j] = Σ_i x[i, j] / n, over the first axis",
    shapes: &[&[&[1]], &[&[3, 0]], &[&[7]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].mean_dim(0, false)),
    oracle: Oracle::Whole(|x| mean_first(&x[0], |x| x)),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Terms(
        32.0,
        |x| mean_first(&x[0], f64::abs),
        "blocked partial sums: the error grows with the depth of the tree",
    ),
}];

fn mean_first(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let n = x.shape()[0];
    Tensor::from_fn(&x.shape()[1..], |idx| {
        (0..n).map(|i| term(x.at(&[&[i], idx].concat()))).sum::<f64>() / n as f64
    })
}
