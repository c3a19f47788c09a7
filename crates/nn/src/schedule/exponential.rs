//! [`ExponentialLr`]: decays by a factor each step.

use super::Schedule;

/// `lr gamma^step`
///
/// # Reference
/// `torch.optim.lr_scheduler.ExponentialLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialLr {
    /// The learning rate at first.
    pub lr: f64,
    /// The factor of each step.
    pub gamma: f64,
}

impl Schedule for ExponentialLr {
    fn at(&self, step: usize) -> f64 {
        self.lr * self.gamma.powf(step as f64)
    }
}
