//! Factorisations of dense matrices: faer, wrapped over batches of row-major slices.
//!
//! A crate of its own beside the kernels, so that they need not wait until faer is compiled, which
//! takes half a minute on one core.
//!
//! Each matrix is factorised by one thread; the matrices of a batch are shared among threads. Where
//! a factorisation does not exist (a singular matrix, one that is not positive definite, numbers
//! that are not finite), that matrix's results are NaN. faer allocates its own scratch memory.
//!
//! All is computed in f64: results in f32 are rounded once, at the end. Unlike the kernels these
//! are compiled where they are used, and cost programs without linear algebra nothing.

#![forbid(unsafe_code)]

use backstitch_kernels::{Float, par};
use faer::linalg::solvers::{PartialPivLu, Solve};
use faer::linalg::triangular_solve as triangular;
use faer::{Mat, MatRef, Par, Side};

/// Which half of a square matrix is read, and whether its diagonal counts as ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    /// The upper half instead of the lower.
    pub upper: bool,
    /// The diagonal counts as ones, whatever it holds.
    pub unit: bool,
}

/// Nanoseconds that `flops` operations on small matrices take, roughly.
fn work(flops: usize) -> usize {
    flops / 2 + 200
}

/// The `index`-th matrix `(rows, cols)` of a batch.
fn read<T: Float>(batch: &[T], index: usize, (rows, cols): (usize, usize)) -> Mat<f64> {
    let matrix = &batch[index * rows * cols..][..rows * cols];
    Mat::from_fn(rows, cols, |i, j| matrix[i * cols + j].to_f64())
}

/// Fills a row-major matrix.
fn write<T: Float>(y: &mut [T], cols: usize, value: impl Fn(usize, usize) -> f64) {
    for (i, y) in y.iter_mut().enumerate() {
        *y = T::from_f64(value(i / cols, i % cols));
    }
}

/// `P a = L U`, with pivots of the largest magnitude in their column, for each matrix of a batch.
#[derive(Clone, Debug)]
pub struct Factors {
    n: usize,
    each: Vec<PartialPivLu<f64>>,
}

impl Factors {
    /// The factors of each `a (n, n)`.
    ///
    /// # Panics
    /// When the slice does not hold whole matrices.
    pub fn of<T: Float>(a: &[T], n: usize) -> Self {
        let count = a.len() / (n * n).max(1);
        assert_eq!(a.len(), count * n * n, "Factors: length");
        let mut each = vec![None; count];
        par::chunks_mut(&mut each, 1, work(n * n * n) * count, |i, lu| {
            lu[0] = Some(read(a, i, (n, n)).partial_piv_lu());
        });
        Factors { n, each: each.into_iter().flatten().collect() }
    }

    /// `x = a⁻¹ b`, or `a⁻ᵀ b`, for each `b (n, k)`. NaN where `a` is singular.
    ///
    /// # Panics
    /// When the slices do not hold one matrix for each `a`.
    pub fn solve<T: Float>(&self, b: &[T], k: usize, transposed: bool, x: &mut [T]) {
        let (n, count) = (self.n, self.each.len());
        assert_eq!((b.len(), x.len()), (count * n * k, count * n * k), "solve: lengths");
        if x.is_empty() {
            return;
        }
        par::chunks_mut(x, n * k, work(n * n * k) * count, |i, x| {
            let lu = &self.each[i];
            if (0..n).any(|i| lu.U()[(i, i)] == 0.0) {
                return x.fill(T::NAN);
            }
            let mut solution = read(b, i, (n, k));
            match transposed {
                false => lu.solve_in_place(&mut solution),
                true => lu.solve_transpose_in_place(&mut solution),
            }
            write(x, k, |i, j| solution[(i, j)]);
        });
    }

