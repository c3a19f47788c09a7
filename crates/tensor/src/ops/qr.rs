//! `qr`: orthonormal columns times an upper triangle.

use backstitch_kernels::Float;
use backstitch_linalg as kernel;

use super::matrices;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, or_panic};
use crate::spec::{OpSpec, Oracle, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The reduced QR factorisation of the matrices in the last two axes: `a = q r`, where the
    /// columns of `q` are orthonormal and `r` is upper triangular.
    ///
    /// Needs the feature `linalg`.
    ///
    /// The diagonal of `r` is not negative, which makes the factors unique where `a` has full
    /// rank. (PyTorch leaves the signs to the algorithm.)
    ///
    /// # Shape
    /// `a (..., m, n)` to `q (..., m, k)` and `r (..., k, n)` with `k = min(m, n)`.
    ///
    /// # Gradient
    /// `da = (dq + q sym(r drᵀ - dqᵀ q)) r⁻ᵀ`, where `sym` mirrors the lower triangle, for
    /// `m >= n`; otherwise that of the first `m` columns, and `r` of the others is `qᵀ a`. NaN or
    /// infinite where the first `k` columns are linearly dependent: there is no derivative.
    ///
    /// # Numerics
    /// Householder reflections, by faer.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (q, r) = Tensor::from([[0.0f64, 2.0], [-3.0, 1.0]]).qr();
    /// let near = |x: Tensor<f64>, want: [f64; 4]| {
    ///     assert!(x.to_vec().iter().zip(want).all(|(x, want)| (x - want).abs() < 1e-15));
    /// };
    /// near(q, [0.0, 1.0, -1.0, 0.0]);
    /// near(r, [3.0, -1.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Reference
    /// Walter and Lehmann 2018, "Algorithmic differentiation of linear algebra functions".
    #[track_caller]
    pub fn qr(&self) -> (Tensor<T>, Tensor<T>) {
        let (m, n) = or_panic(matrices::sides("qr", self.shape()));
        if m >= n {
            return parts(&apply(Qr, [self]), m);
        }
        let (q, left) = parts(&apply(Qr, [&self.narrow(-1, 0, m)]), m);
        let right = q.transpose(-1, -2).matmul(&self.narrow(-1, m, n - m));
        (q, Tensor::concat(&[&left, &right], -1))
    }
}

/// q and r from the rows of one tensor, `(..., m + n, n)`.
#[track_caller]
fn parts<T: Float>(y: &Tensor<T>, m: usize) -> (Tensor<T>, Tensor<T>) {
    (y.narrow(-2, 0, m), y.narrow(-2, m, y.size(-1)))
}

/// For `m >= n`: the rows of q over those of r.
struct Qr;

/// `x r⁻¹`
fn divided<T: Float>(x: &Tensor<T>, r: &Tensor<T>) -> Tensor<T> {
    let xt = x.transpose(-1, -2);
    r.transpose(-1, -2).solve_triangular(&xt, false).transpose(-1, -2)
}

impl<T: Float> Op<T, 1> for Qr {
    const NAME: &'static str = "qr";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [a]: [&Tensor<T>; 1]) -> Tensor<T> {
        let a = a.contiguous();
        let mut shape = Shape::new(a.shape());
        shape[a.rank() - 2] += a.size(-1);
        Tensor::build(&shape, |y| kernel::qr(data(&a), (a.size(-2), a.size(-1)), y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let m = at.shape(0)[at.shape(0).len() - 2];
        let ((q, r), (dq, dr)) = (parts(at.output(), m), parts(dy, m));
        let dr = dr.triu(0);
        let inner = r.matmul(&dr.transpose(-1, -2)) - dq.transpose(-1, -2).matmul(&q);
        let mirrored = inner.tril(0) + inner.tril(-1).transpose(-1, -2);
        let left = dq + q.matmul(&mirrored);
        // x r⁻ᵀ is the transpose of r⁻¹ xᵀ.
        [Some(r.solve_triangular(&left.transpose(-1, -2), true).transpose(-1, -2))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let m = at.shape(0)[at.shape(0).len() - 2];
        let (q, r) = parts(at.output(), m);
        let moved = divided(da.expect("the only input moves"), &r);
        let seen = q.transpose(-1, -2).matmul(&moved);
        let below = seen.tril(-1);
        let turn = &below - below.transpose(-1, -2);
        let dq = &moved + q.matmul(&(&turn - &seen));
        let dr = (seen - turn).matmul(&r);
        Tensor::concat(&[&dq, &dr], -2)
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "qr q",
        formula: "q of a = q r",
        build: build!(|x| x[0].qr().0),
        oracle: Oracle::Whole(|x| factors(&x[0]).0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::full(factors(&x[0]).0.shape(), 1.0),
            "relative to the length of a column; condition numbers below 10",
        ),
        ..matrices::FACTORS
    },
    OpSpec {
        name: "qr r",
        formula: "r of a = q r",
        build: build!(|x| x[0].qr().1),
        oracle: Oracle::Whole(|x| factors(&x[0]).1),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::full(factors(&x[0]).1.shape(), 3.0),
            "relative to the largest element of r; condition numbers below 10",
        ),
        ..matrices::FACTORS
    },
];

/// The factors by Gram and Schmidt's rule, applied twice for accuracy, as plain loops.
fn factors(a: &Tensor<f64>) -> (Tensor<f64>, Tensor<f64>) {
    let (m, n) = (a.size(-2), a.size(-1));
    let k = m.min(n);
    let (mut qs, mut rs) = (Vec::new(), Vec::new());
    for a in matrices::each(a) {
        let mut q = vec![vec![0.0; k]; m];
        let mut r = vec![vec![0.0; n]; k];
        for j in 0..n {
            let mut column: Vec<f64> = (0..m).map(|i| a[i][j]).collect();
            for l in (0..j.min(k)).chain(0..j.min(k)) {
                let along: f64 = (0..m).map(|i| q[i][l] * column[i]).sum();
                r[l][j] += along;
                (0..m).for_each(|i| column[i] -= along * q[i][l]);
            }
            if j < k {
                r[j][j] = column.iter().map(|x| x * x).sum::<f64>().sqrt();
                (0..m).for_each(|i| q[i][j] = column[i] / r[j][j]);
            }
        }
        qs.extend(q.concat());
        rs.extend(r.concat());
    }
    let lead = &a.shape()[..a.rank() - 2];
    let shape = |rows: usize, cols: usize| [lead, &[rows, cols]].concat();
    (Tensor::from_vec(qs, shape(m, k)), Tensor::from_vec(rs, shape(k, n)))
}
