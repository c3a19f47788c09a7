//! Meters, progress, history, pictures and checkpoints: helpers for a loop you can see.
//!
//! Nothing here runs the training loop. Each part is a value that the loop feeds.

#![forbid(unsafe_code)]

mod checkpoint;
mod entry;
pub mod file;
mod history;
mod meter;
#[cfg(feature = "plots")]
pub mod plots;
mod progress;
pub mod weights;

pub use backstitch_data::Error;
pub use checkpoint::Checkpoint;
pub use history::History;
pub use meter::{Accuracy, ConfusionMatrix, Mean};
pub use progress::Progress;
