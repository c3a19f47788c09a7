//! [`Sgd`]: stochastic gradient descent, with every usual form of momentum.

use backstitch_kernels::{
    Float,
    optim::{Decay, Momentum, SgdSlices, SgdStep, sgd},
};
use backstitch_tensor::{Gradients, Module, Tensor};

use super::{Algorithm, Descent, Now, Optimizer};

/// Stochastic gradient descent: `p -= lr d`, where `d` is the gradient or follows past ones; see
/// [`SgdConfig`].
///
/// # Reference
/// `torch.optim.SGD`; Polyak 1964 (heavy ball), Sutskever et al. 2013 (Nesterov).
pub type Sgd<T = f32> = Descent<SgdConfig, T>;

/// The options of [`Sgd`]. The defaults are those of `torch.optim.SGD`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdConfig {
    /// How much of the past is kept: `beta`. 0 by default (PyTorch); 0.9 is usual.
    pub momentum: f64,
    /// How the past is kept. The heavy ball by default (PyTorch).
    pub momentum_form: MomentumForm,
    /// What the heavy ball takes from the new gradient. 0 by default (PyTorch).
    pub dampening: f64,
    /// Whether the heavy ball steps along `g + beta u` in place of `u`. No by default (PyTorch).
    pub nesterov: bool,
    /// Weight decay. 0 by default (PyTorch).
    pub weight_decay: f64,
    /// Whether weights decay beside the gradient, `p -= lr weight_decay p`, in place of through
    /// it, `g += weight_decay p`, where momentum sees it. No by default (PyTorch).
    pub decoupled: bool,
}

/// How momentum follows the gradients. `u` starts at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentumForm {
    /// `u = beta u + (1 - dampening) g`, `d = u`; the first `u` is `g`. PyTorch's.
    #[default]
    HeavyBall,
    /// `u = beta u + (1 - beta) g`, `d = u`.
    Ema,
    /// `u = beta u + (1 - beta) g`, `d = u / (1 - beta^t)` in step t from 1 on: the average
    /// without its bias towards the zero start.
    UnbiasedEma,
}

impl<T: Float> Algorithm<T> for SgdConfig {
    const NAME: &'static str = "sgd";
    type Slices<'a> = SgdSlices<'a, T>;

    fn state_names(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn slices<'a>(
        &self,
        p: &'a mut [T],
        g: &'a [T],
        state: &'a mut [Tensor<T>],
    ) -> SgdSlices<'a, T> {
        SgdSlices { p, g, velocity: state.first_mut().map(Tensor::data_mut) }
    }

    fn update(&self, now: Now, params: &mut [SgdSlices<'_, T>]) {
        let beta = self.momentum;
        let momentum = match self.momentum_form {
            _ if beta == 0.0 => Momentum::None,
            MomentumForm::HeavyBall => Momentum::HeavyBall {
                beta,
                dampening: self.dampening,
                nesterov: self.nesterov,
                first: now.t == 1,
            },
            MomentumForm::Ema => Momentum::Ema { beta, correction: 1.0 },
            MomentumForm::UnbiasedEma => {
                Momentum::Ema { beta, correction: 1.0 - beta.powf(now.t as f64) }
            }
        };
        let decay = decay(now.weight_decay, self.decoupled);
        sgd(params, &SgdStep { lr: now.lr, momentum, decay, grad_scale: 1.0 });
    }
}

/// Weight decay as the kernels take it.
pub(super) fn decay(weight: f64, decoupled: bool) -> Decay {
    match (weight, decoupled) {
        (0.0, _) => Decay::None,
        (_, true) => Decay::Decoupled(weight),
        (_, false) => Decay::L2(weight),
    }
}

impl<T: Float> Sgd<T> {
    /// A step whose gradient is taken where momentum is about to lead: at `p - lr u`, the
    /// original form of Nesterov's method. `gradient` is called with the model moved there.
    ///
    /// # Reference
    /// Nesterov 1983. [`SgdConfig::nesterov`] is PyTorch's form, which needs no second point.
    pub fn step_ahead<M: Module<T>>(
        &mut self,
        model: &mut M,
        lr: f64,
        gradient: impl FnOnce(&M) -> Gradients<T>,
    ) {
        let mut values = Vec::new();
        self.for_each_state(model, |param, state| {
            values.push(param.detach());
            if let [u] = state {
                let moved = &param.detach() - u * T::from_f64(lr);
                param.set(&moved);
            }
        });
        let grads = gradient(model);
        let mut values = values.iter();
        self.for_each_state(model, |param, _| {
            param.set(values.next().expect("the model has as many parameters as before"));
        });
        drop(values);
        self.step(model, &grads, lr);
    }
}
