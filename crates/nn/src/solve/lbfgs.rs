//! [`Lbfgs`]: quasi-Newton steps from the last gradients.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Tensor};

use crate::optim::check_lr;
use crate::{OptimizerState, OptimizerStateError};

use super::line_search::{StrongWolfe, Trial, strong_wolfe};
use super::vector::{dot, gradient, largest, moved, parameters, set_parameters};

/// The options of [`Lbfgs`]. The defaults are those of `torch.optim.LBFGS`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsConfig {
    /// How many directions a step follows at most. 20 by default.
    pub max_iter: usize,
    /// How many losses a step computes at most; none for 5/4 of `max_iter`, the default.
    pub max_eval: Option<usize>,
    /// A step ends when no element of the gradient is larger. 1e-7 by default.
    pub tolerance_grad: f64,
    /// A step ends when the loss, or every parameter, changes by less. 1e-9 by default.
    pub tolerance_change: f64,
    /// How many past gradients are remembered. 100 by default.
    pub history_size: usize,
    /// How far each direction is followed. So far as the learning rate says by default.
    pub line_search: LbfgsLineSearch,
}

/// How far [`Lbfgs`] follows a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LbfgsLineSearch {
    /// The learning rate times the direction; less in the first iteration.
    #[default]
    None,
    /// Until the strong Wolfe conditions hold; the learning rate is the first trial.
    StrongWolfe,
}

impl Default for LbfgsConfig {
    fn default() -> Self {
        LbfgsConfig {
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search: LbfgsLineSearch::None,
        }
    }
}

/// L-BFGS: directions from the inverse Hessian that the last gradients suggest.
///
/// A step computes the loss many times, so it is given a function for it. The loss must not
/// change between calls: whole data sets or large batches, no dropout.
///
/// # Examples
/// ```
/// use backstitch_nn::{Lbfgs, LbfgsConfig, LbfgsLineSearch};
/// use backstitch_tensor::{Param, Tensor};
///
/// let config =
///     LbfgsConfig { line_search: LbfgsLineSearch::StrongWolfe, ..LbfgsConfig::default() };
/// let (mut w, mut optimizer) = (Param::new(Tensor::from([-1.0, 1.0])), Lbfgs::new(config));
/// let loss = |w: &Param<f64>| (w.square() * Tensor::from([1.0, 100.0])).sum();
/// optimizer.step(&mut w, 1.0, loss);
/// assert!(loss(&w).item() < 1e-9);
/// ```
///
/// # Reference
/// Liu and Nocedal 1989; Nocedal and Wright 2006, algorithm 7.4; as `torch.optim.LBFGS`.
#[derive(Clone, Debug)]
pub struct Lbfgs<T: Float = f32> {
    /// The options. They may change between steps.
    pub config: LbfgsConfig,
    /// Steps in the parameters and in the gradient, `(s, y)`, the oldest first.
    pairs: VecDeque<(Tensor<T>, Tensor<T>)>,
    /// The inverse Hessian where no pair says otherwise: this number times the identity.
    scale: f64,
    last: Option<Last<T>>,
}

/// What the last iteration leaves for the next.
#[derive(Clone, Debug)]
struct Last<T: Float> {
    gradient: Tensor<T>,
    direction: Tensor<T>,
    t: f64,
}

impl<T: Float> Lbfgs<T> {
    /// An optimizer that remembers nothing yet.
    pub fn new(config: LbfgsConfig) -> Self {
        Lbfgs { config, pairs: VecDeque::new(), scale: 1.0, last: None }
    }

    /// Changes the trainable parameters of `model` to make `loss` smaller, at learning rate `lr`;
    /// 1 is usual. Returns the loss before.
    ///
    /// # Panics
    /// When `loss` returns anything but one element computed from a parameter, the model has not
    /// as many trainable elements as in the step before, or the learning rate is negative or not
    /// finite.
    #[track_caller]
    pub fn step<M: Module<T>>(
        &mut self,
        model: &mut M,
        lr: f64,
        mut loss: impl FnMut(&M) -> Tensor<T>,
    ) -> f64 {
        check_lr("lbfgs", lr);
        let config = self.config;
        let max_eval = config.max_eval.unwrap_or(config.max_iter * 5 / 4);
        let evaluations = Cell::new(0);
        let mut evaluate = |model: &M| {
            evaluations.set(evaluations.get() + 1);
            let loss = loss(model);
            (loss.item().to_f64(), gradient(model, &loss.backward()))
        };
        let (loss_before, mut g) = evaluate(model);
        self.check_size(&g);
        let mut value = loss_before;
        for iteration in 1..=config.max_iter {
            if largest(&g) <= config.tolerance_grad {
                break;
            }
            let (d, first) = self.direction(&g, lr);
            let (x, size) = (parameters(model), largest(&d));
            let start = Trial { t: 0.0, value, slope: dot(&g, &d), extra: g.clone() };
            let mut at = |t: f64| {
                set_parameters(model, &moved(&x, t, &d));
                let (value, g) = evaluate(model);
                Trial { t, value, slope: dot(&g, &d), extra: g }
            };
            let end = if start.slope > -config.tolerance_change {
                // No way down. `first` is remembered as the step all the same, as in PyTorch.
                None
            } else if config.line_search == LbfgsLineSearch::StrongWolfe {
                let options = StrongWolfe {
                    max_iter: max_eval.saturating_sub(evaluations.get()),
                    tolerance: config.tolerance_change / size,
                    ..StrongWolfe::default()
                };
                Some(strong_wolfe(&start, first, &options, &mut at))
            } else if iteration < config.max_iter {
                Some(at(first))
            } else {
                // The loss after the last iteration is for the next step to compute.
                Some(Trial { t: first, ..start.clone() })
            };
            let t = end.as_ref().map_or(first, |end| end.t);
            self.last = Some(Last { gradient: g, direction: d.clone(), t });
            let Some(end) = end else { break };
            set_parameters(model, &moved(&x, t, &d));
            (value, g) = (end.value, end.extra);
            if evaluations.get() >= max_eval
                || size * t <= config.tolerance_change
                || (value - start.value).abs() < config.tolerance_change
            {
                break;
            }
        }
        loss_before
    }

