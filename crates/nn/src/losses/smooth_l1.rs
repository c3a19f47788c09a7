//! [`SmoothL1Loss`]: absolute differences, rounded off near the target.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::huber::huber;
use super::{check_shapes, reduce};

/// Absolute differences, rounded off near the target: of `d = output - target`, `d² / (2 beta)`
/// where `|d| ≤ beta`, else `|d| - beta / 2`, reduced. [`HuberLoss`](crate::HuberLoss) with
/// `delta = beta`, divided by `beta`; the limit at 0 is [`L1Loss`](crate::L1Loss).
///
/// # Gradient
/// `d / beta` cut off at -1 and 1, which has no jump. The second derivative is `1 / beta` inside
/// and 0 from `|d| = beta` on, as in PyTorch. With `beta` 0, the sign of the difference, 0 where
/// there is none.
///
/// # Examples
/// ```
/// use backstitch_nn::SmoothL1Loss;
/// use backstitch_tensor::{Reduction, Tensor};
///
/// let loss = SmoothL1Loss { reduction: Reduction::None, beta: 0.5 };
/// let terms = loss.forward(&Tensor::from([1.0f32, 5.0]), &Tensor::from([0.75, 2.0]));
/// assert_eq!(terms.to_vec(), [0.0625, 2.75]);
/// ```
///
/// # Reference
/// Girshick, "Fast R-CNN", 2015, equation 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Loss {
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
    /// Where the rounding ends, 0 or more. 1 by default (PyTorch); 0 rounds nothing.
    pub beta: f64,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        SmoothL1Loss { reduction: Reduction::Mean, beta: 1.0 }
    }
}

impl SmoothL1Loss {
    /// The loss of `output` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ, or `beta` is not 0 or more.
    #[track_caller]
    pub fn forward<T: Float>(&self, output: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("SmoothL1Loss", output, target);
        assert!(self.beta >= 0.0, "SmoothL1Loss: needs beta of 0 or more; got {}", self.beta);
        let d = output - target;
        let terms = match self.beta {
            0.0 => d.abs(),
            beta => huber(&d, beta) / T::from_f64(beta),
        };
        reduce(terms, self.reduction)
    }
}
