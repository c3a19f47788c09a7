//! `cross_entropy`: the loss of classification, from logits.
//!
//! Fused: the logits are read once forward and once backward, and two numbers per row are saved
//! instead of all log-probabilities.

use backstitch_kernels::{Float, cross_entropy as kernel};

use crate::op::{FusedOp, Gradient, Site, Tangents, apply_fused};
use crate::shape::{Axes, Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

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

impl<T: Float> Tensor<T> {
    /// The mean cross-entropy of logits against labels.
    ///
    /// `y = mean_i (log Σ_c exp(x_ic) - x_i,label_i)`
    ///
    /// # Shape
    /// `x (N, C)` and labels `(N)` to a scalar; also `x (C)` with labels `()`, and
    /// `x (N, C, ...)` with labels `(N, ...)`.
    ///
    /// # Gradient
    /// `dx = dy (softmax(x) - onehot(label)) / N`
    ///
    /// # Numerics
    /// Stable for logits of any size. Natural logarithms.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is no class.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let loss = Tensor::<f32>::zeros([2, 10]).cross_entropy(&Tensor::from([3i64, 7]));
    /// assert!((loss.item() - 10.0f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn cross_entropy(&self, labels: &Tensor<i64>) -> Tensor<T> {
        self.cross_entropy_with(labels, &CrossEntropy::default())
    }

    /// The cross-entropy of logits against labels, with class weights, label smoothing, an
    /// ignored label or another reduction.
    ///
    /// Per sample, with smoothing `s`, weights `w` and `p = softmax(x)`:
    /// `(1 - s) w_label (-log p_label) + s / C Σ_c w_c (-log p_c)`; the mean divides by the sum
    /// of `w_label`.
    ///
    /// # Shape
    /// As [`Tensor::cross_entropy`]; without reduction the result has the labels' shape.
    ///
    /// # Gradient
    /// For the logits, and for the class weights.
    ///
    /// # Numerics
    /// The mean over no samples is NaN.
    ///
    /// # Panics
    /// When the shapes do not fit, a label is no class, or the smoothing is outside 0 to 1.
    ///
    /// # Reference
    /// `torch.nn.functional.cross_entropy`.
    #[track_caller]
    pub fn cross_entropy_with(&self, labels: &Tensor<i64>, options: &CrossEntropy<T>) -> Tensor<T> {
        or_panic(shape_rule(self.shape(), labels.shape()));
        or_panic(check_options(self.shape(), options));
        let labels = labels.contiguous();
        let rows = class_last(self);
        or_panic(check_labels(labels.as_slice().expect("made contiguous"), &rows, options));
        let op = CrossEntropyLabels {
            labels: labels.clone(),
            label_smoothing: options.label_smoothing,
            ignore_index: options.ignore_index,
            saved: Tensor::default(),
        };
        let loss = match &options.weights {
            Some(weights) => apply_fused(op, [&rows, weights]),
            None => apply_fused(op, [&rows]),
        };
        match options.reduction {
            Reduction::Mean => mean(&loss, &labels, options),
            Reduction::Sum => loss.sum(),
            Reduction::None => loss.reshape(labels.shape()),
        }
    }

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

/// The axis of the classes: the second, or the only one.
fn class_axis(shape: &[usize]) -> usize {
    usize::from(shape.len() > 1)
}

fn without_classes(shape: &[usize]) -> Shape {
    let mut rest = Shape::new(shape);
    rest.remove(class_axis(shape));
    rest
}

fn shape_rule(x: &[usize], labels: &[usize]) -> Result<(), ShapeError> {
    if x.is_empty() || without_classes(x)[..] != *labels {
        let rule = "logits (N, C) and labels (N), or (N, C, ...) and (N, ...)";
        let error = ShapeError::new("cross_entropy", rule, format!("{x:?} and {labels:?}"));
        let hint = "probabilities as targets go to cross_entropy_soft";
        return Err(if x == labels { error.hint(hint) } else { error });
    }
    Ok(())
}

fn check_options<T: Float>(x: &[usize], options: &CrossEntropy<T>) -> Result<(), ShapeError> {
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

fn check_labels<T: Float>(
    labels: &[i64],
    rows: &Tensor<T>,
    options: &CrossEntropy<T>,
) -> Result<(), String> {
    let classes = rows.shape()[1];
    let bad = |&label: &i64| label != options.ignore_index && label as u64 >= classes as u64;
    match labels.iter().position(bad) {
        Some(at) => Err(format!(
            "cross_entropy: needs labels from 0 to below {classes}; got {} at position {at}",
            labels[at]
        )),
        None => Ok(()),
    }
}

/// The mean as PyTorch has it: the sum over the sum of the labels' weights.
fn mean<T: Float>(
    losses: &Tensor<T>,
    labels: &Tensor<i64>,
    options: &CrossEntropy<T>,
) -> Tensor<T> {
    let labels = labels.as_slice().expect("made contiguous");
    let counted = labels.iter().filter(|&&label| label != options.ignore_index);
    let Some(weights) = &options.weights else {
        return losses.sum() * (T::ONE / T::from_usize(counted.count()));
    };
    let mut counts = vec![T::ZERO; weights.numel()];
    counted.for_each(|&label| counts[label as usize] += T::ONE);
    losses.sum() / (weights * Tensor::from_vec(counts, weights.shape())).sum()
}

/// The logits as rows of classes: `(N, C, ...)` to `(N * ..., C)`.
#[track_caller]
fn class_last<T: Float>(x: &Tensor<T>) -> Tensor<T> {
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

/// A loss per row of logits `(rows, C)`, from labels; with class weights `(C)` or without.
struct CrossEntropyLabels<T: Float> {
    labels: Tensor<i64>,
    label_smoothing: f64,
    ignore_index: i64,
    /// `(rows, 2)`: each row's largest logit, and the logarithm of the sum of exponentials of the
    /// distances to it.
    saved: Tensor<T>,
}

impl<T: Float> CrossEntropyLabels<T> {
    fn options<'a>(&self, weights: Option<&'a Tensor<T>>) -> kernel::Options<'a, T> {
        kernel::Options {
            weights: weights.map(data),
            label_smoothing: self.label_smoothing,
            ignore_index: self.ignore_index,
        }
    }

    fn loss(&mut self, x: &Tensor<T>, weights: Option<&Tensor<T>>) -> Tensor<T> {
        let (x, weights) = (x.contiguous(), weights.map(Tensor::contiguous));
        let (rows, classes) = (x.shape()[0], x.shape()[1]);
        let options = self.options(weights.as_ref());
        let mut saved = Tensor::zeros([rows, 2]);
        let labels = data(&self.labels);
        let loss = Tensor::build(&[rows], |loss| {
            kernel::cross_entropy(data(&x), classes, labels, &options, loss, saved.data_mut())
                .map(drop)
                .expect("the labels were checked");
        });
        self.saved = saved;
        loss
    }

    fn dx(&self, x: &Tensor<T>, weights: Option<&Tensor<T>>, dy: &Tensor<T>) -> Tensor<T> {
        let (x, weights) = (x.contiguous(), weights.map(Tensor::contiguous));
        let (dy, options) = (dy.contiguous(), self.options(weights.as_ref()));
        let (labels, saved, classes) = (data(&self.labels), data(&self.saved), x.shape()[1]);
        Tensor::build(x.shape(), |dx| {
            let (x, dy) = (data(&x), data(&dy));
            kernel::cross_entropy_backward(x, classes, labels, &options, saved, dy, dx);
        })
    }

    /// `-t log p`, with the smoothed target t: what the weights multiply before each row is summed.
    fn terms(&self, x: &Tensor<T>) -> Tensor<T> {
        let (labels, classes) = (self.labels.to_vec(), x.shape()[1]);
        let smoothing = T::from_f64(self.label_smoothing);
        let target = Tensor::from_fn(x.shape(), |idx| {
            let (label, c) = (labels[idx[0]], idx[1]);
            if label == self.ignore_index {
                return T::ZERO;
            }
            let hit = if label == c as i64 { T::ONE - smoothing } else { T::ZERO };
            -(hit + smoothing / T::from_usize(classes))
        });
        x.log_softmax(-1) * target
    }
}

impl<T: Float> FusedOp<T, 1> for CrossEntropyLabels<T> {
    const NAME: &'static str = "cross_entropy";

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        self.loss(x, None)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(self.dx(at.input(0), None, dy))]
    }

    fn decompose(&self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        self.terms(x).sum_dim(-1, false)
    }

    /// The loss of a row depends on that row alone, so its gradient is the row of the Jacobian.
    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Option<Tensor<T>> {
        let slope = self.dx(at.input(0), None, &Tensor::ones([at.shape(0)[0]]));
        Some((slope * dx?).sum_dim(-1, false))
    }
}

