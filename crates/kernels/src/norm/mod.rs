//! Normalisation, forward and backward: batch norm over channels, layer norm and RMS norm over
//! rows.

mod batch_norm;
mod blocks;
mod layer_norm;
mod statistics;
mod sums;

pub use batch_norm::{
    Affine, BatchNorm, Gradients, batch_norm, batch_norm_backward, batch_norm_training,
};
pub use layer_norm::{LayerNorm, layer_norm, layer_norm_backward, rms_norm, rms_norm_backward};
pub use statistics::batch_statistics;

#[cfg(test)]
mod tests;
