//! The layers: one file each, with its parameters, how they start, and its tests.

mod activation;
mod batch_norm;
mod dropout;
mod embedding;
mod layer_norm;
mod linear;
mod prelu;
mod residual;
mod sequential;
#[cfg(test)]
mod tests;

pub use activation::*;
pub use batch_norm::{BatchNorm1d, BatchNormOptions};
pub use dropout::{Dropout, Rescale};
pub use embedding::Embedding;
pub use layer_norm::{LayerNorm, LayerNormOptions};
pub use linear::{Linear, LinearOptions};
pub use prelu::Prelu;
pub use residual::Residual;
pub use sequential::Sequential;
