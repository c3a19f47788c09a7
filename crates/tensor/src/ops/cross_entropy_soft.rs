//! `cross_entropy_soft`: the loss of classification, from logits and probabilities of the classes.

use backstitch_kernels::{Float, cross_entropy as kernel};

use super::classes::{
    CrossEntropy, Reduction, check_options, class_axis, class_last, classes, losses,
    weights_gradient, without_classes,
};
use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The cross-entropy of logits against probabilities of the classes.
    ///
    /// Per sample `Σ_c w_c t_c (-log p_c)` with the smoothed targets `t = (1 - s) target + s / C`;
    /// the mean divides by the number of samples. The ignored label has no meaning here.
    ///
    /// # Shape
    /// `x (N, C)` (also `(C)` and `(N, C, ...)`) and targets of the same shape.
    ///
    /// # Gradient
    /// For the logits, for the targets, and for the class weights.
    ///
    /// # Panics
    /// When the shapes differ or the smoothing is outside 0 to 1.
    #[track_caller]
    pub fn cross_entropy_soft(&self, targets: &Tensor<T>, options: &CrossEntropy<T>) -> Tensor<T> {
        let rule = "logits and target probabilities of one shape, with at least one axis";
        if self.shape() != targets.shape() || self.rank() == 0 {
            let got = format!("{:?} and {:?}", self.shape(), targets.shape());
            or_panic::<(), _>(Err(ShapeError::new("cross_entropy", rule, got)));
        }
        or_panic(check_options(self.shape(), options));
        let (rows, targets_rows) = (class_last(self), class_last(targets));
        let op =
            CrossEntropySoft { label_smoothing: options.label_smoothing, saved: Tensor::default() };
        let loss = match &options.weights {
            Some(weights) => apply_fused(op, [&rows, &targets_rows, weights]),
            None => apply_fused(op, [&rows, &targets_rows]),
        };
        let samples = rows.shape()[0];
        match options.reduction {
            Reduction::Mean => loss.sum() * (T::ONE / T::from_usize(samples)),
            Reduction::Sum => loss.sum(),
            Reduction::None => loss.reshape(without_classes(self.shape())),
        }
    }
}

/// A loss per row of logits `(rows, C)`, from target probabilities `(rows, C)`; with class weights
/// `(C)` or without.
struct CrossEntropySoft<T: Float> {
    label_smoothing: f64,
    /// `(rows, 2)`: each row's largest logit, and the logarithm of the sum of exponentials of the
    /// distances to it.
    saved: Tensor<T>,
}

impl<T: Float> CrossEntropySoft<T> {
    fn options<'a>(&self, weights: Option<&'a Tensor<T>>) -> kernel::Options<'a, T> {
        let defaults = CrossEntropy::<T>::default();
        kernel::Options {
            weights: weights.map(data),
            label_smoothing: self.label_smoothing,
            ignore_index: defaults.ignore_index,
        }
    }

    fn loss(
        &mut self,
        x: &Tensor<T>,
        target: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Tensor<T> {
        let (x, target) = (x.contiguous(), target.contiguous());
        let weights = weights.map(Tensor::contiguous);
        let (rows, classes) = (x.shape()[0], x.shape()[1]);
        let options = self.options(weights.as_ref());
        let mut saved = Tensor::zeros([rows, 2]);
        let loss = Tensor::build(&[rows], |loss| {
            let (x, target, saved) = (data(&x), data(&target), saved.data_mut());
            kernel::cross_entropy_soft(x, classes, target, &options, loss, saved);
        });
        self.saved = saved;
        loss
    }

    fn dx(
        &self,
        [x, target]: [&Tensor<T>; 2],
        weights: Option<&Tensor<T>>,
        dy: &Tensor<T>,
    ) -> Tensor<T> {
        let (x, target, dy) = (x.contiguous(), target.contiguous(), dy.contiguous());
        let weights = weights.map(Tensor::contiguous);
        let options = self.options(weights.as_ref());
        Tensor::build(x.shape(), |dx| {
            let (x_data, target, dy) = (data(&x), data(&target), data(&dy));
            let (classes, saved) = (x.shape()[1], data(&self.saved));
            kernel::cross_entropy_soft_backward(x_data, classes, target, &options, saved, dy, dx);
        })
    }

    fn dtarget(&self, x: &Tensor<T>, weights: Option<&Tensor<T>>, dy: &Tensor<T>) -> Tensor<T> {
        let kept = T::from_f64(1.0 - self.label_smoothing);
        let log_p = x.log_softmax(-1);
        let weighted = weights.map_or_else(|| log_p.clone(), |weights| &log_p * weights);
        weighted * -kept * dy.reshape([x.shape()[0], 1])
    }

    /// `-t log p`, with the smoothed target t: what the weights multiply before each row is summed.
    fn terms(&self, x: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        let smoothing = T::from_f64(self.label_smoothing);
        let even = smoothing / T::from_usize(x.shape()[1]);
        x.log_softmax(-1) * -(target * (T::ONE - smoothing) + even)
    }
}

impl<T: Float> FusedOp<T, 2> for CrossEntropySoft<T> {
    const NAME: &'static str = "cross_entropy_soft";

