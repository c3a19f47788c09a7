//! Meters: what to report of many batches together.

use backstitch_tensor::{Float, Tensor};

/// A mean of values with weights, such as the loss of batches of different sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// Σ weight × value.
    pub sum: f64,
    /// Σ weight.
    pub weight: f64,
}

impl Mean {
    /// Adds a value.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.sum += weight * value;
        self.weight += weight;
    }

    /// The mean so far; NaN before the first value.
    pub fn value(&self) -> f64 {
        self.sum / self.weight
    }
}

/// The fraction of samples whose largest logit is that of their label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accuracy {
    /// Samples that were right.
    pub correct: usize,
    /// All samples.
    pub total: usize,
}

impl Accuracy {
    /// Adds a batch.
    ///
    /// # Shape
    /// `logits (N, classes)`, `labels (N)`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn add<T: Float>(&mut self, logits: &Tensor<T>, labels: &Tensor<i64>) {
        let pairs = predictions("Accuracy", logits, labels);
        self.correct += pairs.iter().filter(|(predicted, label)| predicted == label).count();
        self.total += pairs.len();
    }

    /// The fraction so far; NaN before the first sample.
    pub fn value(&self) -> f64 {
        self.correct as f64 / self.total as f64
    }
}

/// How often samples of each class were taken for each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<usize>,
}

impl ConfusionMatrix {
    /// No samples yet.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Adds a batch.
    ///
    /// # Shape
    /// `logits (N, classes)`, `labels (N)`.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is not below the number of classes.
    #[track_caller]
    pub fn add<T: Float>(&mut self, logits: &Tensor<T>, labels: &Tensor<i64>) {
        let classes = self.classes;
        assert!(
            logits.shape().get(1) == Some(&classes),
            "ConfusionMatrix: needs logits (N, {classes}); got {:?}",
            logits.shape()
        );
        for (predicted, label) in predictions("ConfusionMatrix", logits, labels) {
            let inside = (0..classes as i64).contains(&label);
            assert!(inside, "ConfusionMatrix: needs labels below {classes}; got {label}");
            self.counts[label as usize * classes + predicted as usize] += 1;
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples of class `label` were taken for class `predicted`.
    pub fn count(&self, label: usize, predicted: usize) -> usize {
        self.counts[label * self.classes + predicted]
    }

    /// The fraction of all samples that were right; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.counts.iter().sum::<usize>() as f64
    }

    /// For each class, the fraction of its samples that were found (recall); NaN without samples.
    pub fn recall(&self) -> Vec<f64> {
        let row = |class| (0..self.classes).map(|p| self.count(class, p)).sum::<usize>();
        (0..self.classes).map(|c| self.count(c, c) as f64 / row(c) as f64).collect()
    }

    /// For each class, the fraction right among those taken for it (precision); NaN without any.
    pub fn precision(&self) -> Vec<f64> {
        let column = |class| (0..self.classes).map(|l| self.count(l, class)).sum::<usize>();
        (0..self.classes).map(|c| self.count(c, c) as f64 / column(c) as f64).collect()
    }
}

/// Pairs of the predicted and the true class.
#[track_caller]
fn predictions<T: Float>(name: &str, logits: &Tensor<T>, labels: &Tensor<i64>) -> Vec<(i64, i64)> {
    assert!(
        logits.rank() == 2 && labels.shape() == &logits.shape()[..1],
        "{name}: needs logits (N, classes) and labels (N); got {:?} and {:?}",
        logits.shape(),
        labels.shape()
    );
    logits.argmax(1, false).to_vec().into_iter().zip(labels.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_agree_on_a_small_example() {
        let logits = Tensor::from([[2.0f32, 1.0], [0.0, 1.0], [3.0, 0.0]]);
        let labels = Tensor::from([0i64, 1, 1]);
        let mut accuracy = Accuracy::default();
        let mut confusion = ConfusionMatrix::new(2);
        for _ in 0..2 {
            accuracy.add(&logits, &labels);
            confusion.add(&logits, &labels);
        }
        assert_eq!((accuracy.correct, accuracy.total), (4, 6));
        assert_eq!(confusion.accuracy(), accuracy.value());
        assert_eq!(confusion.count(1, 0), 2);
        assert_eq!((confusion.recall(), confusion.precision()), (vec![1.0, 0.5], vec![0.5, 1.0]));
    }

    #[test]
    fn means_weigh() {
        let mut mean = Mean::default();
        assert!(mean.value().is_nan());
        mean.add(1.0, 3.0);
        mean.add(5.0, 1.0);
        assert_eq!(mean.value(), 2.0);
    }
}
