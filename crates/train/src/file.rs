//! Files: reading whole ones, and writing so that a crash leaves the old one or the new one.

use std::fs;
use std::path::Path;

use backstitch_data::Error;
pub use backstitch_data::write_atomically;

/// Reads a whole file.
///
/// # Errors
/// When the system cannot read it.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let path = path.as_ref();
    fs::read(path).map_err(|cause| Error::Io {
        path: path.to_path_buf(),
        expected: "a file that can be read",
        cause,
    })
}
