//! [`MseLoss`]: squared differences.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::{check_shapes, reduce};

/// Squared differences: `(output - target)²`, reduced.
///
/// # Examples
/// ```
/// use backstitch_nn::MseLoss;
/// use backstitch_tensor::{Reduction, Tensor};
///
/// let (output, target) = (Tensor::from([1.0f32, 4.0]), Tensor::from([1.0, 2.0]));
/// let loss = |reduction| MseLoss { reduction }.forward(&output, &target).to_vec();
/// assert_eq!(loss(Reduction::Mean), [2.0]);
/// assert_eq!(loss(Reduction::None), [0.0, 4.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MseLoss {
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
}

impl MseLoss {
    /// The loss of `output` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, output: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("MseLoss", output, target);
        match self.reduction {
            Reduction::Mean => output.mse(target),
            reduction => reduce((output - target).square(), reduction),
        }
    }
}
