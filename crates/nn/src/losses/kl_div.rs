//! [`KlDivLoss`]: how far one distribution is from another.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::{check_shapes, reduce};

/// The Kullback-Leibler divergence of log-probabilities `x` from probabilities `t`:
/// `t (log t - x)`, reduced; with `log_target`, `exp(t) (t - x)`.
///
/// # Gradient
/// `dx = -t`. `dt = log t + 1 - x`; where `t` is 0 that of `t log t` counts as 0, so that
/// `dt = -x`, where PyTorch's is NaN.
///
/// # Numerics
/// `0 log 0` is 0. A probability below 0 gives NaN, and so do an `x` of -∞ with `t` of 0, and a log
/// target of -∞, as in PyTorch.
///
/// # Examples
/// ```
/// use backstitch_nn::{KlDivLoss, KlDivReduction};
/// use backstitch_tensor::Tensor;
///
/// let loss = KlDivLoss { reduction: KlDivReduction::BatchMean, ..KlDivLoss::default() };
/// let certain = Tensor::from([[1.0f32, 0.0], [0.0, 1.0]]);
/// let value = loss.forward(&Tensor::zeros([2, 2]).log_softmax(1), &certain).item();
/// assert!((value - 2.0f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KlDivLoss {
    /// What becomes of the terms. The mean by default (PyTorch), which is no divergence:
    /// [`KlDivReduction::BatchMean`] is.
    pub reduction: KlDivReduction,
    /// Whether the target is of log-probabilities too. False by default (PyTorch).
    pub log_target: bool,
}

/// How the terms of a [`KlDivLoss`] become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KlDivReduction {
    /// Their mean, also over the classes. PyTorch's default.
    #[default]
    Mean,
    /// Their sum over the length of the first axis: the mean divergence of a batch.
    BatchMean,
    /// Their sum.
    Sum,
    /// Not at all: a term per element.
    None,
}

impl KlDivLoss {
    /// The loss of log-probabilities `output` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, output: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("KlDivLoss", output, target);
        let terms = match self.log_target {
            true => target.exp() * (target - output),
            false => {
                // Logarithms of 1 in place of 0, whose slope is 0 too.
                let log = target.masked_fill(&target.eq(T::ZERO), T::ONE).log();
                target * log - target * output
            }
        };
        match self.reduction {
            KlDivReduction::Mean => reduce(terms, Reduction::Mean),
            KlDivReduction::Sum => reduce(terms, Reduction::Sum),
            KlDivReduction::None => terms,
            KlDivReduction::BatchMean => {
                let batch = output.shape().first().copied().unwrap_or(1);
                terms.sum() / T::from_usize(batch)
            }
        }
    }
}
