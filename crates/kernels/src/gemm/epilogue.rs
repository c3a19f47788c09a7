//! What follows a product while its tile is still in cache: bias and activation.
//!
//! A bias and a ReLU are applied to each micro-kernel's result, while it is in the nearest cache.
//! Other activations cost enough to wait until a block of columns is done, and are then called
//! like any element-wise kernel, so that products are not compiled once for each of them.

use std::fmt;
use std::ops::Range;

use pulp::Simd;

use crate::simd::Vector;
use crate::{Float, elementwise};

/// A function applied to every element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`; NaN stays NaN.
    Relu,
    /// As [`elementwise::tanh`].
    Tanh,
    /// As [`elementwise::sigmoid`].
    Sigmoid,
    /// As [`elementwise::gelu`], exact.
    Gelu,
    /// As [`elementwise::gelu_tanh`].
    GeluTanh,
    /// As [`elementwise::silu`].
    Silu,
}

impl Activation {
    /// The element-wise kernel, unless the activation is applied together with the bias.
    fn in_place<T: Float>(self) -> Option<fn(&mut [T])> {
        match self {
            Activation::Relu => None,
            Activation::Tanh => Some(elementwise::tanh_assign),
            Activation::Sigmoid => Some(elementwise::sigmoid_assign),
            Activation::Gelu => Some(elementwise::gelu_assign),
            Activation::GeluTanh => Some(elementwise::gelu_tanh_assign),
            Activation::Silu => Some(elementwise::silu_assign),
        }
    }
}

/// What is done to C after the product.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a, T> {
    /// Nothing.
    None,
    /// `c[i][j] + bias[j]`
    Bias(&'a [T]),
    /// `act(c[i][j])`
    Act(Activation),
    /// `act(c[i][j] + bias[j])`
    BiasAct(&'a [T], Activation),
}

impl<'a, T: Float> Epilogue<'a, T> {
    /// Whether the bias, if there is one, has `n` elements.
    pub(super) fn fits(&self, n: usize) -> bool {
        self.bias().is_none_or(|bias| bias.len() == n)
    }

    /// The epilogue of some of the columns.
    pub(super) fn columns(&self, cols: Range<usize>) -> Self {
        match *self {
            Self::None => Self::None,
            Self::Bias(bias) => Self::Bias(&bias[cols]),
            Self::Act(act) => Self::Act(act),
            Self::BiasAct(bias, act) => Self::BiasAct(&bias[cols], act),
        }
    }

    fn bias(&self) -> Option<&'a [T]> {
        match *self {
            Self::None | Self::Act(_) => None,
            Self::Bias(bias) | Self::BiasAct(bias, _) => Some(bias),
        }
    }

    /// The activation that is still due when a block of C, bias included, is done.
    pub(super) fn afterwards(&self) -> Option<fn(&mut [T])> {
        match *self {
            Self::None | Self::Bias(_) => None,
            Self::Act(act) | Self::BiasAct(_, act) => act.in_place(),
        }
    }

    /// Applies to a row of C what does not come [`Epilogue::afterwards`].
    #[inline(always)]
    pub(super) fn apply<S: Simd>(&self, simd: S, row: &mut [T]) {
        match *self {
            Self::Act(Activation::Relu) => map(simd, row, relu),
            Self::BiasAct(bias, Activation::Relu) => map2(
                simd,
                row,
                bias,
                #[inline(always)]
                |x, b| relu(x + b),
            ),
            Self::Bias(bias) | Self::BiasAct(bias, _) => map2(
                simd,
                row,
                bias,
                #[inline(always)]
                |x, b| x + b,
            ),
            Self::None | Self::Act(_) => {}
        }
    }
}

/// For messages: the bias's shape, if there is a bias.
impl<T: Float> fmt::Display for Epilogue<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bias() {
            None => Ok(()),
            Some(bias) => write!(f, ", bias [{}]", bias.len()),
        }
    }
}

#[inline(always)]
fn relu<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    x.at_least(T::ZERO)
}

#[inline(always)]
fn map<T: Float, S: Simd>(simd: S, row: &mut [T], f: impl Fn(Vector<T, S>) -> Vector<T, S>) {
    for lanes in row.chunks_mut(T::lanes::<S>()) {
        f(Vector::load(simd, lanes)).store(lanes);
    }
}

#[inline(always)]
fn map2<T: Float, S: Simd>(
    simd: S,
    row: &mut [T],
    other: &[T],
    f: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) {
    let lanes = T::lanes::<S>();
    for (lanes, other) in row.chunks_mut(lanes).zip(other.chunks(lanes)) {
        f(Vector::load(simd, lanes), Vector::load(simd, other)).store(lanes);
    }
}
