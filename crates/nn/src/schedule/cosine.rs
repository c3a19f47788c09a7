//! [`CosineAnnealingLr`]: down along half a cosine wave.

use super::{Schedule, cosine_between};

/// From `lr` at step 0 to `eta_min` at step `t_max`, along half a cosine wave; after that up
/// again, and so on, as in PyTorch.
///
/// # Reference
/// Loshchilov and Hutter 2017, equation 5; `torch.optim.lr_scheduler.CosineAnnealingLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingLr {
    /// The learning rate at first.
    pub lr: f64,
    /// The step of the lowest learning rate.
    pub t_max: usize,
    /// The lowest learning rate.
    pub eta_min: f64,
}

impl Schedule for CosineAnnealingLr {
    fn at(&self, step: usize) -> f64 {
        cosine_between(self.lr, self.eta_min, step as f64 / self.t_max.max(1) as f64)
    }
}
