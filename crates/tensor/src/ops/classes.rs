//! What the cross-entropies share: their options, logits as rows of classes, and plain loops.

use backstitch_kernels::Float;

use crate::shape::{Axes, Shape, ShapeError};
use crate::tensor::Tensor;

/// How the losses of samples become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean, weighted where there are class weights. PyTorch's default.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Not at all: a loss per sample.
    None,
}

/// Options of [`Tensor::cross_entropy_with`]. The defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct CrossEntropy<T: Float = f32> {
    /// A weight per class `(C)`; none by default.
    pub weights: Option<Tensor<T>>,
    /// The share of the target that is spread evenly over all classes, from 0 (the default) to 1.
    pub label_smoothing: f64,
    /// Samples with this label count for nothing; -100 by default.
    pub ignore_index: i64,
    /// How the losses of the samples become one number.
    pub reduction: Reduction,
}

impl<T: Float> Default for CrossEntropy<T> {
    fn default() -> Self {
        CrossEntropy {
            weights: None,
            label_smoothing: 0.0,
            ignore_index: -100,
            reduction: Reduction::Mean,
        }
    }
}

/// The axis of the classes: the second, or the only one.
pub(super) fn class_axis(shape: &[usize]) -> usize {
    usize::from(shape.len() > 1)
}

pub(super) fn without_classes(shape: &[usize]) -> Shape {
    let mut rest = Shape::new(shape);
    rest.remove(class_axis(shape));
    rest
}

pub(super) fn check_options<T: Float>(
    x: &[usize],
    options: &CrossEntropy<T>,
) -> Result<(), ShapeError> {
    let smoothing = options.label_smoothing;
    if !(0.0..=1.0).contains(&smoothing) {
        return Err(ShapeError::new("cross_entropy", "label smoothing from 0 to 1", smoothing));
    }
    let classes = x[class_axis(x)];
    match &options.weights {
        Some(weights) if weights.shape() != [classes] => {
            let got = format!("weights {:?} for logits {x:?}", weights.shape());
            Err(ShapeError::new("cross_entropy", format!("weights ({classes})"), got))
        }
        _ => Ok(()),
    }
}

/// The logits as rows of classes: `(N, C, ...)` to `(N * ..., C)`.
#[track_caller]
pub(super) fn class_last<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    if x.rank() == 2 {
        return x.clone();
    }
    let axis = class_axis(x.shape());
    let classes = x.shape()[axis];
    let rest = (0..x.rank()).filter(|&a| a != axis);
    let order: Axes<isize> = rest.chain([axis]).map(|axis| axis as isize).collect();
    let rows = without_classes(x.shape()).iter().product();
    x.permute(order).reshape([rows, classes])
}

/// The gradient of class weights `(C)` from the terms `(rows, C)` that they multiply.
pub(super) fn weights_gradient<T: Float>(terms: &Tensor<T>, dy: &Tensor<T>) -> Tensor<T> {
    (terms * dy.reshape([terms.shape()[0], 1])).sum_dim(0, false)
}

pub(super) fn classes<T: Float>(x: &[Tensor<T>]) -> usize {
    let shape = x[0].shape();
    shape.get(class_axis(shape)).copied().unwrap_or(1)
}

/// The loss of every sample against a target that may be any function, as plain loops.
pub(super) fn losses(x: &Tensor<f64>, target: impl Fn(&[usize], usize) -> f64) -> Vec<f64> {
    let axis = class_axis(x.shape());
    let loss = |idx: &[usize]| {
        let logit = |c: usize| {
            let mut own = idx.to_vec();
            own.insert(axis, c);
            x.at(&own)
        };
        let n = x.shape()[axis];
        let lse = (0..n).map(|c| logit(c).exp()).sum::<f64>().ln();
        (0..n).map(|c| target(idx, c) * (lse - logit(c))).sum::<f64>()
    };
    Tensor::from_fn(without_classes(x.shape()), loss).to_vec()
}
