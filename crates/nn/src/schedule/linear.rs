//! [`LinearLr`]: along a line, then constant; warm-up, most of the time.

use super::Schedule;

/// From `start_factor lr` at step 0 to `end_factor lr` at step `total_iters`, along a line;
/// constant afterwards.
///
/// # Examples
/// A warm-up of 10 steps before a cosine of 90:
/// ```
/// use backstitch_nn::{CosineAnnealingLr, LinearLr, Schedule, SequentialLr};
///
/// let warm_up = LinearLr { lr: 0.1, start_factor: 0.1, end_factor: 1.0, total_iters: 10 };
/// let cosine = CosineAnnealingLr { lr: 0.1, t_max: 90, eta_min: 0.0 };
/// let schedule = SequentialLr::new(warm_up).then(10, cosine);
/// assert!((schedule.at(5) - 0.055).abs() < 1e-12 && (schedule.at(55) - 0.05).abs() < 1e-12);
/// ```
///
/// # Reference
/// `torch.optim.lr_scheduler.LinearLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearLr {
    /// The learning rate that the factors apply to.
    pub lr: f64,
    /// The factor at step 0.
    pub start_factor: f64,
    /// The factor from step `total_iters` on.
    pub end_factor: f64,
    /// The step from which on the learning rate is constant.
    pub total_iters: usize,
}

impl Schedule for LinearLr {
    fn at(&self, step: usize) -> f64 {
        if step >= self.total_iters {
            return self.lr * self.end_factor;
        }
        let progress = step as f64 / self.total_iters as f64;
        self.lr * (self.start_factor + (self.end_factor - self.start_factor) * progress)
    }
}
