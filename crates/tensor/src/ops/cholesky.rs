//! `cholesky`: the triangular factor of symmetric positive definite matrices.

use backstitch_kernels::Float;
use backstitch_linalg as kernel;

use super::matrices::{self, Square};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The lower triangular `l` with a positive diagonal and `l lᵀ = a`, for the symmetric positive
    /// definite matrices in the last two axes.
    ///
    /// Needs the feature `linalg`.
    ///
    /// Of a matrix that is not symmetric, the symmetric part `(a + aᵀ) / 2` counts.
    ///
    /// # Shape
    /// `a (..., n, n)` to `l (..., n, n)`.
    ///
    /// # Gradient
    /// `da = l⁻ᵀ Φ(lᵀ dl) l⁻¹`, made symmetric, where `Φ` keeps the lower triangle and half of the
    /// diagonal.
    ///
    /// # Numerics
    /// By faer. Where a matrix is not positive definite, its factor is NaN; nothing panics, since
    /// whether it is depends on data.
    ///
    /// # Panics
    /// When the last two axes differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let a = Tensor::from([[4.0, 2.0], [2.0, 10.0]]);
    /// assert_eq!(a.cholesky().to_vec(), [2.0, 0.0, 1.0, 3.0]);
    /// ```
    ///
    /// # Reference
    /// Murray 2016, "Differentiation of the Cholesky decomposition".
    #[track_caller]
    pub fn cholesky(&self) -> Tensor<T> {
        or_panic(matrices::side("cholesky", self.shape()));
        apply(Cholesky, [&symmetric_part(self)])
    }
}

/// `(a + aᵀ) / 2`
#[track_caller]
pub(super) fn symmetric_part<T: Float>(a: &Tensor<T>) -> Tensor<T> {
    (a + a.transpose(-1, -2)) * T::from_f64(0.5)
}

/// The factor of a symmetric matrix.
struct Cholesky;

/// The lower triangle with half of the diagonal.
fn phi<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    (x.tril(0) + x.tril(-1)) * T::from_f64(0.5)
}

impl<T: Float> Op<T, 1> for Cholesky {
    const NAME: &'static str = "cholesky";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [a]: [&Tensor<T>; 1]) -> Tensor<T> {
        let a = a.contiguous();
        Tensor::build(a.shape(), |l| kernel::cholesky(data(&a), a.size(-1), l))
    }

    fn backward(&self, at: &Site<T>, dl: &Tensor<T>) -> Gradient<T, 1> {
        let l = at.output();
        let lt = l.transpose(-1, -2);
        // l⁻ᵀ Φ l⁻¹ is the transpose of l⁻ᵀ (l⁻ᵀ Φ)ᵀ.
        let left = lt.solve_triangular(&phi(&lt.matmul(&dl.tril(0))), true);
        let da = lt.solve_triangular(&left.transpose(-1, -2), true);
        [Some(symmetric_part(&da))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let l = at.output();
        let da = symmetric_part(da.expect("the only input moves"));
        let left = l.solve_triangular(&da, false);
        let both = l.solve_triangular(&left.transpose(-1, -2), false);
        l.matmul(&phi(&both.transpose(-1, -2)))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "cholesky",
    formula: "l lᵀ = (a + aᵀ) / 2, l lower triangular",
    shapes: &[
        &[&[1, 1]],
        &[&[0, 0]],
        &[&[3, 3]],
        &[&[5, 5]],
        &[&[2, 3, 3]],
        &[&[2, 2, 3, 3]],
        &[&[64, 64]],
    ],
    domain: Domain::Custom(|_, shape, rng| matrices::draw(Square::Spaced, shape, rng)),
    build: build!(|x| x[0].cholesky()),
    oracle: Oracle::Whole(|x| factors(&x[0])),
    refused: &[&[&[2, 3]], &[&[2]], &[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let n = shapes[0][0] as f64;
        Cost { flops: n * n * n / 3.0, elements: 2.0 * n * n }
    },
    tolerance: Tolerance::Terms(
        16.0,
        |x| factors(&x[0]).abs() + 1.0,
        "sums of n products, with condition numbers of about n",
    ),
}];

/// The factors by Cholesky's rule, row by row.
fn factors(a: &Tensor<f64>) -> Tensor<f64> {
    let factor = |a: Vec<Vec<f64>>| {
        let n = a.len();
        let mut l = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
                let rest = (a[i][j] + a[j][i]) / 2.0 - known;
                l[i][j] = if i == j { rest.sqrt() } else { rest / l[j][j] };
            }
        }
        l.concat()
    };
    Tensor::from_vec(matrices::each(a).into_iter().flat_map(factor).collect(), a.shape())
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn what_is_not_positive_definite_is_nan() {
        let a = Tensor::from([[1.0f64, 0.0], [0.0, -1.0]]);
        assert!(a.cholesky().to_vec().iter().all(|l| l.is_nan()));
    }

    #[test]
    fn the_symmetric_part_counts() {
        let (a, b) = ([[4.0, 2.0], [2.0, 10.0]], [[4.0, 4.0], [0.0, 10.0]]);
        let (a, b): (Tensor<f64>, Tensor<f64>) = (Tensor::from(a), Tensor::from(b));
        assert_eq!(a.cholesky().to_vec(), b.cholesky().to_vec());
    }
}
