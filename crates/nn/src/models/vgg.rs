//! [`Vgg`]: convolutions of small kernels by a table, then linear layers.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{Rng, Tensor};

use super::CONV_INIT;
use crate::{
    AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Conv2dOptions, Dropout, Flatten, Init, Layer, Linear,
    LinearOptions, MaxPool2d, Pass, Relu,
};
use VggItem::{Conv1, Conv3, Pool};

/// An entry of a table: what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VggItem {
    /// A convolution of 3 x 3 taps to this many channels, with padding that keeps the size, and a
    /// ReLU.
    Conv3(usize),
    /// A convolution of one tap to this many channels, and a ReLU.
    Conv1(usize),
    /// A max pool of 2 x 2 pixels.
    Pool,
}

/// Configuration A of the paper's table 1: torchvision's `vgg11`.
#[rustfmt::skip]
pub const VGG_A: &[VggItem] = &[
    Conv3(64), Pool,
    Conv3(128), Pool,
    Conv3(256), Conv3(256), Pool,
    Conv3(512), Conv3(512), Pool,
    Conv3(512), Conv3(512), Pool,
];

/// Configuration B: torchvision's `vgg13`.
#[rustfmt::skip]
pub const VGG_B: &[VggItem] = &[
    Conv3(64), Conv3(64), Pool,
    Conv3(128), Conv3(128), Pool,
    Conv3(256), Conv3(256), Pool,
    Conv3(512), Conv3(512), Pool,
    Conv3(512), Conv3(512), Pool,
];

/// Configuration C: B with three convolutions of one tap. torchvision has none.
#[rustfmt::skip]
pub const VGG_C: &[VggItem] = &[
    Conv3(64), Conv3(64), Pool,
    Conv3(128), Conv3(128), Pool,
    Conv3(256), Conv3(256), Conv1(256), Pool,
    Conv3(512), Conv3(512), Conv1(512), Pool,
    Conv3(512), Conv3(512), Conv1(512), Pool,
];

/// Configuration D: torchvision's `vgg16`.
#[rustfmt::skip]
pub const VGG_D: &[VggItem] = &[
    Conv3(64), Conv3(64), Pool,
    Conv3(128), Conv3(128), Pool,
    Conv3(256), Conv3(256), Conv3(256), Pool,
    Conv3(512), Conv3(512), Conv3(512), Pool,
    Conv3(512), Conv3(512), Conv3(512), Pool,
];

/// Configuration E: torchvision's `vgg19`.
#[rustfmt::skip]
pub const VGG_E: &[VggItem] = &[
    Conv3(64), Conv3(64), Pool,
    Conv3(128), Conv3(128), Pool,
    Conv3(256), Conv3(256), Conv3(256), Conv3(256), Pool,
    Conv3(512), Conv3(512), Conv3(512), Conv3(512), Pool,
    Conv3(512), Conv3(512), Conv3(512), Conv3(512), Pool,
];

/// The options of [`Vgg`]. The defaults are torchvision's, for ImageNet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VggOptions {
    /// The channels of the images. 3 by default.
    pub channels: usize,
    /// The classes. 1000 by default.
    pub classes: usize,
    /// Whether each convolution has a batch norm behind it: torchvision's `vgg11_bn` and so on. No
    /// by default, as in the paper.
    pub batch_norm: bool,
    /// Height and width that the features are averaged to. 7 by default.
    pub pool: usize,
    /// The width of the two hidden linear layers. 4096 by default.
    pub hidden: usize,
    /// The probability that an element of a hidden layer is dropped. 0.5 by default.
    pub dropout: f64,
    /// Whether weights start as torchvision's do (convolutions by Kaiming, linear layers normal of
    /// deviation 0.01), or at 0, which is enough where a checkpoint follows and saves a hundred
    /// million draws. Yes by default.
    pub init_weights: bool,
}

impl Default for VggOptions {
    fn default() -> Self {
        VggOptions {
            channels: 3,
            classes: 1000,
            batch_norm: false,
            pool: 7,
            hidden: 4096,
            dropout: 0.5,
            init_weights: true,
        }
    }
}

impl VggOptions {
    /// For images of 32 x 32 pixels, of which the tables' five pools leave one: hidden layers of
    /// 512, batch norm.
    pub fn small_images(classes: usize) -> Self {
        VggOptions { classes, batch_norm: true, pool: 1, hidden: 512, ..VggOptions::default() }
    }

    /// How weights start that would start by `init`.
    fn start(&self, init: Init) -> Init {
        if self.init_weights { init } else { Init::Zeros }
    }
}

