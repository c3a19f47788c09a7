//! What element-wise ops of one input share: one slope serves gradients and tangents alike.

use backstitch_kernels::{Float, View};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::tensor::Tensor;

/// An op that maps each element by itself.
///
/// Its Jacobian is diagonal, so gradient and tangent are the same product, a direction times the
/// slope, and the op says it once.
pub(super) trait Pointwise<T: Float>: Send + Sync + 'static {
    /// The op's name, as in [`Op::NAME`].
    const NAME: &'static str;
    /// What [`Pointwise::along`] reads at the site.
    const SAVES: Saves;

    /// The kernel.
    fn map(&self, x: View<'_, T>, y: &mut [T]);

    /// The direction `d` times the slope, in Tensor ops.
    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T>;
}

/// Runs an element-wise op, and records it when `x` is tracked.
#[track_caller]
pub(super) fn pointwise<T: Float, P: Pointwise<T>>(op: P, x: &Tensor<T>) -> Tensor<T> {
    apply(Mapped(op), [x])
}

struct Mapped<P>(P);

impl<T: Float, P: Pointwise<T>> Op<T, 1> for Mapped<P> {
    const NAME: &'static str = P::NAME;
    const SAVES: Saves = P::SAVES;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build_like([x], |[x], y| self.0.map(x, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(self.0.along(at, dy))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        self.0.along(at, dx.expect("the only input moves"))
    }
}

/// A direction times a slope in one kernel: `z = d * s(v)`, where `v` is an op's input or output.
///
/// It is an op of two inputs with derivatives of its own, so that a kernel for the first
/// derivative does not end the chain of higher ones.
pub(super) trait Chain<T: Float>: Copy + Send + Sync + 'static {
    /// The name of the product, for messages.
    const NAME: &'static str;

    /// The kernel.
    fn scale(&self, d: View<'_, T>, v: View<'_, T>, z: &mut [T]);

    /// The derivative of the slope by `v`, in Tensor ops; `None` where it is zero.
    fn curvature(&self, v: &Tensor<T>) -> Option<Tensor<T>>;
}

/// `d * s(v)`.
pub(super) fn chain<T: Float, C: Chain<T>>(slope: C, d: &Tensor<T>, v: &Tensor<T>) -> Tensor<T> {
    apply(Scaled(slope), [d, v])
}

struct Scaled<C>(C);

impl<T: Float, C: Chain<T>> Op<T, 2> for Scaled<C> {
    const NAME: &'static str = C::NAME;
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [d, v]: [&Tensor<T>; 2]) -> Tensor<T> {
        Tensor::build_like([d, v], |[d, v], z| self.0.scale(d, v, z))
    }

    fn backward(&self, at: &Site<T>, dz: &Tensor<T>) -> Gradient<T, 2> {
        let (d, v) = (at.input(0), at.input(1));
        let by_v = || Some(dz * d * self.0.curvature(v)?);
        [at.want(0, || chain(self.0, dz, v)), if at.wants(1) { by_v() } else { None }]
    }

    fn jvp(&self, at: &Site<T>, [dd, dv]: Tangents<T, 2>) -> Tensor<T> {
        let (d, v) = (at.input(0), at.input(1));
        let by_d = dd.map(|dd| chain(self.0, dd, v));
        let by_v = dv.and_then(|dv| Some(d * dv * self.0.curvature(v)?));
        match (by_d, by_v) {
            (Some(by_d), Some(by_v)) => by_d + by_v,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => no_slope(v),
        }
    }
}

/// Zeros like `x`, without memory of their own: the slope of a step.
pub(super) fn no_slope<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    Tensor::scalar(T::ZERO).broadcast_view(x.shape())
}

/// Example shapes: edge sizes, and one of a size that users train.
pub(super) const SHAPES: &[&[&[usize]]] =
    &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]];
