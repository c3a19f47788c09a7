//! [`Adam`]: rates that adapt to the first and second moment of past gradients.

use backstitch_kernels::{
    Float,
    optim::{AdamSlices, AdamStep, adam},
};
use backstitch_tensor::Tensor;

use super::sgd::decay;
use super::{Algorithm, Descent, Now};

/// Adam, with L2 weight decay as an option; [`AdamW`](super::AdamW) is the one with decoupled
/// decay.
///
/// ```text
/// m = beta1 m + (1 - beta1) g
/// v = beta2 v + (1 - beta2) g²
/// p -= lr (m / (1 - beta1^t)) / (√(v / (1 - beta2^t)) + eps)
/// ```
///
/// # Reference
/// Kingma and Ba 2015, algorithm 1; as `torch.optim.Adam`.
pub type Adam<T = f32> = Descent<AdamConfig, T>;

/// The options of [`Adam`]. The defaults are those of `torch.optim.Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// What the moving averages of `g` and `g²` keep of the past. 0.9 and 0.999 by default (the
    /// paper).
    pub betas: (f64, f64),
    /// Keeps the division finite. 1e-8 by default (the paper).
    pub eps: f64,
    /// Whether `eps` stands inside the root, `√(v + eps)`. No by default (the paper).
    pub eps_inside_root: bool,
    /// Weight decay through the gradient, `g += weight_decay p`. 0 by default (PyTorch).
    pub weight_decay: f64,
    /// Whether the averages' bias towards their zero start is removed. Yes by default (the paper).
    pub bias_correction: bool,
    /// Whether the largest `v` so far is used in place of `v` (Reddi et al. 2018). No by default
    /// (PyTorch).
    pub amsgrad: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig {
            betas: (0.9, 0.999),
            eps: 1e-8,
            eps_inside_root: false,
            weight_decay: 0.0,
            bias_correction: true,
            amsgrad: false,
        }
    }
}

impl<T: Float> Algorithm<T> for AdamConfig {
    const NAME: &'static str = "adam";
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
        update(self, false, now, params);
    }
}

pub(super) fn state_names(amsgrad: bool) -> &'static [&'static str] {
    if amsgrad { &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] } else { &["exp_avg", "exp_avg_sq"] }
}

pub(super) fn slices<'a, T: Float>(
    p: &'a mut [T],
    g: &'a [T],
    state: &'a mut [Tensor<T>],
) -> AdamSlices<'a, T> {
    let [m, v, v_max @ ..] = state else { unreachable!("adam has at least two states") };
    AdamSlices {
        p,
        g,
        m: m.data_mut(),
        v: v.data_mut(),
        v_max: v_max.first_mut().map(Tensor::data_mut),
    }
}

pub(super) fn update<T: Float>(
    config: &AdamConfig,
    decoupled: bool,
    now: Now,
    params: &mut [AdamSlices<'_, T>],
) {
    let (beta1, beta2) = config.betas;
    let correction = |beta: f64| match config.bias_correction {
        true => 1.0 - beta.powf(now.t as f64),
        false => 1.0,
    };
    let step = AdamStep {
        lr: now.lr,
        beta1,
        beta2,
        eps: config.eps,
        eps_inside_root: config.eps_inside_root,
        correction1: correction(beta1),
        correction2: correction(beta2),
        decay: decay(now.weight_decay, decoupled),
        grad_scale: 1.0,
    };
    adam(params, &step);
}