/// A VGG of any table: convolutions and pools, an average, three linear layers.
///
/// # Shape
/// `x (N, channels, H, W)` to logits `(N, classes)`. Each pool halves the image, so that those of
/// the paper's tables need 32 x 32 pixels or more.
///
/// # Examples
/// ```
/// use backstitch_nn::models::{VGG_A, Vgg, VggOptions};
/// use backstitch_nn::{ModuleExt, Pass};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let options = VggOptions { hidden: 32, init_weights: false, ..VggOptions::small_images(10) };
/// let net: Vgg = Vgg::new(VGG_A, options, &mut Rng::seed(0));
/// assert_eq!(net.param_names()[..3], ["features.0.weight", "features.0.bias", "features.1.weight"]);
/// assert_eq!(net.forward(&Tensor::ones([1, 3, 32, 32]), &Pass::eval()).shape(), [1, 10]);
/// ```
///
/// # Reference
/// Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image
/// recognition", table 1; names and initialisation as torchvision's.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct Vgg<T: Float = f32> {
    /// Convolutions, norms, ReLUs and pools, numbered together.
    pub features: Vec<VggPart<T>>,
    /// Averages the features to a size that the first linear layer knows.
    pub avgpool: AdaptiveAvgPool2d,
    /// Linear layers 0, 3 and 6.
    pub classifier: (Linear<T>, Relu, Dropout, Linear<T>, Relu, Dropout, Linear<T>),
}

/// One of the numbered parts of [`Vgg::features`].
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
#[allow(clippy::large_enum_variant, reason = "a network has a few dozen of them")]
pub enum VggPart<T: Float = f32> {
    /// A convolution.
    Conv(Conv2d<T>),
    /// A batch norm.
    Norm(BatchNorm2d<T>),
    /// A ReLU.
    Relu,
    /// A max pool.
    Pool(MaxPool2d),
}

impl<T: Float> Vgg<T> {
    /// A network by a table.
    ///
    /// # Panics
    /// When the table has no convolution, or the dropout is no probability.
    #[track_caller]
    pub fn new(table: &[VggItem], options: VggOptions, rng: &mut Rng) -> Self {
        let (mut features, mut channels) = (Vec::new(), options.channels);
        for item in table {
            let (out, kernel) = match *item {
                Conv3(out) => (out, 3),
                Conv1(out) => (out, 1),
                Pool => {
                    features.push(VggPart::Pool(MaxPool2d::new(2)));
                    continue;
                }
            };
            features.push(VggPart::Conv(conv(channels, out, kernel, &options, rng)));
            if options.batch_norm {
                features.push(VggPart::Norm(BatchNorm2d::new(out)));
            }
            features.push(VggPart::Relu);
            channels = out;
        }
        assert!(
            features.iter().any(|part| matches!(part, VggPart::Conv(_))),
            "Vgg: needs a table with a convolution; got {table:?}"
        );
        let drop = Dropout::new(options.dropout);
        let mut fc = |inputs, outputs| {
            let weight_init = options.start(Init::Normal { mean: 0.0, std: 0.01 });
            let init =
                LinearOptions { weight_init, bias_init: Init::Zeros, ..LinearOptions::default() };
            Linear::with_options(inputs, outputs, init, rng)
        };
        let classifier = (
            fc(channels * options.pool * options.pool, options.hidden),
            Relu,
            drop,
            fc(options.hidden, options.hidden),
            Relu,
            drop,
            fc(options.hidden, options.classes),
        );
        Vgg { features, avgpool: AdaptiveAvgPool2d::new(options.pool), classifier }
    }

    /// The logits for `x`.
    ///
    /// # Panics
    /// When `x` has other axes or channels, or is smaller than the pools need.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        let h = self.avgpool.forward(&self.convolved(x, pass));
        self.classifier.forward(&Flatten.forward(&h), pass)
    }

    /// What the numbered parts make of `x`; a norm and the ReLU behind it are one op.
    #[track_caller]
    fn convolved(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        let mut x = x.clone();
        let mut parts = self.features.iter().peekable();
        while let Some(part) = parts.next() {
            let is_relu = |part: &&VggPart<T>| matches!(part, VggPart::Relu);
            x = match part {
                VggPart::Conv(conv) => conv.forward(&x),
                VggPart::Norm(norm) => match parts.next_if(is_relu) {
                    Some(_) => norm.forward_relu(&x, pass),
                    None => norm.forward(&x, pass),
                },
                VggPart::Relu => x.relu(),
                VggPart::Pool(pool) => pool.forward(&x),
            };
        }
        x
    }
}

impl<T: Float> Layer<T> for Vgg<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.forward(x, pass)
    }
}

fn conv<T: Float>(
    channels: usize,
    out: usize,
    kernel: usize,
    options: &VggOptions,
    rng: &mut Rng,
) -> Conv2d<T> {
    let own = Conv2dOptions {
        padding: (kernel / 2).into(),
        weight_init: options.start(CONV_INIT),
        bias_init: Init::Zeros,
        ..Conv2dOptions::default()
    };
    Conv2d::with_options(channels, out, [kernel; 2], own, rng)
}
