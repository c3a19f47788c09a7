//! Cross-entropy against PyTorch's documented formulas, and its gradient against the closed form.

use proptest::prelude::*;

use super::*;
use crate::testing::*;

/// One case in f64; targets are one-hot rows for labels.
#[derive(Debug)]
struct Case {
    classes: usize,
    logits: Vec<f64>,
    labels: Vec<i64>,
    targets: Vec<f64>,
    weights: Option<Vec<f64>>,
    smoothing: f64,
}

impl Case {
    fn new(rows: usize, classes: usize, weighted: bool, smoothing: f64, seed: u64) -> Case {
        let mut labels = indices(rows, classes, seed);
        for label in labels.iter_mut().step_by(3) {
            *label = -100;
        }
        let positive = |len, seed| values::<f64>(len, seed).iter().map(|x| x.abs()).collect();
        Case {
            classes,
            logits: values::<f64>(rows * classes, seed).iter().map(|x| 3.0 * x).collect(),
            labels,
            targets: positive(rows * classes, seed + 1),
            weights: weighted.then(|| positive(classes, seed + 2)),
            smoothing,
        }
    }

    fn options<'a, T>(&self, weights: &'a Option<Vec<T>>) -> Options<'a, T> {
        Options {
            weights: weights.as_deref(),
            label_smoothing: self.smoothing,
            ..Options::default()
        }
    }

    /// How much each class counts in the loss of its row: its weight times its smoothed target,
    /// as `torch.nn.CrossEntropyLoss` documents it.
    fn shares(&self, targets: &[f64]) -> Vec<f64> {
        let share = |(i, t): (usize, &f64)| {
            let w = self.weights.as_ref().map_or(1.0, |w| w[i % self.classes]);
            w * ((1.0 - self.smoothing) * t + self.smoothing / self.classes as f64)
        };
        targets.iter().enumerate().map(share).collect()
    }

    /// [`Case::shares`] of the labels, none in rows that are ignored.
    fn label_shares(&self) -> Vec<f64> {
        let one_hot = |&label| (0..self.classes as i64).map(move |c| f64::from(c == label));
        let mut shares = self.shares(&self.labels.iter().flat_map(one_hot).collect::<Vec<_>>());
        for (row, label) in shares.chunks_mut(self.classes).zip(&self.labels) {
            if *label == -100 {
                row.fill(0.0);
            }
        }
        shares
    }

    /// Compares the losses, `sum_c share[c] (lse - x[c])` in each row, with the rounding errors
    /// of such a sum as the bound.
    fn check_loss<T: Float>(&self, what: &str, shares: &[f64], got: &[T]) {
        let rounding = T::EPSILON.to_f64() * (self.classes as f64 + 10.0);
        let rows = self.logits.chunks(self.classes).zip(shares.chunks(self.classes));
        let (want, bounds): (Vec<_>, Vec<_>) = rows
            .map(|(x, shares)| {
                let lse = log_sum_exp(x);
                let terms = || shares.iter().zip(x);
                let size: f64 = terms().map(|(s, x)| s * (lse.abs() + x.abs())).sum();
                (terms().map(|(s, x)| s * (lse - x)).sum::<f64>(), rounding * size)
            })
            .unzip();
        assert_within((what, self, arch::current()), got, &want, |row| bounds[row]);
    }

    /// Compares the gradients, `dloss (sum(shares) softmax(x) - shares)` in each row.
    fn check_gradient<T: Float>(&self, what: &str, shares: &[f64], dloss: &[f64], got: &[T]) {
        let rows = self.logits.chunks(self.classes).zip(shares.chunks(self.classes)).zip(dloss);
        let (want, bounds): (Vec<_>, Vec<_>) = rows
            .flat_map(|((x, shares), dloss)| {
                let (lse, all) = (log_sum_exp(x), shares.iter().sum::<f64>());
                shares.iter().zip(x).map(move |(share, x)| {
                    let p = (x - lse).exp();
                    // A softmax is off by its sum's rounding and by that of its exponent.
                    let terms = self.classes as f64 + 10.0 + x.abs() + lse.abs();
                    let size = dloss.abs() * (all * p + share);
                    (dloss * (all * p - share), T::EPSILON.to_f64() * terms * size)
                })
            })
            .unzip();
        assert_within((what, self, arch::current()), got, &want, |i| bounds[i]);
    }

    fn check<T: Float>(&self) {
        let narrow = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let (classes, labels, rows) = (self.classes, &self.labels, self.labels.len());
        let (x, t) = (narrow(&self.logits), narrow(&self.targets));
        let weights = self.weights.as_deref().map(narrow);
        let options = self.options(&weights);
        let dloss: Vec<f64> = values(rows, 9);
        let slopes = narrow(&dloss);
        let (mut loss, mut saved) = (vec![T::ONE; rows], vec![T::ONE; 2 * rows]);
        let mut dx = vec![T::ONE; x.len()];

        let count = cross_entropy(&x, classes, labels, &options, &mut loss, &mut saved);
        let weight_of = |&label: &i64| match &self.weights {
            _ if label < 0 => 0.0,
            Some(w) => w[label as usize],
            None => 1.0,
        };
        let want_count: f64 = labels.iter().map(weight_of).sum();
        assert!((count.unwrap() - want_count).abs() <= 1e-6 * want_count);
        self.check_loss("labels", &self.label_shares(), &loss);
        cross_entropy_backward(&x, classes, labels, &options, &saved, &slopes, &mut dx);
        self.check_gradient("d labels", &self.label_shares(), &dloss, &dx);

        cross_entropy_soft(&x, classes, &t, &options, &mut loss, &mut saved);
        self.check_loss("soft", &self.shares(&self.targets), &loss);
        cross_entropy_soft_backward(&x, classes, &t, &options, &saved, &slopes, &mut dx);
        self.check_gradient("d soft", &self.shares(&self.targets), &dloss, &dx);
    }
}

