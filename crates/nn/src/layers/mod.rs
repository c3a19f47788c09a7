//! The layers: one file each, with its parameters, how they start, and its tests.

mod activation;
mod batch_norm;
mod conv;
mod conv_transpose;
mod dropout;
mod dropout2d;
mod embedding;
mod flatten;
mod group_norm;
mod instance_norm;
mod layer_norm;
mod linear;
mod padding;
mod pool;
mod prelu;
mod residual;
mod rms_norm;
mod sequential;
#[cfg(test)]
mod tests;
mod upsample;

pub use activation::*;
pub use batch_norm::{BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNormOptions};
pub use conv::{
    Conv1d, Conv1dOptions, Conv2d, Conv2dOptions, Conv3d, Conv3dOptions, ConvLayerOptions,
    PaddingMode,
};
pub use conv_transpose::{
    ConvTranspose1d, ConvTranspose1dOptions, ConvTranspose2d, ConvTranspose2dOptions,
    ConvTranspose3d, ConvTranspose3dOptions, ConvTransposeLayerOptions,
};
pub use dropout::{Dropout, Rescale};
pub use dropout2d::{Dropout1d, Dropout2d, Dropout3d};
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use group_norm::GroupNorm;
pub use instance_norm::{InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, InstanceNormOptions};
pub use layer_norm::{LayerNorm, LayerNormOptions};
pub use linear::{Linear, LinearOptions};
pub use padding::*;
pub use pool::*;
pub use prelu::Prelu;
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use sequential::Sequential;
pub use upsample::{LocalResponseNorm, PixelShuffle, PixelUnshuffle, Upsample, UpsampleTo};
