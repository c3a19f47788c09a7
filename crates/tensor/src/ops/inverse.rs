//! `inverse`: the inverse of square matrices.

use backstitch_kernels::Float;
use backstitch_linalg as kernel;

use super::matrices::{self, Square};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The inverse of the matrices in the last two axes.
    ///
    /// Needs the feature `linalg`.
    ///
    /// To multiply by an inverse, [`Tensor::solve`] is faster and more accurate.
    ///
    /// # Shape
    /// `a (..., n, n)` to `y (..., n, n)`.
    ///
    /// # Gradient
    /// `da = -yᵀ dy yᵀ`.
    ///
    /// # Numerics
    /// LU factorisation with partial pivoting, by faer. Where a matrix is singular to the last
    /// bit, its inverse is NaN.
    ///
    /// # Panics
    /// When the last two axes differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let a = Tensor::from([[2.0, 0.0], [0.0, 4.0]]);
    /// assert_eq!(a.inverse().to_vec(), [0.5, 0.0, 0.0, 0.25]);
    /// ```
    #[track_caller]
    pub fn inverse(&self) -> Tensor<T> {
        or_panic(matrices::side("inverse", self.shape()));
        apply(Inverse, [self])
    }
}

struct Inverse;

impl<T: Float> Op<T, 1> for Inverse {
    const NAME: &'static str = "inverse";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [a]: [&Tensor<T>; 1]) -> Tensor<T> {
        let a = a.contiguous();
        Tensor::build(a.shape(), |y| kernel::inverse(data(&a), a.size(-1), y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let y = at.output().transpose(-1, -2);
        [Some(-y.matmul(dy).matmul(&y))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let y = at.output();
        -y.matmul(da.expect("the only input moves")).matmul(y)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "inverse",
    formula: "y = a⁻¹",
    shapes: &[&[&[1, 1]], &[&[0, 0]], &[&[3, 3]], &[&[5, 5]], &[&[2, 3, 3]], &[&[128, 128]]],
    domain: Domain::Custom(|_, shape, rng| matrices::draw(Square::Dominant, shape, rng)),
    build: build!(|x| x[0].inverse()),
    oracle: Oracle::Whole(|x| {
        let eye = Tensor::<f64>::eye(x[0].size(-1)).broadcast_view(x[0].shape());
        matrices::eliminated(&x[0], &eye)
    }),
    refused: &[&[&[2, 3]], &[&[2]], &[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let n = shapes[0][0] as f64;
        Cost { flops: 2.0 * n * n * n, elements: 2.0 * n * n }
    },
    tolerance: Tolerance::Terms(
        32.0,
        |x| Tensor::ones(x[0].shape()),
        "elements of at most about 1; condition numbers below 10",
    ),
}];
