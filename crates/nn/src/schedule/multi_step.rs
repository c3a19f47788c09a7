//! [`MultiStepLr`]: drops at given steps.

use super::Schedule;

/// `lr gamma^k`, where `k` is the number of milestones passed.
///
/// # Reference
/// `torch.optim.lr_scheduler.MultiStepLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepLr {
    /// The learning rate at first.
    pub lr: f64,
    /// The steps from which on another factor applies.
    pub milestones: Vec<usize>,
    /// The factor of each drop.
    pub gamma: f64,
}

impl Schedule for MultiStepLr {
    fn at(&self, step: usize) -> f64 {
        let passed = self.milestones.iter().filter(|&&milestone| milestone <= step).count();
        self.lr * self.gamma.powf(passed as f64)
    }
}
