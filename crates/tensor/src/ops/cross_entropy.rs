//! `cross_entropy`: the loss of classification, from logits.
//!
//! Fused: the logits are read once forward and once backward, and two numbers per row are saved
//! instead of all log-probabilities.

use backstitch_kernels::{Float, cross_entropy as kernel};

use super::classes::{
    CrossEntropy, Reduction, check_options, class_axis, class_last, classes, losses,
    weights_gradient, without_classes,
};
use crate::op::{FusedOp, Gradient, Site, Tangents, apply_fused};
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

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
];

const TOLERANCE: Tolerance = Tolerance::Terms(
    16.0,
    |_| Tensor::scalar(16.0),
    "logits and logarithms of up to 16 are rounded before they cancel",
);

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
