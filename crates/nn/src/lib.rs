//! Layers, models, losses, initialisation, optimizers and schedules.

#![forbid(unsafe_code)]

mod init;
mod layer;
mod layers;
mod losses;
mod model;
pub mod models;
pub mod optim;
mod pass;
mod penalty;
pub mod schedule;
pub mod solve;

/// Implements [`Module`](backstitch_tensor::Module) for a model.
///
/// # Examples
/// A model that is generic over the element type, with a choice of layers. Programs that depend
/// on `backstitch` leave `crate = "..."` out.
/// ```
/// use backstitch_nn::{BatchNorm1d, Linear, Module, ModuleExt};
/// use backstitch_tensor::{Float, Rng};
///
/// #[derive(Clone, Module)]
/// #[module(crate = "backstitch_tensor")]
/// enum Norm<T: Float> {
///     Batch(BatchNorm1d<T>),
///     None,
/// }
///
/// #[derive(Clone, Module)]
/// #[module(crate = "backstitch_tensor")]
/// struct Net<T: Float = f32> {
///     hidden: Vec<Linear<T>>,
///     norm: Norm<T>,
///     #[module(rename = "head")]
///     output: Linear<T>,
///     #[module(skip)]
///     activation: fn(&backstitch_tensor::Tensor<T>) -> backstitch_tensor::Tensor<T>,
/// }
///
/// let mut rng = Rng::seed(0);
/// let net: Net = Net {
///     hidden: vec![Linear::new(2, 4, &mut rng)],
///     norm: Norm::Batch(BatchNorm1d::new(4)),
///     output: Linear::new(4, 1, &mut rng),
///     activation: backstitch_tensor::Tensor::relu,
/// };
/// let names = net.param_names();
/// assert_eq!(names[..3], ["hidden.0.weight", "hidden.0.bias", "norm.weight"]);
/// assert_eq!(names[3..], ["norm.bias", "head.weight", "head.bias"]);
/// ```
pub use backstitch_derive::Module;
pub use init::{Fan, Init, Nonlinearity, fans};
pub use layer::{BoxedClone, Layer};
pub use layers::*;
pub use losses::*;
pub use model::{ModuleExt, StateDict, StateDictError, Summary, SummaryRow};
pub use optim::*;
pub use pass::{Pass, Statistics};
pub use penalty::{l1_penalty, l2_penalty};
pub use schedule::*;
pub use solve::*;