    /// The diagonals of U, and in `sign` whether P is an even (1) or odd (-1) permutation: the
    /// determinant is the product of all of them. Of matrices without elements all signs are 1.
    ///
    /// # Panics
    /// When the slices do not hold a diagonal and a sign for each `a`.
    pub fn pivots<T: Float>(&self, diagonal: &mut [T], sign: &mut [T]) {
        let (n, count) = (self.n, self.each.len());
        if n == 0 {
            return sign.fill(T::ONE);
        }
        assert_eq!((diagonal.len(), sign.len()), (count * n, count), "pivots: lengths");
        for (i, (lu, sign)) in self.each.iter().zip(sign).enumerate() {
            write(&mut diagonal[i * n..][..n], n, |_, j| lu.U()[(j, j)]);
            *sign = if is_odd(lu.P().arrays().0) { -T::ONE } else { T::ONE };
        }
    }
}

/// `x = a⁻¹ b` for each `a (n, n)` of which one triangle is read, `b (n, k)`.
///
/// A zero on the diagonal divides: infinities and NaN follow.
///
/// # Panics
/// When the slices do not hold as many matrices of these shapes.
pub fn solve_triangular<T: Float>(
    a: &[T],
    b: &[T],
    (n, k): (usize, usize),
    which: Triangle,
    x: &mut [T],
) {
    assert_eq!((b.len(), a.len() * k), (x.len(), x.len() * n), "solve_triangular: lengths");
    if x.is_empty() {
        return;
    }
    let cost = work(n * n * k) * (x.len() / (n * k));
    par::chunks_mut(x, n * k, cost, |i, x| {
        let a = read(a, i, (n, n));
        let mut solution = read(b, i, (n, k));
        let (a, to) = (a.as_ref(), solution.as_mut());
        match (which.upper, which.unit) {
            (false, false) => triangular::solve_lower_triangular_in_place(a, to, Par::Seq),
            (false, true) => triangular::solve_unit_lower_triangular_in_place(a, to, Par::Seq),
            (true, false) => triangular::solve_upper_triangular_in_place(a, to, Par::Seq),
            (true, true) => triangular::solve_unit_upper_triangular_in_place(a, to, Par::Seq),
        }
        write(x, k, |i, j| solution[(i, j)]);
    });
}

/// Whether a permutation is an odd number of swaps.
fn is_odd(to: &[usize]) -> bool {
    let mut seen = vec![false; to.len()];
    let mut swaps = 0;
    for start in 0..to.len() {
        let mut at = start;
        while !seen[at] {
            seen[at] = true;
            at = to[at];
            swaps += usize::from(at != start);
        }
    }
    swaps % 2 == 1
}

/// `y = a⁻¹` for each `a (n, n)`. NaN where `a` is singular.
///
/// # Panics
/// When the slices differ in length or do not hold whole matrices.
pub fn inverse<T: Float>(a: &[T], n: usize, y: &mut [T]) {
    let mut eye = vec![T::ZERO; y.len()];
    for matrix in eye.chunks_mut((n * n).max(1)) {
        matrix.iter_mut().step_by(n + 1).for_each(|one| *one = T::ONE);
    }
    Factors::of(a, n).solve(&eye, n, false, y);
}

/// The lower triangular `l` with `l lᵀ = a` for each symmetric `a (n, n)`, of which the lower half
/// is read. NaN where `a` is not positive definite.
///
/// # Panics
/// When the slices differ in length or do not hold whole matrices.
pub fn cholesky<T: Float>(a: &[T], n: usize, l: &mut [T]) {
    assert_eq!(a.len(), l.len(), "cholesky: lengths");
    if l.is_empty() {
        return;
    }
    let cost = work(n * n * n) * (l.len() / (n * n));
    par::chunks_mut(l, n * n, cost, |i, l| match read(a, i, (n, n)).llt(Side::Lower) {
        Ok(factor) => write(l, n, |i, j| if j <= i { factor.L()[(i, j)] } else { 0.0 }),
        Err(_) => l.fill(T::NAN),
    });
}

