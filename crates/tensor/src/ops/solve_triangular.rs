//! `solve_triangular`: systems of linear equations whose matrix is triangular.

use backstitch_kernels::Float;
use backstitch_linalg::{self as kernel, Triangle};

use super::matrices::{self, broadcast_systems};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The solution `x` of `a x = b`, where `a` is the upper or else the lower triangle of this
    /// tensor; the rest of it is not read.
    ///
    /// Needs the feature `linalg`.
    ///
    /// # Shape
    /// `a (..., n, n)` and `b (..., n, k)` to `x (..., n, k)`; the axes in front broadcast. A `b`
    /// of one axis, `(n)`, stands for a column, and `x` then has that axis last.
    ///
    /// # Gradient
    /// `db = a⁻ᵀ dx`, `da = -db xᵀ` in the triangle that is read, 0 in the other.
    ///
    /// # Numerics
    /// By substitution. A zero on the diagonal divides: infinities and NaN follow.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let a = Tensor::from([[2.0, 9.0], [1.0, 4.0]]);
    /// assert_eq!(a.solve_triangular(&Tensor::from([2.0, 5.0]), false).to_vec(), [1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn solve_triangular(&self, b: &Tensor<T>, upper: bool) -> Tensor<T> {
        let (a, columns, shape) = or_panic(broadcast_systems("solve_triangular", self, b));
        apply(SolveTriangular { upper }, [&a, &columns]).reshape(shape)
    }
}

struct SolveTriangular {
    upper: bool,
}

impl SolveTriangular {
    /// The triangle of `x` that the op reads.
    fn triangle<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
        if self.upper { x.triu(0) } else { x.tril(0) }
    }
}

impl<T: Float> Op<T, 2> for SolveTriangular {
    const NAME: &'static str = "solve_triangular";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        let (a, b) = (a.contiguous(), b.contiguous());
        let size = (b.size(-2), b.size(-1));
        let which = Triangle { upper: self.upper, unit: false };
        Tensor::build(b.shape(), |x| {
            kernel::solve_triangular(data(&a), data(&b), size, which, x);
        })
    }

    fn backward(&self, at: &Site<T>, dx: &Tensor<T>) -> Gradient<T, 2> {
        let (a, x) = (at.input(0), at.output());
        let db = apply(SolveTriangular { upper: !self.upper }, [&a.transpose(-1, -2), dx]);
        let da = at.want(0, || -self.triangle(&db.matmul(&x.transpose(-1, -2))));
        [da, at.want(1, || db.clone())]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let (a, x) = (at.input(0), at.output());
        let lost = da.map(|da| self.triangle(da).matmul(x));
        let moved = match (lost, db) {
            (Some(lost), Some(db)) => db - lost,
            (Some(lost), None) => -lost,
            (None, db) => db.expect("an input moves").clone(),
        };
        apply(SolveTriangular { upper: self.upper }, [a, &moved])
    }
}

const fn spec(
    name: &'static str,
    formula: &'static str,
    build: crate::spec::Build,
    oracle: fn(&[Tensor<f64>]) -> Tensor<f64>,
) -> OpSpec {
    OpSpec {
        name,
        formula,
        shapes: matrices::SYSTEMS,
        domain: matrices::SYSTEM,
        build,
        oracle: Oracle::Whole(oracle),
        refused: matrices::NO_SYSTEMS,
        slope: Slope::Smooth,
        cost: |shapes| {
            let (n, k) = (shapes[0][shapes[0].len() - 1] as f64, shapes[1][1] as f64);
            Cost { flops: n * n * k, elements: n * n / 2.0 + 2.0 * n * k }
        },
        tolerance: Tolerance::Terms(
            16.0,
            |x| solved(&x[0], &x[1], true).abs().sum() + solved(&x[0], &x[1], true).abs() + 1.0,
            "the error of a component is relative to the whole solution; condition numbers below 10",
        ),
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    spec(
        "solve_triangular",
        "y = a⁻¹ b, of the lower triangle of a",
        build!(|x| x[0].solve_triangular(&x[1], false)),
        |x| solved(&x[0], &x[1], false),
    ),
    spec(
        "solve_triangular upper",
        "y = a⁻¹ b, of the upper triangle of a",
        build!(|x| x[0].solve_triangular(&x[1], true)),
        |x| solved(&x[0], &x[1], true),
    ),
];

/// The solution by elimination.
fn solved(a: &Tensor<f64>, b: &Tensor<f64>, upper: bool) -> Tensor<f64> {
    let (a, b, shape) = broadcast_systems("", a, b).expect("the op accepted these shapes");
    let last = a.rank() - 1;
    let keeps = |idx: &[usize]| idx[last] == idx[last - 1] || (idx[last] > idx[last - 1]) == upper;
    let a = Tensor::from_fn(a.shape(), |idx| if keeps(idx) { a.at(idx) } else { 0.0 });
    matrices::eliminated(&a, &b).reshape(shape)
}
