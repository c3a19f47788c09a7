//! Layers, losses, initialisation, optimizers and schedules.

#![forbid(unsafe_code)]

pub mod optim;

pub use optim::*;
