//! [`BceWithLogitsLoss`]: cross-entropy of yes-or-no questions.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::{check_shapes, reduce};

/// Cross-entropy of yes-or-no questions, from logits `x` and probabilities `t`:
/// `-t log sigmoid(x) - (1 - t) log sigmoid(-x)`, reduced.
///
/// # Numerics
/// Computed as `softplus(x) - t x`, which never takes the logarithm of 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BceWithLogitsLoss {
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
}

impl BceWithLogitsLoss {
    /// The loss of `logits` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, logits: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("BceWithLogitsLoss", logits, target);
        reduce(logits.softplus() - target * logits, self.reduction)
    }
}
