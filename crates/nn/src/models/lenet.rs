//! [`LeNet`]: two convolutions with pooling, three linear layers.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{PadMode, Rng, Tensor};

use crate::{Conv2d, Flatten, Layer, Linear, MaxPool2d, Pass};

/// LeNet-5 with today's parts: ReLU, max pools, full connections. Its names are those of PyTorch's
/// tutorials.
///
/// # Shape
/// `x (N, channels, 32, 32)`, or 28 by 28 pixels, which are padded with zeros as the paper pads
/// MNIST, to logits `(N, classes)`.
///
/// # Examples
/// ```
/// use backstitch_nn::{ModuleExt, models::LeNet};
/// use backstitch_tensor::Rng;
///
/// let net: LeNet = LeNet::new(1, 10, &mut Rng::seed(0));
/// assert_eq!(net.param_count(), 61_706);
/// ```
///
/// # Reference
/// LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document
/// recognition", section II B.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct LeNet<T: Float = f32> {
    /// Six maps of 5 x 5 taps.
    pub conv1: Conv2d<T>,
    /// Sixteen maps of 5 x 5 taps.
    pub conv2: Conv2d<T>,
    /// From 16 maps of 5 x 5 pixels to 120.
    pub fc1: Linear<T>,
    /// To 84.
    pub fc2: Linear<T>,
    /// To the classes.
    pub fc3: Linear<T>,
}

impl<T: Float> LeNet<T> {
    /// A network for images of `channels` channels; all layers start as PyTorch's do.
    pub fn new(channels: usize, classes: usize, rng: &mut Rng) -> Self {
        LeNet {
            conv1: Conv2d::new(channels, 6, 5, rng),
            conv2: Conv2d::new(6, 16, 5, rng),
            fc1: Linear::new(16 * 5 * 5, 120, rng),
            fc2: Linear::new(120, 84, rng),
            fc3: Linear::new(84, classes, rng),
        }
    }

    /// The logits for `x`.
    ///
    /// # Panics
    /// When `x` has another shape.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        let pool = MaxPool2d::new(2);
        let x = match x.shape() {
            [_, _, 28, 28] => x.pad([(0, 0), (0, 0), (2, 2), (2, 2)], PadMode::Constant(T::ZERO)),
            [_, _, 32, 32] => x.clone(),
            other => panic!("LeNet: needs (N, C, 28, 28) or (N, C, 32, 32); got {other:?}"),
        };
        let h = pool.forward(&self.conv1.forward(&x).relu());
        let h = pool.forward(&self.conv2.forward(&h).relu());
        let h = self.fc1.forward(&Flatten.forward(&h)).relu();
        self.fc3.forward(&self.fc2.forward(&h).relu())
    }
}

impl<T: Float> Layer<T> for LeNet<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
