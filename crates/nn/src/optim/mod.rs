//! Optimizers: how gradients change parameters.
//!
//! Each algorithm has a file with its configuration, its state and its update; [`Descent`] does
//! for all of them what they have in common: names, groups, state per parameter, checkpoints.

mod adagrad;
mod adam;
mod adamw;
mod clip;
mod descent;
mod group;
mod rmsprop;
mod sgd;
mod state;
#[cfg(test)]
mod tests;

pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig};
pub use adamw::{AdamW, AdamWConfig};
pub use clip::{clip_grad_norm, clip_grad_value, grad_norm};
pub use descent::{Algorithm, Descent, Now};
pub use group::Group;
pub use rmsprop::{RmsProp, RmsPropConfig};
pub use sgd::{MomentumForm, Sgd, SgdConfig};
pub use state::{OptimizerState, OptimizerStateError};

use backstitch_kernels::Float;
use backstitch_tensor::{Gradients, Module};

/// Refuses learning rates that would spoil a model at once.
#[track_caller]
pub(crate) fn check_lr(optimizer: &str, lr: f64) {
    assert!(
        lr.is_finite() && lr >= 0.0,
        "{optimizer}: needs a finite learning rate that is not negative; got {lr}"
    );
}

/// Something that changes a model's parameters by their gradients.
///
/// # Examples
/// ```
/// use backstitch_nn::{Optimizer, Sgd, SgdConfig};
/// use backstitch_tensor::{Param, Tensor};
///
/// let mut w = Param::new(Tensor::from([1.0, 2.0]));
/// let mut optimizer = Sgd::new(SgdConfig::default());
/// let grads = (&*w * &*w).sum().backward();
/// optimizer.step(&mut w, &grads, 0.25);
/// assert_eq!(w.to_vec(), [0.5, 1.0]);
/// ```
pub trait Optimizer<T: Float = f32> {
    /// Changes the trainable parameters of `model` that have a gradient, at learning rate `lr`;
    /// leaves the others, and the gradients, as they are.
    ///
    /// # Panics
    /// When two parameters have the same name, the learning rate is negative or not finite, or
    /// there are gradients but none of this model, as where they are those of its clone.
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>, lr: f64);

    /// What the optimizer remembers, by the parameters' names: for a checkpoint.
    fn state(&self) -> OptimizerState<T>;

    /// Goes on from a remembered state, as if never stopped: the next steps give the same bits.
    ///
    /// # Errors
    /// When the state does not fit the optimizer and `model`; names everything that does not.
    /// The optimizer is unchanged then.
    fn load_state(
        &mut self,
        model: &dyn Module<T>,
        state: &OptimizerState<T>,
    ) -> Result<(), OptimizerStateError>;
}