/// Eigenvalues, rising, and eigenvectors of each symmetric `a (n, n)`, of which the lower half is
/// read: `y (n + 1, n)` holds the values in its first row and the vectors in the columns below.
///
/// Each vector has length 1 and the sign that makes its component of largest magnitude positive.
///
/// # Panics
/// When `y` has not one row more for each matrix.
pub fn eigh<T: Float>(a: &[T], n: usize, y: &mut [T]) {
    assert_eq!(a.len() * (n + 1), y.len() * n, "eigh: lengths");
    if y.is_empty() {
        return;
    }
    let size = n * (n + 1);
    let cost = work(10 * n * n * n) * (y.len() / size);
    par::chunks_mut(y, size, cost, |i, y| {
        let a = read(a, i, (n, n));
        let found = a.is_all_finite().then(|| a.self_adjoint_eigen(Side::Lower).ok());
        let Some(eigen) = found.flatten() else { return y.fill(T::NAN) };
        let (values, vectors) = y.split_at_mut(n);
        write(values, n, |_, j| eigen.S().column_vector()[j]);
        let signs = signs_of_columns(eigen.U());
        write(vectors, n, |i, j| eigen.U()[(i, j)] * signs[j]);
    });
}

/// For each column the sign of its component of largest magnitude, the first of equal ones.
fn signs_of_columns(u: MatRef<'_, f64>) -> Vec<f64> {
    let sign = |col: usize| {
        let larger = |so_far: f64, row| {
            let x: f64 = u[(row, col)];
            if x.abs() > so_far.abs() { x } else { so_far }
        };
        if (0..u.nrows()).fold(0.0, larger) < 0.0 { -1.0 } else { 1.0 }
    };
    (0..u.ncols()).map(sign).collect()
}

/// `a = q r` for each `a (m, n)` with `m >= n`: `y (m + n, n)` holds q, whose columns are
/// orthonormal, over r, which is upper triangular with a diagonal that is not negative.
///
/// # Panics
/// When `m < n`, or `y` has not `n` rows more for each matrix.
pub fn qr<T: Float>(a: &[T], (m, n): (usize, usize), y: &mut [T]) {
    assert!(m >= n && a.len() * (m + n) == y.len() * m, "qr: lengths");
    if y.is_empty() {
        return;
    }
    let size = (m + n) * n;
    let cost = work(4 * m * n * n) * (y.len() / size);
    par::chunks_mut(y, size, cost, |i, y| {
        let qr = read(a, i, (m, n)).qr();
        let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
        let sign = |j: usize| if r[(j, j)] < 0.0 { -1.0 } else { 1.0 };
        let (upper, lower) = y.split_at_mut(m * n);
        write(upper, n, |i, j| q[(i, j)] * sign(j));
        write(lower, n, |i, j| if i <= j { r[(i, j)] * sign(i) } else { 0.0 });
    });
}

/// `a = u diag(s) vᵀ` for each `a (m, n)`, with `k = min(m, n)` singular values, falling:
/// `y (m + 1 + n, k)` holds u over s over v. In each column of u the component of largest magnitude
/// is positive.
///
/// # Panics
/// When `y` has not that shape for each matrix.
pub fn svd<T: Float>(a: &[T], (m, n): (usize, usize), y: &mut [T]) {
    let k = m.min(n);
    assert_eq!(a.len() * (m + 1 + n) * k, y.len() * m * n, "svd: lengths");
    if y.is_empty() {
        return;
    }
    let size = (m + 1 + n) * k;
    let cost = work(20 * m * n * k) * (y.len() / size);
    par::chunks_mut(y, size, cost, |i, y| {
        let a = read(a, i, (m, n));
        let found = a.is_all_finite().then(|| a.thin_svd().ok());
        let Some(svd) = found.flatten() else { return y.fill(T::NAN) };
        let signs = signs_of_columns(svd.U());
        let (u, rest) = y.split_at_mut(m * k);
        let (s, v) = rest.split_at_mut(k);
        write(u, k, |i, j| svd.U()[(i, j)] * signs[j]);
        write(s, k, |_, j| svd.S().column_vector()[j]);
        write(v, k, |i, j| svd.V()[(i, j)] * signs[j]);
    });
}

// What `testing` takes from the kernels' root.
#[cfg(test)]
use backstitch_kernels::{arch, element};

