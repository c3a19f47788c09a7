//! `eigh`: eigenvalues and eigenvectors of symmetric matrices.

use backstitch_kernels::Float;
use backstitch_linalg as kernel;

use super::cholesky::symmetric_part;
use super::matrices::{self, Square};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, or_panic};
use crate::spec::{Domain, OpSpec, Oracle, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Eigenvalues, rising, and eigenvectors of the symmetric matrices in the last two axes:
    /// `a = v diag(w) vᵀ`.
    ///
    /// Needs the feature `linalg`.
    ///
    /// Of a matrix that is not symmetric, the symmetric part `(a + aᵀ) / 2` counts. The vectors are
    /// the columns of `v`; each has length 1 and the sign that makes its component of largest
    /// magnitude positive.
    ///
    /// # Shape
    /// `a (..., n, n)` to `w (..., n)` and `v (..., n, n)`.
    ///
    /// # Gradient
    /// `da = v (diag(dw) + F ∘ (vᵀ dv)) vᵀ`, made symmetric, with `F_ij = 1 / (w_j - w_i)` and 0
    /// where the values are equal. The vectors of equal values have no derivative; a function of
    /// the values alone, or one that depends on such vectors by the space that they span only, is
    /// right nevertheless.
    ///
    /// # Numerics
    /// By faer. A matrix with numbers that are not finite gives NaN.
    ///
    /// # Panics
    /// When the last two axes differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (w, v) = Tensor::from([[2.0f64, 1.0], [1.0, 2.0]]).eigh();
    /// assert!((w.at(&[0]) - 1.0).abs() < 1e-15 && (w.at(&[1]) - 3.0).abs() < 1e-15);
    /// assert!((v.at(&[0, 1]) - v.at(&[1, 1])).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn eigh(&self) -> (Tensor<T>, Tensor<T>) {
        or_panic(matrices::side("eigh", self.shape()));
        parts(&apply(Eigh, [&symmetric_part(self)]))
    }
}

/// Values and vectors from the rows of one tensor, `(..., n + 1, n)`.
#[track_caller]
fn parts<T: Float>(y: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
    (y.select(-2, 0), y.narrow(-2, 1, y.size(-1)))
}

/// The values in the first row, the vectors as columns below it.
struct Eigh;

/// `1 / (w_j - w_i)`; 0 where they are equal.
pub(super) fn inverse_gaps<T: Float>(w: &Tensor<T>) -> Tensor<T> {
    let gaps = w.unsqueeze(-2) - w.unsqueeze(-1);
    let equal = gaps.eq(T::ZERO);
    Tensor::where_(&equal, T::ZERO, Tensor::where_(&equal, T::ONE, gaps).recip())
}

impl<T: Float> Op<T, 1> for Eigh {
    const NAME: &'static str = "eigh";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [a]: [&Tensor<T>; 1]) -> Tensor<T> {
        let a = a.contiguous();
        let mut shape = Shape::new(a.shape());
        shape[a.rank() - 2] += 1;
        Tensor::build(&shape, |y| kernel::eigh(data(&a), a.size(-1), y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let ((w, v), (dw, dv)) = (parts(at.output()), parts(dy));
        let vt = v.transpose(-1, -2);
        let turned = inverse_gaps(&w) * vt.matmul(&dv);
        let da = v.matmul(&(dw.diag_embed(0, -2, -1) + turned)).matmul(&vt);
        [Some(symmetric_part(&da))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let (w, v) = parts(at.output());
        let da = symmetric_part(da.expect("the only input moves"));
        let seen = v.transpose(-1, -2).matmul(&da).matmul(&v);
        let dw = seen.diagonal(0, -2, -1).unsqueeze(-2);
        let dv = v.matmul(&(inverse_gaps(&w) * seen));
        Tensor::concat(&[&dw, &dv], -2)
    }
}

const SHAPES: &[&[&[usize]]] = &[
    &[&[1, 1]],
    &[&[0, 0]],
    &[&[3, 3]],
    &[&[5, 5]],
    &[&[2, 3, 3]],
    &[&[2, 2, 3, 3]],
    &[&[32, 32]],
];

const SPACED: Domain = Domain::Custom(|_, shape, rng| matrices::draw(Square::Spaced, shape, rng));

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "eigh values",
        formula: "w of (a + aᵀ) / 2 = v diag(w) vᵀ",
        shapes: SHAPES,
        domain: SPACED,
        refused: &[&[&[2, 3]], &[&[2]], &[&[]]],
        build: build!(|x| x[0].eigh().0),
        oracle: Oracle::Whole(|x| rotated(&x[0]).0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::full(&x[0].shape()[..x[0].rank() - 1], x[0].size(-1).max(1) as f64),
            "relative to the largest eigenvalue, about n; gaps of about 1",
        ),
        ..matrices::FACTORS
    },
    OpSpec {
        name: "eigh vectors",
        formula: "v of (a + aᵀ) / 2 = v diag(w) vᵀ",
        shapes: SHAPES,
        domain: SPACED,
        refused: &[&[&[2, 3]], &[&[2]], &[&[]]],
        build: build!(|x| x[0].eigh().1),
        oracle: Oracle::Whole(|x| rotated(&x[0]).1),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::full(x[0].shape(), x[0].size(-1).max(1) as f64),
            "relative to the largest eigenvalue, about n; gaps of about 1",
        ),
        ..matrices::FACTORS
    },
];

