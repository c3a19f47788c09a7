//! [`CrossEntropyLoss`]: cross-entropy of logits.

use backstitch_kernels::Float;
use backstitch_tensor::{CrossEntropy, Tensor};

/// Cross-entropy of logits against labels or class probabilities; see
/// [`Tensor::cross_entropy_with`].
///
/// # Examples
/// ```
/// use backstitch_nn::CrossEntropyLoss;
/// use backstitch_tensor::{CrossEntropy, Tensor};
///
/// let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
/// let loss = CrossEntropyLoss { options: smooth };
/// let value = loss.forward(&Tensor::from([[0.0f32, 0.0]]), &Tensor::from([1])).item();
/// assert!((value - 2.0f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyLoss<T: Float = f32> {
    /// Class weights, smoothing, the ignored label, and the reduction.
    pub options: CrossEntropy<T>,
}

impl<T: Float> CrossEntropyLoss<T> {
    /// The loss against labels.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is not a class.
    #[track_caller]
    pub fn forward(&self, logits: &Tensor<T>, labels: &Tensor<i64>) -> Tensor<T> {
        logits.cross_entropy_with(labels, &self.options)
    }

    /// The loss against class probabilities.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn forward_soft(&self, logits: &Tensor<T>, targets: &Tensor<T>) -> Tensor<T> {
        logits.cross_entropy_soft(targets, &self.options)
    }
}
