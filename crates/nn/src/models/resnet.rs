//! [`ResNet`]: stages of blocks with a way around each.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{PadMode, PoolOptions, Rng, Tensor};

use super::CONV_INIT;
use crate::{
    AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Conv2dOptions, Flatten, Init, Layer, Linear, MaxPool2d,
    Pass,
};

/// How deep and how wide a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNetTable {
    /// The blocks of each stage; 0 for no further stage. Each stage but the first halves the image
    /// and doubles the width.
    pub blocks: [usize; 4],
    /// Whether blocks are bottlenecks (1 x 1, 3 x 3 and 1 x 1 taps, four times as wide outside)
    /// instead of two convolutions of 3 x 3 taps.
    pub bottleneck: bool,
    /// The channels of the stem and inside of the first stage's blocks.
    pub width: usize,
}

/// ResNet-18 of the paper's table 1.
pub const RESNET18: ResNetTable =
    ResNetTable { blocks: [2, 2, 2, 2], bottleneck: false, width: 64 };
/// ResNet-34 of the paper's table 1.
pub const RESNET34: ResNetTable = ResNetTable { blocks: [3, 4, 6, 3], ..RESNET18 };
/// ResNet-50 of the paper's table 1.
pub const RESNET50: ResNetTable = ResNetTable { bottleneck: true, ..RESNET34 };
/// ResNet-20 of the paper's section 4.2, for images of 32 x 32 pixels; with
/// [`ResNetOptions::small_images`] and [`Shortcut::Zeros`] it is the paper's.
pub const RESNET20: ResNetTable =
    ResNetTable { blocks: [3, 3, 3, 0], bottleneck: false, width: 16 };
/// ResNet-56 of the paper's section 4.2.
pub const RESNET56: ResNetTable = ResNetTable { blocks: [9, 9, 9, 0], ..RESNET20 };

/// What comes before the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// A convolution of 7 x 7 taps and stride 2, then a max pool of 3 x 3 and stride 2.
    ImageNet,
    /// A convolution of 3 x 3 taps: for images of 32 x 32 pixels.
    Small,
}

/// The way around a block that changes the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// A convolution of one tap and a batch norm: option B of the paper, torchvision's.
    Projection,
    /// Every second pixel, with channels of zeros before and behind: option A of the paper, which
    /// has no parameters.
    Zeros,
}

/// The options of [`ResNet`]. The defaults are torchvision's, for ImageNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNetOptions {
    /// The channels of the images. 3 by default.
    pub channels: usize,
    /// The classes. 1000 by default.
    pub classes: usize,
    /// What comes before the blocks. ImageNet's by default.
    pub stem: Stem,
    /// The way around a block that changes the shape. A projection by default.
    pub shortcut: Shortcut,
    /// Whether the last norm of each block starts at 0, so that blocks start as the identity
    /// (Goyal et al. 2017, section 5.1). No by default.
    pub zero_init_residual: bool,
}

impl Default for ResNetOptions {
    fn default() -> Self {
        ResNetOptions {
            channels: 3,
            classes: 1000,
            stem: Stem::ImageNet,
            shortcut: Shortcut::Projection,
            zero_init_residual: false,
        }
    }
}

impl ResNetOptions {
    /// For images of 32 x 32 pixels: the small stem.
    pub fn small_images(classes: usize) -> Self {
        ResNetOptions { classes, stem: Stem::Small, ..ResNetOptions::default() }
    }
}

/// A ResNet of any table.
///
/// # Shape
/// `x (N, channels, H, W)` to logits `(N, classes)`.
///
/// # Reference
/// He, Zhang, Ren and Sun 2016, "Deep residual learning for image recognition". Where blocks are
/// bottlenecks, the convolution of 3 x 3 taps has the stride, as in torchvision; the paper has it
/// in the first of one tap.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct ResNet<T: Float = f32> {
    /// The stem's convolution.
    pub conv1: Conv2d<T>,
    /// The stem's norm.
    pub bn1: BatchNorm2d<T>,
    /// The max pool of ImageNet's stem.
    pub maxpool: Option<MaxPool2d>,
    /// The first stage.
    pub layer1: Vec<ResNetBlock<T>>,
    /// The second stage.
    pub layer2: Vec<ResNetBlock<T>>,
    /// The third stage.
    pub layer3: Vec<ResNetBlock<T>>,
    /// The fourth stage; empty in the networks of section 4.2.
    pub layer4: Vec<ResNetBlock<T>>,
    /// From the averages of the channels to the classes. Starts as [`Linear`] does.
    pub fc: Linear<T>,
}

impl<T: Float> ResNet<T> {
    /// A network by a table. Convolutions start by Kaiming with the outputs' fan, scales at 1,
    /// shifts at 0, as torchvision's.
    pub fn new(table: &ResNetTable, options: ResNetOptions, rng: &mut Rng) -> Self {
        let (kernel, stride) = match options.stem {
            Stem::ImageNet => (7, 2),
            Stem::Small => (3, 1),
        };
        let conv1 = conv(options.channels, table.width, kernel, stride, rng);
        let windows =
            PoolOptions { stride: Some([2; 2]), padding: 1.into(), ..PoolOptions::default() };
        let mut channels = table.width;
        let [layer1, layer2, layer3, layer4] = std::array::from_fn(|stage| {
            let block = |at| {
                let stride = if at == 0 && stage > 0 { 2 } else { 1 };
                let sizes = (&mut channels, table.width << stage, stride);
                ResNetBlock::new(sizes, table.bottleneck, &options, rng)
            };
            (0..table.blocks[stage]).map(block).collect()
        });
        ResNet {
            conv1,
            bn1: BatchNorm2d::new(table.width),
            maxpool: (options.stem == Stem::ImageNet)
                .then(|| MaxPool2d::with_options([3; 2], windows)),
            layer1,
            layer2,
            layer3,
            layer4,
            fc: Linear::new(channels, options.classes, rng),
        }
    }

