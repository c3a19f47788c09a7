//! Datasets, file formats, transforms and the loader.
