//! Cross-entropy from logits, fused with log-softmax: forward and backward, for labels and for
//! target probabilities.
//!
//! Fused because the forward then reads the logits once from memory and stores two numbers per
//! row in place of all log-probabilities, and the backward writes the gradient in one pass.
//! Per row, `max` and `log_sum = log sum exp(logits - max)` are saved apart: their sum would lose
//! `log_sum` beside a large `max`.

use std::fmt;

use pulp::{Simd, WithSimd};

use crate::element::{Float, per_float};
use crate::math::exp_of_difference;
use crate::registers::{map, sum};
use crate::simd::Vector;
use crate::softmax::{Maxima, exp_sum};
use crate::{arch, par, scratch};

/// Elements of a task.
const TASK: usize = 16 * 1024;

/// What changes the plain loss `log_sum - (logits[label] - max)`.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a, T> {
    /// A weight for each class; `None` is 1 for all.
    pub weights: Option<&'a [T]>,
    /// The share s of the target that is spread evenly over all classes, in `[0, 1]`.
    pub label_smoothing: f64,
    /// Rows with this label have loss 0 and gradient 0, and do not count in a mean.
    pub ignore_index: i64,
}

impl<T> Default for Options<'_, T> {
    /// PyTorch's defaults: no weights, no smoothing, ignore label -100.
    fn default() -> Self {
        Options { weights: None, label_smoothing: 0.0, ignore_index: -100 }
    }
}

/// A label that is no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelError {
    /// The row of the first such label.
    pub row: usize,
    /// The label.
    pub label: i64,
    /// The number of classes.
    pub classes: usize,
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LabelError { row, label, classes } = self;
        write!(f, "needs labels from 0 to below {classes}; got {label} in row {row}")
    }
}

impl std::error::Error for LabelError {}

/// Losses of `logits [rows, classes]` with a label per row, not yet summed or averaged.
///
/// ```text
/// loss = (1 - s) w[y] (-log p[y]) + s / classes sum_c w[c] (-log p[c]),   p = softmax(logits)
/// ```
/// `saved [rows, 2]` receives `max` and `log_sum` of each row, for [`cross_entropy_backward`].
/// Returns the sum of `w[label]` over the rows that count (their number without weights), by
/// which PyTorch divides to get the mean.
///
/// # Errors
/// If a label is neither a class nor `ignore_index`; the outputs are then unchanged.
///
/// # Panics
/// If lengths do not fit.
///
/// # Reference
/// `torch.nn.functional.cross_entropy`; Szegedy et al. 2016, section 7 (label smoothing).
pub fn cross_entropy<T: Float>(
    logits: &[T],
    classes: usize,
    labels: &[i64],
    options: &Options<'_, T>,
    loss: &mut [T],
    saved: &mut [T],
) -> Result<f64, LabelError> {
    check_rows("cross_entropy", logits.len(), classes, labels.len(), options);
    check_saved("cross_entropy", labels.len(), loss.len(), saved.len());
    let count = check_labels(labels, classes, options)?;
    let () = per_float!(T: forward_labels(
        logits: &[T], classes: usize, labels: &[i64], options: &Options<T>,
        loss: &mut [T], saved: &mut [T],
    ));
    Ok(count)
}

/// Gradient of [`cross_entropy`] for the gradient `dloss [rows]` of its losses:
/// `dlogits = dloss ((1 - s) w[y] (p - e_y) + s / classes (p sum w - w))`.
///
/// # Panics
/// If lengths do not fit, or a label is no class: forward has checked the labels.
pub fn cross_entropy_backward<T: Float>(
    logits: &[T],
    classes: usize,
    labels: &[i64],
    options: &Options<'_, T>,
    saved: &[T],
    dloss: &[T],
    dlogits: &mut [T],
) {
    check_rows("cross_entropy_backward", logits.len(), classes, labels.len(), options);
    check_saved("cross_entropy_backward", labels.len(), dloss.len(), saved.len());
    assert!(logits.len() == dlogits.len(), "cross_entropy_backward: needs equal lengths");
    per_float!(T: backward_labels(
        logits: &[T], classes: usize, labels: &[i64], options: &Options<T>,
        saved: &[T], dloss: &[T], dlogits: &mut [T],
    ))
}

