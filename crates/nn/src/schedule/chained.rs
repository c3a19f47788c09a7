//! [`ChainedLr`]: several schedules at once.

use super::Schedule;

/// The product of several schedules: one with the learning rate, and others, of learning rate 1,
/// whose factors apply to it together.
///
/// # Examples
/// ```
/// use backstitch_nn::{ChainedLr, ConstantLr, ExponentialLr, Schedule};
///
/// let schedule = ChainedLr::new(ExponentialLr { lr: 0.1, gamma: 0.5 })
///     .times(ConstantLr { lr: 1.0, factor: 0.1, total_iters: 2 });
/// assert!((schedule.at(1) - 0.005).abs() < 1e-12 && (schedule.at(2) - 0.025).abs() < 1e-12);
/// ```
///
/// # Reference
/// `torch.optim.lr_scheduler.ChainedScheduler`.
pub struct ChainedLr {
    /// The schedules.
    pub factors: Vec<Box<dyn Schedule + Send + Sync>>,
}

impl ChainedLr {
    /// One schedule.
    pub fn new(first: impl Schedule + Send + Sync + 'static) -> Self {
        ChainedLr { factors: vec![Box::new(first)] }
    }

    /// The same, multiplied by another.
    pub fn times(mut self, factor: impl Schedule + Send + Sync + 'static) -> Self {
        self.factors.push(Box::new(factor));
        self
    }
}

impl Schedule for ChainedLr {
    fn at(&self, step: usize) -> f64 {
        self.factors.iter().map(|factor| factor.at(step)).product()
    }
}
