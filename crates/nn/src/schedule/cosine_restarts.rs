//! [`CosineAnnealingWarmRestarts`]: down along half a cosine wave, again and again.

use super::{Schedule, cosine_between};

/// From `lr` towards `eta_min` along half a cosine wave in `t_0` steps, then from `lr` again,
/// each time in `t_mult` times as many steps.
///
/// # Reference
/// Loshchilov and Hutter 2017; `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    /// The learning rate at first.
    pub lr: f64,
    /// The steps of the first wave; at least 1.
    pub t_0: usize,
    /// How many times as long each wave is as the one before; at least 1.
    pub t_mult: usize,
    /// The learning rate that waves end at.
    pub eta_min: f64,
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn at(&self, step: usize) -> f64 {
        let (mut step, mut length) = (step, self.t_0.max(1));
        if self.t_mult <= 1 {
            step %= length;
        }
        while step >= length {
            step -= length;
            length = length.saturating_mul(self.t_mult);
        }
        cosine_between(self.lr, self.eta_min, step as f64 / length as f64)
    }
}
