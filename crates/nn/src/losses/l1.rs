//! [`L1Loss`]: absolute differences.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::{check_shapes, reduce};

/// Absolute differences: `|output - target|`, reduced. Less moved by outliers than squares.
///
/// # Gradient
/// The sign of the difference, 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Loss {
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
}

impl L1Loss {
    /// The loss of `output` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, output: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("L1Loss", output, target);
        reduce((output - target).abs(), self.reduction)
    }
}
