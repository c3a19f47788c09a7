//! [`Upsample`], [`PixelShuffle`], [`PixelUnshuffle`], [`LocalResponseNorm`]: image layers without
//! parameters.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{InterpolateOptions, Tensor};

use crate::{Layer, Pass};

/// Makes images `factor` times as large along each axis: see [`Tensor::interpolate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct Upsample {
    /// New pixels per old one along each axis.
    #[module(skip)]
    pub factor: usize,
    /// How to find what lies between pixels. The nearest one by default.
    #[module(skip)]
    pub options: InterpolateOptions,
}

impl Upsample {
    /// Images `factor` times as large, each pixel repeated.
    pub fn new(factor: usize) -> Self {
        Upsample { factor, options: InterpolateOptions::default() }
    }
}

/// Makes channels into pixels: see [`Tensor::pixel_shuffle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct PixelShuffle(
    /// New pixels per old one along each axis.
    #[module(skip)]
    pub usize,
);

/// Makes pixels into channels: see [`Tensor::pixel_unshuffle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct PixelUnshuffle(
    /// Old pixels per new one along each axis.
    #[module(skip)]
    pub usize,
);

/// Divides by the activity of neighbouring channels: see [`Tensor::local_response_norm`].
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct LocalResponseNorm {
    /// How many channels count.
    #[module(skip)]
    pub size: usize,
    /// The factor of the mean square. 1e-4 by default.
    #[module(skip)]
    pub alpha: f64,
    /// The power. 0.75 by default.
    #[module(skip)]
    pub beta: f64,
    /// What is added to the mean square. 1 by default.
    #[module(skip)]
    pub k: f64,
}

impl LocalResponseNorm {
    /// A layer over `size` channels, with PyTorch's defaults.
    pub fn new(size: usize) -> Self {
        LocalResponseNorm { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }
}

macro_rules! layers {
    ($($name:ident |$self:ident, $x:ident| $y:expr;)*) => {$(
        impl $name {
            /// The output for `x`.
            ///
            /// # Panics
            /// When the shape does not fit.
            #[track_caller]
            pub fn forward<T: Float>(&self, $x: &Tensor<T>) -> Tensor<T> {
                let $self = self;
                $y
            }
        }

        impl<T: Float> Layer<T> for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                self.forward(x)
            }
        }
    )*};
}

layers! {
    Upsample |layer, x| {
        let size: Vec<usize> = x.shape().iter().skip(2).map(|n| n * layer.factor).collect();
        x.interpolate(size, &layer.options)
    };
    PixelShuffle |layer, x| x.pixel_shuffle(layer.0);
    PixelUnshuffle |layer, x| x.pixel_unshuffle(layer.0);
    LocalResponseNorm |layer, x| {
        x.local_response_norm(layer.size, layer.alpha, layer.beta, layer.k)
    };
}
