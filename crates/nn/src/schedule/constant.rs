//! [`ConstantLr`]: one learning rate, perhaps reduced at first.

use super::Schedule;

/// `factor lr` for the first `total_iters` steps, `lr` afterwards.
///
/// # Reference
/// `torch.optim.lr_scheduler.ConstantLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConstantLr {
    /// The learning rate.
    pub lr: f64,
    /// The factor at first.
    pub factor: f64,
    /// How many steps have it.
    pub total_iters: usize,
}

impl ConstantLr {
    /// The same learning rate always.
    pub fn new(lr: f64) -> Self {
        ConstantLr { lr, factor: 1.0, total_iters: 0 }
    }
}

impl Schedule for ConstantLr {
    fn at(&self, step: usize) -> f64 {
        if step < self.total_iters { self.lr * self.factor } else { self.lr }
    }
}
