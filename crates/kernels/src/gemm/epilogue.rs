//! What follows a product while its tile is still in cache: bias and activation.
//!
//! A bias costs nothing: the sums start from it. A ReLU is applied to each micro-kernel's result,
//! while it is in the nearest cache. Other activations cost enough to wait until a block of columns
//! is done, and are then called like any element-wise kernel, so that products are not compiled once
//! for each of them.

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
    /// The element-wise kernel, unless the activation is applied to each micro-kernel's result.
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

    pub(super) fn bias(&self) -> Option<&'a [T]> {
        match *self {
            Self::None | Self::Act(_) => None,
            Self::Bias(bias) | Self::BiasAct(bias, _) => Some(bias),
        }
    }

    fn activation(&self) -> Option<Activation> {
        match *self {
            Self::None | Self::Bias(_) => None,
            Self::Act(act) | Self::BiasAct(_, act) => Some(act),
        }
    }

    /// What is left when the bias has been added.
    pub(super) fn without_bias(&self) -> Self {
        self.activation().map_or(Self::None, Self::Act)
    }

    /// Whether each result is due for a ReLU.
    pub(super) fn is_relu(&self) -> bool {
        self.activation() == Some(Activation::Relu)
    }

    /// The activation that is still due when a block of C is done.
    pub(super) fn afterwards(&self) -> Option<fn(&mut [T])> {
        self.activation()?.in_place()
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

/// `max(x, 0)` of a row.
#[inline(always)]
pub(super) fn relu<T: Float, S: Simd>(simd: S, row: &mut [T]) {
    for lanes in row.chunks_mut(T::lanes::<S>()) {
        Vector::load(simd, lanes).at_least(T::ZERO).store(lanes);
    }
}
