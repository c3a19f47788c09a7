//! `det`: determinants.

use backstitch_kernels::{Float, linalg as kernel};

use super::matrices::{self, Square};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The determinants of the matrices in the last two axes.
    ///
    /// # Shape
    /// `a (..., n, n)` to `y (...)`. The determinant of a matrix without elements is 1.
    ///
    /// # Gradient
    /// `da = dy det(a) a⁻ᵀ`; NaN where `a` is singular to the last bit.
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
        apply(Det, [self])
    }
}

/// What a factorisation leaves of each matrix `(n, n)`: the pivots `(..., n)`, and the sign of their
/// permutation `(...)`.
pub(super) struct Pivots<T: Float> {
    pivots: Tensor<T>,
    sign: Tensor<T>,
}

impl<T: Float> Pivots<T> {
    pub(super) fn of(a: &Tensor<T>) -> Self {
        let a = a.contiguous();
        let (lead, n) = (&a.shape()[..a.rank() - 2], a.size(-1));
        let mut sign = Tensor::ones(lead);
        let pivots = Tensor::build(&a.shape()[..a.rank() - 1], |diagonal| {
            kernel::pivots(data(&a), n, diagonal, sign.data_mut());
        });
        Pivots { pivots, sign }
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

struct Det;

impl<T: Float> Op<T, 1> for Det {
    const NAME: &'static str = "det";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [a]: [&Tensor<T>; 1]) -> Tensor<T> {
        let product =
            |pivots: &[T], sign: T| pivots.iter().fold(sign, |product, &pivot| product * pivot);
        Pivots::of(a).each(product)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(at.input(0).inverse().transpose(-1, -2) * spread(&(dy * at.output())))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let da = da.expect("the only input moves");
        let slope = at.input(0).inverse().transpose(-1, -2) * da;
        slope.sum_dim([-1, -2], false) * at.output()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "det",
    formula: "y = det(a)",
    shapes: &[&[&[1, 1]], &[&[0, 0]], &[&[3, 3]], &[&[5, 5]], &[&[2, 3, 3]], &[&[64, 64]]],
    domain: Domain::Custom(|_, shape, rng| {
        matrices::draw(Square::Spaced, shape, rng) * scale(shape)
    }),
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
}];

/// Keeps the determinant of large examples near 1.
fn scale(shape: &[usize]) -> f64 {
    2.0 / shape[0].max(2) as f64 * if shape[0] > 8 { 1.36 } else { 1.0 }
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

    #[test]
    fn singular_matrices_have_determinant_zero() {
        assert_eq!(Tensor::from([[1.0, 2.0], [2.0, 4.0]]).det().item(), 0.0);
        assert_eq!(Tensor::<f32>::zeros([0, 0]).det().item(), 1.0);
    }
}
