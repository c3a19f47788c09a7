//! [`BceLoss`]: cross-entropy of yes-or-no questions, from probabilities.

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

use super::{check_shapes, reduce};

/// The least that a logarithm counts for (PyTorch).
const LOG_MIN: f64 = -100.0;
/// The least that the slope's denominator `p (1 - p)` counts for: PyTorch's 1e-12, which is an f32.
const EPS: f64 = 1e-12f32 as f64;

/// Cross-entropy of yes-or-no questions, from probabilities `p` and `t`:
/// `-t log p - (1 - t) log(1 - p)`, reduced.
///
/// [`BceWithLogitsLoss`](crate::BceWithLogitsLoss), on what a sigmoid would be given, loses nothing
/// where the probabilities are near 0 or 1.
///
/// # Gradient
/// `dp = (p - t) / max(p (1 - p), 1e-12)`, as in PyTorch: never infinite, and 0 where `p = t`, at 0
/// and 1 too. `dt` is the difference of the logarithms, each at least -100, where PyTorch's is
/// infinite for `p` of 0 and 1.
///
/// # Numerics
/// Each logarithm counts for at least -100 (PyTorch), so that the loss is at most 100. NaN stays
/// NaN.
///
/// # Examples
/// ```
/// use backstitch_nn::BceLoss;
/// use backstitch_tensor::{Reduction, Tensor};
///
/// let loss = BceLoss { reduction: Reduction::None };
/// let terms = loss.forward(&Tensor::from([1.0f32, 1.0]), &Tensor::from([1.0, 0.0]));
/// assert_eq!(terms.to_vec(), [0.0, 100.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BceLoss {
    /// What becomes of the terms. The mean by default (PyTorch).
    pub reduction: Reduction,
}

impl BceLoss {
    /// The loss of probabilities `output` against `target`, of one shape.
    ///
    /// # Panics
    /// When the shapes differ, or a number is below 0 or above 1.
    #[track_caller]
    pub fn forward<T: Float>(&self, output: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        check_shapes("BceLoss", output, target);
        check_probabilities("an output", output);
        check_probabilities("a target", target);
        reduce(terms(output, target), self.reduction)
    }
}

#[track_caller]
fn check_probabilities<T: Float>(what: &str, p: &Tensor<T>) {
    if p.lt(T::ZERO).logical_or(p.gt(T::ONE)).any([], false).item() {
        let outside = |&p: &T| p < T::ZERO || p > T::ONE;
        let p = p.to_vec();
        let at = p.iter().position(outside).expect("one is outside");
        let hint = "logits go to BceWithLogitsLoss";
        panic!("BceLoss: needs {what} from 0 to 1; got {} at position {at}; {hint}", p[at]);
    }
}

/// The terms. Where `p (1 - p)` is at most [`EPS`] the slope by `p` is that of the parabola
/// `p (p / 2 - t) / EPS`, and the value that of the logarithms.
fn terms<T: Float>(p: &Tensor<T>, t: &Tensor<T>) -> Tensor<T> {
    let still = p.detach();
    let corner = (&still * (-&still + T::ONE)).le(T::from_f64(EPS));
    if !corner.any([], false).item() {
        return cross_entropy(p, t);
    }
    let half = T::from_f64(0.5);
    let parabola = |p: &Tensor<T>| p * (p * half - t) / T::from_f64(EPS);
    let outer = cross_entropy(&still, t) + (parabola(p) - parabola(&still));
    // Elsewhere than chosen, the slope of the logarithms would be infinite, and times 0 be NaN.
    Tensor::where_(&corner, outer, cross_entropy(&p.masked_fill(&corner, half), t))
}

/// `-t log p - (1 - t) log(1 - p)` with logarithms of at least [`LOG_MIN`].
fn cross_entropy<T: Float>(p: &Tensor<T>, t: &Tensor<T>) -> Tensor<T> {
    let bounded = |log: Tensor<T>| log.clamp(T::from_f64(LOG_MIN), T::INFINITY);
    (t - T::ONE) * bounded((-p).log1p()) - t * bounded(p.log())
}
