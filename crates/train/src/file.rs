//! Writing files so that a crash leaves the old one or the new one, never half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use backstitch_data::Error;

/// Writes `bytes` to `path`: to a temporary file beside it, synced, then renamed over it.
///
/// Missing folders are made. Whatever happens, nothing half-written remains at `path`.
///
/// # Errors
/// When the system cannot write there; the temporary file is removed.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    if let Some(folder) = folder(path) {
        fs::create_dir_all(folder).map_err(|cause| {
            Error::mismatch("folder", "one that is there or can be made", cause.to_string())
                .in_file(folder)
        })?;
    }
    let temporary = temporary(path);
    write(path, &temporary, bytes).map_err(|cause| {
        // The first error says more than a failure to clean up.
        let _ = fs::remove_file(&temporary);
        Error::Io { path: path.to_path_buf(), cause }
    })
}

/// The folder that the path names, if it names one.
fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn write(path: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    // The rename itself must reach the disk. Not every system can sync a folder.
    if let Ok(folder) = File::open(folder(path).unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A name beside the file that no other process uses.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Reads a whole file.
///
/// # Errors
/// When the system cannot read it.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let path = path.as_ref();
    fs::read(path).map_err(|cause| Error::Io { path: path.to_path_buf(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_replace_and_leave_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_unwritable_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        let error = write_atomically(file.join("below"), b"y").unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: folder: expected", file.display())), "{error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
