//! The losses as objects, for code that is given one; the functions are methods of `Tensor`.

mod bce;
mod bce_with_logits;
mod cross_entropy;
#[cfg(test)]
mod golden;
mod huber;
mod kl_div;
mod l1;
mod mse;
mod nll;
mod smooth_l1;
#[cfg(test)]
mod tests;

pub use bce::BceLoss;
pub use bce_with_logits::BceWithLogitsLoss;
pub use cross_entropy::CrossEntropyLoss;
pub use huber::HuberLoss;
pub use kl_div::{KlDivLoss, KlDivReduction};
pub use l1::L1Loss;
pub use mse::MseLoss;
pub use nll::NllLoss;
pub use smooth_l1::SmoothL1Loss;

use backstitch_kernels::Float;
use backstitch_tensor::{Reduction, Tensor};

/// One number, or the terms as they are.
fn reduce<T: Float>(terms: Tensor<T>, reduction: Reduction) -> Tensor<T> {
    match reduction {
        Reduction::Mean => terms.mean(),
        Reduction::Sum => terms.sum(),
        Reduction::None => terms,
    }
}

/// Losses compare element by element: a target that broadcasts is a mistake.
#[track_caller]
fn check_shapes<T: Float>(name: &str, output: &Tensor<T>, target: &Tensor<T>) {
    assert!(
        output.shape() == target.shape(),
        "{name}: needs output and target of one shape; got {:?} and {:?}",
        output.shape(),
        target.shape()
    );
}
