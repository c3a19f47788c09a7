//! `solve`: systems of linear equations.

use std::sync::Arc;

use backstitch_kernels::Float;
use backstitch_linalg::Factors;

use super::matrices::{self, broadcast_systems};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The solution `x` of `a x = b`, where `a` is this tensor.
    ///
    /// Needs the feature `linalg`.
    ///
    /// # Shape
    /// `a (..., n, n)` and `b (..., n, k)` to `x (..., n, k)`; the axes in front broadcast. A `b`
    /// of one axis, `(n)`, stands for a column, and `x` then has that axis last.
    ///
    /// # Gradient
    /// `db = a⁻ᵀ dx`, `da = -db xᵀ`.
    ///
    /// # Numerics
    /// LU factorisation with partial pivoting, by faer, once for `x` and all its derivatives. The
    /// relative error is about the condition number of `a` times epsilon. Where `a` is singular to
    /// the last bit, its `x` is NaN; nothing panics, since whether a matrix is singular depends on
    /// data.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let a = Tensor::from([[2.0, 0.0], [1.0, 4.0]]);
    /// assert_eq!(a.solve(&Tensor::from([2.0, 5.0])).to_vec(), [1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn solve(&self, b: &Tensor<T>) -> Tensor<T> {
        let (a, columns, shape) = or_panic(broadcast_systems("solve", self, b));
        apply(Solve { factors: factors(&a), transposed: false }, [&a, &columns]).reshape(shape)
    }
}

/// The factors of the matrices in the last two axes.
pub(super) fn factors<T: Float>(a: &Tensor<T>) -> Arc<Factors> {
    Arc::new(Factors::of(data(&a.contiguous()), a.size(-1)))
}

/// `a⁻ᵀ`, by the factors of `a`.
pub(super) fn inverse_transposed<T: Float>(a: &Tensor<T>, factors: &Arc<Factors>) -> Tensor<T> {
    let eye = Tensor::eye(a.size(-1)).expand(a.shape());
    apply(Solve { factors: factors.clone(), transposed: true }, [a, &eye])
}

/// The solution `x` of `a x = b`, or of `aᵀ x = b`, for `a (..., n, n)` and `b (..., n, k)` with the
/// same axes in front.
struct Solve {
    /// Those of `a`. Derivatives are systems with the same matrix, and use them again.
    factors: Arc<Factors>,
    transposed: bool,
}

impl Solve {
    fn again<T: Float>(&self, a: &Tensor<T>, b: &Tensor<T>, transposed: bool) -> Tensor<T> {
        apply(Solve { factors: self.factors.clone(), transposed }, [a, b])
    }
}

impl<T: Float> Op<T, 2> for Solve {
    const NAME: &'static str = "solve";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [_, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        let b = b.contiguous();
        Tensor::build(b.shape(), |x| {
            self.factors.solve(data(&b), b.size(-1), self.transposed, x);
        })
    }

    fn backward(&self, at: &Site<T>, dx: &Tensor<T>) -> Gradient<T, 2> {
        let (a, x) = (at.input(0), at.output());
        let db = self.again(a, dx, !self.transposed);
        let da = at.want(0, || match self.transposed {
            false => -db.matmul(&x.transpose(-1, -2)),
            true => -x.matmul(&db.transpose(-1, -2)),
        });
        [da, at.want(1, || db.clone())]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let (a, x) = (at.input(0), at.output());
        let lost = da.map(|da| match self.transposed {
            false => da.matmul(x),
            true => da.transpose(-1, -2).matmul(x),
        });
        let moved = match (lost, db) {
            (Some(lost), Some(db)) => db - lost,
            (Some(lost), None) => -lost,
            (None, db) => db.expect("an input moves").clone(),
        };
        self.again(a, &moved, self.transposed)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "solve",
    formula: "y = a⁻¹ b",
    shapes: matrices::SYSTEMS,
    domain: matrices::SYSTEM,
    build: build!(|x| x[0].solve(&x[1])),
    oracle: Oracle::Whole(|x| solved(&x[0], &x[1], |x| x)),
    refused: matrices::NO_SYSTEMS,
    slope: Slope::Smooth,
    cost: |shapes| {
        let (n, k) = (shapes[0][shapes[0].len() - 1] as f64, shapes[1][1] as f64);
        Cost { flops: 2.0 / 3.0 * n * n * n + 2.0 * n * n * k, elements: n * n + 2.0 * n * k }
    },
    tolerance: Tolerance::Terms(
        16.0,
        |x| solved(&x[0], &x[1], f64::abs).sum() + solved(&x[0], &x[1], |_| 1.0),
        "the error of a component is relative to the whole solution; condition numbers below 10",
    ),
}];

/// `term` of the elements of the solution by Gauss-Jordan elimination, as plain loops.
fn solved(a: &Tensor<f64>, b: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let (a, b, shape) = broadcast_systems("solve", a, b).expect("the op accepted these shapes");
    let x = matrices::eliminated(&a, &b);
    Tensor::from_vec(x.to_vec().into_iter().map(term).collect(), shape)
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::transforms::jvp;

    #[test]
    fn a_singular_matrix_gives_nan_and_spares_its_neighbours() {
        let a = Tensor::from([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 4.0]]]);
        let x = a.solve(&Tensor::from([1.0, 2.0])).to_vec();
        assert!(x[..2].iter().all(|x: &f32| x.is_nan()));
        assert_eq!(x[2..], [0.5, 0.5]);
    }

    /// `x = b / a`, so `x' = -b / a²` and `x'' = 2 b / a³`: the matrix of a tangent moves too.
    #[test]
    fn tangents_of_tangents_see_the_matrix_move() {
        let (b, one) = (Tensor::from([[3.0]]), Tensor::from([[1.0]]));
        let slope = |a: &Tensor<f64>| jvp(|a: &Tensor<f64>| a.solve(&b), a, &one).1;
        let (first, second) = jvp(slope, &Tensor::from([[2.0]]), &one);
        assert_eq!((first.item(), second.item()), (-0.75, 0.75));
    }
}
