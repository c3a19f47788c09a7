//! [`StepLr`]: drops at equal distances.

use super::Schedule;

/// `lr gamma^⌊step / step_size⌋`
///
/// # Reference
/// `torch.optim.lr_scheduler.StepLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLr {
    /// The learning rate at first.
    pub lr: f64,
    /// Steps between drops; at least 1.
    pub step_size: usize,
    /// The factor of each drop.
    pub gamma: f64,
}

impl Schedule for StepLr {
    fn at(&self, step: usize) -> f64 {
        self.lr * self.gamma.powf((step / self.step_size.max(1)) as f64)
    }
}