/// Values and vectors by Jacobi's rotations, as plain loops.
pub(super) fn rotated(a: &Tensor<f64>) -> (Tensor<f64>, Tensor<f64>) {
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for a in matrices::each(a) {
        let n = a.len();
        let mut a: Vec<Vec<f64>> =
            (0..n).map(|i| (0..n).map(|j| (a[i][j] + a[j][i]) / 2.0).collect()).collect();
        let mut v: Vec<Vec<f64>> =
            (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        for (p, q) in (0..30 * n * n).map(|at| (at / n % n, at % n)).filter(|(p, q)| p < q) {
            rotate(&mut a, &mut v, p, q);
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| a[i][i].total_cmp(&a[j][j]));
        values.extend(order.iter().map(|&j| a[j][j]));
        let sign = |j: usize| {
            let largest =
                (0..n).fold(0.0f64, |max, i| if v[i][j].abs() > max.abs() { v[i][j] } else { max });
            largest.signum()
        };
        vectors.extend(
            (0..n).flat_map(|i| order.iter().map(|&j| v[i][j] * sign(j)).collect::<Vec<_>>()),
        );
    }
    let shape = a.shape();
    (Tensor::from_vec(values, &shape[..shape.len() - 1]), Tensor::from_vec(vectors, shape))
}

/// One rotation that makes `a[p][q]` zero.
fn rotate(a: &mut [Vec<f64>], v: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let (c, s) = (1.0 / (t * t + 1.0).sqrt(), t / (t * t + 1.0).sqrt());
    for row in a.iter_mut().chain(v.iter_mut()) {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    let (above, below) = a.split_at_mut(q);
    for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn equal_values_have_gradients_where_vectors_do_not_matter() {
        let a = Tensor::from([[2.0f64, 0.0], [0.0, 2.0]]).leaf();
        let (w, _) = a.eigh();
        let grads = (&w * &w).sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [4.0, 0.0, 0.0, 4.0]);
        let (_, v) = a.eigh();
        let whole = v.matmul(&v.transpose(0, 1)).sum().backward();
        assert!(whole.get(&a).unwrap().to_vec().iter().all(|da| da.is_finite()));
    }

    #[test]
    fn signs_are_fixed_and_nan_spreads() {
        let (_, v) = Tensor::from([[0.0f64, -1.0], [-1.0, 0.5]]).eigh();
        for column in v.unbind(1) {
            let largest = column.to_vec().into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            assert!(largest.unwrap() > 0.0);
        }
        let (w, v) = Tensor::from([[f64::NAN, 0.0], [0.0, 1.0]]).eigh();
        assert!(w.to_vec().iter().chain(&v.to_vec()).all(|x| x.is_nan()));
    }
}