impl<T: Float> FusedOp<T, 2> for CrossEntropyLabels<T> {
    const NAME: &'static str = "cross_entropy";

    fn forward(&mut self, [x, weights]: [&Tensor<T>; 2]) -> Tensor<T> {
        self.loss(x, Some(weights))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (x, weights) = (at.input(0), at.input(1));
        [
            at.want(0, || self.dx(x, Some(weights), dy)),
            at.want(1, || weights_gradient(&self.terms(x), dy)),
        ]
    }

    fn decompose(&self, [x, weights]: [&Tensor<T>; 2]) -> Tensor<T> {
        (self.terms(x) * weights).sum_dim(-1, false)
    }
}

/// The gradient of class weights `(C)` from the terms `(rows, C)` that they multiply.
fn weights_gradient<T: Float>(terms: &Tensor<T>, dy: &Tensor<T>) -> Tensor<T> {
    (terms * dy.reshape([terms.shape()[0], 1])).sum_dim(0, false)
}

/// A loss per row of logits `(rows, C)`, from target probabilities `(rows, C)`; with class weights
/// `(C)` or without.
struct CrossEntropySoft<T: Float> {
    label_smoothing: f64,
    /// As in [`CrossEntropyLabels`].
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

    /// As [`CrossEntropyLabels::terms`].
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
        name: "cross_entropy",
        formula: "y = mean_i (log Σ_c exp(x_ic) - x_i,label_i)",
        shapes: &[&[&[1, 1]], &[&[3]], &[&[1, 7]], &[&[5, 17]], &[&[4, 3, 2]], &[&[512, 1000]]],
        domain: Domain::Range(-4.0, 4.0),
        build: build!(|x| x[0].cross_entropy(&example_labels(x[0].shape()))),
        oracle: Oracle::Whole(|x| {
            let losses =
                losses(&x[0], |idx, c| f64::from(example_label(idx) as usize % classes(x) == c));
            Tensor::scalar(losses.iter().sum::<f64>() / losses.len() as f64)
        }),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 8.0),
        tolerance: TOLERANCE,
    },
    OpSpec {
        name: "cross_entropy options",
        formula: "y_i = (1 - s) w_label (-log p_label) + s / C Σ_c w_c (-log p_c), 0 if ignored",
        shapes: &[&[&[2, 1]], &[&[3]], &[&[3, 7]], &[&[5, 17]], &[&[4, 3, 2]], &[&[512, 1000]]],
        domain: Domain::Range(-4.0, 4.0),
        build: build!(|x| {
            let shape = x[0].shape();
            let options = CrossEntropy {
                weights: Some(Tensor::from_fn([classes(x)], |c| T::from_f64(weight(c[0])))),
                label_smoothing: 0.1,
                ignore_index: 1,
                reduction: Reduction::None,
            };
            x[0].cross_entropy_with(&example_labels(shape), &options)
        }),
        oracle: Oracle::Whole(|x| {
            let n = classes(x);
            let target = |idx: &[usize], c: usize| {
                let label = example_label(idx) as usize % n;
                let hit = if label == c { 0.9 } else { 0.0 };
                if label == 1 { 0.0 } else { weight(c) * (hit + 0.1 / n as f64) }
            };
            Tensor::from_vec(losses(&x[0], target), without_classes(x[0].shape()))
        }),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 8.0),
        tolerance: Tolerance::Terms(
            16.0,
            |x| Tensor::full(without_classes(x[0].shape()), 16.0),
            "logits and logarithms of up to 16 are rounded before they cancel",
        ),
    },
    OpSpec {
        name: "cross_entropy weights",
        formula: "y = Σ_i w_label (-log p_label) / Σ_i w_label, also by w",
        shapes: &[
            &[&[2, 1], &[1]],
            &[&[3], &[3]],
            &[&[5, 17], &[17]],
            &[&[4, 3, 2], &[3]],
            &[&[512, 1000], &[1000]],
        ],
        domain: Domain::Ranges(&[(-4.0, 4.0), (0.5, 2.0)]),
        build: build!(|x| {
            let options = CrossEntropy { weights: Some(x[1].clone()), ..CrossEntropy::default() };
            x[0].cross_entropy_with(&example_labels(x[0].shape()), &options)
        }),
        oracle: Oracle::Whole(|x| {
            let label = |idx: &[usize]| example_label(idx) as usize % classes(x);
            let hit = |idx: &[usize], c: usize| {
                if label(idx) == c { x[1].at(&[c]) } else { 0.0 }
            };
            let weights =
                Tensor::from_fn(without_classes(x[0].shape()), |idx| x[1].at(&[label(idx)]));
            let total: f64 = weights.to_vec().iter().sum();
            Tensor::scalar(losses(&x[0], hit).iter().sum::<f64>() / total)
        }),
        refused: &[&[&[2, 3], &[4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..1], 8.0),
        tolerance: TOLERANCE,
    },
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

const TOLERANCE: Tolerance = Tolerance::Terms(
    16.0,
    |_| Tensor::scalar(16.0),
    "logits and logarithms of up to 16 are rounded before they cancel",
);

fn classes<T: Float>(x: &[Tensor<T>]) -> usize {
    let shape = x[0].shape();
    shape.get(class_axis(shape)).copied().unwrap_or(1)
}

/// A label for the sample at an index.
fn example_label(idx: &[usize]) -> i64 {
    (idx.iter().map(|i| i + 2).product::<usize>() % 97) as i64
}

fn example_labels(shape: &[usize]) -> Tensor<i64> {
    if shape.is_empty() {
        return Tensor::default();
    }
    let classes = shape[class_axis(shape)] as i64;
    let labels = Tensor::from_fn(without_classes(shape), |idx| example_label(idx) % classes);
    // A view with gaps, as the column of a table is.
    Tensor::stack(&[&labels, &labels], -1).select(-1, 1)
}

fn weight(c: usize) -> f64 {
    0.5 + 0.25 * (c % 4) as f64
}

/// The loss of every sample against a target that may be any function, as plain loops.
fn losses(x: &Tensor<f64>, target: impl Fn(&[usize], usize) -> f64) -> Vec<f64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_logits_are_fine() {
        for size in [1e4f32, 1e10] {
            let x = Tensor::from([[size, -size]]);
            assert_eq!(x.cross_entropy(&Tensor::from([0i64])).item(), 0.0);
            assert_eq!(x.cross_entropy(&Tensor::from([1i64])).item(), 2.0 * size);
        }
    }

    #[test]
    fn reductions_are_sums_and_means_of_the_losses() {
        let x = Tensor::from([[1.0f64, 2.0], [3.0, 0.5], [0.0, 0.25]]);
        let labels = Tensor::from([1i64, 0, 1]);
        let by = |reduction| {
            let options = CrossEntropy { reduction, ..CrossEntropy::default() };
            x.cross_entropy_with(&labels, &options)
        };
        let each = by(Reduction::None).to_vec();
        let sum: f64 = each.iter().sum();
        assert!((by(Reduction::Sum).item() - sum).abs() < 1e-15);
        assert!((by(Reduction::Mean).item() - sum / 3.0).abs() < 1e-15);
    }

    #[test]
    fn tracked_weights_get_a_gradient_in_every_form() {
        let rng = &mut crate::rng::Rng::seed(1);
        let x: Tensor<f64> = Tensor::randn([4, 3], rng);
        let (labels, targets) = (Tensor::from([2i64, 0, 1, 2]), x.softmax(0));
        let weights = Tensor::from([0.5, 2.0, 1.0]);
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let options = |w: &Tensor<f64>| CrossEntropy {
                weights: Some(w.clone()),
                label_smoothing: 0.2,
                ignore_index: 1,
                reduction,
            };
            let by_labels = |w: &Tensor<f64>| x.cross_entropy_with(&labels, &options(w));
            let by_targets = |w: &Tensor<f64>| x.cross_entropy_soft(&targets, &options(w));
            crate::check_gradients(by_labels, &weights).unwrap();
            crate::check_gradients(by_targets, &weights).unwrap();
            let same = |a: Tensor<f64>, b: Tensor<f64>| {
                for (a, b) in a.to_vec().into_iter().zip(b.to_vec()) {
                    assert!((a - b).abs() < 1e-14, "{a} is not {b}");
                }
            };
            same(by_labels(&weights.leaf()), by_labels(&weights));
            same(by_targets(&weights.leaf()), by_targets(&weights));
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        let check = |result: Result<(), ShapeError>, want: &str| {
            assert_eq!(result.unwrap_err().to_string(), want);
        };
        check(
            shape_rule(&[2, 3], &[2, 3]),
            "cross_entropy: needs logits (N, C) and labels (N), or (N, C, ...) and (N, ...); got \
             [2, 3] and [2, 3]; probabilities as targets go to cross_entropy_soft",
        );
        let error = check_labels(&[0, 3], &Tensor::<f32>::zeros([2, 3]), &CrossEntropy::default());
        let want = "cross_entropy: needs labels from 0 to below 3; got 3 at position 1";
        assert_eq!(error.unwrap_err(), want);
    }
}