#[cfg(test)]
#[path = "../../kernels/src/testing.rs"]
#[allow(dead_code, reason = "the kernels' tests use more of it")]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// The naive product of an (m, k) and a (k, n) matrix.
    fn product<T: Float>(a: &[T], b: &[T], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
        let term = |i: usize, j: usize, l: usize| a[i * k + l].to_f64() * b[l * n + j].to_f64();
        (0..m * n).map(|at| (0..k).map(|l| term(at / n, at % n, l)).sum()).collect()
    }

    fn transposed<T: Float>(a: &[T], rows: usize) -> Vec<T> {
        let cols = a.len() / rows;
        (0..a.len()).map(|at| a[at % rows * cols + at / rows]).collect()
    }

    /// A well-conditioned matrix.
    fn matrix<T: Float>(n: usize, seed: u64) -> Vec<T> {
        let mut a: Vec<T> = values(n * n, seed);
        a.iter_mut().step_by(n + 1).for_each(|a| *a += T::from_usize(2 * n));
        a
    }

    /// A symmetric positive definite one.
    fn spd<T: Float>(n: usize, seed: u64) -> Vec<T> {
        let a: Vec<T> = matrix(n, seed);
        product(&a, &transposed(&a, n), (n, n, n)).iter().map(|&a| T::from_f64(a)).collect()
    }

    fn solvers<T: Float>() {
        for (n, k, seed) in [(1, 1, 1), (2, 3, 2), (7, 1, 3), (33, 5, 4)] {
            let (a, b) = (matrix::<T>(n, seed), values::<T>(n * k, seed + 9));
            let bound = |_: usize| 100.0 * n as f64 * T::EPSILON.to_f64();
            let mut x = vec![T::ZERO; n * k];
            let factors = Factors::of(&a, n);
            for (transposed, a) in [(false, a.clone()), (true, transposed(&a, n))] {
                factors.solve(&b, k, transposed, &mut x);
                let back = product(&a, &x, (n, n, k));
                let back: Vec<T> = back.into_iter().map(T::from_f64).collect();
                assert_within(("solve", n, transposed), &back, &wide(&b), bound);
            }
            for (upper, unit) in [(false, false), (false, true), (true, false), (true, true)] {
                let kept = |i: usize, j: usize| match (i == j, (j > i) == upper) {
                    (true, _) => {
                        if unit {
                            T::ONE
                        } else {
                            a[i * n + i]
                        }
                    }
                    (false, true) => a[i * n + j],
                    (false, false) => T::ZERO,
                };
                let t: Vec<T> = (0..n * n).map(|at| kept(at / n, at % n)).collect();
                // Small off the diagonal, so that a diagonal of ones is well conditioned, too.
                let scale = T::from_f64(0.1 / n as f64);
                let small =
                    |at: usize| if at.is_multiple_of(n + 1) { t[at] } else { t[at] * scale };
                let t: Vec<T> = (0..n * n).map(small).collect();
                let mut x = vec![T::ZERO; n * k];
                solve_triangular(&t, &b, (n, k), Triangle { upper, unit }, &mut x);
                let back: Vec<T> =
                    product(&t, &x, (n, n, k)).iter().map(|&x| T::from_f64(x)).collect();
                assert_within(("triangular", n, upper, unit), &back, &wide(&b), bound);
            }
        }
    }

    #[test]
    fn solutions_solve() {
        solvers::<f32>();
        solvers::<f64>();
    }

    fn factors<T: Float>() {
        for (m, n, seed) in [(1, 1, 1), (3, 2, 2), (7, 7, 3), (33, 20, 4), (4, 9, 5)] {
            let a: Vec<T> = values(m * n, seed);
            let bound = |_: usize| 200.0 * m.max(n) as f64 * T::EPSILON.to_f64();
            let k = m.min(n);
            let mut y = vec![T::ZERO; (m + 1 + n) * k];
            svd(&a, (m, n), &mut y);
            let (u, rest) = y.split_at(m * k);
            let (s, v) = rest.split_at(k);
            let scaled: Vec<T> = u.iter().enumerate().map(|(i, &u)| u * s[i % k]).collect();
            let back = product(&scaled, &transposed(v, n), (m, k, n));
            assert_within(("svd", m, n), &a, &back, bound);
            assert!(s.windows(2).all(|s| s[0] >= s[1]) && s.iter().all(|&s| s >= T::ZERO));
            if m >= n {
                let mut y = vec![T::ZERO; (m + n) * n];
                qr(&a, (m, n), &mut y);
                let (q, r) = y.split_at(m * n);
                assert_within(("qr", m, n), &a, &product(q, r, (m, n, n)), bound);
                let eye = product(&transposed(q, m), q, (n, m, n));
                let one = |at: usize| f64::from(u8::from(at.is_multiple_of(n + 1)));
                assert!((0..n * n).all(|at| (eye[at] - one(at)).abs() <= bound(at)), "qr {m} {n}");
                assert!((0..n).all(|i| r[i * n + i] >= T::ZERO));
            }
        }
    }

    #[test]
    fn factors_multiply_back() {
        factors::<f32>();
        factors::<f64>();
    }

    fn symmetric<T: Float>() {
        for (n, seed) in [(1, 1), (2, 2), (9, 3), (40, 4)] {
            let a: Vec<T> = spd(n, seed);
            let size = a.iter().fold(0.0, |max, a| a.to_f64().abs().max(max));
            let bound = |_: usize| 50.0 * n as f64 * size * T::EPSILON.to_f64();
            let mut l = vec![T::ZERO; n * n];
            cholesky(&a, n, &mut l);
            assert_within(("cholesky", n), &a, &product(&l, &transposed(&l, n), (n, n, n)), bound);
            let mut y = vec![T::ZERO; n * (n + 1)];
            eigh(&a, n, &mut y);
            let (w, v) = y.split_at(n);
            let scaled: Vec<T> = v.iter().enumerate().map(|(i, &v)| v * w[i % n]).collect();
            assert_within(("eigh", n), &a, &product(&scaled, &transposed(v, n), (n, n, n)), bound);
            assert!(w.windows(2).all(|w| w[0] <= w[1]));
        }
    }

    #[test]
    fn symmetric_factors_multiply_back() {
        symmetric::<f32>();
        symmetric::<f64>();
    }

    #[test]
    fn pivots_multiply_to_the_determinant() {
        let a = [0.0f64, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0];
        let (mut diagonal, mut sign) = ([0.0; 4], [0.0; 2]);
        Factors::of(&a, 2).pivots(&mut diagonal, &mut sign);
        let det = |i: usize| sign[i] * diagonal[2 * i] * diagonal[2 * i + 1];
        assert!((det(0) + 6.0).abs() < 1e-15 && (det(1) + 2.0).abs() < 1e-14);
    }

    #[test]
    fn what_does_not_exist_is_nan_in_its_matrix_alone() {
        let nan = |x: &[f64]| x.iter().all(|x| x.is_nan());
        let a = [1.0, 2.0, 2.0, 4.0, 2.0, 0.0, 0.0, 2.0];
        let mut x = [0.0; 4];
        Factors::of(&a, 2).solve(&[1.0; 4], 1, false, &mut x);
        assert!(nan(&x[..2]) && x[2..] == [0.5; 2]);
        let mut y = [0.0; 8];
        inverse(&a, 2, &mut y);
        assert!(nan(&y[..4]) && y[4..] == [0.5, 0.0, 0.0, 0.5]);
        cholesky(&[-1.0, 0.0, 0.0, 1.0, 4.0, 0.0, 0.0, 1.0], 2, &mut y);
        assert!(nan(&y[..4]) && y[4..] == [2.0, 0.0, 0.0, 1.0]);
        let mut y = [0.0; 12];
        eigh(&[f64::NAN, 0.0, 0.0, 1.0, 4.0, 0.0, 0.0, 1.0], 2, &mut y);
        assert!(nan(&y[..6]) && y[6..8] == [1.0, 4.0]);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let a: Vec<f32> = (0..64).flat_map(|seed| matrix(12, seed)).collect();
        assert_same_on_threads(|| {
            let mut y = vec![0.0; a.len()];
            inverse(&a, 12, &mut y);
            bits(&y)
        });
    }
}
