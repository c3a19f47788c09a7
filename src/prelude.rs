//! What most programs use: `use backstitch::prelude::*;`.

pub use backstitch_data::*;
pub use backstitch_nn::*;
pub use backstitch_tensor::{
    Float, Gradients, Module, Param, Rng, Running, Tensor, check_gradients, grad, hessian, hvp,
    jacobian, jvp, no_grad, value_and_grad, vjp,
};
