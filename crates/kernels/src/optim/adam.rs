//! Adam, AdamW and AMSGrad.

use super::{Decay, Piece, Update, each2, each3, sweep};
use crate::element::{Float, per_float};

/// One parameter of an Adam step; all slices have one length.
pub struct AdamSlices<'a, T> {
    /// The parameter, updated in place.
    pub p: &'a mut [T],
    /// Its gradient, read only.
    pub g: &'a [T],
    /// Moving average of the gradient, updated in place.
    pub m: &'a mut [T],
    /// Moving average of the squared gradient, updated in place.
    pub v: &'a mut [T],
    /// Largest `v` so far (AMSGrad), updated in place; `None` for plain Adam.
    pub v_max: Option<&'a mut [T]>,
}

/// The numbers of an Adam step.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the average of gradients.
    pub beta1: f64,
    /// Decay of the average of squared gradients.
    pub beta2: f64,
    /// What keeps the division finite.
    pub eps: f64,
    /// Whether `eps` stands inside the root: `sqrt(v + eps)` instead of `sqrt(v) + eps`.
    pub eps_inside_root: bool,
    /// `1 - beta1^t` in step t (from 1), or 1 for no correction.
    pub correction1: f64,
    /// `1 - beta2^t` in step t (from 1), or 1 for no correction.
    pub correction2: f64,
    /// Weight decay: [`Decay::L2`] makes Adam, [`Decay::Decoupled`] AdamW.
    pub decay: Decay,
    /// Factor on every gradient, for clipping; 1 changes nothing.
    pub grad_scale: f64,
}

impl AdamStep {
    /// Step `t` (from 1) with PyTorch's other defaults: betas 0.9 and 0.999, eps 1e-8, no decay.
    pub fn new(lr: f64, t: u64) -> AdamStep {
        let (beta1, beta2) = (0.9, 0.999);
        AdamStep {
            lr,
            beta1,
            beta2,
            eps: 1e-8,
            eps_inside_root: false,
            correction1: 1.0 - f64::powf(beta1, t as f64),
            correction2: 1.0 - f64::powf(beta2, t as f64),
            decay: Decay::None,
            grad_scale: 1.0,
        }
    }
}

/// One step of Adam or AdamW over all parameters.
///
/// ```text
/// m = beta1 m + (1 - beta1) g
/// v = beta2 v + (1 - beta2) g^2
/// p = p - lr (m / correction1) / (sqrt(v / correction2) + eps)
/// ```
/// with `v_max = max(v_max, v)` in place of `v` in the last line if a parameter has one, and
/// weight decay as in [`Decay`].
///
/// # Panics
/// If slices of one parameter differ in length.
///
/// # Reference
/// Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2;
/// Reddi, Kale and Kumar 2018, algorithm 2 (AMSGrad, as in PyTorch without its extra correction).
pub fn adam<T: Float>(params: &mut [AdamSlices<'_, T>], step: &AdamStep) {
    per_float!(T: adam_sweep(params: &mut [AdamSlices<T>], step: &AdamStep))
}

fn adam_sweep<T: Float>(params: &mut [AdamSlices<'_, T>], step: &AdamStep) {
    let pieces = params.iter_mut().map(|s| Piece {
        p: s.p,
        g: s.g,
        state: [Some(&mut *s.m), Some(&mut *s.v), s.v_max.as_deref_mut()],
    });
    sweep(pieces, *step);
}

impl<T: Float> Update<T> for AdamStep {
    #[inline(always)]
    fn update(&self, piece: Piece<'_, T>) {
        let Piece { p, g, state: [Some(m), Some(v), v_max] } = piece else {
            unreachable!("adam always passes both moments")
        };
        let grad = self.decay.gradient::<T>(self.lr, self.grad_scale);
        let (beta1, fresh1) = (T::from_f64(self.beta1), T::from_f64(1.0 - self.beta1));
        let (beta2, fresh2) = (T::from_f64(self.beta2), T::from_f64(1.0 - self.beta2));
        let rate = T::from_f64(self.lr / self.correction1);
        let eps = T::from_f64(self.eps);
        // v / correction2 costs a division per element; its reciprocal is exact enough, and free.
        let inverse2 = T::from_f64(1.0 / self.correction2);
        let inverse_root2 = T::from_f64(1.0 / self.correction2.sqrt());
        let inside = self.eps_inside_root;
        let denominator = |v: T| {
            if inside { (v * inverse2 + eps).sqrt() } else { v.sqrt() * inverse_root2 + eps }
        };
        let moments = |g: T, m: &mut T, v: &mut T| {
            *m = beta1 * *m + fresh1 * g;
            *v = beta2 * *v + fresh2 * (g * g);
        };
        match v_max {
            None => each2(p, g, m, v, |p, g, m, v| {
                let (p, g) = grad(p, g);
                moments(g, m, v);
                p - rate * *m / denominator(*v)
            }),
            Some(v_max) => each3(p, g, m, v, v_max, |p, g, m, v, v_max| {
                let (p, g) = grad(p, g);
                moments(g, m, v);
                // NaN in v must reach v_max: the comparison is false for it.
                *v_max = if *v_max >= *v { *v_max } else { *v };
                p - rate * *m / denominator(*v_max)
            }),
        }
    }
}
