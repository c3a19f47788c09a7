//! [`Conv1d`], [`Conv2d`], [`Conv3d`]: convolutions.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{ConvOptions, PadMode, Padding, Param, Rng, Tensor, Winograd};

use crate::{Init, Layer, Pass, fans};

/// The options of convolution layers over `D` axes. The defaults are those of `torch.nn.Conv2d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvLayerOptions<const D: usize> {
    /// Places from one output to the next. 1 by default.
    pub stride: [usize; D],
    /// Places around the image. None by default.
    pub padding: Padding<D>,
    /// What stands in these places. Zeros by default.
    pub padding_mode: PaddingMode,
    /// Places from one tap of the kernel to the next. 1 by default.
    pub dilation: [usize; D],
    /// Parts of the channels that do not see each other. 1 by default.
    pub groups: usize,
    /// Which of Winograd's algorithms may be used where they are faster: all by default, for f32.
    /// They round more than direct sums, and a NaN or an infinity spreads to neighbouring places;
    /// see [`Winograd`].
    pub winograd: Winograd,
    /// Whether there is a bias. Yes by default.
    pub bias: bool,
    /// How the weight starts. Even between `±1 / √(in / groups * taps)` by default.
    pub weight_init: Init,
    /// How the bias starts; the fans are the weight's. Even between the same bounds by default.
    pub bias_init: Init,
}

/// What surrounds the image of a convolution layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The image mirrored at its border pixels: see [`PadMode::Reflect`].
    Reflect,
    /// The border pixels: see [`PadMode::Replicate`].
    Replicate,
    /// The image's other end: see [`PadMode::Circular`].
    Circular,
}

/// `x` with the padding that the options ask for, and the options without it.
#[track_caller]
fn padded<T: Float, const D: usize>(
    x: &Tensor<T>,
    kernel: &[usize],
    mode: PaddingMode,
    options: &ConvOptions<D>,
) -> (Tensor<T>, ConvOptions<D>) {
    let mode = match mode {
        PaddingMode::Zeros => return (x.clone(), *options),
        PaddingMode::Reflect => PadMode::Reflect,
        PaddingMode::Replicate => PadMode::Replicate,
        PaddingMode::Circular => PadMode::Circular,
    };
    let pads: [(isize, isize); D] = std::array::from_fn(|axis| {
        let reach = options.dilation[axis] * (kernel[axis] - 1);
        let (before, after) = options.padding.sides(axis, reach);
        (before as isize, after as isize)
    });
    (x.pad(pads, mode), ConvOptions { padding: Padding::Valid, ..*options })
}

/// The options of [`Conv1d`].
pub type Conv1dOptions = ConvLayerOptions<1>;
/// The options of [`Conv2d`].
pub type Conv2dOptions = ConvLayerOptions<2>;
/// The options of [`Conv3d`].
pub type Conv3dOptions = ConvLayerOptions<3>;

impl<const D: usize> Default for ConvLayerOptions<D> {
    fn default() -> Self {
        let ConvOptions { stride, padding, dilation, groups, winograd } = ConvOptions::default();
        let (weight_init, bias_init) = (Init::TORCH, Init::TORCH);
        ConvLayerOptions {
            stride,
            padding,
            padding_mode: PaddingMode::Zeros,
            dilation,
            groups,
            winograd,
            bias: true,
            weight_init,
            bias_init,
        }
    }
}

/// A weight and perhaps a bias of `channels`, which start as asked for.
pub(super) fn params<T: Float>(
    weight: &[usize],
    channels: usize,
    bias: bool,
    (weight_init, bias_init): (Init, Init),
    rng: &mut Rng,
) -> (Param<T>, Option<Param<T>>) {
    let fans = fans(weight);
    let weight = Param::new(weight_init.tensor(weight, rng));
    let bias = bias.then(|| Param::new(bias_init.tensor_with_fans(&[channels], fans, rng)));
    (weight, bias)
}

macro_rules! layers {
    ($($name:ident $method:ident $axes:literal $options:ident $input:literal $kernel:literal $taps:literal)*) => {$(
        #[doc = concat!("A convolution over ", stringify!($axes), " axes: see [`Tensor::", stringify!($method), "`].")]
        ///
        /// # Shape
        #[doc = concat!("`x (N, in, ", $input, ")` or without `N` to the same axes, `out` channels.")]
        ///
        /// # Examples
        /// ```
        #[doc = concat!("use backstitch_nn::{", stringify!($name), ", ", stringify!($options), "};")]
        /// use backstitch_tensor::{Rng, Tensor};
        ///
        #[doc = concat!("let options = ", stringify!($options), " { padding: 1.into(), ..Default::default() };")]
        #[doc = concat!("let conv: ", stringify!($name), " = ", stringify!($name), "::with_options(2, 5, [3; ", stringify!($axes), "], options, &mut Rng::seed(0));")]
        #[doc = concat!("let mut shape = vec![4, 2]; shape.extend([6; ", stringify!($axes), "]);")]
        /// assert_eq!(conv.forward(&Tensor::ones(&shape)).shape()[..3], [4, 5, 6]);
        /// ```
        #[derive(Clone, Debug, Module)]
        #[module(crate = "backstitch_tensor")]
        pub struct $name<T: Float = f32> {
            #[doc = concat!("The weight `(out, in / groups, ", $kernel, ")`. Starts even between")]
            #[doc = concat!("`±1 / √(in / groups * ", $taps, ")`, as PyTorch's does.")]
            pub weight: Param<T>,
            /// The bias `(out)`. Starts even between the same bounds.
            pub bias: Option<Param<T>>,
            /// Where the windows lie.
            #[module(skip)]
            pub options: ConvOptions<$axes>,
            /// What stands in the places of the padding.
            #[module(skip)]
            pub padding_mode: PaddingMode,
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
                let ConvLayerOptions {
                    stride, padding, padding_mode, dilation, groups, winograd, ..
                } = options;
                check_groups(stringify!($name), in_channels, out_channels, groups);
                let mut shape = vec![out_channels, in_channels / groups];
                shape.extend(kernel);
                let inits = (options.weight_init, options.bias_init);
                let (weight, bias) = params(&shape, out_channels, options.bias, inits, rng);
                let options = ConvOptions { stride, padding, dilation, groups, winograd };
                $name { weight, bias, options, padding_mode }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes or channels, or is smaller than the kernel.
            #[track_caller]
            pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
                let kernel = &self.weight.shape()[2..];
                let (x, options) = padded(x, kernel, self.padding_mode, &self.options);
                x.$method(&self.weight, self.bias.as_deref(), &options)
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
    Conv1d conv1d 1 Conv1dOptions "T" "k" "k"
    Conv2d conv2d 2 Conv2dOptions "H, W" "kH, kW" "kH * kW"
    Conv3d conv3d 3 Conv3dOptions "D, H, W" "kD, kH, kW" "kD * kH * kW"
}

#[track_caller]
pub(super) fn check_groups(name: &str, in_channels: usize, out_channels: usize, groups: usize) {
    let divides = |channels: usize| groups > 0 && channels.is_multiple_of(groups);
    assert!(
        divides(in_channels) && divides(out_channels),
        "{name}: needs groups that divide the channels; got {groups} groups of {in_channels} and \
         {out_channels} channels"
    );
}