/// Losses of `logits [rows, classes]` against probabilities `targets` of the same shape, not yet
/// summed or averaged (PyTorch's mean divides by the number of rows).
///
/// `loss = sum_c w[c] t'[c] (-log p[c])`, `t' = (1 - s) t + s / classes`; `ignore_index` has no
/// meaning here. `saved` as for [`cross_entropy`].
///
/// # Panics
/// If lengths do not fit.
pub fn cross_entropy_soft<T: Float>(
    logits: &[T],
    classes: usize,
    targets: &[T],
    options: &Options<'_, T>,
    loss: &mut [T],
    saved: &mut [T],
) {
    check_rows("cross_entropy_soft", logits.len(), classes, loss.len(), options);
    check_saved("cross_entropy_soft", loss.len(), loss.len(), saved.len());
    assert!(logits.len() == targets.len(), "cross_entropy_soft: needs equal lengths");
    per_float!(T: forward_soft(
        logits: &[T], classes: usize, targets: &[T], options: &Options<T>,
        loss: &mut [T], saved: &mut [T],
    ))
}

/// Gradient of [`cross_entropy_soft`] with respect to the logits:
/// `dlogits = dloss (p sum(w t') - w t')`.
///
/// # Panics
/// If lengths do not fit.
pub fn cross_entropy_soft_backward<T: Float>(
    logits: &[T],
    classes: usize,
    targets: &[T],
    options: &Options<'_, T>,
    saved: &[T],
    dloss: &[T],
    dlogits: &mut [T],
) {
    check_rows("cross_entropy_soft_backward", logits.len(), classes, dloss.len(), options);
    check_saved("cross_entropy_soft_backward", dloss.len(), dloss.len(), saved.len());
    assert!(
        logits.len() == targets.len() && logits.len() == dlogits.len(),
        "cross_entropy_soft_backward: needs equal lengths"
    );
    per_float!(T: backward_soft(
        logits: &[T], classes: usize, targets: &[T], options: &Options<T>,
        saved: &[T], dloss: &[T], dlogits: &mut [T],
    ))
}

#[track_caller]
fn check_rows<T>(
    kernel: &str,
    elements: usize,
    classes: usize,
    rows: usize,
    options: &Options<'_, T>,
) {
    assert!(
        elements == rows * classes,
        "{kernel}: needs {rows} rows of {classes} logits; got {elements}"
    );
    if let Some(weights) = options.weights {
        assert!(
            weights.len() == classes,
            "{kernel}: needs a weight for each of {classes} classes; got {}",
            weights.len()
        );
    }
}

#[track_caller]
fn check_saved(kernel: &str, rows: usize, losses: usize, saved: usize) {
    assert!(
        losses == rows && saved == 2 * rows,
        "{kernel}: needs {rows} losses and {} saved values; got {losses} and {saved}",
        2 * rows
    );
}

/// The sum of the labels' weights, or the first label that is no class.
fn check_labels<T: Float>(
    labels: &[i64],
    classes: usize,
    options: &Options<'_, T>,
) -> Result<f64, LabelError> {
    let mut count = 0.0;
    for (row, &label) in labels.iter().enumerate() {
        if label == options.ignore_index {
            continue;
        }
        if label < 0 || label as u64 >= classes as u64 {
            return Err(LabelError { row, label, classes });
        }
        count += options.weights.map_or(1.0, |w| w[label as usize].to_f64());
    }
    Ok(count)
}

fn forward_labels<T: Float>(
    logits: &[T],
    classes: usize,
    labels: &[i64],
    options: &Options<'_, T>,
    loss: &mut [T],
    saved: &mut [T],
) {
    with_rows(logits, classes, Target::Labels(labels), options, |rows| rows.forward(loss, saved));
}

fn forward_soft<T: Float>(
    logits: &[T],
    classes: usize,
    targets: &[T],
    options: &Options<'_, T>,
    loss: &mut [T],
    saved: &mut [T],
) {
    with_rows(logits, classes, Target::Soft(targets), options, |rows| rows.forward(loss, saved));
}

fn backward_labels<T: Float>(
    logits: &[T],
    classes: usize,
    labels: &[i64],
    options: &Options<'_, T>,
    saved: &[T],
    dloss: &[T],
    dlogits: &mut [T],
) {
    with_rows(logits, classes, Target::Labels(labels), options, |rows| {
        rows.backward(saved, dloss, dlogits);
    });
}

fn backward_soft<T: Float>(
    logits: &[T],
    classes: usize,
    targets: &[T],
    options: &Options<'_, T>,
    saved: &[T],
    dloss: &[T],
    dlogits: &mut [T],
) {
    with_rows(logits, classes, Target::Soft(targets), options, |rows| {
        rows.backward(saved, dloss, dlogits);
    });
}