/// `ln(sum(exp(x)))`, by way of the largest.
fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn equals_its_twin(
        rows in 0..5usize,
        classes in 1..40usize,
        weighted: bool,
        smoothing in prop_oneof![Just(0.0), Just(0.1), Just(1.0)],
        seed in 0..u64::MAX / 2,
    ) {
        let case = Case::new(rows, classes, weighted, smoothing, seed);
        on_each_isa(|_| {
            case.check::<f64>();
            case.check::<f32>();
        });
    }
}

#[test]
fn many_classes_cross_block_borders() {
    on_each_isa(|_| Case::new(3, 5000, true, 0.1, 4).check::<f32>());
}

#[test]
fn zero_logits_cost_the_log_of_the_classes() {
    let (mut loss, mut saved) = ([0.0f64], [0.0; 2]);
    let options = Options::default();
    cross_entropy(&[0.0; 10], 10, &[3], &options, &mut loss, &mut saved).unwrap();
    assert!((loss[0] - 10f64.ln()).abs() < 1e-15);
}

#[test]
fn huge_logits_are_stable() {
    let (mut loss, mut saved, mut dx) = ([0.0f32], [0.0; 2], [0.0; 3]);
    let (x, options) = ([1e10, 1e10, -1e10], Options::default());
    cross_entropy(&x, 3, &[1], &options, &mut loss, &mut saved).unwrap();
    assert_eq!(loss, [std::f32::consts::LN_2]);
    cross_entropy_backward(&x, 3, &[1], &options, &saved, &[2.0], &mut dx);
    assert_eq!(dx, [1.0, -1.0, 0.0]);
}

#[test]
fn impossible_labels_are_reported() {
    let (mut loss, mut saved) = ([0.5f32; 3], [0.0; 6]);
    for label in [-1, 4, i64::MIN, i64::MAX] {
        let labels = [0, -100, label];
        let error =
            cross_entropy(&[0.0; 12], 4, &labels, &Options::default(), &mut loss, &mut saved);
        assert_eq!(error, Err(LabelError { row: 2, label, classes: 4 }));
        assert_eq!(loss, [0.5; 3]);
    }
}

#[test]
fn threads_do_not_change_bits() {
    let (rows, classes) = (300, 700);
    let x: Vec<f32> = values(rows * classes, 1);
    let labels = indices(rows, classes, 2);
    assert_same_on_threads(|| {
        let (mut loss, mut saved) = (vec![0.0; rows], vec![0.0; 2 * rows]);
        let mut dx = vec![0.0; x.len()];
        let options = Options { label_smoothing: 0.1, ..Options::default() };
        cross_entropy(&x, classes, &labels, &options, &mut loss, &mut saved).unwrap();
        cross_entropy_backward(&x, classes, &labels, &options, &saved, &loss, &mut dx);
        (bits(&loss), bits(&dx))
    });
}
