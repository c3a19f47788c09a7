//! `det`: determinants.

use std::sync::Arc;

use backstitch_kernels::Float;
use backstitch_linalg::Factors;

use super::matrices::{self, Square};
use super::solve::{factors, inverse_transposed};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply, rerun_backward, rerun_jvp};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The determinants of the matrices in the last two axes.
    ///
    /// Needs the feature `linalg`.
    ///
    /// # Shape
    /// `a (..., n, n)` to `y (...)`. The determinant of a matrix without elements is 1.
    ///
    /// # Gradient
    /// `da = dy det(a) a⁻ᵀ`. A singular `a` has no inverse but a gradient all the same, the matrix
    /// of its cofactors: of rank 1 where one dimension is lost, zero where more are; and so on to
    /// any order.
    ///
    /// # Numerics
    /// The product of the pivots of an LU factorisation, by faer. It leaves the range of numbers
    /// soon when `n` grows: [`Tensor::slogdet`] does not.
    ///
    /// # Panics
    /// When the last two axes differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[2.0, 1.0], [0.0, 4.0]]).det().item(), 8.0);
    /// ```
    #[track_caller]
    pub fn det(&self) -> Tensor<T> {
        or_panic(matrices::side("det", self.shape()));
        determinant(self, None)
    }
}

/// The factors of matrices `(..., n, n)`, and what determinants need of them: the pivots `(..., n)`,
/// and the sign of their permutation `(...)`.
pub(super) struct Pivots<T: Float> {
    pub(super) factors: Arc<Factors>,
    pivots: Tensor<T>,
    sign: Tensor<T>,
}

impl<T: Float> Pivots<T> {
    pub(super) fn of(a: &Tensor<T>) -> Self {
        let factors = factors(a);
        let mut sign = Tensor::ones(&a.shape()[..a.rank() - 2]);
        let pivots = Tensor::build(&a.shape()[..a.rank() - 1], |diagonal| {
            factors.pivots(diagonal, sign.data_mut());
        });
        Pivots { factors, pivots, sign }
    }

    /// A number per matrix, from its pivots and their sign.
    pub(super) fn each(&self, number: impl Fn(&[T], T) -> T) -> Tensor<T> {
        let n = self.pivots.size(-1);
        let (pivots, sign) = (data(&self.pivots), data(&self.sign));
        Tensor::build(self.sign.shape(), |y| {
            for (i, y) in y.iter_mut().enumerate() {
                *y = number(&pivots[i * n..][..n], sign[i]);
            }
        })
    }
}

/// A number per matrix as a factor for all its elements.
pub(super) fn spread<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    x.unsqueeze(-1).unsqueeze(-1)
}

/// The determinants of matrices of a kind; where it is not given, the pivots tell it.
#[track_caller]
fn determinant<T: Float>(a: &Tensor<T>, kind: Option<Kind>) -> Tensor<T> {
    let pivots = Pivots::of(a);
    let any_singular = || data(&pivots.pivots).chunks(a.size(-1).max(1)).any(is_singular);
    let kind = kind.unwrap_or_else(|| match any_singular() {
        true => Kind::Singular,
        false => Kind::Regular,
    });
    apply(Det { pivots, kind }, [a])
}

struct Det<T: Float> {
    pivots: Pivots<T>,
    kind: Kind,
}

/// Whether matrices have inverses.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Regular,
    /// One of them at least is singular, but for rounding.
    Singular,
}

impl<T: Float> Op<T, 1> for Det<T> {
    const NAME: &'static str = "det";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, _: [&Tensor<T>; 1]) -> Tensor<T> {
        let product =
            |pivots: &[T], sign: T| pivots.iter().fold(sign, |product, &pivot| product * pivot);
        self.pivots.each(product)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        if self.kind == Kind::Singular {
            return [rerun_backward(at, dy, |a| by_blocks(&a[0])).pop().flatten()];
        }
        let inverse = inverse_transposed(at.input(0), &self.pivots.factors);
        [Some(inverse * spread(&(dy * at.output())))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        if self.kind == Kind::Singular {
            return rerun_jvp(at, &[da], |a| by_blocks(&a[0]));
        }
        let da = da.expect("the only input moves");
        let slope = inverse_transposed(at.input(0), &self.pivots.factors) * da;
        slope.sum_dim([-1, -2], false) * at.output()
    }
}