    /// What the optimizer remembers: for a checkpoint. The names are its own.
    pub fn state(&self) -> OptimizerState<T> {
        let mut state = OptimizerState { tensors: BTreeMap::new(), steps: BTreeMap::new() };
        let mut put = |name: String, x: &Tensor<T>| state.tensors.insert(name, x.detach());
        let number = |x: f64| Tensor::scalar(T::from_f64(x));
        if let Some(last) = &self.last {
            put("gradient".to_string(), &last.gradient);
            put("direction".to_string(), &last.direction);
            put("t".to_string(), &number(last.t));
            put("scale".to_string(), &number(self.scale));
        }
        for (i, (s, y)) in self.pairs.iter().enumerate() {
            put(format!("{i}.s"), s);
            put(format!("{i}.y"), y);
        }
        state
    }

    /// Goes on from a remembered state, as if never stopped.
    ///
    /// # Errors
    /// When the state does not fit `model`; names everything that does not. The optimizer is
    /// unchanged then.
    pub fn load_state(
        &mut self,
        model: &dyn Module<T>,
        state: &OptimizerState<T>,
    ) -> Result<(), OptimizerStateError> {
        let len = parameters(model).numel();
        let mut fresh = Lbfgs::new(self.config);
        let mut problems = Vec::new();
        let mut take = |name: &str, shape: &[usize]| {
            let found = state.tensors.get(name);
            match found {
                Some(x) if x.shape() == shape => return Some(x.detach()),
                Some(x) => {
                    problems.push(format!("{name}: needs shape {shape:?}; got {:?}", x.shape()))
                }
                None => problems.push(format!("{name}: missing")),
            }
            None
        };
        let names: Vec<&str> = state.tensors.keys().map(String::as_str).collect();
        let pairs = names.iter().filter(|name| name.ends_with(".s")).count();
        if !names.is_empty() {
            let [gradient, direction] = ["gradient", "direction"].map(|name| take(name, &[len]));
            let [t, scale] = ["t", "scale"].map(|name| take(name, &[]).map(|x| x.item().to_f64()));
            if let (Some(gradient), Some(direction), Some(t)) = (gradient, direction, t) {
                fresh.last = Some(Last { gradient, direction, t });
            }
            fresh.scale = scale.unwrap_or(1.0);
        }
        for i in 0..pairs {
            let pair = ["s", "y"].map(|end| take(&format!("{i}.{end}"), &[len]));
            if let [Some(s), Some(y)] = pair {
                fresh.pairs.push_back((s, y));
            }
        }
        let known = if names.is_empty() { 0 } else { 4 + 2 * pairs };
        if problems.is_empty() && names.len() != known {
            problems.push(format!("needs {known} tensors; got {}", names.join(", ")));
        }
        match problems.is_empty() {
            true => *self = fresh,
            false => return Err(OptimizerStateError { optimizer: "lbfgs", problems }),
        }
        Ok(())
    }

    #[track_caller]
    fn check_size(&self, g: &Tensor<T>) {
        if let Some(last) = &self.last {
            assert!(
                last.gradient.numel() == g.numel(),
                "Lbfgs: needs as many trainable elements as in the step before, {}; got {}",
                last.gradient.numel(),
                g.numel()
            );
        }
    }

    /// The next direction, and how far to follow it at first.
    fn direction(&mut self, g: &Tensor<T>, lr: f64) -> (Tensor<T>, f64) {
        let Some(last) = &self.last else {
            let size = g.abs().sum().item().to_f64();
            return (-g, lr * (1.0 / size).min(1.0));
        };
        let (s, y) = (&last.direction * T::from_f64(last.t), g - &last.gradient);
        let curvature = dot(&y, &s);
        if curvature > 1e-10 {
            self.scale = curvature / dot(&y, &y);
            self.pairs.push_back((s, y));
            while self.pairs.len() > self.config.history_size {
                self.pairs.pop_front();
            }
        }
        (self.inverse_hessian_times(&-g), lr)
    }

    /// The two loops of L-BFGS: from the newest pair to the oldest, and back.
    fn inverse_hessian_times(&self, g: &Tensor<T>) -> Tensor<T> {
        let mut q = g.clone();
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for (s, y) in self.pairs.iter().rev() {
            let alpha = dot(s, &q) / dot(y, s);
            q = moved(&q, -alpha, y);
            alphas.push(alpha);
        }
        let mut r = &q * T::from_f64(self.scale);
        for ((s, y), alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = dot(y, &r) / dot(y, s);
            r = moved(&r, alpha - beta, s);
        }
        r
    }
}
