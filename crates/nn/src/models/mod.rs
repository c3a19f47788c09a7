//! Networks of the literature as functions of tables. Their parameters have torchvision's names,
//! layouts and initial distributions, so that checkpoints written by PyTorch load.
//!
//! # Examples
//! A ResNet-18 for images of 32 x 32 pixels, and the shapes of what it computes:
//! ```
//! use backstitch_nn::models::{RESNET18, ResNet, ResNetOptions, ResNetTable};
//! use backstitch_nn::{ModuleExt, Pass};
//! use backstitch_tensor::{Rng, Tensor};
//!
//! let narrow = ResNetTable { width: 8, ..RESNET18 };
//! let net: ResNet = ResNet::new(&narrow, ResNetOptions::small_images(10), &mut Rng::seed(0));
//! assert_eq!(net.param_names()[..3], ["conv1.weight", "bn1.weight", "bn1.bias"]);
//! let logits = net.forward(&Tensor::ones([2, 3, 32, 32]), &Pass::eval());
//! assert_eq!(logits.shape(), [2, 10]);
//! ```

mod lenet;
mod resnet;
mod vgg;

pub use lenet::LeNet;
pub use resnet::{
    RESNET18, RESNET20, RESNET34, RESNET50, RESNET56, ResNet, ResNetBlock, ResNetOptions,
    ResNetTable, Shortcut, Stem,
};
pub use vgg::{VGG_A, VGG_B, VGG_C, VGG_D, VGG_E, Vgg, VggItem, VggOptions, VggPart};

use crate::{Fan, Init, Nonlinearity};

/// How the convolutions of torchvision's VGGs and ResNets start: normal of variance
/// `2 / (out * taps)`, which keeps the variance of gradients.
const CONV_INIT: Init = Init::KaimingNormal { fan: Fan::Out, nonlinearity: Nonlinearity::Relu };
