//! `svd`: singular values and vectors.

use backstitch_kernels::Float;
use backstitch_linalg as kernel;

use super::eigh::{inverse_gaps, rotated};
use super::matrices;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, or_panic};
use crate::spec::{Domain, OpSpec, Oracle, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The reduced singular value decomposition of the matrices in the last two axes:
    /// `a = u diag(s) vᵀ`, with singular values that fall. (PyTorch's `linalg.svd` returns `vᵀ`.)
    ///
    /// Needs the feature `linalg`.
    ///
    /// In each column of `u` the component of largest magnitude is positive.
    ///
    /// # Shape
    /// `a (..., m, n)` to `u (..., m, k)`, `s (..., k)` and `v (..., n, k)` with `k = min(m, n)`.
    ///
    /// # Gradient
    /// `da = u (diag(ds) + (F ∘ (uᵀ du - duᵀ u)) S + S (F ∘ (vᵀ dv - dvᵀ v))) vᵀ +
    /// (1 - u uᵀ) du S⁻¹ vᵀ + u S⁻¹ dvᵀ (1 - v vᵀ)` with `F_ij = 1 / (s_j² - s_i²)` and 0 where the
    /// values are equal. The vectors of equal values, and of the value 0, have no derivative; a
    /// function of the values alone is right nevertheless, but at a value of 0, where the slope
    /// jumps.
    ///
    /// # Numerics
    /// By faer. A matrix with numbers that are not finite gives NaN.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (_, s, _) = Tensor::from([[0.0f64, 2.0], [-3.0, 0.0]]).svd();
    /// assert!((s.at(&[0]) - 3.0).abs() < 1e-15 && (s.at(&[1]) - 2.0).abs() < 1e-15);
    /// ```
    ///
    /// # Reference
    /// Townsend 2016, "Differentiating the singular value decomposition".
    #[track_caller]
    pub fn svd(&self) -> (Tensor<T>, Tensor<T>, Tensor<T>) {
        let (m, n) = or_panic(matrices::sides("svd", self.shape()));
        parts(&apply(Svd, [self]), m, n)
    }
}

/// u, s and v from the rows of one tensor, `(..., m + 1 + n, k)`.
#[track_caller]
fn parts<T: Float>(y: &Tensor<T>, m: usize, n: usize) -> (Tensor<T>, Tensor<T>, Tensor<T>) {
    (y.narrow(-2, 0, m), y.select(-2, m as isize), y.narrow(-2, m + 1, n))
}

/// The rows of u over s over those of v.
struct Svd;

/// `x` without its part in the space of the orthonormal columns of `u`.
fn outside<T: Float>(x: Tensor<T>, u: &Tensor<T>) -> Tensor<T> {
    let inside = u.matmul(&u.transpose(-1, -2).matmul(&x));
    x - inside
}

/// `x / s`, column by column; 0 for a value of 0.
fn divided<T: Float>(x: &Tensor<T>, s: &Tensor<T>) -> Tensor<T> {
    let zero = s.eq(T::ZERO);
    let inverse = Tensor::where_(&zero, T::ONE, s).recip();
    x * Tensor::where_(&zero, T::ZERO, inverse).unsqueeze(-2)
}

