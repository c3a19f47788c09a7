//! [`Upsample`], [`PixelShuffle`], [`PixelUnshuffle`], [`LocalResponseNorm`]: image layers without
//! parameters.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{InterpolateOptions, Tensor};

use crate::{Layer, Pass};

/// Images of another size: see [`Tensor::interpolate`] and [`Tensor::interpolate_by`].
#[derive(Clone, Debug, PartialEq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct Upsample {
    /// How large the images become.
    #[module(skip)]
    pub to: UpsampleTo,
    /// How to find what lies between pixels. The nearest one by default.
    #[module(skip)]
    pub options: InterpolateOptions,
}

/// How large [`Upsample`] makes its images.
#[derive(Clone, Debug, PartialEq)]
pub enum UpsampleTo {
    /// New pixels per old one, along each axis; it need not be whole.
    Scale(f64),
    /// Pixels along each axis behind the channels.
    Size(Vec<usize>),
}

impl Upsample {
    /// Images `scale` times as large along each axis, each pixel repeated.
    pub fn new(scale: f64) -> Self {
        Upsample { to: UpsampleTo::Scale(scale), options: InterpolateOptions::default() }
    }

    /// Images of a size, made of the nearest pixels.
    pub fn to_size(size: impl Into<Vec<usize>>) -> Self {
        Upsample { to: UpsampleTo::Size(size.into()), options: InterpolateOptions::default() }
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
        match &layer.to {
            UpsampleTo::Size(size) => x.interpolate(size, &layer.options),
            UpsampleTo::Scale(scale) => {
                let scales = vec![*scale; x.rank().saturating_sub(2)];
                x.interpolate_by(scales, &layer.options)
            }
        }
    };
    PixelShuffle |layer, x| x.pixel_shuffle(layer.0);
    PixelUnshuffle |layer, x| x.pixel_unshuffle(layer.0);
    LocalResponseNorm |layer, x| {
        x.local_response_norm(layer.size, layer.alpha, layer.beta, layer.k)
    };
}