/// What the rows should have been.
#[derive(Clone, Copy)]
enum Target<'a, T> {
    Labels(&'a [i64]),
    Soft(&'a [T]),
}

/// The inputs of all four kernels.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    logits: &'a [T],
    classes: usize,
    target: Target<'a, T>,
    /// A weight for each class, all 1 where the caller gave none.
    weights: &'a [T],
    is_weighted: bool,
    /// Sum of the weights of all classes.
    weight_sum: f64,
    ignore_index: i64,
    /// The share of the target that stays where it is, and what every class gets of the rest.
    keep: f64,
    share: f64,
}

fn with_rows<T: Float>(
    logits: &[T],
    classes: usize,
    target: Target<'_, T>,
    options: &Options<'_, T>,
    run: impl FnOnce(Rows<'_, T>),
) {
    let missing = if options.weights.is_none() { classes } else { 0 };
    scratch::with(missing, |ones: &mut [T]| {
        ones.fill(T::ONE);
        let weights = options.weights.unwrap_or(ones);
        run(Rows {
            logits,
            classes,
            target,
            weights,
            is_weighted: options.weights.is_some(),
            weight_sum: weights.iter().map(|w| w.to_f64()).sum(),
            ignore_index: options.ignore_index,
            keep: 1.0 - options.label_smoothing,
            share: options.label_smoothing / classes as f64,
        });
    });
}

impl<'a, T: Float> Rows<'a, T> {
    fn forward(self, loss: &mut [T], saved: &mut [T]) {
        let group = TASK.div_ceil(self.classes.max(1));
        let outputs = ((loss, group), (saved, 2 * group));
        par::chunks_mut2(outputs.0, outputs.1, self.logits.len(), |task, loss, saved| {
            arch::dispatch_for::<T, _>(Forward { rows: self, first: task * group, loss, saved });
        });
    }

    fn backward(self, saved: &[T], dloss: &[T], dlogits: &mut [T]) {
        if dlogits.is_empty() {
            return;
        }
        let group = TASK.div_ceil(self.classes);
        par::chunks_mut(dlogits, group * self.classes, self.logits.len(), |task, dlogits| {
            arch::dispatch_for::<T, _>(Backward {
                rows: self,
                first: task * group,
                saved,
                dloss,
                dlogits,
            });
        });
    }

    #[inline(always)]
    fn logits(&self, row: usize) -> &'a [T] {
        &self.logits[row * self.classes..][..self.classes]
    }

    #[inline(always)]
    fn weight(&self, class: usize) -> f64 {
        self.weights[class].to_f64()
    }
}

struct Forward<'a, T> {
    rows: Rows<'a, T>,
    first: usize,
    loss: &'a mut [T],
    saved: &'a mut [T],
}

impl<T: Float> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, classes) = (self.rows, self.rows.classes);
        let logits = &rows.logits[self.first * classes..];
        let mut maxima = Maxima::new(logits, self.loss.len(), classes);
        let outputs = self.loss.iter_mut().zip(self.saved.chunks_exact_mut(2));
        for (i, (loss, saved)) in outputs.enumerate() {
            let (row, max) = (self.first + i, maxima.next(simd));
            if let Target::Labels(labels) = rows.target
                && labels[row] == rows.ignore_index
            {
                *loss = T::ZERO;
                saved.fill(T::ZERO);
                continue;
            }
            let log_sum = exp_sum(simd, rows.logits(row), max).ln();
            saved.copy_from_slice(&[max, T::from_f64(log_sum)]);
            *loss = T::from_f64(row_loss(simd, &rows, row, max, log_sum));
        }
    }
}

/// `sum_c w[c] t'[c] (log_sum - (logits[c] - max))`, smoothing apart from the target itself.
#[inline(always)]
fn row_loss<T: Float, S: Simd>(
    simd: S,
    rows: &Rows<'_, T>,
    row: usize,
    max: T,
    log_sum: f64,
) -> f64 {
    let logits = rows.logits(row);
    let max_lanes = Vector::splat(simd, max);
    let of_target = match rows.target {
        Target::Labels(labels) => {
            let label = labels[row] as usize;
            rows.weight(label) * (log_sum - (logits[label].to_f64() - max.to_f64()))
        }
        Target::Soft(_) => {
            let log_sum = Vector::splat(simd, T::from_f64(log_sum));
            // Padding: a target of 0.
            rows.weighted_sum(
                simd,
                row,
                [max, T::ZERO],
                #[inline(always)]
                |[x, t]| t * (log_sum - (x - max_lanes)),
            )
        }
    };
    if rows.share == 0.0 {
        return of_target;
    }
    // Padding: x - max = 0.
    let shifted = rows.weighted_sum(
        simd,
        row,
        [max, T::ZERO],
        #[inline(always)]
        |[x, _]| x - max_lanes,
    );
    rows.keep * of_target + rows.share * (rows.weight_sum * log_sum - shifted)
}