impl<T: Float> Op<T, 1> for Svd {
    const NAME: &'static str = "svd";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [a]: [&Tensor<T>; 1]) -> Tensor<T> {
        let a = a.contiguous();
        let (m, n) = (a.size(-2), a.size(-1));
        let mut shape = Shape::new(&a.shape()[..a.rank() - 2]);
        shape.extend([m + 1 + n, m.min(n)]);
        Tensor::build(&shape, |y| kernel::svd(data(&a), (m, n), y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let [.., m, n] = *at.shape(0) else { unreachable!("the shape was checked") };
        let ((u, s, v), (du, ds, dv)) = (parts(at.output(), m, n), parts(dy, m, n));
        let (ut, vt) = (u.transpose(-1, -2), v.transpose(-1, -2));
        let gaps = inverse_gaps(&s.square());
        let skew = |x: Tensor<T>| &x - x.transpose(-1, -2);
        let (row, column) = (s.unsqueeze(-2), s.unsqueeze(-1));
        let turned_u = (&gaps * skew(ut.matmul(&du))) * row;
        let turned_v = (&gaps * skew(vt.matmul(&dv))) * column;
        let inner = ds.diag_embed(0, -2, -1) + turned_u + turned_v;
        let mut da = u.matmul(&inner).matmul(&vt);
        if m > n {
            da = da + divided(&outside(du, &u), &s).matmul(&vt);
        }
        if n > m {
            da = da + u.matmul(&divided(&outside(dv, &v), &s).transpose(-1, -2));
        }
        [Some(da)]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let [.., m, n] = *at.shape(0) else { unreachable!("the shape was checked") };
        let (u, s, v) = parts(at.output(), m, n);
        let da = da.expect("the only input moves");
        let seen = u.transpose(-1, -2).matmul(&da.matmul(&v));
        let seen_t = seen.transpose(-1, -2);
        let gaps = inverse_gaps(&s.square());
        let (row, column) = (s.unsqueeze(-2), s.unsqueeze(-1));
        let mut du = u.matmul(&(&gaps * (&seen * &row + &column * &seen_t)));
        let mut dv = v.matmul(&(&gaps * (&column * &seen + &seen_t * &row)));
        if m > n {
            du = du + divided(&outside(da.matmul(&v), &u), &s);
        }
        if n > m {
            dv = dv + divided(&outside(da.transpose(-1, -2).matmul(&u), &v), &s);
        }
        let ds = seen.diagonal(0, -2, -1).unsqueeze(-2);
        Tensor::concat(&[&du, &ds, &dv], -2)
    }
}

const SPACED: Domain = Domain::Custom(|_, shape, rng| spaced(shape, rng));

const WHY: &str = "relative to the largest singular value; the oracle squares the matrix, so that \
                   its own error is the condition number times as large";

/// Matrices with singular values of about 1, 2, ..., so that none are near each other.
fn spaced(shape: &[usize], rng: &mut crate::rng::Rng) -> Tensor<f64> {
    let noise = matrices::strong(shape, rng);
    let Ok((m, n)) = matrices::sides("draw", shape) else { return noise };
    let last = shape.len() - 1;
    let scale = 0.5 / (m.max(n).max(1) as f64).sqrt();
    Tensor::from_fn(shape, |idx| {
        let (i, j) = (idx[last - 1], idx[last]);
        if i == j { 1.0 + i as f64 } else { noise.at(idx) * scale }
    })
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "svd u",
        formula: "u of a = u diag(s) vᵀ",
        build: build!(|x| x[0].svd().0),
        oracle: Oracle::Whole(|x| factors(&x[0]).0),
        domain: SPACED,
        tolerance: Tolerance::Terms(256.0, |x| of_size(factors(&x[0]).0, &x[0]), WHY),
        ..matrices::FACTORS
    },
    OpSpec {
        name: "svd s",
        formula: "s of a = u diag(s) vᵀ",
        build: build!(|x| x[0].svd().1),
        oracle: Oracle::Whole(|x| factors(&x[0]).1),
        domain: SPACED,
        tolerance: Tolerance::Terms(256.0, |x| of_size(factors(&x[0]).1, &x[0]), WHY),
        ..matrices::FACTORS
    },
    OpSpec {
        name: "svd v",
        formula: "v of a = u diag(s) vᵀ",
        build: build!(|x| x[0].svd().2),
        oracle: Oracle::Whole(|x| factors(&x[0]).2),
        domain: SPACED,
        tolerance: Tolerance::Terms(256.0, |x| of_size(factors(&x[0]).2, &x[0]), WHY),
        ..matrices::FACTORS
    },
];

/// The number of singular values, which is about the largest of them, in the shape of `like`.
fn of_size(like: Tensor<f64>, a: &Tensor<f64>) -> Tensor<f64> {
    Tensor::full(like.shape(), 1.0 + a.size(-1).min(a.size(-2)) as f64)
}

/// The factors from the eigenvectors of `a aᵀ` or `aᵀ a`, whichever is smaller.
fn factors(a: &Tensor<f64>) -> (Tensor<f64>, Tensor<f64>, Tensor<f64>) {
    let (m, n) = (a.size(-2), a.size(-1));
    let at = a.transpose(-1, -2);
    let square = if m < n { a.matmul(&at) } else { at.matmul(a) };
    let (w, vectors) = rotated(&square);
    let (s, own) = (w.flip(-1).sqrt(), vectors.flip(-1));
    let other = if m < n { at.matmul(&own) } else { a.matmul(&own) } / s.unsqueeze(-2);
    let (u, v) = if m < n { (own, other) } else { (other, own) };
    let rows = u.size(-2);
    let column = |idx: &[usize], i: usize| {
        let mut place = idx.to_vec();
        place[u.rank() - 2] = i;
        u.at(&place)
    };
    // The sign of the largest component, for each column of u.
    let largest = |idx: &[usize]| {
        (0..rows)
            .map(|i| column(idx, i))
            .fold(0.0, |max: f64, x| if x.abs() > max.abs() { x } else { max })
    };
    let mut sign_shape = u.shape().to_vec();
    sign_shape[u.rank() - 2] = 1;
    let sign = Tensor::from_fn(sign_shape, |idx| largest(idx).signum());
    (&u * &sign, s, v * sign)
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn values_have_gradients_beside_a_value_of_0() {
        for shape in [[3, 2], [2, 3]] {
            let a = Tensor::from_vec(vec![2.0f64, 0.0, 0.0, 0.0, 0.0, 0.0], shape);
            let largest = |a: &Tensor<f64>| a.svd().1.narrow(0, 0, 1).sum();
            let da = crate::transforms::grad(largest, &a).to_vec();
            assert_eq!(da, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], "{shape:?}");
        }
    }
}
