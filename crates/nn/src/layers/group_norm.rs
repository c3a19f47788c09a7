//! [`GroupNorm`]: normalises each sample over groups of channels.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{Param, Tensor};

use crate::{Layer, Pass};

/// Normalises each sample over groups of channels and all places:
/// `y = (x - mean) / √(var + eps) weight + bias`.
///
/// # Shape
/// `x (N, C, ...)` to the same shape.
///
/// # Reference
/// Wu and He 2018, equation 7.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct GroupNorm<T: Float = f32> {
    /// The scale `(C)`. Starts at 1.
    pub weight: Option<Param<T>>,
    /// The shift `(C)`. Starts at 0.
    pub bias: Option<Param<T>>,
    /// The number of groups.
    #[module(skip)]
    pub groups: usize,
    /// Keeps the division finite.
    #[module(skip)]
    pub eps: f64,
}

impl<T: Float> GroupNorm<T> {
    /// A layer for `channels` channels in `groups` groups, with PyTorch's defaults: an `eps` of
    /// 1e-5, scale and shift.
    ///
    /// # Panics
    /// When the groups do not divide the channels.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> Self {
        Self::with_options(groups, channels, 1e-5, true)
    }

    /// A layer with another `eps`, and perhaps without scale and shift.
    ///
    /// # Panics
    /// When the groups do not divide the channels.
    #[track_caller]
    pub fn with_options(groups: usize, channels: usize, eps: f64, affine: bool) -> Self {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "GroupNorm: needs groups that divide the channels; got {groups} and {channels}"
        );
        let param = |value| affine.then(|| Param::new(Tensor::full([channels], value)));
        GroupNorm { weight: param(T::ONE), bias: param(T::ZERO), groups, eps }
    }

    /// The output for `x`.
    ///
    /// # Panics
    /// When `x` has another number of channels.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.group_norm(self.groups, self.weight.as_deref(), self.bias.as_deref(), self.eps)
    }
}

impl<T: Float> Layer<T> for GroupNorm<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