    /// The logits for `x`.
    ///
    /// # Panics
    /// When `x` has other axes or channels.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        let h = self.bn1.forward_relu(&self.conv1.forward(x), pass);
        let mut h = self.maxpool.forward(&h, pass);
        for stage in [&self.layer1, &self.layer2, &self.layer3, &self.layer4] {
            h = stage.forward(&h, pass);
        }
        self.fc.forward(&Flatten.forward(&AdaptiveAvgPool2d::new(1).forward(&h)))
    }
}

impl<T: Float> Layer<T> for ResNet<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.forward(x, pass)
    }
}

/// Two or three convolutions with norms, and a way around them: torchvision's `BasicBlock`, or
/// `Bottleneck` where there is a third convolution.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct ResNetBlock<T: Float = f32> {
    /// 3 x 3 taps with the stride; one tap in a bottleneck.
    pub conv1: Conv2d<T>,
    /// The norm behind it.
    pub bn1: BatchNorm2d<T>,
    /// 3 x 3 taps; in a bottleneck with the stride.
    pub conv2: Conv2d<T>,
    /// The norm behind it.
    pub bn2: BatchNorm2d<T>,
    /// One tap, to four times the width: in a bottleneck.
    pub conv3: Option<Conv2d<T>>,
    /// The norm behind it.
    pub bn3: Option<BatchNorm2d<T>>,
    /// The projection around the block, where it has one.
    pub downsample: Option<(Conv2d<T>, BatchNorm2d<T>)>,
    /// The stride of the way around, and its zeros before and behind, where it has no projection.
    #[module(skip)]
    pub zeros: (usize, usize),
}

impl<T: Float> ResNetBlock<T> {
    /// A block of `width` channels inside, which raises `channels` to what it has outside.
    fn new(
        (channels, width, stride): (&mut usize, usize, usize),
        bottleneck: bool,
        options: &ResNetOptions,
        rng: &mut Rng,
    ) -> Self {
        let (input, out) = (*channels, if bottleneck { 4 * width } else { width });
        *channels = out;
        let (conv1, conv2, conv3) = match bottleneck {
            true => (
                conv(input, width, 1, 1, rng),
                conv(width, width, 3, stride, rng),
                Some(conv(width, out, 1, 1, rng)),
            ),
            false => (conv(input, width, 3, stride, rng), conv(width, width, 3, 1, rng), None),
        };
        let changes = stride != 1 || input != out;
        let projects = changes && options.shortcut == Shortcut::Projection;
        let mut block = ResNetBlock {
            conv1,
            bn1: BatchNorm2d::new(width),
            conv2,
            bn2: BatchNorm2d::new(width),
            bn3: conv3.as_ref().map(|_| BatchNorm2d::new(out)),
            conv3,
            downsample: projects.then(|| (conv(input, out, 1, stride, rng), BatchNorm2d::new(out))),
            zeros: (stride, (out - input) / 2),
        };
        if options.zero_init_residual {
            let last = block.bn3.as_mut().unwrap_or(&mut block.bn2);
            last.weight.iter_mut().for_each(|weight| Init::Zeros.fill(weight, rng));
        }
        block
    }

    /// The output for `x`.
    ///
    /// # Panics
    /// When `x` has other axes or channels.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        let h = self.conv2.forward(&self.bn1.forward_relu(&self.conv1.forward(x), pass));
        let (h, last) = match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => (conv3.forward(&self.bn2.forward_relu(&h, pass)), bn3),
            _ => (h, &self.bn2),
        };
        last.forward_add_relu(&h, &self.around(x, pass), pass)
    }

    #[track_caller]
    fn around(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        let (stride, zeros) = self.zeros;
        match &self.downsample {
            Some((conv, norm)) => norm.forward(&conv.forward(x), pass),
            None if self.zeros == (1, 0) => x.clone(),
            None => {
                let step = stride as isize;
                let zeros = zeros as isize;
                let pads = [(0, 0), (zeros, zeros), (0, 0), (0, 0)];
                x.slice_step(2, .., step)
                    .slice_step(3, .., step)
                    .pad(pads, PadMode::Constant(T::ZERO))
            }
        }
    }
}

impl<T: Float> Layer<T> for ResNetBlock<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.forward(x, pass)
    }
}

/// A convolution without bias that keeps the size but for its stride.
fn conv<T: Float>(
    channels: usize,
    out: usize,
    kernel: usize,
    stride: usize,
    rng: &mut Rng,
) -> Conv2d<T> {
    let options = Conv2dOptions {
        stride: [stride; 2],
        padding: (kernel / 2).into(),
        bias: false,
        weight_init: CONV_INIT,
        ..Conv2dOptions::default()
    };
    Conv2d::with_options(channels, out, [kernel; 2], options, rng)
}
