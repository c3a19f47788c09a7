//! Optimizer steps: one sweep over all parameters, each update written like its algorithm.
//!
//! Parameters are cut into pieces of `PIECE` elements that threads share. An update treats
//! every element by itself, so the cut cannot change a bit of the result.

mod adam;
mod adaptive;
mod norm;
mod sgd;
#[cfg(test)]
mod tests;

pub use adam::{AdamSlices, AdamStep, adam};
pub use adaptive::{AdagradSlices, AdagradStep, RmsPropSlices, RmsPropStep, adagrad, rmsprop};
pub use norm::{clamp, norm_squared, scale};
pub use sgd::{Momentum, SgdSlices, SgdStep, sgd};

use crate::element::Float;
use crate::{arch, par};

/// Elements of a piece: 64 KiB of f32 in each of up to five slices stay within a 512 KiB L2.
const PIECE: usize = 16 * 1024;

/// Nanoseconds for one element of a step, from memory bandwidth: 28 bytes at 14 GB/s.
const NANOSECONDS: usize = 2;

/// Weight decay: how a step pulls parameters towards zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// Not at all.
    None,
    /// `g += weight p`: the gradient of `weight/2 |p|^2`, which the optimizer then treats like
    /// the rest of the gradient.
    L2(f64),
    /// `p -= lr weight p` beside the optimizer's own step.
    Decoupled(f64),
}

impl Decay {
    /// The function `(p, g) -> (p that is stepped from, g that is stepped along)`.
    #[inline(always)]
    fn gradient<T: Float>(self, lr: f64, grad_scale: f64) -> impl Fn(T, T) -> (T, T) {
        let (keep, l2) = match self {
            Decay::None => (1.0, 0.0),
            Decay::L2(weight) => (1.0, weight),
            Decay::Decoupled(weight) => (1.0 - lr * weight, 0.0),
        };
        let (keep, l2) = (T::from_f64(keep), T::from_f64(l2));
        let scale = T::from_f64(grad_scale);
        let has_l2 = matches!(self, Decay::L2(_));
        #[inline(always)]
        move |p, g| {
            let g = g * scale;
            // Without decay an infinite p must not make 0 * p = NaN.
            (p * keep, if has_l2 { g + l2 * p } else { g })
        }
    }
}

/// What a step does to a piece of a parameter.
trait Update<T: Float>: Copy + Sync {
    /// Updates the piece in place; implementations are `inline(always)`, so that the loop is
    /// compiled for the instruction set of the dispatch around it.
    fn update(&self, piece: Piece<'_, T>);
}

/// A run of a parameter with its gradient and the optimizer's state.
#[derive(Default)]
struct Piece<'a, T> {
    p: &'a mut [T],
    g: &'a [T],
    state: [Option<&'a mut [T]>; 3],
}

impl<'a, T> Piece<'a, T> {
    /// Takes the first `len` elements off this piece.
    fn split_off(&mut self, len: usize) -> Piece<'a, T> {
        let (g, g_rest) = self.g.split_at(len);
        self.g = g_rest;
        Piece {
            p: front(&mut self.p, len),
            g,
            state: self.state.each_mut().map(|s| s.as_mut().map(|s| front(s, len))),
        }
    }
}

/// Takes the first `len` elements off `slice`.
fn front<'a, T>(slice: &mut &'a mut [T], len: usize) -> &'a mut [T] {
    let (first, rest) = std::mem::take(slice).split_at_mut(len);
    *slice = rest;
    first
}

/// Applies `update` to all parameters, in pieces shared by the threads.
#[track_caller]
fn sweep<'a, T: Float>(params: impl Iterator<Item = Piece<'a, T>>, update: impl Update<T>) {
    let mut pieces = Vec::new();
    let mut elements = 0;
    for mut piece in params {
        let len = piece.p.len();
        elements += len;
        let state_fits = piece.state.iter().flatten().all(|s| s.len() == len);
        assert!(
            piece.g.len() == len && state_fits,
            "optimizer: needs gradient and state of the parameter's {len} elements; got {} and {:?}",
            piece.g.len(),
            piece.state.each_ref().map(|s| s.as_ref().map(|s| s.len())),
        );
        while piece.p.len() > PIECE {
            pieces.push(piece.split_off(PIECE));
        }
        pieces.push(piece);
    }
    par::chunks_mut(&mut pieces, 1, elements * NANOSECONDS, |_, piece| {
        arch::inlined_narrow(
            #[inline(always)]
            || update.update(std::mem::take(&mut piece[0])),
        );
    });
}

/// `p = f(p, g)` for every element. These loops are functions of slices because only function
/// arguments tell the compiler that the slices do not overlap.
#[inline(always)]
fn each<T: Copy>(p: &mut [T], g: &[T], f: impl Fn(T, T) -> T) {
    for (p, &g) in p.iter_mut().zip(g) {
        *p = f(*p, g);
    }
}

/// `p = f(p, g, a)` for every element; `f` also updates the state.
#[inline(always)]
fn each1<T: Copy>(p: &mut [T], g: &[T], a: &mut [T], f: impl Fn(T, T, &mut T) -> T) {
    for ((p, &g), a) in p.iter_mut().zip(g).zip(a) {
        *p = f(*p, g, a);
    }
}

/// As [`each1`] with two states.
#[inline(always)]
fn each2<T: Copy>(
    p: &mut [T],
    g: &[T],
    a: &mut [T],
    b: &mut [T],
    f: impl Fn(T, T, &mut T, &mut T) -> T,
) {
    for (((p, &g), a), b) in p.iter_mut().zip(g).zip(a).zip(b) {
        *p = f(*p, g, a, b);
    }
}

/// As [`each1`] with three states.
#[inline(always)]
fn each3<T: Copy>(
    p: &mut [T],
    g: &[T],
    a: &mut [T],
    b: &mut [T],
    c: &mut [T],
    f: impl Fn(T, T, &mut T, &mut T, &mut T) -> T,
) {
    for ((((p, &g), a), b), c) in p.iter_mut().zip(g).zip(a).zip(b).zip(c) {
        *p = f(*p, g, a, b, c);
    }
}
