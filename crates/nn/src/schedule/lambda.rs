//! [`LambdaLr`]: any function.

use super::Schedule;

/// A function from the step to the learning rate.
///
/// # Examples
/// ```
/// use backstitch_nn::{LambdaLr, Schedule};
///
/// let inverse_root = LambdaLr(|step| 0.1 / (1.0 + step as f64).sqrt());
/// assert_eq!(inverse_root.at(3), 0.05);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LambdaLr<F>(pub F);

impl<F: Fn(usize) -> f64> Schedule for LambdaLr<F> {
    fn at(&self, step: usize) -> f64 {
        (self.0)(step)
    }
}
