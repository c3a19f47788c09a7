//! Layers, losses, initialisation, optimizers and schedules.

#![forbid(unsafe_code)]

mod init;
mod layer;
mod layers;
mod losses;
mod model;
pub mod optim;
mod pass;
mod penalty;
pub mod schedule;

/// Implements [`Module`](backstitch_tensor::Module) for a model: see its documentation.
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