impl<T: Float> Rows<'_, T> {
    /// The targets of a row, or its logits where there are none.
    #[inline(always)]
    fn targets(&self, row: usize) -> &[T] {
        match self.target {
            Target::Labels(_) => self.logits(row),
            Target::Soft(targets) => &targets[row * self.classes..][..self.classes],
        }
    }

    /// `sum_c w[c] f(logits[c], targets[c])`, where padding with `fill` makes f 0.
    #[inline(always)]
    fn weighted_sum<S: Simd>(
        &self,
        simd: S,
        row: usize,
        fill: [T; 2],
        f: impl Fn([Vector<T, S>; 2]) -> Vector<T, S>,
    ) -> f64 {
        let (logits, targets) = (self.logits(row), self.targets(row));
        sum(
            simd,
            [self.weights, logits, targets],
            [T::ZERO, fill[0], fill[1]],
            #[inline(always)]
            |[w, x, t]| w * f([x, t]),
        )
    }
}

struct Backward<'a, T> {
    rows: Rows<'a, T>,
    first: usize,
    saved: &'a [T],
    dloss: &'a [T],
    dlogits: &'a mut [T],
}

impl<T: Float> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.rows;
        for (i, dlogits) in self.dlogits.chunks_exact_mut(rows.classes).enumerate() {
            let row = self.first + i;
            let (saved, dloss) = (&self.saved[2 * row..2 * row + 2], self.dloss[row]);
            match rows.target {
                Target::Labels(labels) if labels[row] == rows.ignore_index => dlogits.fill(T::ZERO),
                Target::Labels(labels) => {
                    let label = labels[row] as usize;
                    let of_label = rows.keep * rows.weight(label);
                    let size = of_label + rows.share * rows.weight_sum;
                    row_gradient(simd, &rows, row, saved, dloss, size, dlogits);
                    dlogits[label] -= dloss * T::from_f64(of_label);
                }
                Target::Soft(_) => {
                    let sum = rows.weighted_sum(
                        simd,
                        row,
                        [T::ZERO; 2],
                        #[inline(always)]
                        |[_, t]| t,
                    );
                    let size = rows.keep * sum + rows.share * rows.weight_sum;
                    row_gradient(simd, &rows, row, saved, dloss, size, dlogits);
                }
            }
        }
    }
}

/// `dlogits = dloss (p size - w t')`, where for labels `t'` is only the share of every class.
#[inline(always)]
fn row_gradient<T: Float, S: Simd>(
    simd: S,
    rows: &Rows<'_, T>,
    row: usize,
    saved: &[T],
    dloss: T,
    size: f64,
    dlogits: &mut [T],
) {
    let dloss = dloss.to_f64();
    let max = Vector::splat(simd, saved[0]);
    // e^(x - max) times this is p times the size.
    let size =
        Vector::constant(simd, dloss * size) * exp_of_difference(-Vector::splat(simd, saved[1]));
    let share = Vector::constant(simd, dloss * rows.share);
    let logits = rows.logits(row);
    // With labels, weights stand in for targets, which then count nothing.
    let (targets, keep) = match rows.target {
        Target::Labels(_) => (rows.weights, 0.0),
        Target::Soft(_) => (rows.targets(row), dloss * rows.keep),
    };
    let keep = Vector::constant(simd, keep);
    if matches!(rows.target, Target::Labels(_)) && !rows.is_weighted {
        let minus_share = -share;
        return map(
            simd,
            [logits],
            dlogits,
            #[inline(always)]
            |[x]| exp_of_difference(x - max).mul_add(size, minus_share),
        );
    }
    map(
        simd,
        [logits, targets, rows.weights],
        dlogits,
        #[inline(always)]
        |[x, t, w]| w.neg_mul_add(t.mul_add(keep, share), exp_of_difference(x - max) * size),
    );
}

#[cfg(test)]
mod tests;
