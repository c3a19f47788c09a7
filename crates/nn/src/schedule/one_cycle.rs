//! [`OneCycleLr`]: up to a high learning rate, then down to almost none.

use super::{Schedule, cosine_between};

/// From `max_lr / div_factor` up to `max_lr` along half a cosine wave in the first `pct_start` of
/// the steps, then down to `max_lr / (div_factor final_div_factor)` along another.
///
/// The last step is `total_steps - 1`; later ones keep its learning rate.
///
/// # Examples
/// ```
/// use backstitch_nn::{OneCycleLr, Schedule};
///
/// let schedule = OneCycleLr::new(0.1, 101);
/// assert!((schedule.at(0) - 0.004).abs() < 1e-12);
/// assert!(schedule.at(29) > 0.09 && schedule.at(100) < 1e-6);
/// ```
///
/// # Reference
/// Smith and Topin 2018; `torch.optim.lr_scheduler.OneCycleLR` with its two phases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycleLr {
    /// The highest learning rate.
    pub max_lr: f64,
    /// The number of steps.
    pub total_steps: usize,
    /// The share of steps that go up. 0.3 by default (PyTorch).
    pub pct_start: f64,
    /// The highest learning rate over the first. 25 by default (PyTorch).
    pub div_factor: f64,
    /// The first learning rate over the last. 10,000 by default (PyTorch).
    pub final_div_factor: f64,
    /// The momentum while the learning rate is highest. 0.85 by default (PyTorch).
    pub base_momentum: f64,
    /// The momentum at both ends. 0.95 by default (PyTorch).
    pub max_momentum: f64,
}

impl OneCycleLr {
    /// A cycle of `total_steps` steps with PyTorch's defaults.
    pub fn new(max_lr: f64, total_steps: usize) -> Self {
        OneCycleLr {
            max_lr,
            total_steps,
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            base_momentum: 0.85,
            max_momentum: 0.95,
        }
    }

    /// The momentum, or Adam's first beta, that goes with a step: opposite to the learning rate.
    /// PyTorch sets it without being asked; here, put it into the optimizer's `config`.
    pub fn momentum_at(&self, step: usize) -> f64 {
        self.phases(step, [self.max_momentum, self.base_momentum, self.max_momentum])
    }

    /// Between the values at the start, at the top and at the end.
    fn phases(&self, step: usize, [start, top, end]: [f64; 3]) -> f64 {
        let last = self.total_steps as f64 - 1.0;
        let top_step = self.pct_start * self.total_steps as f64 - 1.0;
        let step = (step as f64).min(last);
        if top_step > 0.0 && step <= top_step {
            cosine_between(start, top, step / top_step)
        } else if top_step < last {
            cosine_between(top, end, (step - top_step) / (last - top_step))
        } else {
            end
        }
    }
}

impl Schedule for OneCycleLr {
    fn at(&self, step: usize) -> f64 {
        let start = self.max_lr / self.div_factor;
        self.phases(step, [start, self.max_lr, start / self.final_div_factor])
    }
}
