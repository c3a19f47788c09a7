//! [`ConvTranspose1d`], [`ConvTranspose2d`], [`ConvTranspose3d`]: transposed convolutions.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{ConvTransposeOptions, Padding, Param, Rng, Tensor};

use super::conv::{check_groups, params};
use crate::{Init, Layer, Pass};

/// The options of transposed convolution layers over `D` axes. The defaults are those of
/// `torch.nn.ConvTranspose2d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvTransposeLayerOptions<const D: usize> {
    /// Places from one input's stamp to the next one's. 1 by default.
    pub stride: [usize; D],
    /// What is cut off the result. Nothing by default.
    pub padding: Padding<D>,
    /// Places that the result has behind what the stamps reach. 0 by default.
    pub output_padding: [usize; D],
    /// Places from one tap of the kernel to the next. 1 by default.
    pub dilation: [usize; D],
    /// Parts of the channels that do not see each other. 1 by default.
    pub groups: usize,
    /// Whether there is a bias. Yes by default.
    pub bias: bool,
    /// How the weight starts. Even between `±1 / √(out / groups * taps)` by default, as PyTorch
    /// counts.
    pub weight_init: Init,
    /// How the bias starts; the fans are the weight's. Even between the same bounds by default.
    pub bias_init: Init,
}

/// The options of [`ConvTranspose1d`].
pub type ConvTranspose1dOptions = ConvTransposeLayerOptions<1>;
/// The options of [`ConvTranspose2d`].
pub type ConvTranspose2dOptions = ConvTransposeLayerOptions<2>;
/// The options of [`ConvTranspose3d`].
pub type ConvTranspose3dOptions = ConvTransposeLayerOptions<3>;

impl<const D: usize> Default for ConvTransposeLayerOptions<D> {
    fn default() -> Self {
        let ConvTransposeOptions { stride, padding, output_padding, dilation, groups } =
            ConvTransposeOptions::default();
        ConvTransposeLayerOptions {
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias: true,
            weight_init: Init::TORCH,
            bias_init: Init::TORCH,
        }
    }
}

macro_rules! layers {
    ($($name:ident $method:ident $axes:literal $options:ident $input:literal $kernel:literal)*) => {$(
        #[doc = concat!("A transposed convolution over ", stringify!($axes), " axes: see [`Tensor::", stringify!($method), "`].")]
        ///
        /// # Shape
        #[doc = concat!("`x (N, in, ", $input, ")` or without `N` to the same axes, `out` channels.")]
        #[derive(Clone, Debug, Module)]
        #[module(crate = "backstitch_tensor")]
        pub struct $name<T: Float = f32> {
            #[doc = concat!("The weight `(in, out / groups, ", $kernel, ")`. Starts even between")]
            /// `±1 / √(out / groups * taps)`, as PyTorch's does.
            pub weight: Param<T>,
            /// The bias `(out)`. Starts even between the same bounds.
            pub bias: Option<Param<T>>,
            /// Where the stamps lie.
            #[module(skip)]
            pub options: ConvTransposeOptions<$axes>,
        }

        impl<T: Float> $name<T> {
            /// A layer with a kernel that is `kernel` long along each axis, and PyTorch's defaults:
            /// stride 1, no padding, a bias.
            pub fn new(in_channels: usize, out_channels: usize, kernel: usize, rng: &mut Rng) -> Self {
                Self::with_options(in_channels, out_channels, [kernel; $axes], $options::default(), rng)
            }

            /// A layer with options.
            ///
            /// # Panics
            /// When `groups` is 0 or does not divide the channels.
            #[track_caller]
            pub fn with_options(
                in_channels: usize,
                out_channels: usize,
                kernel: [usize; $axes],
                options: $options,
                rng: &mut Rng,
            ) -> Self {
                let ConvTransposeLayerOptions {
                    stride, padding, output_padding, dilation, groups, ..
                } = options;
                check_groups(stringify!($name), in_channels, out_channels, groups);
                let mut shape = vec![in_channels, out_channels / groups];
                shape.extend(kernel);
                let inits = (options.weight_init, options.bias_init);
                let (weight, bias) = params(&shape, out_channels, options.bias, inits, rng);
                let options =
                    ConvTransposeOptions { stride, padding, output_padding, dilation, groups };
                $name { weight, bias, options }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes or channels.
            #[track_caller]
            pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method(&self.weight, self.bias.as_deref(), &self.options)
            }
        }

        impl<T: Float> Layer<T> for $name<T> {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                self.forward(x)
            }
        }
    )*};
}

layers! {
    ConvTranspose1d conv_transpose1d 1 ConvTranspose1dOptions "T" "k"
    ConvTranspose2d conv_transpose2d 2 ConvTranspose2dOptions "H, W" "kH, kW"
    ConvTranspose3d conv_transpose3d 3 ConvTranspose3dOptions "D, H, W" "kD, kH, kW"
}
