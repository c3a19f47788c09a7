//! [`NllLoss`]: the negative log-likelihood of labels.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::reduce;

/// The negative log-likelihood of labels, from log-probabilities: `-w_label x_label`, reduced; the
/// mean divides by the sum of `w_label`.
///
/// After `log_softmax` this is [`CrossEntropyLoss`](crate::CrossEntropyLoss), which takes the logits.
///
/// # Gradient
/// For the log-probabilities, and for the class weights. What is ignored has none, whatever its
/// log-probabilities are.
///
/// # Numerics
/// The mean over no samples is NaN.
///
/// # Examples
/// ```
/// use backstitch_nn::NllLoss;
/// use backstitch_tensor::Tensor;
///
/// let x = Tensor::from([[-0.5f32, -1.0], [-2.0, -0.25], [-3.0, -0.125]]);
/// let labels = Tensor::from([0, 1, -100]);
/// assert_eq!(NllLoss::default().forward(&x, &labels).item(), 0.375);
/// ```
#[derive(Clone, Debug)]
pub struct NllLoss<T: Float = f32> {
    /// A weight per class `(C)`; none by default.
    pub weights: Option<Tensor<T>>,
    /// Samples with this label count for nothing; -100 by default (PyTorch).
    pub ignore_index: i64,
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
}

impl<T: Float> Default for NllLoss<T> {
    fn default() -> Self {
        NllLoss { weights: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl<T: Float> NllLoss<T> {
    /// The loss of log-probabilities against labels.
    ///
    /// # Shape
    /// `output (N, C)` and labels `(N)`; also `(C)` with `()`, and `(N, C, ...)` with `(N, ...)`.
    /// Without reduction the result has the labels' shape.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is not a class.
    #[track_caller]
    pub fn forward(&self, output: &Tensor<T>, labels: &Tensor<i64>) -> Tensor<T> {
        // The classes' axis: the second, or the only one.
        let axis = usize::from(output.rank() > 1);
        self.check(output.shape(), axis, labels);
        let ignored = labels.eq(self.ignore_index);
        // What is ignored may be no class.
        let classes = labels.masked_fill(&ignored, 0);
        let axis = axis as isize;
        let picked = output.gather(axis, &classes.unsqueeze(axis)).squeeze(axis);
        let weights = match &self.weights {
            None => Tensor::ones(labels.shape()),
            Some(weights) => {
                weights.index_select(0, &classes.reshape([classes.numel()])).reshape(labels.shape())
            }
        };
        let weights = weights.masked_fill(&ignored, T::ZERO);
        let terms = -picked.masked_fill(&ignored, T::ZERO) * &weights;
        match self.reduction {
            Reduction::Mean => terms.sum() / weights.sum(),
            reduction => reduce(terms, reduction),
        }
    }

    #[track_caller]
    fn check(&self, output: &[usize], axis: usize, labels: &Tensor<i64>) {
        let classes = output.get(axis).copied().unwrap_or_default();
        let samples = (0..output.len()).filter(|&other| other != axis).map(|other| output[other]);
        assert!(
            !output.is_empty() && samples.eq(labels.shape().iter().copied()),
            "NllLoss: needs log-probabilities (N, C) and labels (N), or (N, C, ...) and (N, ...); \
             got {output:?} and {:?}",
            labels.shape()
        );
        if let Some(weights) = &self.weights {
            assert!(
                weights.shape() == [classes],
                "NllLoss: needs weights ({classes}); got {:?} for {output:?}",
                weights.shape()
            );
        }
        let bad = |&label: &i64| label != self.ignore_index && label as u64 >= classes as u64;
        let labels = labels.to_vec();
        if let Some(at) = labels.iter().position(bad) {
            panic!(
                "NllLoss: needs labels from 0 to below {classes}; got {} at position {at}",
                labels[at]
            );
        }
    }
}
