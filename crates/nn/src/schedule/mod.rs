//! Schedules: the learning rate as a function of the step.
//!
//! A schedule has no state, so there is nothing to save: a resumed run asks it for the step that
//! it has come to. Each file's formula is that of the PyTorch class of the same name, whose
//! values the tests compare with.

mod chained;
mod constant;
mod cosine;
mod cosine_restarts;
mod exponential;
mod lambda;
mod linear;
mod multi_step;
mod one_cycle;
mod polynomial;
mod sequential;
mod step;
#[cfg(test)]
mod tests;

pub use chained::ChainedLr;
pub use constant::ConstantLr;
pub use cosine::CosineAnnealingLr;
pub use cosine_restarts::CosineAnnealingWarmRestarts;
pub use exponential::ExponentialLr;
pub use lambda::LambdaLr;
pub use linear::LinearLr;
pub use multi_step::MultiStepLr;
pub use one_cycle::OneCycleLr;
pub use polynomial::PolynomialLr;
pub use sequential::SequentialLr;
pub use step::StepLr;

/// A learning rate for every step.
///
/// # Examples
/// ```
/// use backstitch_nn::{Schedule, StepLr};
///
/// let schedule = StepLr { lr: 0.5, step_size: 30, gamma: 0.1 };
/// assert_eq!((schedule.at(0), schedule.at(29), schedule.at(30)), (0.5, 0.5, 0.05));
/// ```
pub trait Schedule {
    /// The learning rate of a step; the first step is 0. A step may be a batch or an epoch: the
    /// caller counts.
    fn at(&self, step: usize) -> f64;
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn at(&self, step: usize) -> f64 {
        (**self).at(step)
    }
}

/// From `from` to `to` along half a cosine wave, as `progress` goes from 0 to 1.
fn cosine_between(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * progress).cos())
}
