//! Cross-entropy against PyTorch's documented formulas, and its gradient against differences.

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

    /// The loss of each row for the given targets, as `torch.nn.CrossEntropyLoss` documents it.
    fn naive(&self, logits: &[f64], targets: &[f64]) -> Vec<f64> {
        let k = self.classes;
        let row_loss = |(x, t): (&[f64], &[f64])| {
            let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let lse = max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
            let of_class = |c: usize| {
                let w = self.weights.as_ref().map_or(1.0, |w| w[c]);
                let t = (1.0 - self.smoothing) * t[c] + self.smoothing / k as f64;
                w * t * (lse - x[c])
            };
            (0..k).map(of_class).sum()
        };
        logits.chunks(k).zip(targets.chunks(k)).map(row_loss).collect()
    }

    /// As [`Case::naive`] for labels: their smoothed part weighs the label by its own weight.
    fn naive_labels(&self, logits: &[f64]) -> Vec<f64> {
        let mut one_hot = vec![0.0; logits.len()];
        for (row, &label) in self.labels.iter().enumerate() {
            one_hot[row * self.classes + label.max(0) as usize] = 1.0;
        }
        let mut loss = self.naive(logits, &one_hot);
        for (loss, &label) in loss.iter_mut().zip(&self.labels) {
            if label == -100 {
                *loss = 0.0;
            }
        }
        loss
    }

    /// `sum_r dloss[r] dloss[r]/dlogits` by central differences.
    fn naive_gradient(&self, dloss: &[f64], naive: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let total = |x: &[f64]| naive(x).iter().zip(dloss).map(|(l, d)| l * d).sum::<f64>();
        let slope = |i: usize| {
            let mut moved = self.logits.clone();
            moved[i] += 1e-5;
            let above = total(&moved);
            moved[i] -= 2e-5;
            (above - total(&moved)) / 2e-5
        };
        (0..self.logits.len()).map(slope).collect()
    }

    fn check<T: Float>(&self, with_gradient: bool) {
        let narrow = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let rows = self.labels.len();
        let (x, t) = (narrow(&self.logits), narrow(&self.targets));
        let weights = self.weights.as_deref().map(narrow);
        let options = self.options(&weights);
        let dloss: Vec<f64> = values(rows, 9);
        let eps = T::EPSILON.to_f64();
        let (mut loss, mut saved) = (vec![T::ONE; rows], vec![T::ONE; 2 * rows]);
        let mut dx = vec![T::ONE; x.len()];
        // Terms: up to classes of them, each of size up to 20, targets and weights up to 3.
        let bound = eps * 180.0 * (self.classes as f64 + 10.0);
        let slack = 1e-8 + bound;

        let count = cross_entropy(&x, self.classes, &self.labels, &options, &mut loss, &mut saved);
        let weight_of = |&label: &i64| match &self.weights {
            _ if label < 0 => 0.0,
            Some(w) => w[label as usize],
            None => 1.0,
        };
        let want_count: f64 = self.labels.iter().map(weight_of).sum();
        assert!((count.unwrap() - want_count).abs() <= 1e-6 * want_count);
        assert_within(
            ("labels", self, arch::current()),
            &loss,
            &self.naive_labels(&self.logits),
            |_| bound,
        );
        cross_entropy_backward(
            &x,
            self.classes,
            &self.labels,
            &options,
            &saved,
            &narrow(&dloss),
            &mut dx,
        );
        if with_gradient {
            let want = self.naive_gradient(&dloss, |x| self.naive_labels(x));
            assert_within(("d labels", self, arch::current()), &dx, &want, |_| slack);
        }

        cross_entropy_soft(&x, self.classes, &t, &options, &mut loss, &mut saved);
        let want = self.naive(&self.logits, &self.targets);
        assert_within(("soft", self, arch::current()), &loss, &want, |_| bound);
        cross_entropy_soft_backward(
            &x,
            self.classes,
            &t,
            &options,
            &saved,
            &narrow(&dloss),
            &mut dx,
        );
        if with_gradient {
            let want = self.naive_gradient(&dloss, |x| self.naive(x, &self.targets));
            assert_within(("d soft", self, arch::current()), &dx, &want, |_| slack);
        }
    }
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
            case.check::<f64>(true);
            case.check::<f32>(true);
        });
    }
}

#[test]
fn many_classes_cross_block_borders() {
    on_each_isa(|_| Case::new(3, 5000, true, 0.1, 4).check::<f32>(false));
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
