//! Stochastic gradient descent, with every usual form of momentum.

use super::{Decay, Piece, Update, each, each1, sweep};
use crate::element::{Float, per_float};

/// One parameter of an SGD step; all slices have one length.
pub struct SgdSlices<'a, T> {
    /// The parameter, updated in place.
    pub p: &'a mut [T],
    /// Its gradient, read only.
    pub g: &'a [T],
    /// Its velocity, updated in place; `None` without momentum.
    pub velocity: Option<&'a mut [T]>,
}

/// How past gradients count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Momentum {
    /// `d = g`: plain gradient descent.
    None,
    /// PyTorch's heavy ball: `u = beta u + (1 - dampening) g`, `d = u`;
    /// with `nesterov`, `d = g + beta u`. In the `first` step `u = g`.
    HeavyBall {
        /// The factor on the past velocity.
        beta: f64,
        /// What is taken from the new gradient.
        dampening: f64,
        /// Whether to look ahead (Sutskever et al. 2013, as PyTorch writes it).
        nesterov: bool,
        /// Whether this is the first step, in which the velocity is set to the gradient.
        first: bool,
    },
    /// Exponential moving average: `u = beta u + (1 - beta) g`, `d = u / correction`.
    Ema {
        /// The factor on the past average.
        beta: f64,
        /// 1, or `1 - beta^t` in step t (from 1) to remove the bias towards the zero start.
        correction: f64,
    },
}

/// The numbers of an SGD step.
#[derive(Clone, Copy, Debug)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// How past gradients count.
    pub momentum: Momentum,
    /// Weight decay.
    pub decay: Decay,
    /// Factor on every gradient, for clipping; 1 changes nothing.
    pub grad_scale: f64,
}

/// One step of stochastic gradient descent over all parameters.
///
/// `p -= lr d`, with `d` from [`Momentum`] and weight decay as in [`Decay`].
///
/// # Panics
/// If slices of one parameter differ in length, or momentum lacks a velocity.
///
/// # Reference
/// `torch.optim.SGD`'s algorithm.
pub fn sgd<T: Float>(params: &mut [SgdSlices<'_, T>], step: &SgdStep) {
    per_float!(T: sgd_sweep(params: &mut [SgdSlices<T>], step: &SgdStep))
}

fn sgd_sweep<T: Float>(params: &mut [SgdSlices<'_, T>], step: &SgdStep) {
    let has_momentum = step.momentum != Momentum::None;
    let pieces = params.iter_mut().map(|s| {
        let state = match &mut s.velocity {
            Some(u) if has_momentum => [Some(&mut **u), None, None],
            None if has_momentum => panic!("sgd: momentum needs a velocity for every parameter"),
            _ => [None, None, None],
        };
        Piece { p: s.p, g: s.g, state }
    });
    sweep(pieces, *step);
}

impl<T: Float> Update<T> for SgdStep {
    #[inline(always)]
    fn update(&self, piece: Piece<'_, T>) {
        let Piece { p, g, state: [velocity, ..] } = piece;
        let lr = T::from_f64(self.lr);
        let grad = self.decay.gradient::<T>(self.lr, self.grad_scale);
        let Some(u) = velocity else {
            return each(p, g, |p, g| {
                let (p, d) = grad(p, g);
                p - lr * d
            });
        };
        match self.momentum {
            Momentum::None => unreachable!("a velocity is passed only with momentum"),
            Momentum::HeavyBall { beta, dampening, nesterov, first } => {
                let fresh = T::from_f64(1.0 - dampening);
                let beta = T::from_f64(beta);
                each1(p, g, u, |p, g, u| {
                    let (p, g) = grad(p, g);
                    *u = if first { g } else { beta * *u + fresh * g };
                    p - lr * if nesterov { g + beta * *u } else { *u }
                });
            }
            Momentum::Ema { beta, correction } => {
                let rate = T::from_f64(self.lr / correction);
                let fresh = T::from_f64(1.0 - beta);
                let beta = T::from_f64(beta);
                each1(p, g, u, |p, g, u| {
                    let (p, g) = grad(p, g);
                    *u = beta * *u + fresh * g;
                    p - rate * *u
                });
            }
        }
    }
}
