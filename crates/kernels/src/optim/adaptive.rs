//! RMSProp and Adagrad: rates that adapt to the size of past gradients.

use super::{Decay, Piece, Update, each1, each2, each3, sweep};
use crate::element::{Float, per_float};

/// One parameter of an RMSProp step; all slices have one length.
pub struct RmsPropSlices<'a, T> {
    /// The parameter, updated in place.
    pub p: &'a mut [T],
    /// Its gradient, read only.
    pub g: &'a [T],
    /// Moving average of the squared gradient, updated in place.
    pub v: &'a mut [T],
    /// Moving average of the gradient, updated in place; `None` unless centered.
    pub mean: Option<&'a mut [T]>,
    /// Velocity, updated in place; `None` without momentum.
    pub velocity: Option<&'a mut [T]>,
}

/// The numbers of an RMSProp step.
#[derive(Clone, Copy, Debug)]
pub struct RmsPropStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the average of squared gradients.
    pub alpha: f64,
    /// What keeps the division finite.
    pub eps: f64,
    /// Whether `eps` stands inside the root: `sqrt(v + eps)` instead of `sqrt(v) + eps`.
    pub eps_inside_root: bool,
    /// Factor on the past velocity; used where a parameter has one.
    pub momentum: f64,
    /// Weight decay.
    pub decay: Decay,
    /// Factor on every gradient, for clipping; 1 changes nothing.
    pub grad_scale: f64,
}

/// One step of RMSProp over all parameters.
///
/// `v = alpha v + (1 - alpha) g^2`, `p -= lr g / (sqrt(v) + eps)`. Centered, the squared mean of
/// gradients is taken from `v` under the root; with a velocity, `u = momentum u + g / (...)` and
/// `p -= lr u`.
///
/// # Panics
/// If slices of one parameter differ in length.
///
/// # Reference
/// Hinton's Coursera lecture 6e; the order of operations is `torch.optim.RMSprop`'s.
pub fn rmsprop<T: Float>(params: &mut [RmsPropSlices<'_, T>], step: &RmsPropStep) {
    per_float!(T: rmsprop_sweep(params: &mut [RmsPropSlices<T>], step: &RmsPropStep))
}

fn rmsprop_sweep<T: Float>(params: &mut [RmsPropSlices<'_, T>], step: &RmsPropStep) {
    let pieces = params.iter_mut().map(|s| Piece {
        p: s.p,
        g: s.g,
        state: [Some(&mut *s.v), s.mean.as_deref_mut(), s.velocity.as_deref_mut()],
    });
    sweep(pieces, *step);
}

impl<T: Float> Update<T> for RmsPropStep {
    #[inline(always)]
    fn update(&self, piece: Piece<'_, T>) {
        let Piece { p, g, state: [Some(v), mean, velocity] } = piece else {
            unreachable!("rmsprop always passes v")
        };
        let grad = self.decay.gradient::<T>(self.lr, self.grad_scale);
        let (lr, momentum) = (T::from_f64(self.lr), T::from_f64(self.momentum));
        let (alpha, fresh) = (T::from_f64(self.alpha), T::from_f64(1.0 - self.alpha));
        let (eps, inside) = (T::from_f64(self.eps), self.eps_inside_root);
        let scaled = |g: T, v: T| {
            if inside { g / (v + eps).sqrt() } else { g / (v.sqrt() + eps) }
        };
        let average = |a: &mut T, x: T| *a = alpha * *a + fresh * x;
        match (mean, velocity) {
            (None, None) => each1(p, g, v, |p, g, v| {
                let (p, g) = grad(p, g);
                average(v, g * g);
                p - lr * scaled(g, *v)
            }),
            (None, Some(u)) => each2(p, g, v, u, |p, g, v, u| {
                let (p, g) = grad(p, g);
                average(v, g * g);
                *u = momentum * *u + scaled(g, *v);
                p - lr * *u
            }),
            (Some(mean), None) => each2(p, g, v, mean, |p, g, v, mean| {
                let (p, g) = grad(p, g);
                average(v, g * g);
                average(mean, g);
                p - lr * scaled(g, *v - *mean * *mean)
            }),
            (Some(mean), Some(u)) => each3(p, g, v, mean, u, |p, g, v, mean, u| {
                let (p, g) = grad(p, g);
                average(v, g * g);
                average(mean, g);
                *u = momentum * *u + scaled(g, *v - *mean * *mean);
                p - lr * *u
            }),
        }
    }
}

/// One parameter of an Adagrad step; all slices have one length.
pub struct AdagradSlices<'a, T> {
    /// The parameter, updated in place.
    pub p: &'a mut [T],
    /// Its gradient, read only.
    pub g: &'a [T],
    /// Sum of squared gradients, updated in place.
    pub sum: &'a mut [T],
}

/// The numbers of an Adagrad step.
#[derive(Clone, Copy, Debug)]
pub struct AdagradStep {
    /// Learning rate, already divided by `1 + (t - 1) lr_decay` where that is wanted.
    pub lr: f64,
    /// What keeps the division finite.
    pub eps: f64,
    /// Weight decay.
    pub decay: Decay,
    /// Factor on every gradient, for clipping; 1 changes nothing.
    pub grad_scale: f64,
}

/// One step of Adagrad over all parameters: `sum += g^2`, `p -= lr g / (sqrt(sum) + eps)`.
///
/// # Panics
/// If slices of one parameter differ in length.
///
/// # Reference
/// Duchi, Hazan and Singer 2011, diagonal form; as `torch.optim.Adagrad`.
pub fn adagrad<T: Float>(params: &mut [AdagradSlices<'_, T>], step: &AdagradStep) {
    per_float!(T: adagrad_sweep(params: &mut [AdagradSlices<T>], step: &AdagradStep))
}

fn adagrad_sweep<T: Float>(params: &mut [AdagradSlices<'_, T>], step: &AdagradStep) {
    let pieces =
        params.iter_mut().map(|s| Piece { p: s.p, g: s.g, state: [Some(&mut *s.sum), None, None] });
    sweep(pieces, *step);
}

impl<T: Float> Update<T> for AdagradStep {
    #[inline(always)]
    fn update(&self, piece: Piece<'_, T>) {
        let Piece { p, g, state: [Some(sum), ..] } = piece else {
            unreachable!("adagrad always passes the sum")
        };
        let grad = self.decay.gradient::<T>(self.lr, self.grad_scale);
        let (lr, eps) = (T::from_f64(self.lr), T::from_f64(self.eps));
        each1(p, g, sum, |p, g, sum| {
            let (p, g) = grad(p, g);
            *sum += g * g;
            p - lr * g / (sum.sqrt() + eps)
        });
    }
}
