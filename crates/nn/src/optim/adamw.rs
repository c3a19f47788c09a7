//! [`AdamW`]: Adam with weight decay beside the gradient.

use backstitch_kernels::{Float, optim::AdamSlices};
use backstitch_tensor::Tensor;

use super::adam::{AdamConfig, slices, state_names, update};
use super::{Algorithm, Descent, Now};

/// Adam with decoupled weight decay: `p -= lr weight_decay p`, then a step of
/// [`Adam`](super::Adam) along the gradient alone.
///
/// # Reference
/// Loshchilov and Hutter 2019, algorithm 2; as `torch.optim.AdamW`.
pub type AdamW<T = f32> = Descent<AdamWConfig, T>;

/// The options of [`AdamW`]. The defaults are those of `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// What the moving averages of `g` and `g²` keep of the past. 0.9 and 0.999 by default
    /// (Kingma and Ba 2015).
    pub betas: (f64, f64),
    /// Keeps the division finite. 1e-8 by default (Kingma and Ba 2015).
    pub eps: f64,
    /// Weight decay beside the gradient. 0.01 by default (PyTorch).
    pub weight_decay: f64,
    /// Whether the largest `v` so far is used in place of `v` (Reddi et al. 2018). No by default
    /// (PyTorch).
    pub amsgrad: bool,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        AdamWConfig { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01, amsgrad: false }
    }
}

impl<T: Float> Algorithm<T> for AdamWConfig {
    const NAME: &'static str = "adamw";
    type Slices<'a> = AdamSlices<'a, T>;

    fn state_names(&self) -> &'static [&'static str] {
        state_names(self.amsgrad)
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn slices<'a>(
        &self,
        p: &'a mut [T],
        g: &'a [T],
        state: &'a mut [Tensor<T>],
    ) -> AdamSlices<'a, T> {
        slices(p, g, state)
    }

    fn update(&self, now: Now, params: &mut [AdamSlices<'_, T>]) {
        let config = AdamConfig {
            betas: self.betas,
            eps: self.eps,
            amsgrad: self.amsgrad,
            ..AdamConfig::default()
        };
        update(&config, true, now, params);
    }
}
