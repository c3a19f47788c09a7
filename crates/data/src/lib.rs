//! Datasets, file formats, transforms and the loader.
//!
//! From files to batches:
//!
//! - formats: [`idx`], [`mnist`], [`cifar`], CSV as a [`Table`] with an [`Encoder`]; all of them
//!   read plain or gzipped files, bound memory by the bytes that are there, and report what is
//!   wrong as one line with file, place, expected and found;
//! - datasets: anything that is a [`Dataset`]; in memory as [`Images`], [`TensorDataset`] or
//!   [`MemoryDataset`]; [`split`](mod@split) and [`Dataset::subset`] make parts of them;
//! - batches: [`Loader`], with shuffling, [`Transform`]s, worker threads, and resuming.
//!
//! Nothing here is random but by an [`Rng`] that is an argument.
//!
//! # Examples
//! ```
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist");
//! use backstitch_data::{Loader, RandomHorizontalFlip, Rng, mnist};
//!
//! let data = mnist::read(folder, 10)?;
//! let (mean, std) = data.train.channel_stats();
//! let train = Loader::new(data.train.normalize(&mean, &std)?, 128)?
//!     .augment(RandomHorizontalFlip::new(0.5));
//! let mut rng = Rng::seed(7);
//! for batch in train.epoch(&mut rng).take(2) {
//!     let (images, labels) = batch?;
//!     assert_eq!((images.shape(), labels.shape()), (&[128, 1, 28, 28][..], &[128][..]));
//! }
//! # Ok::<(), backstitch_data::Error>(())
//! ```

#![forbid(unsafe_code)]

mod collate;
mod dataset;
mod error;
mod file;
mod images;
mod loader;
mod tensors;

pub mod cifar;
pub mod idx;
pub mod mnist;
pub mod split;
pub mod table;
pub mod transform;

pub use backstitch_tensor::Rng;
pub use collate::Collate;
pub use dataset::{Chain, Dataset, Map, MemoryDataset, Subset};
pub use error::Error;
pub use file::write_atomically;
pub use images::{FlatImages, Images};
pub use loader::{Augmented, Epoch, Loader, LoaderState, Source};
pub use table::{CsvOptions, Encoder, Feature, Missing, Scale, Table};
pub use tensors::{TensorDataset, check_finite};
pub use transform::{
    ColorJitter, Cutout, Normalize, RandomCrop, RandomHorizontalFlip, RandomRotation, ToFloat,
    Transform,
};
