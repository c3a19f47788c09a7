//! `slogdet`: sign and logarithm of determinants; `logdet` for positive ones.

use backstitch_kernels::Float;

use super::det::{Pivots, determinants, spread};
use super::matrices::{self, Square};
use super::solve::inverse_transposed;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The signs of the determinants of the matrices in the last two axes, and the logarithms of
    /// their magnitudes.
    ///
    /// Needs the feature `linalg`.
    ///
    /// # Shape
    /// `a (..., n, n)` to two tensors `(...)`.
    ///
    /// # Gradient
    /// Of the logarithm: `da = dy a⁻ᵀ`, NaN where `a` is singular. The sign has none.
    ///
    /// # Numerics
    /// The sum of the logarithms of the pivots of an LU factorisation: in range where the
    /// determinant is not. A singular matrix has sign 0 and logarithm -inf.
    ///
    /// # Panics
    /// When the last two axes differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (sign, log) = Tensor::from([[-2.0f32, 1.0], [0.0, 4.0]]).slogdet();
    /// assert_eq!(sign.item(), -1.0);
    /// assert!((log.item() - 8f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor<T>, Tensor<T>) {
        or_panic(matrices::side("slogdet", self.shape()));
        signs_and_logs(self)
    }

    /// The logarithms of the determinants of the matrices in the last two axes; NaN for a negative
    /// one. See [`Tensor::slogdet`].
    ///
    /// Needs the feature `linalg`.
    ///
    /// # Panics
    /// When the last two axes differ.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::eye(3).logdet().item(), 0.0);
    /// ```
    #[track_caller]
    pub fn logdet(&self) -> Tensor<T> {
        or_panic(matrices::side("logdet", self.shape()));
        let (sign, log) = signs_and_logs(self);
        Tensor::where_(&sign.lt(T::ZERO), T::NAN, log)
    }
}

/// The signs of the determinants, outside the graph: -1, 0 or 1; and the logarithms of their
/// magnitudes. Both from one factorisation.
#[track_caller]
fn signs_and_logs<T: Float>(a: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
    let pivots = Pivots::of(a);
    let of = |pivot: T| if pivot == T::ZERO { T::ZERO } else { pivot.signum() };
    let sign =
        pivots.each(|pivots, sign| pivots.iter().fold(sign, |product, &pivot| product * of(pivot)));
    (sign, apply(LogDet { pivots }, [a]))
}

/// The logarithm of the magnitude of the determinant.
struct LogDet<T: Float> {
    pivots: Pivots<T>,
}

impl<T: Float> Op<T, 1> for LogDet<T> {
    const NAME: &'static str = "slogdet";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, _: [&Tensor<T>; 1]) -> Tensor<T> {
        self.pivots.each(|pivots, _| pivots.iter().map(|pivot| pivot.abs().ln()).sum())
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(inverse_transposed(at.input(0), &self.pivots.factors) * spread(dy))]
    }

    fn jvp(&self, at: &Site<T>, [da]: Tangents<T, 1>) -> Tensor<T> {
        let da = da.expect("the only input moves");
        (inverse_transposed(at.input(0), &self.pivots.factors) * da).sum_dim([-1, -2], false)
    }
}

const fn spec(
    name: &'static str,
    formula: &'static str,
    domain: Domain,
    build: crate::spec::Build,
) -> OpSpec {
    OpSpec {
        name,
        formula,
        shapes: &[&[&[1, 1]], &[&[0, 0]], &[&[3, 3]], &[&[5, 5]], &[&[2, 3, 3]], &[&[64, 64]]],
        domain,
        build,
        oracle: Oracle::Whole(|x| logs(&x[0])),
        refused: &[&[&[2, 3]], &[&[2]], &[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| {
            let n = shapes[0][0] as f64;
            Cost { flops: 2.0 / 3.0 * n * n * n, elements: n * n }
        },
        tolerance: Tolerance::Terms(
            32.0,
            |x| logs(&x[0]).abs() + x[0].size(-1) as f64,
            "a sum of n logarithms of pivots, each with the error of its elimination",
        ),
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    spec(
        "slogdet",
        "y = ln |det(a)|",
        Domain::Custom(|_, shape, rng| matrices::draw(Square::Dominant, shape, rng)),
        build!(|x| x[0].slogdet().1),
    ),
    spec(
        "logdet",
        "y = ln det(a)",
        Domain::Custom(|_, shape, rng| matrices::draw(Square::Spaced, shape, rng)),
        build!(|x| x[0].logdet()),
    ),
];

fn logs(a: &Tensor<f64>) -> Tensor<f64> {
    let det = determinants(a);
    Tensor::from_fn(det.shape(), |idx| det.at(idx).abs().ln())
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn signs_zero_and_negative_determinants() {
        let a = Tensor::from([
            [[1.0f64, 2.0], [2.0, 4.0]],
            [[0.0, 1.0], [1.0, 0.0]],
            [[2.0, 0.0], [0.0, 0.5]],
        ]);
        let (sign, log) = a.slogdet();
        assert_eq!(sign.to_vec(), [0.0, -1.0, 1.0]);
        assert_eq!(log.to_vec(), [f64::NEG_INFINITY, 0.0, 0.0]);
        let log = a.logdet().to_vec();
        assert!(log[0] == f64::NEG_INFINITY && log[1].is_nan() && log[2] == 0.0);
    }
}
