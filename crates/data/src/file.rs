//! Files, plain or gzipped: reading with bounded memory, writing that leaves nothing half-written.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::Error;

/// The bytes behind `source`: decompressed if they start as gzip does (`1f 8b`).
pub(crate) fn plain_stream<'a>(
    mut source: impl BufRead + 'a,
) -> std::io::Result<Box<dyn Read + 'a>> {
    let gzipped = source.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzipped { Box::new(MultiGzDecoder::new(source)) } else { Box::new(source) })
}

/// Opens a file as a stream of plain bytes, whether or not it is gzipped.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    let file = File::open(path).map_err(|cause| Error::io(path, cause))?;
    // A folder opens on some systems and only fails when read; both name the path.
    plain_stream(BufReader::new(file)).map_err(|cause| Error::io(path, cause))
}

/// Reads up to `limit` bytes. Memory grows with what arrives, not with `limit`, so that a length
/// in a header costs nothing until its bytes exist.
pub(crate) fn read_up_to(stream: &mut dyn Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match stream.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(cause) => Err(Error::mismatch("content", "a readable stream", cause.to_string())),
    }
}

/// The names of the files in a folder, in a fixed order.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|cause| Error::io(folder, cause))?;
    for entry in entries {
        let entry = entry.map_err(|cause| Error::io(folder, cause))?;
        // A name that is not Unicode is none of ours.
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Writes a whole file or nothing: to a temporary file beside it, synced, then renamed.
/// Gzipped if the name ends in `.gz`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary_name(path);
    let written = write_to(&temporary, bytes, path.extension().is_some_and(|e| e == "gz"))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|cause| {
        // Best effort: the first error is the one worth reporting.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, cause)
    })
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_to(path: &Path, bytes: &[u8], gzipped: bool) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    if gzipped {
        let mut encoder = GzEncoder::new(&mut file, Compression::default());
        encoder.write_all(bytes)?;
        encoder.finish()?;
    } else {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_found_by_its_magic_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let gz = folder.path().join("a.gz");
        write(&gz, b"hello").unwrap();
        assert!(std::fs::read(&gz).unwrap().starts_with(&[0x1f, 0x8b]));
        let renamed = folder.path().join("plain-name");
        std::fs::rename(&gz, &renamed).unwrap();
        let mut stream = open(&renamed).unwrap();
        assert_eq!(read_up_to(&mut stream, 100).unwrap(), b"hello");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("file"), b"x").unwrap();
        let error = write(&target, b"hello").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = open(Path::new("/no/such/file")).err().unwrap();
        assert!(error.to_string().starts_with("/no/such/file: "), "{error}");
    }
}
