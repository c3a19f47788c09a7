//! [`HuberLoss`]: squares near the target, absolute differences far from it.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::{check_shapes, reduce};

/// Squares near the target, absolute differences far from it: of `d = output - target`, `d² / 2`
/// where `|d| ≤ delta`, else `delta (|d| - delta / 2)`, reduced. Less moved by outliers than
/// squares.
///
/// # Gradient
/// `d` cut off at `-delta` and `delta`, which has no jump. The second derivative is 1 inside and 0
/// from `|d| = delta` on, as in PyTorch.
///
/// # Examples
/// ```
/// use backstitch_nn::HuberLoss;
/// use backstitch_tensor::{Reduction, Tensor};
///
/// let loss = HuberLoss { reduction: Reduction::None, ..HuberLoss::default() };
/// let terms = loss.forward(&Tensor::from([1.0f32, 5.0]), &Tensor::from([0.5, 2.0]));
/// assert_eq!(terms.to_vec(), [0.125, 2.5]);
/// ```
///
/// # Reference
/// Huber, "Robust estimation of a location parameter", 1964.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuberLoss {
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
    /// Where squares end, above 0. 1 by default (PyTorch).
    pub delta: f64,
}

impl Default for HuberLoss {
    fn default() -> Self {
        HuberLoss { reduction: Reduction::Mean, delta: 1.0 }
    }
}

impl HuberLoss {
    /// The loss of `output` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ, or `delta` is not above 0.
    #[track_caller]
    pub fn forward<T: Float>(&self, output: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("HuberLoss", output, target);
        assert!(self.delta > 0.0, "HuberLoss: needs delta above 0; got {}", self.delta);
        reduce(huber(&(output - target), self.delta), self.reduction)
    }
}

/// `d² / 2` up to `delta`, then the tangent: `c (d - c / 2)` with `c` the difference cut off. Unlike
/// forms with `|d|`, this one has the right second derivative at 0.
pub(super) fn huber<T: Float>(d: &Tensor<T>, delta: f64) -> Tensor<T> {
    let delta = T::from_f64(delta);
    let cut = d.clamp(-delta, delta);
    &cut * (d - &cut * T::from_f64(0.5))
}