    fn forward(&mut self, [x, target]: [&Tensor<T>; 2]) -> Tensor<T> {
        self.loss(x, target, None)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (x, target) = (at.input(0), at.input(1));
        [at.want(0, || self.dx([x, target], None, dy)), at.want(1, || self.dtarget(x, None, dy))]
    }

    fn decompose(&self, [x, target]: [&Tensor<T>; 2]) -> Tensor<T> {
        self.terms(x, target).sum_dim(-1, false)
    }
}

impl<T: Float> FusedOp<T, 3> for CrossEntropySoft<T> {
    const NAME: &'static str = "cross_entropy_soft";

    fn forward(&mut self, [x, target, weights]: [&Tensor<T>; 3]) -> Tensor<T> {
        self.loss(x, target, Some(weights))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 3> {
        let (x, target, weights) = (at.input(0), at.input(1), at.input(2));
        [
            at.want(0, || self.dx([x, target], Some(weights), dy)),
            at.want(1, || self.dtarget(x, Some(weights), dy)),
            at.want(2, || weights_gradient(&self.terms(x, target), dy)),
        ]
    }

    fn decompose(&self, [x, target, weights]: [&Tensor<T>; 3]) -> Tensor<T> {
        (self.terms(x, target) * weights).sum_dim(-1, false)
    }
}

/// Logits, soft targets and weights.
const SOFT_SHAPES: &[&[&[usize]]] = &[
    &[&[1, 1], &[1, 1], &[1]],
    &[&[3], &[3], &[3]],
    &[&[5, 17], &[5, 17], &[17]],
    &[&[4, 3, 2], &[4, 3, 2], &[3]],
    &[&[512, 100], &[512, 100], &[100]],
];

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "cross_entropy soft",
        formula: "y = Σ_i Σ_c t_ic (-log p_ic)",
        shapes: &[
            &[&[1, 1], &[1, 1]],
            &[&[3], &[3]],
            &[&[0, 3], &[0, 3]],
            &[&[5, 17], &[5, 17]],
            &[&[4, 3, 2], &[4, 3, 2]],
            &[&[512, 1000], &[512, 1000]],
        ],
        domain: Domain::Ranges(&[(-4.0, 4.0), (0.0, 1.0)]),
        build: build!(|x| {
            let options = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
            x[0].cross_entropy_soft(&x[1], &options)
        }),
        oracle: Oracle::Whole(|x| {
            let target = |idx: &[usize], c: usize| {
                let mut own = idx.to_vec();
                own.insert(class_axis(x[0].shape()), c);
                x[1].at(&own)
            };
            Tensor::scalar(losses(&x[0], target).iter().sum())
        }),
        refused: &[&[&[2, 3], &[2, 4]], &[&[], &[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 10.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::scalar(x[1].to_vec().iter().map(|t| t * 16.0).sum()),
            "log-probabilities up to 16 in size, each rounded, then summed",
        ),
    },
    OpSpec {
        name: "cross_entropy soft weights",
        formula: "y_i = Σ_c w_c ((1 - s) t_ic + s / C) (-log p_ic), also by w",
        shapes: SOFT_SHAPES,
        domain: Domain::Ranges(&[(-4.0, 4.0), (0.0, 1.0), (0.5, 2.0)]),
        build: build!(|x| soft(x, Reduction::None)),
        oracle: Oracle::Whole(|x| Tensor::from_vec(soft_losses(x), without_classes(x[0].shape()))),
        refused: &[&[&[2, 3], &[2, 3], &[4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..2], 10.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| {
                let sums = x[1].sum_dim(class_axis(x[0].shape()) as isize, false);
                (sums + 1.0).reshape(without_classes(x[0].shape())) * 32.0
            },
            "log-probabilities up to 16 in size times weights up to 2, summed",
        ),
    },
    OpSpec {
        name: "cross_entropy soft mean",
        formula: "y = Σ_i Σ_c w_c ((1 - s) t_ic + s / C) (-log p_ic) / N",
        shapes: SOFT_SHAPES,
        domain: Domain::Ranges(&[(-4.0, 4.0), (0.0, 1.0), (0.5, 2.0)]),
        build: build!(|x| soft(x, Reduction::Mean)),
        oracle: Oracle::Whole(|x| {
            let losses = soft_losses(x);
            Tensor::scalar(losses.iter().sum::<f64>() / losses.len() as f64)
        }),
        refused: &[&[&[2, 3], &[2, 3], &[4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..2], 10.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::scalar(32.0 * (x[1].to_vec().iter().sum::<f64>() + 1.0)),
            "log-probabilities up to 16 in size times weights up to 2, summed",
        ),
    },
];

/// Against soft targets with class weights and smoothing.
#[track_caller]
fn soft<T: Float>(x: &[Tensor<T>], reduction: Reduction) -> Tensor<T> {
    let weights = Some(x[2].clone());
    let options = CrossEntropy { weights, label_smoothing: 0.2, reduction, ..Default::default() };
    x[0].cross_entropy_soft(&x[1], &options)
}

fn soft_losses(x: &[Tensor<f64>]) -> Vec<f64> {
    losses(&x[0], |idx, c| {
        let mut own = idx.to_vec();
        own.insert(class_axis(x[0].shape()), c);
        x[2].at(&[c]) * (0.8 * x[1].at(&own) + 0.2 / classes(x) as f64)
    })
}