/// Whether pivots, or singular values, say that a matrix has no inverse, but for rounding.
fn is_singular<T: Float>(values: &[T]) -> bool {
    let largest = values.iter().fold(T::ZERO, |largest, x| largest.max(x.abs()));
    values.iter().any(|x| x.abs() <= negligible(largest, values.len()))
}

fn negligible<T: Float>(largest: T, n: usize) -> T {
    largest * T::EPSILON * T::from_f64(n as f64)
}

/// The determinants in ops whose derivatives exist at singular matrices too, matrix by matrix.
fn by_blocks<T: Float>(a: &Tensor<T>) -> Tensor<T> {
    let (lead, n) = (&a.shape()[..a.rank() - 2], a.size(-1));
    let matrices = a.reshape([lead.iter().product(), n, n]);
    let dets: Vec<_> =
        (0..matrices.size(0)).map(|i| by_block(&matrices.select(0, i as isize))).collect();
    Tensor::stack(&dets, 0).reshape(lead)
}

/// The determinant of one matrix `(n, n)`.
///
/// With the singular vectors u and v as constants, uᵀ a v is `[b c; d e]`, where b holds the
/// singular values that are not negligible: det a = ± det b det(e - d b⁻¹ c). The last factor is
/// of a matrix that is near zero, and needs no inverse.
fn by_block<T: Float>(a: &Tensor<T>) -> Tensor<T> {
    let (u, s, v) = a.detach().svd();
    let (n, s) = (s.numel(), s.to_vec());
    let rank = s.iter().filter(|&&value| value > negligible(s[0], n)).count();
    let m = u.transpose(-1, -2).matmul(a).matmul(&v);
    let (upper, lower) = (m.narrow(0, 0, rank), m.narrow(0, rank, n - rank));
    let (b, c) = (upper.narrow(1, 0, rank), upper.narrow(1, rank, n - rank));
    let (d, e) = (lower.narrow(1, 0, rank), lower.narrow(1, rank, n - rank));
    let rest = without_division(&(e - d.matmul(&b.solve(&c))));
    let sign = u.matmul(&v.transpose(-1, -2)).det().round();
    determinant(&b, Some(Kind::Regular)) * rest * sign
}

/// The determinant of one matrix by Faddeev and LeVerrier's recursion, which has no pivots.
fn without_division<T: Float>(a: &Tensor<T>) -> Tensor<T> {
    let n = a.size(-1);
    let eye = Tensor::eye(n);
    let start = (eye.clone(), Tensor::scalar(T::ONE));
    let step = |(m, _): (Tensor<T>, Tensor<T>), k: usize| {
        let product = a.matmul(&m);
        let coefficient = product.diagonal(0, 0, 1).sum() * T::from_f64(-1.0 / k as f64);
        (product + &eye * &coefficient, coefficient)
    };
    let (_, last) = (1..=n).fold(start, step);
    if n.is_multiple_of(2) { last } else { -last }
}

pub(super) const SPECS: &[OpSpec] = &[
    SPEC,
    OpSpec {
        name: "det singular",
        shapes: &[&[&[1, 1]], &[&[2, 2]], &[&[3, 3]], &[&[4, 4]], &[&[3, 3, 3]], &[&[16, 16]]],
        domain: Domain::Custom(|_, shape, rng| singular(shape, rng)),
        oracle: Oracle::Whole(|x| Tensor::zeros(&x[0].shape()[..x[0].rank() - 2])),
        tolerance: Tolerance::Terms(
            4.0,
            |x| Tensor::ones(&x[0].shape()[..x[0].rank() - 2]),
            "products of at most n numbers of about 1, of which one is what rounding left",
        ),
        ..SPEC
    },
];

