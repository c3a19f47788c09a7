//! [`Adagrad`]: rates that shrink with the sum of past squared gradients.

use backstitch_kernels::{
    Float,
    optim::{AdagradSlices, AdagradStep, adagrad},
};
use backstitch_tensor::Tensor;

use super::sgd::decay;
use super::{Algorithm, Descent, Now};

/// Adagrad: `s += g²`, `p -= lr g / (√s + eps)`. Rarely moved parameters move further.
///
/// # Reference
/// Duchi, Hazan and Singer 2011, diagonal form; as `torch.optim.Adagrad`.
pub type Adagrad<T = f32> = Descent<AdagradConfig, T>;

/// The options of [`Adagrad`]. The defaults are those of `torch.optim.Adagrad`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdagradConfig {
    /// The learning rate is divided by `1 + (t - 1) lr_decay` in step t. 0 by default (PyTorch).
    pub lr_decay: f64,
    /// What the sum starts with. 0 by default (PyTorch).
    pub initial_accumulator_value: f64,
    /// Keeps the division finite. 1e-10 by default (PyTorch).
    pub eps: f64,
    /// Weight decay through the gradient, `g += weight_decay p`. 0 by default (PyTorch).
    pub weight_decay: f64,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        AdagradConfig {
            lr_decay: 0.0,
            initial_accumulator_value: 0.0,
            eps: 1e-10,
            weight_decay: 0.0,
        }
    }
}

impl<T: Float> Algorithm<T> for AdagradConfig {
    const NAME: &'static str = "adagrad";
    type Slices<'a> = AdagradSlices<'a, T>;

    fn state_names(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn initial_state(&self) -> T {
        T::from_f64(self.initial_accumulator_value)
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn slices<'a>(
        &self,
        p: &'a mut [T],
        g: &'a [T],
        state: &'a mut [Tensor<T>],
    ) -> AdagradSlices<'a, T> {
        let [sum] = state else { unreachable!("adagrad has one state") };
        AdagradSlices { p, g, sum: sum.data_mut() }
    }

    fn update(&self, now: Now, params: &mut [AdagradSlices<'_, T>]) {
        let step = AdagradStep {
            lr: now.lr / (1.0 + (now.t - 1) as f64 * self.lr_decay),
            eps: self.eps,
            decay: decay(now.weight_decay, false),
            grad_scale: 1.0,
        };
        adagrad(params, &step);
    }
}
