//! [`PolynomialLr`]: down to zero along a power.

use super::Schedule;

/// `lr (1 - step / total_iters)^power`, and 0 from step `total_iters` on.
///
/// # Reference
/// `torch.optim.lr_scheduler.PolynomialLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolynomialLr {
    /// The learning rate at first.
    pub lr: f64,
    /// The step from which on the learning rate is 0.
    pub total_iters: usize,
    /// The power; 1 is a line.
    pub power: f64,
}

impl Schedule for PolynomialLr {
    fn at(&self, step: usize) -> f64 {
        if step >= self.total_iters {
            return 0.0;
        }
        self.lr * (1.0 - step as f64 / self.total_iters as f64).powf(self.power)
    }
}