const SPEC: OpSpec = OpSpec {
    name: "det",
    formula: "y = det(a)",
    shapes: &[&[&[1, 1]], &[&[0, 0]], &[&[3, 3]], &[&[5, 5]], &[&[2, 3, 3]], &[&[64, 64]]],
    // Determinants near 1, of either sign.
    domain: Domain::Custom(|_, shape, rng| matrices::draw(Square::Dominant, shape, rng) * 0.5),
    build: build!(|x| x[0].det()),
    oracle: Oracle::Whole(|x| determinants(&x[0])),
    refused: &[&[&[2, 3]], &[&[2]], &[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let n = shapes[0][0] as f64;
        Cost { flops: 2.0 / 3.0 * n * n * n, elements: n * n }
    },
    tolerance: Tolerance::Terms(
        64.0,
        |x| determinants(&x[0]).abs() + 1.0,
        "a product of n pivots, each with the error of its elimination",
    ),
};

/// Matrices that lack a dimension, or two where a batch's are counted by odd numbers.
fn singular(shape: &[usize], rng: &mut crate::rng::Rng) -> Tensor<f64> {
    let Ok(n) = matrices::side("draw", shape) else { return Tensor::rand(shape, -1.0, 1.0, rng) };
    let count: usize = shape[..shape.len() - 2].iter().product();
    let one = |i: usize| {
        let rank = n.saturating_sub(1 + i % 2);
        let factor = |shape: [usize; 2], rng: &mut _| {
            let noise = Tensor::<f64>::rand(shape, -1.0, 1.0, rng) * (0.5 / n as f64);
            noise + Tensor::eye(n).narrow(0, 0, shape[0]).narrow(1, 0, shape[1])
        };
        factor([n, rank], rng).matmul(&factor([rank, n], rng))
    };
    let all: Vec<Tensor<f64>> = (0..count).map(one).collect();
    Tensor::stack(&all, 0).reshape(shape)
}

/// The determinants by elimination.
pub(super) fn determinants(a: &Tensor<f64>) -> Tensor<f64> {
    let det = |mut a: Vec<Vec<f64>>| {
        let mut nothing = vec![Vec::new(); a.len()];
        matrices::reduce(&mut a, &mut nothing)
    };
    let found = matrices::each(a).into_iter().map(det).collect();
    Tensor::from_vec(found, &a.shape()[..a.rank() - 2])
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::transforms::{grad, hessian};

    #[test]
    fn singular_matrices_have_determinant_zero() {
        assert_eq!(Tensor::from([[1.0, 2.0], [2.0, 4.0]]).det().item(), 0.0);
        assert_eq!(Tensor::<f32>::zeros([0, 0]).det().item(), 1.0);
    }

    #[test]
    fn singular_matrices_have_their_cofactors_for_a_gradient() {
        let check = |a: Tensor<f64>, want: &[f64]| {
            let dx = grad(Tensor::det, &a);
            let near = dx.to_vec().iter().zip(want).all(|(dx, want)| (dx - want).abs() < 1e-13);
            assert!(near, "{dx:?} is not {want:?}");
        };
        check(Tensor::zeros([1, 1]), &[1.0]);
        check(Tensor::from([[1.0, 2.0], [2.0, 4.0]]), &[4.0, -2.0, -2.0, 1.0]);
        check(Tensor::zeros([2, 2]), &[0.0; 4]);
        // Of rank 2, and of rank 1.
        let two = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]];
        check(Tensor::from(two), &[-3.0, 6.0, -3.0, 6.0, -12.0, 6.0, -3.0, 6.0, -3.0]);
        check(Tensor::ones([3, 3]), &[0.0; 9]);
    }

    #[test]
    fn one_singular_matrix_in_a_batch_has_its_cofactors() {
        let a = Tensor::from([[[1.0, 2.0], [2.0, 4.0]], [[3.0, 1.0], [5.0, 2.0]]]);
        let dx = grad(|a: &Tensor<f64>| a.det().sum(), &a).to_vec();
        let want = [4.0, -2.0, -2.0, 1.0, 2.0, -5.0, -1.0, 3.0];
        assert!(dx.iter().zip(want).all(|(dx, want)| (dx - want).abs() < 1e-13), "{dx:?}");
    }

    #[test]
    fn higher_derivatives_exist_at_the_zero_matrix() {
        let a = Tensor::<f64>::zeros([2, 2]);
        let want = [
            [0.0, 0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0, 0.0],
            [0.0, -1.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
        ];
        assert_eq!(hessian(Tensor::det, &a).to_vec(), want.concat());
    }

    #[test]
    fn higher_derivatives_exist_where_two_dimensions_are_lost() {
        let a = Tensor::from([[2.0f64, 0.0, 0.0], [0.0; 3], [0.0; 3]]);
        assert_eq!(grad(Tensor::det, &a).to_vec(), [0.0; 9]);
        let second = hessian(Tensor::det, &a).to_vec();
        let others = second.iter().filter(|&&x| x == 0.0).count();
        // By the two elements of the lower diagonal, and by the two beside it.
        let at = |i: usize, j: usize| second[i * 9 + j];
        assert_eq!((at(4, 8), at(8, 4), at(5, 7), at(7, 5), others), (2.0, 2.0, -2.0, -2.0, 77));
    }
}
