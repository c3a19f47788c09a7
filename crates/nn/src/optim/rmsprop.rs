//! [`RmsProp`]: rates that adapt to the size of past gradients.

use backstitch_kernels::{
    Float,
    optim::{RmsPropSlices, RmsPropStep, rmsprop},
};
use backstitch_tensor::Tensor;

use super::sgd::decay;
use super::{Algorithm, Descent, Now};

/// RMSProp: `v = alpha v + (1 - alpha) g²`, `p -= lr g / (√v + eps)`.
///
/// With momentum, `u = momentum u + g / (√v + eps)` and `p -= lr u`.
///
/// # Reference
/// Hinton's Coursera lecture 6e; as `torch.optim.RMSprop`.
pub type RmsProp<T = f32> = Descent<RmsPropConfig, T>;

/// The options of [`RmsProp`]. The defaults are those of `torch.optim.RMSprop`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropConfig {
    /// What the moving average of `g²` keeps of the past. 0.99 by default (PyTorch).
    pub alpha: f64,
    /// Keeps the division finite. 1e-8 by default (PyTorch).
    pub eps: f64,
    /// Whether `eps` stands inside the root, `√(v + eps)`, as in many texts. No by default
    /// (PyTorch).
    pub eps_inside_root: bool,
    /// What the velocity keeps of the past. 0, no velocity, by default (PyTorch).
    pub momentum: f64,
    /// Whether the squared mean of the gradients is taken from `v`. No by default (PyTorch).
    pub centered: bool,
    /// Weight decay through the gradient, `g += weight_decay p`. 0 by default (PyTorch).
    pub weight_decay: f64,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        RmsPropConfig {
            alpha: 0.99,
            eps: 1e-8,
            eps_inside_root: false,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
        }
    }
}

impl<T: Float> Algorithm<T> for RmsPropConfig {
    const NAME: &'static str = "rmsprop";
    type Slices<'a> = RmsPropSlices<'a, T>;

    fn state_names(&self) -> &'static [&'static str] {
        match (self.centered, self.momentum != 0.0) {
            (false, false) => &["square_avg"],
            (false, true) => &["square_avg", "momentum_buffer"],
            (true, false) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "grad_avg", "momentum_buffer"],
        }
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn slices<'a>(
        &self,
        p: &'a mut [T],
        g: &'a [T],
        state: &'a mut [Tensor<T>],
    ) -> RmsPropSlices<'a, T> {
        let mut state = state.iter_mut().map(Tensor::data_mut);
        let v = state.next().expect("rmsprop has at least one state");
        let mean = if self.centered { state.next() } else { None };
        RmsPropSlices { p, g, v, mean, velocity: state.next() }
    }

    fn update(&self, now: Now, params: &mut [RmsPropSlices<'_, T>]) {
        let step = RmsPropStep {
            lr: now.lr,
            alpha: self.alpha,
            eps: self.eps,
            eps_inside_root: self.eps_inside_root,
            momentum: self.momentum,
            decay: decay(now.weight_decay, false),
            grad_scale: 1.0,
        };
        rmsprop(params, &step);
    }
}
