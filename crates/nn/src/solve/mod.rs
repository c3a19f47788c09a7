//! Methods built on derivatives of second order, or on several gradients a step: Newton's (with the
//! feature `linalg`), Newton with conjugate gradients, L-BFGS, Gauss-Newton products, and the line
//! searches they need.
//!
//! They take functions of trees, as [`backstitch_tensor::grad`] does: a tensor, a tuple, a model.
//! [`Lbfgs`] is an optimizer: it changes a model in place.

mod gauss_newton;
mod lbfgs;
mod line_search;
#[cfg(feature = "linalg")]
mod newton;
mod newton_cg;
#[cfg(test)]
mod tests;
mod vector;

pub use gauss_newton::gauss_newton_product;
pub use lbfgs::{Lbfgs, LbfgsConfig, LbfgsLineSearch};
pub use line_search::{Armijo, StrongWolfe, Trial, armijo, strong_wolfe};
#[cfg(feature = "linalg")]
pub use newton::newton_step;
pub use newton_cg::{Minimum, NewtonCg};
